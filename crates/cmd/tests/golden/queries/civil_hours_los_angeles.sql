SELECT CAST(extract(epoch FROM civil_trunc('hour', "Timestamp", 'America/Los_Angeles')) AS BIGINT) AS hour_s,
    count("Level (m)") AS readings, sum("Level (m)") AS sum, avg("Level (m)") AS avg, min("Level (m)") AS min, max("Level (m)") AS max
FROM '/sample/dock.series' GROUP BY 1 ORDER BY 1

SELECT CAST(CAST(to_local_time("Timestamp" AT TIME ZONE 'America/Los_Angeles') AS DATE) AS VARCHAR) AS day,
    count("Level (m)") AS readings, sum("Level (m)") AS sum, avg("Level (m)") AS avg, min("Level (m)") AS min, max("Level (m)") AS max
FROM '/sample/dock.series' GROUP BY 1 ORDER BY 1

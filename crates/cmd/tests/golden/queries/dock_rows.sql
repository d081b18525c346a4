SELECT CAST(extract(epoch FROM "Timestamp") AS BIGINT) AS time_s, "Level (m)" AS level, "Salinity (psu)" AS salinity
FROM '/sample/dock.series' ORDER BY 1

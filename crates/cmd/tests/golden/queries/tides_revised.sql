SELECT count(*) AS both, count(*) FILTER (WHERE a.water_level_m <> b.water_level_m) AS revised
FROM '/tides/edition-1.table' a JOIN '/tides/edition-2.table' b ON a.time = b.time

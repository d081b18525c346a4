SELECT CAST(CAST(to_local_time(civil_trunc('day', time, 'Australia/Lord_Howe')) AS DATE) AS VARCHAR) AS day,
    count(water_level_m) AS readings, sum(water_level_m) AS sum, avg(water_level_m) AS avg, min(water_level_m) AS min, max(water_level_m) AS max
FROM '/tides/noyo.series' GROUP BY 1 ORDER BY 1

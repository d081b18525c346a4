SELECT CAST(extract(epoch FROM date_trunc('hour', time)) AS BIGINT) AS hour_s,
    count(water_level_m) AS readings, sum(water_level_m) AS sum, avg(water_level_m) AS avg, min(water_level_m) AS min, max(water_level_m) AS max
FROM '/tides/noyo.series'
WHERE time >= '2025-10-25T00:00:00Z' AND time < '2025-11-10T00:00:00Z'
GROUP BY 1 ORDER BY 1

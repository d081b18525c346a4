SELECT count(*) AS rows, count(DISTINCT time) AS instants,
    CAST(extract(epoch FROM min(time)) AS BIGINT) AS first_s, CAST(extract(epoch FROM max(time)) AS BIGINT) AS last_s,
    count(water_level_m) AS readings, sum(water_level_m) AS sum, avg(water_level_m) AS avg, min(water_level_m) AS min, max(water_level_m) AS max
FROM '/tides/noyo.series'

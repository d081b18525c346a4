SELECT count(*) AS rows, count(a.water_level_m) AS tides, count(b.flow) AS flows,
    count(*) FILTER (WHERE a.water_level_m IS NOT NULL AND b.flow IS NOT NULL) AS both
FROM '/tides/noyo.series' a
FULL OUTER JOIN (
    SELECT "Time" + INTERVAL '731 days' AS time, "Water flow [l/s]" AS flow
    FROM '/flow/pipeline.series'
) b ON a.time = b.time

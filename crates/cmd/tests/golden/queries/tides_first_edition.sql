-- As of the transaction that wrote the first edition.
SELECT count(*) AS rows, count(water_level_m) AS readings, sum(water_level_m) AS sum, avg(water_level_m) AS avg, min(water_level_m) AS min, max(water_level_m) AS max
FROM '/tides/noyo.series'

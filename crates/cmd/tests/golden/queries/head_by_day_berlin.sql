SELECT CAST(CAST(to_local_time(time AT TIME ZONE 'Europe/Berlin') AS DATE) AS VARCHAR) AS day,
    count(gwhead_m) AS readings, sum(gwhead_m) AS sum, avg(gwhead_m) AS avg, min(gwhead_m) AS min, max(gwhead_m) AS max, count(*) AS hours
FROM '/schwingbach/weather.series' GROUP BY 1 ORDER BY 1

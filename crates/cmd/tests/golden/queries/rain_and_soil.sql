SELECT substr(CAST(CAST(to_local_time(w.time AT TIME ZONE 'Europe/Berlin') AS DATE) AS VARCHAR), 1, 7) AS month,
    count(*) AS hours, count(w.gwhead_m) AS heads, sum(w.rain_mmday) / 24 AS rain_sum,
    avg(w.gwhead_m) AS head_avg, avg(s.soil_moisture_40cm) AS deep_avg,
    max(s.soil_moisture_10cm) AS top_max
FROM '/schwingbach/weather.series' w JOIN '/schwingbach/soil.series' s ON w.time = s.time
GROUP BY 1 ORDER BY 1

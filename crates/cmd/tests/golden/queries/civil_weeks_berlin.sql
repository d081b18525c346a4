SELECT CAST(CAST(to_local_time(civil_trunc('week', time, 'Europe/Berlin')) AS DATE) AS VARCHAR) AS week,
    count("airpressure_hPa") AS readings, sum("airpressure_hPa") AS sum, avg("airpressure_hPa") AS avg, min("airpressure_hPa") AS min, max("airpressure_hPa") AS max
FROM '/schwingbach/weather.series' GROUP BY 1 ORDER BY 1

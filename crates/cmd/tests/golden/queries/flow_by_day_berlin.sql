SELECT CAST(CAST(to_local_time("Time" AT TIME ZONE 'Europe/Berlin') AS DATE) AS VARCHAR) AS day,
    count("Water flow [l/s]") AS readings, sum("Water flow [l/s]") AS sum, avg("Water flow [l/s]") AS avg, min("Water flow [l/s]") AS min, max("Water flow [l/s]") AS max
FROM '/flow/pipeline.series' GROUP BY 1 ORDER BY 1

SELECT CAST(CAST(to_local_time("Timestamp" AT TIME ZONE 'America/Los_Angeles') AS DATE) AS VARCHAR) AS day, count(*) AS rows,
    avg(coalesce("Pressure (psi)" * 68.94757293168361, "Pressure (mm Hg)" * 1.33322387415)) AS pressure_avg,
    avg(coalesce("Level (m)", "Level (ft)" * 0.3048)) AS level_avg
FROM '/sample/well.series' GROUP BY 1 ORDER BY 1

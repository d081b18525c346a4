SELECT count(*) AS rows, count(DISTINCT "Timestamp") AS instants,
    CAST(extract(epoch FROM min("Timestamp")) AS BIGINT) AS first_s, CAST(extract(epoch FROM max("Timestamp")) AS BIGINT) AS last_s,
    count("Salinity (psu)") AS salinities, count("Level (m)") AS readings, sum("Level (m)") AS sum, avg("Level (m)") AS avg, min("Level (m)") AS min, max("Level (m)") AS max
FROM '/sample/dock.series'

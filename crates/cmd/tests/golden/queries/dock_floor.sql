-- The same files as a series without a floor.
SELECT count(*) AS below
FROM '/sample/dock-no-floor.series' WHERE "Timestamp" < '2000-01-01T00:00:00Z'

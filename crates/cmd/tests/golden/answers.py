"""Computes the golden answers with DuckDB, from the raw files under data/.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install duckdb==1.5.5
    /tmp/golden/bin/python crates/cmd/tests/golden/answers.py

(`just golden` does both.) For each `queries/NAME.sql`, which is what the test
asks of a pond, there is a question below that asks the same of the files, in
DuckDB's own terms: union of editions, zones, floors and conversions are spelled
out here and share nothing with the program. Answers go to `answers/NAME.csv`,
floats with as many digits as tell them apart. The same files give the same
answers, byte for byte.
"""

import csv
import pathlib

import duckdb

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parents[3] / "data"

# Readings, each with its instant. Everything is read as text and cast here, so
# that nothing is inferred.
RELATIONS = {
    # Two editions of one series; for an instant in both the second counts.
    "edition_1": "SELECT time::TIMESTAMPTZ AS time, water_level_m::DOUBLE AS level"
    " FROM read_csv('{data}/tides/noyo-harbor-edition-1.csv.zst', all_varchar = true)",
    "edition_2": "SELECT time::TIMESTAMPTZ AS time, water_level_m::DOUBLE AS level"
    " FROM read_csv('{data}/tides/noyo-harbor-edition-2.csv.zst', all_varchar = true)",
    "tides": "SELECT * FROM edition_2 UNION ALL"
    " SELECT * FROM edition_1 WHERE time NOT IN (SELECT time FROM edition_2) ORDER BY time",
    "high_low": "SELECT time::TIMESTAMPTZ AS time, tide, water_level_m::DOUBLE AS level"
    " FROM read_csv('{data}/tides/noyo-harbor-high-low.csv', all_varchar = true)",
    # UTC+1 all year: `Etc/GMT-1` in the database of zones.
    "weather": "SELECT timezone('UTC', time::TIMESTAMP - INTERVAL 1 HOUR) AS time,"
    " rain_mmday::DOUBLE AS rain, airpressure_hPa::DOUBLE AS pressure,"
    " airtemp_degC::DOUBLE AS temperature, gwhead_m::DOUBLE AS head"
    " FROM read_csv('{data}/schwingbach/weather.csv.gz', all_varchar = true)",
    "soil": "SELECT timezone('UTC', time::TIMESTAMP - INTERVAL 1 HOUR) AS time,"
    " soil_moisture_10cm::DOUBLE AS top, soil_moisture_40cm::DOUBLE AS deep"
    " FROM read_csv('{data}/schwingbach/soil-moisture.csv.zst', all_varchar = true)",
    "flow": "SELECT \"Time\"::TIMESTAMPTZ AS time, \"Water flow [l/s]\"::DOUBLE AS flow"
    " FROM read_csv('{data}/flow/water-flow.csv', all_varchar = true)",
}

# The made-up logger at the dock: local times without an offset. In the hour that
# comes twice, the first reading of a local time within a file is of the first
# pass, and the second one is an hour later.
DOCK = """
SELECT {order} AS edition,
    CASE
        WHEN local >= TIMESTAMP '2024-11-03 01:00:00' AND local < TIMESTAMP '2024-11-03 02:00:00'
        THEN timezone('America/Los_Angeles', local - INTERVAL 1 HOUR)
            + row_number() OVER (PARTITION BY local ORDER BY line) * INTERVAL 1 HOUR
        ELSE timezone('America/Los_Angeles', local)
    END AS time,
    level, salinity
FROM (
    SELECT row_number() OVER () AS line,
        strptime("Timestamp", '%m/%d/%Y %H:%M:%S') AS local,
        "Level (m)"::DOUBLE AS level, {salinity}::DOUBLE AS salinity
    FROM read_csv('{data}/sample/{file}', all_varchar = true)
)
"""
DOCK_FILES = [
    ("dock-1.csv", "NULL"),
    ("dock-2.csv", '"Salinity (psu)"'),
    ("dock-3.csv", '"Salinity (psu)"'),
    ("dock-late.csv", "NULL"),
]

WELL = """
SELECT timezone('America/Los_Angeles', strptime("Timestamp", '%m/%d/%Y %H:%M:%S')) AS time,
    {pressure} AS pressure_hpa, {level} AS level_m
FROM read_csv('{data}/sample/{file}', all_varchar = true)
"""
WELL_FILES = [
    ("well-1.csv", '"Pressure (psi)"::DOUBLE * 68.94757293168361', '"Level (m)"::DOUBLE'),
    ("well-2.csv", '"Pressure (mm Hg)"::DOUBLE * 1.33322387415', '"Level (ft)"::DOUBLE * 0.3048'),
]

CIVIL_DAY = "strftime(timezone('{zone}', time), '%Y-%m-%d')"
EPOCH = "epoch_us(time) // 1000000"


def statistics(column):
    """Kahan's sums, so that the order of the rows does not show."""
    return (
        f"count({column}) AS readings, fsum({column}) AS sum,"
        f" fsum({column}) / count({column}) AS avg, min({column}) AS min, max({column}) AS max"
    )


def by_day(relation, column, zone):
    day = CIVIL_DAY.format(zone=zone)
    return f"SELECT {day} AS day, {statistics(column)} FROM {relation} GROUP BY day ORDER BY day"


QUESTIONS = {
    "tides_union": f"SELECT count(*) AS rows, count(DISTINCT time) AS instants,"
    f" min({EPOCH}) AS first_s, max({EPOCH}) AS last_s, {statistics('level')} FROM tides",
    "tides_first_edition": f"SELECT count(*) AS rows, {statistics('level')} FROM edition_1",
    "tides_revised": "SELECT count(*) AS both, count(*) FILTER (a.level <> b.level) AS revised"
    " FROM edition_1 a JOIN edition_2 b USING (time)",
    "tides_by_day_los_angeles": by_day("tides", "level", "America/Los_Angeles"),
    "tides_by_day_berlin": by_day("tides", "level", "Europe/Berlin"),
    "tides_by_hour": f"SELECT epoch_us(time) // 3600000000 * 3600 AS hour_s, {statistics('level')}"
    " FROM tides WHERE time >= TIMESTAMPTZ '2025-10-25 00:00:00+00'"
    " AND time < TIMESTAMPTZ '2025-11-10 00:00:00+00' GROUP BY hour_s ORDER BY hour_s",
    "tides_by_month_los_angeles": "SELECT strftime(timezone('America/Los_Angeles', time), '%Y-%m')"
    f" AS month, {statistics('level')} FROM tides GROUP BY month ORDER BY month",
    # Midnight itself is skipped or repeated in Havana; half an hour in Lord Howe.
    "civil_days_havana": by_day("tides", "level", "America/Havana"),
    "civil_days_lord_howe": by_day("tides", "level", "Australia/Lord_Howe"),
    "civil_weeks_berlin": "SELECT strftime(date_trunc('week', timezone('Europe/Berlin', time)),"
    f" '%Y-%m-%d') AS week, {statistics('pressure')} FROM weather GROUP BY week ORDER BY week",
    "civil_hours_los_angeles": "SELECT epoch_us(time) // 3600000000 * 3600 AS hour_s,"
    f" {statistics('level')} FROM dock GROUP BY hour_s ORDER BY hour_s",
    "high_low_by_month": "SELECT strftime(timezone('America/Los_Angeles', time), '%Y-%m') AS month,"
    f" tide, {statistics('level')} FROM high_low GROUP BY month, tide ORDER BY month, tide",
    "pressure_by_day_berlin": by_day("weather", "pressure", "Europe/Berlin"),
    "head_by_day_berlin": "SELECT day, readings, sum, avg, min, max, hours FROM (SELECT"
    f" {CIVIL_DAY.format(zone='Europe/Berlin')} AS day, {statistics('head')}, count(*) AS hours"
    " FROM weather GROUP BY day) ORDER BY day",
    "flow_by_day_berlin": by_day("flow", "flow", "Europe/Berlin"),
    "rain_and_soil": "SELECT strftime(timezone('Europe/Berlin', time), '%Y-%m') AS month,"
    " count(*) AS hours, count(head) AS heads, fsum(rain) / 24 AS rain_sum,"
    " fsum(head) / count(head) AS head_avg, fsum(deep) / count(deep) AS deep_avg,"
    " max(top) AS top_max FROM weather JOIN soil USING (time) GROUP BY month ORDER BY month",
    "tides_and_flow_full_join": f"SELECT count(*) AS rows, count(a.level) AS tides,"
    " count(b.flow) AS flows, count(*) FILTER (a.level IS NOT NULL AND b.flow IS NOT NULL) AS both"
    " FROM tides a FULL OUTER JOIN (SELECT time + INTERVAL 731 DAY AS time, flow FROM flow) b"
    " USING (time)",
    "dock_union": f"SELECT count(*) AS rows, count(DISTINCT time) AS instants,"
    f" min({EPOCH}) AS first_s, max({EPOCH}) AS last_s, count(salinity) AS salinities,"
    f" {statistics('level')} FROM dock",
    "dock_by_day": by_day("dock", "level", "America/Los_Angeles"),
    "dock_rows": f"SELECT {EPOCH} AS time_s, level, salinity FROM dock ORDER BY time_s",
    "dock_floor": "SELECT count(*) AS below FROM dock_all WHERE time < TIMESTAMPTZ '2000-01-01 00:00:00+00'",
    "well_by_day": f"SELECT {CIVIL_DAY.format(zone='America/Los_Angeles')} AS day, count(*) AS rows,"
    " fsum(pressure_hpa) / count(*) AS pressure_avg, fsum(level_m) / count(*) AS level_avg"
    " FROM well GROUP BY day ORDER BY day",
}


def connection():
    con = duckdb.connect()
    con.execute("SET autoinstall_known_extensions = false")
    con.execute("SET TimeZone = 'UTC'")
    # One thread and ordered tables, so that sums are added up in one order.
    con.execute("SET threads = 1")
    for name, select in RELATIONS.items():
        con.execute(f"CREATE TABLE {name} AS {select.replace('{data}', str(DATA))}")
    dock = [
        DOCK.format(order=order, salinity=salinity, data=DATA, file=file)
        for order, (file, salinity) in enumerate(DOCK_FILES)
    ]
    con.execute("CREATE TABLE dock_all AS " + " UNION ALL ".join(f"({one})" for one in dock))
    con.execute(
        "CREATE TABLE dock AS SELECT time, arg_max(level, edition) AS level,"
        # The whole row of the newest edition wins, its missing values too.
        " arg_max(struct_pack(s := salinity), edition).s AS salinity FROM dock_all"
        " WHERE time >= TIMESTAMPTZ '2000-01-01 00:00:00+00' GROUP BY time ORDER BY time"
    )
    well = [
        WELL.format(pressure=pressure, level=level, data=DATA, file=file)
        for file, pressure, level in WELL_FILES
    ]
    con.execute("CREATE TABLE well AS " + " UNION ALL ".join(f"({one})" for one in well))
    return con


def text(value):
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def main():
    con = connection()
    asked = {path.stem for path in (HERE / "queries").glob("*.sql")}
    assert asked == set(QUESTIONS), asked ^ set(QUESTIONS)
    for name, question in QUESTIONS.items():
        result = con.execute(question)
        header = [column[0] for column in result.description]
        with (HERE / "answers" / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(header)
            writer.writerows([text(value) for value in row] for row in result.fetchall())
        print(name)


main()

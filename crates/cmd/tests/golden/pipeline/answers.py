"""Computes the answers of the golden pipeline with DuckDB, from the readings.

    python3 -m venv /tmp/golden && /tmp/golden/bin/pip install duckdb==1.5.5
    /tmp/golden/bin/python crates/cmd/tests/golden/pipeline/answers.py

(`just golden` does both.) What `pond.yaml` beside this file declares is computed
here a second time, in DuckDB's own terms and without anything of the program:
which reading counts, zones, floors, units, joins, buckets. Every table has the
columns `path` and `s`, the seconds since 1970 of the row's time.

Of the first stage all rows are kept, in `answers/<table>.csv.zst`; of each later
one the rows that differ from the stage before, in `answers/<table>-<stage>.csv.zst`,
and that no row is gone is checked here.
"""

import pathlib

import duckdb

HERE = pathlib.Path(__file__).resolve().parent
READINGS = HERE / "readings"
ANSWERS = HERE / "answers"
ZONE = "America/Los_Angeles"

#: What there is at each stage, by the names of the files.
STAGES = {
    "base": ["1", "2", "3"],
    "late": ["1", "2", "3", "late"],
    "corrected": ["1", "2", "3", "late", "corrected"],
}

PSI = "pressure::DOUBLE * (0.45359237 * 9.80665 / (0.0254 * 0.0254)) / 1000"
MM_HG = "pressure::DOUBLE * 133.322387415 / 1000"
FAHRENHEIT = "(temperature::DOUBLE - 32) * 5 / 9"

#: Each logger: its site and scope, how degrees Celsius and kilopascals come out
#: of what it says, and the instants that count.
LOGGERS = [
    *((site, "Surface", "Surface", "temperature::DOUBLE", PSI, "true")
      for site in ("albion", "garcia", "navarro")),
    ("noyo", "Surface", "Surface-old", "temperature::DOUBLE", PSI,
     "time <= TIMESTAMPTZ '2024-10-31 15:00:00+00'"),
    ("noyo", "Surface", "Surface-new", "temperature::DOUBLE", MM_HG,
     "time >= TIMESTAMPTZ '2024-10-31 09:00:00+00'"),
    *((site, "Middle", "Middle", FAHRENHEIT, "pressure::DOUBLE", "true")
      for site in ("albion", "garcia", "navarro", "noyo")),
    *((site, "Bottom", "Bottom", "temperature::DOUBLE", "pressure::DOUBLE / 10", "true")
      for site in ("albion", "garcia", "noyo")),
    ("navarro", "Bottom", "Bottom", "temperature::DOUBLE",
     'coalesce("pressure (psi)"::DOUBLE * (0.45359237 * 9.80665 / (0.0254 * 0.0254)),'
     ' "pressure (mm Hg)"::DOUBLE * 133.322387415) / 1000', "true"),
]
SALTY = [("albion", "Bottom"), ("garcia", "Bottom")]
COLUMNS = {"temperature": "degC", "pressure": "kPa", "salinity": "PSU"}
SITES = ["albion", "garcia", "navarro", "noyo"]
SCOPES = ["Surface", "Middle", "Bottom"]

FIXED = {"1h": 3_600, "4h": 14_400, "24h": 86_400}
CIVIL = {"day": "day", "month": "month"}


def lines(con, file, edition):
    """The lines of one file, each with its instant: in the hour that comes twice,
    the first line of a local time is of the first pass, the second an hour later.
    Such a file has no line twice in that hour."""
    return (
        f"SELECT {edition} AS edition, *, CASE"
        " WHEN local >= TIMESTAMP '2024-11-03 01:00:00' AND local < TIMESTAMP '2024-11-03 02:00:00'"
        f" THEN timezone('{ZONE}', local - INTERVAL 1 HOUR)"
        " + row_number() OVER (PARTITION BY local ORDER BY line) * INTERVAL 1 HOUR"
        f" ELSE timezone('{ZONE}', local) END AS instant"
        " FROM (SELECT row_number() OVER () AS line,"
        " strptime(time, '%m/%d/%Y %H:%M:%S') AS local, * EXCLUDE (time)"
        f" FROM read_csv('{file}', all_varchar = true))"
    )


def logger(con, table, site, scope, files, name, celsius, kpa, counts):
    """A logger's readings: of each instant the whole row of the newest file, and
    in it of the last line."""
    found = [READINGS / site / f"{name}-{file}.csv" for file in files]
    found = [file for file in found if file.exists()]
    union = " UNION ALL BY NAME ".join(
        f"({lines(con, file, edition)})" for edition, file in enumerate(found)
    )
    salinity = "salinity::DOUBLE" if (site, scope) in SALTY else "NULL::DOUBLE"
    con.execute(
        f"CREATE OR REPLACE TABLE {table} AS SELECT instant AS time, {celsius} AS temperature,"
        f" {kpa} AS pressure, {salinity} AS salinity FROM"
        f" (SELECT *, instant AS time, row_number() OVER (PARTITION BY instant"
        f" ORDER BY edition DESC, line DESC) AS place FROM ({union}))"
        f" WHERE place = 1 AND instant >= TIMESTAMPTZ '2000-01-01 00:00:00+00' AND ({counts})"
    )


def columns_of(site):
    """The columns of a site's table, in order."""
    return [
        (f"{scope}.{column}.{unit}", scope, column)
        for scope in SCOPES
        for column, unit in COLUMNS.items()
        if column != "salinity" or (site, scope) in SALTY
    ]


def side_by_side(con, site, files):
    """A site: a row for each instant of any of its loggers."""
    tables = {}
    for at, (of, scope, *rest) in enumerate(LOGGERS):
        if of == site:
            name = f"logger_{at}"
            logger(con, name, site, scope, files, *rest)
            tables.setdefault(scope, []).append(name)
    instants = " UNION ".join(f"SELECT time FROM {t}" for ts in tables.values() for t in ts)
    joins, columns = [], []
    for name, scope, column in columns_of(site):
        # Of an instrument and its successor the latter counts where it has a value.
        values = ", ".join(f"{table}.{column}" for table in reversed(tables[scope]))
        columns.append(f'coalesce({values}) AS "{name}"')
    for table in (t for ts in tables.values() for t in ts):
        joins.append(f"LEFT JOIN {table} ON {table}.time = instants.time")
    con.execute(
        f"CREATE OR REPLACE TABLE {site} AS SELECT instants.time AS time, {', '.join(columns)}"
        f" FROM ({instants}) instants {' '.join(joins)}"
    )
    return [name for name, _, _ in columns_of(site)]


def across(con, column):
    """A parameter: a row for each instant at which a site has a value of it."""
    parts, names = [], []
    for site in SITES:
        own = [name for name, _, of in columns_of(site) if of == column]
        if own:
            some = " OR ".join(f'"{name}" IS NOT NULL' for name in own)
            renamed = ", ".join(f'"{name}" AS "{site}.{name}"' for name in own)
            parts.append(f"(SELECT time, {renamed} FROM {site} WHERE {some})")
            names += [f"{site}.{name}" for name in own]
    first, *others = (f"{part} p{at}" for at, part in enumerate(parts))
    joined = " ".join(f"FULL OUTER JOIN {other} USING (time)" for other in others)
    listed = ", ".join(f'"{name}"' for name in names)
    con.execute(f"CREATE OR REPLACE TABLE {column} AS SELECT time, {listed} FROM {first} {joined}")
    return names


def in_order(values, time):
    """Of a column and its time, those rows in which it has a value."""
    return f'FILTER (WHERE "{values}" IS NOT NULL)', f'"{values}", {time}'


def aggregates(names, kinds):
    made = []
    for name in names:
        there, pair = in_order(name, "time")
        expressions = {
            "count": f'count("{name}")',
            "avg": f'fsum("{name}") / count("{name}")',
            "min": f'min("{name}")',
            "max": f'max("{name}")',
            "sum": f'CASE WHEN count("{name}") > 0 THEN fsum("{name}") END',
            "first": f"arg_min({pair}) {there}",
            "last": f"arg_max({pair}) {there}",
            "stddev": f'stddev_samp("{name}")',
        }
        made += [f'{expressions[kind]} AS "{name}.{kind}"' for kind in kinds]
    return ", ".join(made)


def bucket(resolution):
    if resolution in FIXED:
        width = FIXED[resolution]
        return f"epoch_us(time) // {width * 1_000_000} * {width}"
    local = f"date_trunc('{CIVIL[resolution]}', timezone('{ZONE}', time))"
    return f"epoch_us(timezone('{ZONE}', {local})) // 1000000"


def stage(con, files):
    """All tables of a stage, by name; each is a query."""
    answers = {}

    def put(table, path, query):
        one = f"SELECT '{path}' AS path, * FROM ({query})"
        answers[table] = f"{answers[table]} UNION ALL BY NAME {one}" if table in answers else one

    for directory, tables, kinds in [
        ("sites", {site: side_by_side(con, site, files) for site in SITES},
         ["count", "avg", "min", "max"]),
        ("by", {column: across(con, column) for column in COLUMNS},
         ["sum", "first", "last", "stddev"]),
    ]:
        for name, columns in tables.items():
            listed = ", ".join(f'"{column}"' for column in columns)
            # No logger measures between two seconds.
            seconds = "epoch_us(time) // 1000000 AS s"
            put(directory, f"/{directory}/{name}.series", f"SELECT {seconds}, {listed} FROM {name}")
            for resolution in [*FIXED, *CIVIL]:
                put(
                    f"{directory}_{resolution}",
                    f"/reduced/{directory}/{name}/res={resolution}.series",
                    f"SELECT {bucket(resolution)} AS s, {aggregates(columns, kinds)}"
                    f" FROM {name} GROUP BY s",
                )
    return answers


def main():
    con = duckdb.connect()
    con.execute("SET autoinstall_known_extensions = false")
    con.execute("SET TimeZone = 'UTC'")
    # One thread, so that the order of additions is one order.
    con.execute("SET threads = 1")
    ANSWERS.mkdir(exist_ok=True)
    for old in ANSWERS.iterdir():
        old.unlink()
    before = None
    for name, files in STAGES.items():
        for table, query in stage(con, files).items():
            con.execute(f"CREATE TABLE {table}_{name}_ AS {query}")
            rows, ending = f"SELECT * FROM {table}_{name}_", ""
            if before:
                gone = con.execute(
                    f"SELECT count(*) FROM {table}_{before}_ ANTI JOIN {table}_{name}_"
                    " USING (path, s)"
                ).fetchone()[0]
                assert gone == 0, f"{table}: {gone} rows are gone at {name}"
                rows, ending = f"{rows} EXCEPT SELECT * FROM {table}_{before}_", f"-{name}"
            to = ANSWERS / f"{table}{ending}.csv.zst"
            con.execute(
                f"COPY (SELECT * FROM ({rows}) ORDER BY path, s) TO '{to}'"
                " (FORMAT csv, HEADER, COMPRESSION zstd)"
            )
            print(to.name, con.execute(f"SELECT count(*) FROM ({rows})").fetchone()[0])
        before = name


main()

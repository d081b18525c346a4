"""Scans: a full aggregate, an hourly downsample and a filter of one day, over a
series of ten million rows, each as a cold process.

All read the same Parquet file: pond through its series, the others the very
file that lies in the pond. DuckDB is its own command line program; DataFusion
is its Python wheel, of which the start (interpreter, import, session) is
measured in the same run and taken off.
"""

import shutil

from measure import Competitor, bytes_read, race, run

AGGREGATE = (
    "SELECT count(*) AS n, max(time) AS newest, avg(level) AS level, min(temperature) AS coldest, "
    "sum(flow) AS flow, sum(quality) AS quality FROM {table}"
)
HOURLY = (
    "SELECT date_trunc('hour', time) AS hour, count(*) AS n, avg(level) AS level, "
    "max(temperature) AS warmest, avg(flow) AS flow, sum(quality) AS quality "
    "FROM {table} GROUP BY 1 ORDER BY 1"
)
ONE_DAY = (
    "SELECT count(*) AS n, max(time) AS newest, avg(level) AS level, min(temperature) AS coldest, "
    "sum(flow) AS flow, sum(quality) AS quality FROM {table} "
    "WHERE time >= TIMESTAMP '2020-10-01 00:00:00' AND time < TIMESTAMP '2020-10-02 00:00:00'"
)
QUERIES = {"aggregate": AGGREGATE, "hourly": HOURLY, "one day": ONE_DAY}

START = """
import sys
from datafusion import SessionContext, SessionConfig
context = SessionContext(SessionConfig().with_target_partitions(2)
    .set("datafusion.execution.parquet.pushdown_filters", "true"))
"""
ASK = (
    START
    + """
context.register_parquet("source", sys.argv[1], file_extension="")
for batch in context.sql(sys.argv[2]).collect():
    pass
"""
)

#: The bar: pond's time over each peer's.
BAR = 1.2
#: The bar: bytes read for one day over the bytes of the file, where pond wrote it.
BYTES_BAR = 0.02


def make_ponds(tools, data, work, reuse):
    """Two ponds with the same rows: one took Parquet in as it came, the other
    wrote it from CSV."""
    ponds = {}
    for name, source in [
        ("taken in", f"host+parquet+series:///{str(data.parquet()).lstrip('/')}"),
        ("written from CSV", f"host+csv+series:///{str(data.csv()).lstrip('/')}"),
    ]:
        pond = work / f"scan-{name.replace(' ', '-')}"
        ponds[name] = pond
        if reuse and pond.exists():
            continue
        shutil.rmtree(pond, ignore_errors=True)
        run([tools.pond, "init", "--pond", pond])
        run([tools.pond, "copy", source, "/s.series", "--time-column", "time"], {"POND": str(pond)})
    return ponds


def large_file(pond):
    """The one large file of a pond."""
    (only,) = (pond / "data" / "_large_files").glob("*/blake3=*")
    return only


def bench(tools, data, work, rounds, reuse=False):
    """Runs it, and gives its figures."""
    cases = []
    for kind, pond in make_ponds(tools, data, work, reuse).items():
        file = large_file(pond)
        env = {"POND": str(pond)}
        start = race([Competitor("datafusion", [tools.python, "-c", START])], rounds)
        start = start["datafusion"]
        for name, query in QUERIES.items():
            here = query.format(table="'/s.series'")
            bound = query.format(table="source")
            there = query.format(table=f"read_parquet('{file}')")
            settings = "SET threads = 2; SET TimeZone = 'UTC'; "
            competitors = [
                Competitor("pond sql", [tools.pond, "sql", here], env),
                Competitor("pond cat --sql", [tools.pond, "cat", "/s.series", "--sql", bound], env),
                Competitor("duckdb", [tools.duckdb, "-csv", "-c", settings + there]),
                Competitor(
                    "datafusion",
                    [tools.python, "-c", ASK, file, bound],
                    start_seconds=start["seconds"],
                    start_cpu_seconds=start["cpu_seconds"],
                ),
            ]
            result = race(competitors, rounds)
            case = {"file": kind, "query": name, "competitors": result}
            for peer in ("duckdb", "datafusion"):
                for what, key in (("seconds", f"to {peer}"), ("cpu_seconds", f"CPU to {peer}")):
                    slower = max(result[one][what] for one in ("pond sql", "pond cat --sql"))
                    # What is left of a peer after its start is taken off may be
                    # less than its start varies by, and then no ratio means anything.
                    net = result[peer][what]
                    known = peer == "duckdb" or net > start[what] / 4
                    case[key] = round(slower / net, 2) if known and net > 0 else None
            if name == "one day":
                read = bytes_read([tools.pond, "sql", here], env, file.parent)
                case["bytes read"] = read
                case["bytes of the file"] = file.stat().st_size
            cases.append(case)
            print(
                f"{kind}, {name}:",
                {k: (v["seconds"], v["cpu_seconds"]) for k, v in result.items()},
                {k: v for k, v in case.items() if k not in ("file", "query", "competitors")},
                flush=True,
            )
    return {"rounds": rounds, "datafusion start": start["seconds"], "cases": cases}


def time(seconds):
    return f"{seconds:.3f} s" if seconds > 0 else "within its start"


def ratio(value):
    return "too short to tell" if value is None else f"{value:.2f}"


def report(figures):
    """The figures as a page."""
    lines = [
        "| file | query | `pond sql` | `pond cat --sql` | DuckDB | DataFusion "
        "| to DuckDB | to DataFusion | CPU to DuckDB | CPU to DataFusion |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for case in figures["cases"]:
        times = " | ".join(
            time(case["competitors"][name]["seconds"])
            for name in ("pond sql", "pond cat --sql", "duckdb", "datafusion")
        )
        lines.append(
            f"| {case['file']} | {case['query']} | {times} "
            f"| {ratio(case['to duckdb'])} | {ratio(case['to datafusion'])} "
            f"| {ratio(case['CPU to duckdb'])} | {ratio(case['CPU to datafusion'])} |"
        )
    lines.append("")
    for case in figures["cases"]:
        if "bytes read" in case:
            share = case["bytes read"] / case["bytes of the file"]
            lines.append(
                f"- One day of the file {case['file']}: {case['bytes read']:,} of "
                f"{case['bytes of the file']:,} bytes read ({share:.2%})."
            )
    lines.append(
        f"- Start of the DataFusion wheel, taken off each of its runs: "
        f"{figures['datafusion start']:.3f} s."
    )
    return lines

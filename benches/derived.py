"""Derived data: one year at a minute's cadence, five sites of three scopes,
joined, pivoted and reduced to five widths of time.

The first build is `pond run` as a cold process without any tile; its peer is
DuckDB making the same tables from the very files that lie in the pond. An
increment is one more minute in each of the fifteen series. The same is measured
for a day that comes late, ten months back, beside one that is new.

Increments are measured twice: as cold processes, each with all that starting,
opening the pond and planning cost; and in one process that lives on, by the
program `increments` beside this file, which also tells whether memory stays.
"""

import json
import shutil
import statistics
import subprocess
from pathlib import Path

from data import NOISE, whole
from measure import Competitor, race, run

SITES = ["north", "south", "east", "west", "pier"]
SCOPES = ["Surface", "Middle", "Bottom"]
COLUMNS = ["temperature", "salinity", "oxygen"]
WIDTHS = ["1h", "2h", "4h", "12h", "24h"]
MINUTES = 525_600
#: 2025-02-15T00:00:00Z. The year ends in the middle of a quarter, so the newest
#: tiles are about half full, as they are on most days.
BEGIN_S = 1_739_577_600
#: Minutes into the year where the late day lies: about ten months before its end.
LATE = 60 * 1_440

#: The bars.
BUILD_BAR = 1.5
INCREMENT_SHARE_BAR = 0.01
INCREMENT_BAR_S = 2.0
PEAK_BAR_MIB = 256
INCREMENTS = 1_000

SERIES = [(site, scope) for site in SITES for scope in SCOPES]


def rows_sql(number, first, count, shift=0.0):
    """Minutes of one series, as a query: now and then one is missing, and now
    and then a value."""
    seed = number * 31

    def value(base, swing, column, digits):
        noise = NOISE.format(column=seed + column)
        gone = f"hash(i * 13 + {seed + column}) % 400 = 0"
        wave = f"{base + number * 0.1 + shift} + {swing} * sin(i / 229.2) + {noise}"
        return f"CASE WHEN {gone} THEN NULL ELSE round({wave}, {digits}) END"

    return (
        f"SELECT make_timestamp(({BEGIN_S} + i * 60) * 1000000) AS time, "
        f"{value(11, 4, 1, 2)} AS temperature, {value(31, 1.5, 2, 3)} AS salinity, "
        f"{value(8, 2, 3, 2)} AS oxygen "
        f"FROM range({first}, {first + count}) AS minutes(i) "
        f"WHERE hash(i * 17 + {seed}) % 1000 <> 0"
    )


def reduction(pattern):
    """A reduction to all widths."""
    widths = ", ".join(WIDTHS)
    return (
        f'      in_pattern: "{pattern}"\n      out_pattern: $0\n      resolutions: [{widths}]\n'
        "      aggregations: [{ type: avg }, { type: min }, { type: max }]\n"
    )


def declaration():
    """The pond, for `pond apply`."""
    text = "version: v1\nkind: mknod\nmetadata: { path: /sites }\nspec:\n  factory: dynamic-dir\n"
    text += "  config:\n    entries:\n"
    for site in SITES:
        inputs = ", ".join(
            f"{{ pattern: /raw/{site}/{scope}.series, scope: {scope} }}" for scope in SCOPES
        )
        text += f"    - name: {site}.series\n      factory: timeseries-join\n"
        text += f"      config: {{ inputs: [{inputs}] }}\n"
    text += "---\nversion: v1\nkind: mknod\nmetadata: { path: /parameters }\n"
    text += "spec:\n  factory: dynamic-dir\n  config:\n    entries:\n"
    for column in COLUMNS:
        text += f"    - name: {column}.series\n      factory: timeseries-pivot\n"
        text += f'      config: {{ pattern: "/sites/*.series", columns: ["*.{column}"] }}\n'
    for name in ("sites", "parameters"):
        text += f"---\nversion: v1\nkind: mknod\nmetadata: {{ path: /reduced/{name} }}\n"
        text += "spec:\n  factory: temporal-reduce\n  config:\n"
        text += reduction(f"/{name}/*.series").replace("      ", "    ")
    return text


def duck_script(files, out, fold):
    """The same for DuckDB; with `fold` each width is made of the finer one, as
    a person who knows that would write it."""
    lines = ["SET threads = 2", "SET TimeZone = 'UTC'"]
    sources = {}
    for site in SITES:
        columns = ", ".join(
            f'{scope}.{column} AS "{scope}.{column}"' for scope in SCOPES for column in COLUMNS
        )
        first = f"read_parquet('{files[site, SCOPES[0]]}') {SCOPES[0]}"
        others = " ".join(
            f"FULL OUTER JOIN read_parquet('{files[site, scope]}') {scope} USING (time)"
            for scope in SCOPES[1:]
        )
        lines.append(f"CREATE TEMP TABLE {site} AS SELECT time, {columns} FROM {first} {others}")
        sources[site] = [f"{scope}.{column}" for scope in SCOPES for column in COLUMNS]
    for column in COLUMNS:
        names = [f"{site}.{scope}.{column}" for site in SITES for scope in SCOPES]
        columns = ", ".join(
            f'{site}."{scope}.{column}" AS "{site}.{scope}.{column}"'
            for site in SITES
            for scope in SCOPES
        )
        others = " ".join(f"FULL OUTER JOIN {site} USING (time)" for site in SITES[1:])
        lines.append(f"CREATE TEMP TABLE {column} AS SELECT time, {columns} FROM {SITES[0]} {others}")
        sources[column] = names
    for source, columns in sources.items():
        finer = source
        for width in WIDTHS:
            hours = width[:-1]
            bucket = f"time_bucket(INTERVAL {hours} HOUR, time) AS time"
            table = f"{source}_{width}"
            if not fold or finer == source:
                made = [
                    f'count("{c}") AS "{c}.n", sum("{c}") AS "{c}.s", min("{c}") AS "{c}.min", '
                    f'max("{c}") AS "{c}.max"'
                    for c in columns
                ]
            else:
                made = [
                    f'sum("{c}.n") AS "{c}.n", sum("{c}.s") AS "{c}.s", '
                    f'min("{c}.min") AS "{c}.min", max("{c}.max") AS "{c}.max"'
                    for c in columns
                ]
            lines.append(
                f"CREATE TEMP TABLE \"{table}\" AS SELECT {bucket}, {', '.join(made)} "
                f'FROM "{finer}" GROUP BY ALL ORDER BY ALL'
            )
            answer = ", ".join(
                f'"{c}.s" / "{c}.n" AS "{c}.avg", "{c}.min", "{c}.max"' for c in columns
            )
            lines.append(
                f'COPY (SELECT time, {answer} FROM "{table}") TO \'{out}/{table}.parquet\' '
                "(FORMAT parquet)"
            )
            if fold:
                finer = table
    return ";\n".join(lines) + ";\n"


class Bench:
    """The pond, its data and its peer."""

    def __init__(self, tools, data, work):
        self.tools, self.data, self.work = tools, data, work
        self.pond = work / "derived"
        self.env = {"POND": str(self.pond)}
        #: The next minute that is not in the pond.
        self.next = MINUTES

    def say(self, *words):
        return run([self.tools.pond, *words], self.env)

    def file(self, number, first, count, shift=0.0):
        """Minutes of a series as a Parquet file."""
        name = self.data.directory / f"derived-{BEGIN_S}-{number}-{first}-{count}-{shift}.parquet"
        select = rows_sql(number, first, count, shift)
        copy = f"COPY ({select}) TO '{{}}' (FORMAT parquet, COMPRESSION zstd)"
        return whole(name, lambda to: self.data._sql(copy.format(to)))

    def append(self, first, count, shift=0.0, keep=False):
        """Minutes into every series."""
        for number, (site, scope) in enumerate(SERIES):
            file = self.file(number, first, count, shift)
            url = f"host+parquet+series:///{str(file).lstrip('/')}"
            words = ["-q", "-p", url, f"/raw/{site}/{scope}.series", "--time-column", "time"]
            self.say("copy", *words)
            if not keep:
                file.unlink()

    def make(self):
        """A new pond with a year in it."""
        shutil.rmtree(self.pond, ignore_errors=True)
        run([self.tools.pond, "init", "--pond", self.pond])
        self.append(0, MINUTES, keep=True)
        yaml = self.work / "derived.yaml"
        yaml.write_text(declaration())
        self.say("apply", "-f", yaml)

    def forget(self):
        shutil.rmtree(self.pond / "cache", ignore_errors=True)

    def refresh(self):
        return self.say("run", "/reduced")

    def first_build(self, rounds):
        """Beside DuckDB, from the files in the pond."""
        files = {
            one: self.file(number, 0, MINUTES) for number, one in enumerate(SERIES)
        }
        competitors = [
            Competitor("pond", [self.tools.pond, "run", "/reduced"], self.env, self.forget)
        ]
        for name, fold in (("duckdb", False), ("duckdb, folding", True)):
            out = self.work / "derived-duck"
            script = self.work / f"derived-{'fold' if fold else 'plain'}.sql"
            script.write_text(duck_script(files, out, fold))

            def empty(out=out):
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir()

            command = [self.tools.duckdb, "-c", f".read {script}"]
            competitors.append(Competitor(name, command, before=empty))
        result = race(competitors, rounds)
        # Last to run was DuckDB: the tiles are those of pond's last round.
        return result

    def after(self, rounds, change):
        """`pond run` after a change, as a cold process; the median."""
        runs = []
        for round_ in range(rounds):
            change(round_)
            runs.append(self.refresh())
        return {
            "seconds": round(statistics.median(one.seconds for one in runs), 4),
            "cpu_seconds": round(statistics.median(one.cpu_seconds for one in runs), 3),
            "peak_mib": round(max(one.peak_mib for one in runs), 1),
        }

    def new(self, minutes):
        self.append(self.next, minutes)
        self.next += minutes

    def increments(self):
        """In one process; absent without the program."""
        program = self.tools.pond.parent / "increments"
        if not program.exists():
            return None
        command = [program, self.pond, "/raw/*/*.series", "/reduced", str(INCREMENTS)]
        said = subprocess.run([str(w) for w in command], check=True, stdout=subprocess.PIPE)
        return json.loads(said.stdout)


def bench(tools, data, work, rounds):
    """Runs it, and gives its figures."""
    bench = Bench(tools, data, work)
    bench.make()
    figures = {"rounds": rounds, "build": bench.first_build(rounds)}
    print("first build:", figures["build"], flush=True)
    figures["nothing"] = bench.after(rounds, lambda _: None)
    print("nothing new:", figures["nothing"], flush=True)
    figures["minute"] = bench.after(2 * rounds + 1, lambda _: bench.new(1))
    print("a minute:", figures["minute"], flush=True)
    figures["new day"] = bench.after(rounds, lambda _: bench.new(1_440))
    late = lambda at: bench.append(LATE + 1_440 * at, 1_440, shift=0.5)
    figures["late day"] = bench.after(rounds, late)
    print("a day:", figures["new day"], "late:", figures["late day"], flush=True)
    figures["increments"] = bench.increments()
    print("in one process:", figures["increments"], flush=True)
    shutil.rmtree(bench.pond)
    return figures


def report(figures):
    """The figures as a page."""
    build = figures["build"]
    pond = build["pond"]

    def row(name, figure):
        ratio = f"{pond['seconds'] / figure['seconds']:.2f}"
        cpu = f"{pond['cpu_seconds'] / figure['cpu_seconds']:.2f}"
        return (
            f"| {name} | {figure['seconds']:.2f} s | {figure['cpu_seconds']:.2f} s "
            f"| {figure['peak_mib']:.0f} MiB | {ratio} | {cpu} |"
        )

    lines = [
        "| first build | time | CPU | peak | pond to it | CPU of pond to it |",
        "|---|---|---|---|---|---|",
        row("`pond run`, cold", pond),
        row("DuckDB, each width from the rows", build["duckdb"]),
        row("DuckDB, each width from the finer one", build["duckdb, folding"]),
        "",
        "| `pond run` as a cold process, after | time | CPU | peak | share of the first build |",
        "|---|---|---|---|---|",
    ]
    names = {
        "nothing": "nothing",
        "minute": "a minute more in every series",
        "new day": "a new day in every series",
        "late day": "a day ten months back in every series",
    }
    for key, name in names.items():
        figure = figures[key]
        share = figure["seconds"] / pond["seconds"]
        lines.append(
            f"| {name} | {figure['seconds'] * 1e3:.0f} ms | {figure['cpu_seconds'] * 1e3:.0f} ms "
            f"| {figure['peak_mib']:.0f} MiB | {share:.2%} |"
        )
    more = figures["increments"]
    if more:
        lines += [
            "",
            f"{more['increments']:,} increments of a minute in one process: the median of a refresh "
            f"{more['refresh_ms']['median']:.0f} ms "
            f"({more['refresh_ms']['median'] / 1e3 / pond['seconds']:.2%} of the first build), "
            f"nine in ten at most {more['refresh_ms']['p90']:.0f} ms, the worst "
            f"{more['refresh_ms']['max']:.0f} ms; resident after the first hundred "
            f"{more['rss_mib'][0]:.0f} MiB, at the end {more['rss_mib'][-1]:.0f} MiB, at the peak "
            f"{more['peak_mib']:.0f} MiB.",
        ]
    return lines

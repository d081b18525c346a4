"""Ingest: CSV of ten million rows to a series, and Parquet taken in as it came.

The peer for CSV is DuckDB's `COPY` of the same file to zstd Parquet, with types
that it finds itself; the peer for Parquet is a loop that reads, writes and
hashes (BLAKE3, one thread) and syncs at its end, because that is the least that
is to be done. The start of its interpreter is taken off.
"""

import shutil

from measure import Competitor, race, run

#: The bar: pond's time over DuckDB's.
CSV_BAR = 1.3

COPY_AND_HASH = """
import os, sys
from blake3 import blake3
if len(sys.argv) > 1:
    hasher = blake3()
    with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as to:
        while piece := source.read(1 << 20):
            hasher.update(piece)
            to.write(piece)
        to.flush()
        os.fsync(to.fileno())
    hasher.digest()
"""


def bench(tools, data, work, rounds):
    """Runs it, and gives its figures."""
    csv, parquet = data.csv(), data.parquet()
    pond, out = work / "ingest", work / "ingest.parquet"
    env = {"POND": str(pond)}

    def empty():
        shutil.rmtree(pond, ignore_errors=True)
        run([tools.pond, "init", "--pond", pond])

    def remove():
        out.unlink(missing_ok=True)

    def url(kind, path):
        return f"host+{kind}+series:///{str(path).lstrip('/')}"

    def copy(kind, path):
        return [tools.pond, "copy", url(kind, path), "/s.series", "--time-column", "time"]

    duck = f"SET threads = 2; COPY (FROM '{csv}') TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
    figures = {"rounds": rounds, "csv bytes": csv.stat().st_size}
    figures["parquet bytes"] = parquet.stat().st_size
    figures["csv"] = race(
        [
            Competitor("pond", copy("csv", csv), env, empty),
            Competitor("duckdb", [tools.duckdb, "-c", duck], before=remove),
        ],
        rounds,
    )
    script = [tools.python, "-c", COPY_AND_HASH]
    start = race([Competitor("python", script)], rounds)["python"]
    figures["parquet"] = race(
        [
            Competitor("pond", copy("parquet", parquet), env, empty),
            Competitor(
                "copy and hash", [*script, parquet, out], before=remove,
                start_seconds=start["seconds"], start_cpu_seconds=start["cpu_seconds"],
            ),
        ],
        rounds,
    )
    for name, peer in (("csv", "duckdb"), ("parquet", "copy and hash")):
        one = figures[name]
        figures[f"{name} ratio"] = round(one["pond"]["seconds"] / one[peer]["seconds"], 2)
        cpu = one["pond"]["cpu_seconds"] / max(one[peer]["cpu_seconds"], 0.001)
        figures[f"{name} CPU ratio"] = round(cpu, 2)
        print(
            f"{name}:",
            {k: (v["seconds"], v["cpu_seconds"]) for k, v in one.items()},
            {k: v for k, v in figures.items() if k.startswith(name)},
            flush=True,
        )
    return figures


def report(figures):
    """The figures as a page."""
    csv, parquet = figures["csv"], figures["parquet"]
    copied = parquet["copy and hash"]
    return [
        "| work | pond | peer | ratio | CPU ratio | pond's CPU | pond's peak |",
        "|---|---|---|---|---|---|---|",
        f"| CSV ({figures['csv bytes'] / 1e6:,.0f} MB) to a series "
        f"| {csv['pond']['seconds']:.2f} s | DuckDB's `COPY`: {csv['duckdb']['seconds']:.2f} s "
        f"| {figures['csv ratio']:.2f} | {figures['csv CPU ratio']:.2f} | {csv['pond']['cpu_seconds']:.1f} s "
        f"| {csv['pond']['peak_mib']:.0f} MiB |",
        f"| Parquet ({figures['parquet bytes'] / 1e6:,.0f} MB) as it came "
        f"| {parquet['pond']['seconds']:.2f} s | copy, hash, sync: {copied['seconds']:.2f} s "
        f"| {figures['parquet ratio']:.2f} | {figures['parquet CPU ratio']:.2f} | {parquet['pond']['cpu_seconds']:.1f} s "
        f"| {parquet['pond']['peak_mib']:.0f} MiB |",
    ]

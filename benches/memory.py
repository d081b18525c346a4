"""Peak memory of what is larger than memory: each run's highest resident set,
with the program's own default limit for queries (128 MiB)."""

import os
import shutil

from measure import run

#: The bar, in MiB.
PEAK = 256

GIB = 1 << 30
#: Rows that make 4 GiB of Parquet, and of CSV.
WIDE_ROWS = 64_000_000
CSV_ROWS = 82_000_000
SORT = "SELECT * FROM '/s.series' ORDER BY flow"
JOIN = (
    "SELECT count(*) AS n, sum(a.level * b.temperature) AS s "
    "FROM '/s.series' a JOIN '/s.series' b ON a.flow = b.flow"
)
REFUSED = {
    "a text that doubles": "WITH RECURSIVE t AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM t "
    "WHERE length(s) < 1000000000) SELECT max(length(s)) FROM t",
    "a text of 1 GB": "SELECT length(repeat('x', 1000000000))",
    "a list of 1e9 numbers": "SELECT cardinality(range(0, 1000000000))",
    "a list of all rows": "SELECT cardinality(array_agg(value)) FROM range(0, 1000000000)",
    "a text of all rows": "SELECT length(string_agg(value, ',')) FROM range(0, 1000000000)",
}
GROUP = "SELECT count(*) AS n FROM (SELECT flow, count(*) FROM '/s.series' GROUP BY flow)"


def url(kind, path):
    return f"host+{kind}+series:///{str(path).lstrip('/')}"


def host(path):
    return f"host:///{str(path).lstrip('/')}"


class Bench:
    """What the parts share: the program, the data, and the figures so far."""

    def __init__(self, tools, data, work, scale):
        self.tools, self.data, self.work, self.scale = tools, data, work, scale
        self.rows = []

    def measure(self, what, words, pond, check=True):
        with open(os.devnull, "wb") as nowhere:
            env = {"POND": str(pond)}
            done = run([self.tools.pond, *words], env, stdout=nowhere, check=check)
        self.rows.append(
            {"work": what, "peak_mib": round(done.peak_mib, 1), "seconds": round(done.seconds, 2)}
        )
        print(f"{what}: {done.peak_mib:.0f} MiB, {done.seconds:.1f} s", flush=True)

    def pond(self, name):
        pond = self.work / f"memory-{name}"
        shutil.rmtree(pond, ignore_errors=True)
        run([self.tools.pond, "init", "--pond", pond])
        return pond


def large_file(bench):
    """One large file, in and out."""
    pond = bench.pond("file")
    size = int(4 * GIB * bench.scale)
    file = bench.data.bytes(size)
    gib = f"{size / GIB:.1f} GiB"
    bench.measure(f"{gib} of bytes in", ["copy", host(file), "/b.bin"], pond)
    file.unlink()
    out = bench.work / "memory.out"
    bench.measure(f"{gib} of bytes out", ["copy", "/b.bin", host(out)], pond)
    out.unlink()
    bench.measure(f"{gib} of bytes to stdout", ["cat", "/b.bin"], pond)
    shutil.rmtree(pond)


def large_parquet(bench):
    """A large Parquet file, in and through SQL."""
    pond = bench.pond("parquet")
    file = bench.data.wide_parquet(int(WIDE_ROWS * bench.scale))
    gib = f"{file.stat().st_size / GIB:.1f} GiB"
    copy = ["copy", url("parquet", file), "/s.series", "--time-column", "time"]
    bench.measure(f"{gib} of Parquet in", copy, pond)
    file.unlink()
    sums = ", ".join(f"sum(c{at})" for at in range(1, 9))
    bench.measure(f"{gib} of Parquet: sums", ["sql", f"SELECT {sums} FROM '/s.series'"], pond)
    filtered = "SELECT count(*) FROM '/s.series' WHERE c1 < 0.5 AND c2 > 0.25"
    bench.measure(f"{gib} of Parquet: value filter", ["sql", filtered], pond)
    ordered = ["sql", "SELECT * FROM '/s.series' ORDER BY c1", "--format", "arrow"]
    bench.measure(f"{gib} of Parquet: sort by a value", ordered, pond)
    raw = ["cat", "/s.series", "--format", "raw"]
    bench.measure(f"{gib} of Parquet: written again as one", raw, pond)
    shutil.rmtree(pond)


def large_csv(bench):
    """A large CSV file, in, read and out."""
    pond = bench.pond("csv")
    rows = int(CSV_ROWS * bench.scale)
    file = bench.data.csv(rows)
    bench.data.parquet(rows).unlink()
    gib = f"{file.stat().st_size / GIB:.1f} GiB"
    copy = ["copy", url("csv", file), "/s.series", "--time-column", "time"]
    bench.measure(f"{gib} of CSV in", copy, pond)
    file.unlink()
    sums = "SELECT sum(level), sum(temperature), max(flow) FROM '/s.series'"
    bench.measure(f"series of {gib} of CSV: sums", ["sql", sums], pond)
    out = bench.work / "memory.csv"
    back = ["copy", "/s.series", f"host+csv:///{str(out).lstrip('/')}"]
    bench.measure(f"{gib} of CSV out", back, pond)
    out.unlink()
    shutil.rmtree(pond)


def beyond_memory(bench):
    """Sorts, joins and groups of ten million rows."""
    pond = bench.pond("sql")
    copy = ["copy", url("parquet", bench.data.parquet()), "/s.series", "--time-column", "time"]
    run([bench.tools.pond, *copy], {"POND": str(pond)})
    bench.measure("sort of 10 million rows by a value", ["sql", SORT], pond)
    bench.measure("join of 10 million rows with themselves", ["sql", JOIN], pond)
    bench.measure("10 million groups", ["sql", GROUP], pond)
    shutil.rmtree(pond)


def refused(bench):
    """Queries without bound, each of which ends with an error."""
    pond = bench.pond("refused")
    for what, query in REFUSED.items():
        bench.measure(f"refused: {what}", ["sql", query], pond, check=False)
    shutil.rmtree(pond)


def many_entries(bench, entries=100_000):
    """A directory with very many files."""
    pond = bench.pond("entries")
    tree = bench.work / "entries"
    tree.mkdir(exist_ok=True)
    for number in range(entries):
        (tree / f"entry-{number:06}.txt").write_text(f"{number}\n")
    copy = ["copy", "-r", host(tree), "/many"]
    bench.measure(f"{entries:,} small files in", copy, pond)
    shutil.rmtree(tree)
    bench.measure(f"list of {entries:,} entries", ["list", "/many"], pond)
    bench.measure(f"list -l of {entries:,} entries", ["list", "-l", "/many"], pond)
    bench.measure(f"glob over {entries:,} entries", ["list", "/**/*9.txt"], pond)
    out = bench.work / "entries.out"
    bench.measure(f"{entries:,} small files out", ["copy", "-r", "/many", host(out)], pond)
    shutil.rmtree(out)
    bench.measure(f"rm -r of {entries:,} entries", ["rm", "-r", "/many"], pond)
    prune = ["maintain", "--prune", "--keep", "0s"]
    bench.measure(f"prune of {entries:,} removed entries", prune, pond)
    shutil.rmtree(pond)


def many_versions(bench, versions=100_000, batch=2_000):
    """A series and a file with very many versions."""
    pond = bench.pond("versions")
    tree = bench.work / "versions"
    tree.mkdir(exist_ok=True)
    before = os.getcwd()
    for made in range(0, versions, batch):
        files = []
        for number in range(made, min(made + batch, versions)):
            name = f"{number - made}.csv"
            time = 1767225600 + number * 60
            (tree / name).write_text(f"time,level\n{time},{number % 97}\n")
            files.append(f"host+csv+series:{name}")
        words = ["copy", "-q", *files, "/v.series", "--time-column", "time", "--time-unit", "s"]
        # Short names keep the command line within what the system takes.
        os.chdir(tree)
        run([bench.tools.pond, *words], {"POND": str(pond)})
        os.chdir(before)
    shutil.rmtree(tree)
    many = f"{versions:,} versions"
    bench.measure(f"list -l of {many}", ["list", "-l", "/v.series"], pond)
    bench.measure(f"describe of {many}", ["describe", "/v.series"], pond)
    bench.measure(f"show of {many}", ["show", "/v.series"], pond)
    bench.measure(f"log of {many}", ["log", "/v.series"], pond)
    bench.measure(f"query of {many}", ["sql", "SELECT count(*) FROM '/v.series'"], pond)
    system = ["sql", "SELECT count(*) FROM pond.versions"]
    bench.measure(f"pond.versions of {many}", system, pond)
    bench.measure(f"fsck of {many}", ["fsck"], pond)
    prune = ["maintain", "--prune", "--keep", "0s"]
    bench.measure(f"prune of {many}", prune, pond)
    bench.measure(f"query of {many} after a prune", ["cat", "/v.series"], pond)
    shutil.rmtree(pond)


PARTS = [
    large_file,
    large_parquet,
    large_csv,
    beyond_memory,
    refused,
    many_entries,
    many_versions,
]


def bench(tools, data, work, scale=1.0, parts=PARTS):
    """Runs it, and gives its figures."""
    bench = Bench(tools, data, work, scale)
    for part in parts:
        part(bench)
    return {"rows": bench.rows}


def report(figures):
    """The figures as a page."""
    lines = ["| work | peak | time |", "|---|---|---|"]
    for row in figures["rows"]:
        lines.append(f"| {row['work']} | {row['peak_mib']:.0f} MiB | {row['seconds']:.1f} s |")
    return lines

"""Peak memory of what is larger than memory: each run's highest resident set,
with the program's own default limit for queries (128 MiB)."""

import os
import shutil
from pathlib import Path

from measure import run

#: The bar, in MiB.
PEAK = 256

GIB = 1 << 30
SORT = "SELECT * FROM '/s.series' ORDER BY flow"
JOIN = (
    "SELECT count(*) AS n, sum(a.level * b.temperature) AS s "
    "FROM '/s.series' a JOIN '/s.series' b ON a.flow = b.flow"
)
GROUP = "SELECT count(*) AS n FROM (SELECT flow, count(*) FROM '/s.series' GROUP BY flow)"


def url(kind, path):
    return f"host+{kind}+series:///{str(path).lstrip('/')}"


def bench(tools, data, work, scale=1.0, versions=100_000, entries=100_000):
    """Runs it, and gives its figures."""
    rows = []

    def measure(what, words, pond):
        with open(os.devnull, "wb") as nowhere:
            done = run([tools.pond, *words], {"POND": str(pond)}, stdout=nowhere)
        rows.append(
            {"work": what, "peak_mib": round(done.peak_mib, 1), "seconds": round(done.seconds, 2)}
        )
        print(f"{what}: {done.peak_mib:.0f} MiB, {done.seconds:.1f} s", flush=True)

    def fresh(name):
        pond = work / name
        shutil.rmtree(pond, ignore_errors=True)
        run([tools.pond, "init", "--pond", pond])
        return pond

    # One large file, in and out.
    pond = fresh("memory-file")
    size = int(4 * GIB * scale)
    file = data.bytes(size)
    gib = f"{size / GIB:.1f} GiB"
    measure(f"{gib} of bytes in", ["copy", f"host:///{str(file).lstrip('/')}", "/b.bin"], pond)
    out = work / "memory.out"
    measure(f"{gib} of bytes out", ["copy", "/b.bin", f"host:///{str(out).lstrip('/')}"], pond)
    out.unlink()
    measure(f"{gib} of bytes to stdout", ["cat", "/b.bin"], pond)
    shutil.rmtree(pond)
    file.unlink()

    # A large Parquet file, in and through SQL.
    pond = fresh("memory-parquet")
    file = data.wide_parquet(int(64_000_000 * scale))
    gib = f"{file.stat().st_size / GIB:.1f} GiB"
    copy = ["copy", url("parquet", file), "/s.series", "--time-column", "time"]
    measure(f"{gib} of Parquet in", copy, pond)
    file.unlink()
    sums = ", ".join(f"sum(c{at})" for at in range(1, 9))
    measure(f"{gib} of Parquet: sums", ["sql", f"SELECT {sums} FROM '/s.series'"], pond)
    filtered = "SELECT count(*) FROM '/s.series' WHERE c1 < 0.5 AND c2 > 0.25"
    measure(f"{gib} of Parquet: value filter", ["sql", filtered], pond)
    raw = ["cat", "/s.series", "--format", "raw"]
    measure(f"{gib} of Parquet: written again as one", raw, pond)
    shutil.rmtree(pond)

    # A large CSV file, in.
    pond = fresh("memory-csv")
    file = data.csv(int(80_000_000 * scale))
    gib = f"{file.stat().st_size / GIB:.1f} GiB"
    measure(f"{gib} of CSV in", ["copy", url("csv", file), "/s.series", "--time-column", "time"], pond)
    shutil.rmtree(pond)
    file.unlink()

    # Sorts, joins and groups of ten million rows.
    pond = fresh("memory-sql")
    run(
        [tools.pond, "copy", url("parquet", data.parquet()), "/s.series", "--time-column", "time"],
        {"POND": str(pond)},
    )
    measure("sort of 10 million rows by a value", ["sql", SORT], pond)
    measure("join of 10 million rows with themselves", ["sql", JOIN], pond)
    measure("10 million groups", ["sql", GROUP], pond)
    shutil.rmtree(pond)

    # Many entries.
    pond = fresh("memory-entries")
    tree = work / "entries"
    tree.mkdir(exist_ok=True)
    for number in range(entries):
        path = tree / f"entry-{number:06}.txt"
        if not path.exists():
            path.write_text(f"{number}\n")
    measure(f"{entries:,} small files in", ["copy", "-r", f"host:///{str(tree).lstrip('/')}", "/many"], pond)
    measure(f"list of {entries:,} entries", ["list", "/many"], pond)
    measure(f"list -l of {entries:,} entries", ["list", "-l", "/many"], pond)
    measure(f"glob over {entries:,} entries", ["list", "/**/*9.txt"], pond)
    shutil.rmtree(pond)
    shutil.rmtree(tree)

    # Many versions.
    pond = fresh("memory-versions")
    tree = work / "versions"
    tree.mkdir(exist_ok=True)
    batch = 2_000
    made = 0
    while made < versions:
        files = []
        for number in range(made, min(made + batch, versions)):
            path = Path("v") / f"{number % batch}.csv"
            (tree / path).parent.mkdir(exist_ok=True)
            time = 1767225600 + number * 60
            (tree / path).write_text(f"time,level\n{time},{number % 97}\n")
            files.append(f"host+csv+series:{path}")
        words = ["copy", "-q", *files, "/v.series", "--time-column", "time", "--time-unit", "s"]
        before = os.getcwd()
        os.chdir(tree)
        run([tools.pond, *words], {"POND": str(pond)})
        os.chdir(before)
        made += len(files)
    shutil.rmtree(tree)
    measure(f"history of {versions:,} versions", ["show", "/v.series"], pond)
    measure(f"query of {versions:,} versions", ["sql", "SELECT count(*) FROM '/v.series'"], pond)
    measure(f"pond.versions of {versions:,} versions", ["sql", "SELECT count(*) FROM pond.versions"], pond)
    shutil.rmtree(pond)
    return {"rows": rows}


def report(figures):
    """The figures as a page."""
    lines = ["| work | peak | time |", "|---|---|---|"]
    for row in figures["rows"]:
        lines.append(f"| {row['work']} | {row['peak_mib']:.0f} MiB | {row['seconds']:.1f} s |")
    return lines

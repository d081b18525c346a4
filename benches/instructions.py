"""Instruction counts of the hot paths, under callgrind: figures that do not
depend on what else the machine does, so that a regression shows.

Each path is the whole program with one command on a pond made for it, less the
count of `pond --version`; threads make a count differ by parts of a percent, so
each is the least of three. `baseline.json` holds what was counted before;
beyond its tolerance a count is a regression (or a gain to be noted there with
`--accept`).
"""

import json
import re
import shutil
import tempfile
from pathlib import Path

from measure import run

BASELINE = Path(__file__).with_name("baseline.json")
#: How far a count may be from its baseline.
TOLERANCE = 0.05
COUNTS = 3


def count(command, env):
    """Instructions of a command."""
    least = None
    for _ in range(COUNTS):
        with tempfile.TemporaryDirectory() as directory:
            log = Path(directory) / "log"
            run(
                [
                    "valgrind",
                    "--tool=callgrind",
                    f"--callgrind-out-file={directory}/out",
                    f"--log-file={log}",
                    *command,
                ],
                {"TZ": "UTC", **env},
            )
            found = re.search(r"Collected : (\d+)", log.read_text())
            here = int(found.group(1))
            least = here if least is None else min(least, here)
    return least


def make_pond(tools, data, work):
    """A pond of some files and a series of several versions."""
    pond = work / "instructions"
    env = {"POND": str(pond)}
    shutil.rmtree(pond, ignore_errors=True)
    run([tools.pond, "init", "--pond", pond])
    run([tools.pond, "mkdir", "/many"], env)
    with tempfile.TemporaryDirectory() as directory:
        for number in range(200):
            (Path(directory) / f"{number:03}.txt").write_text(f"{number}\n")
        files = [f"host:///{path.lstrip('/')}" for path in sorted(map(str, Path(directory).iterdir()))]
        run([tools.pond, "copy", *files, "/many/"], env)
        for day in range(1, 29):
            rows = [f"2026-02-{day:02}T{hour:02}:00:00Z,{hour}\n" for hour in range(24)]
            file = Path(directory) / "day.csv"
            file.write_text("time,level\n" + "".join(rows))
            url = f"host+csv+series:///{str(file).lstrip('/')}"
            run([tools.pond, "copy", url, "/days.series", "--time-column", "time"], env)
    return env


def bench(tools, data, work, accept=False):
    """Counts, compares with the baseline, and gives the figures."""
    env = make_pond(tools, data, work)
    small = data.bytes(1024)
    one_day = (
        "EXPLAIN SELECT * FROM '/days.series' "
        "WHERE time >= '2026-02-14T00:00:00Z' AND time < '2026-02-15T00:00:00Z'"
    )
    paths = {
        "status": ["status"],
        "lookup": ["cat", "/many/117.txt"],
        "list": ["list", "/many"],
        "commit": ["copy", f"host:///{str(small).lstrip('/')}", "/small.bin"],
        "prune decision": ["sql", one_day],
    }
    start = count([tools.pond, "--version"], env)
    counts = {"start": start}
    for name, words in paths.items():
        counts[name] = count([tools.pond, *words], env) - start
    before = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    regressions = []
    for name, here in counts.items():
        if name in before and here > before[name] * (1 + TOLERANCE):
            regressions.append(name)
        change = f"{here / before[name] - 1:+.1%}" if name in before else "new"
        print(f"{name}: {here:,} instructions ({change})")
    if accept or not before:
        BASELINE.write_text(json.dumps(counts, indent=1) + "\n")
    return {"counts": counts, "baseline": before, "regressions": regressions}


def report(figures):
    """The figures as a page."""
    lines = ["| path | instructions | baseline |", "|---|---|---|"]
    for name, here in figures["counts"].items():
        before = figures["baseline"].get(name)
        lines.append(
            f"| {name} | {here / 1e6:.1f} M | {'' if before is None else f'{before / 1e6:.1f} M'} |"
        )
    return lines

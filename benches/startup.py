"""Start-up: what a run of the program costs before it does anything, and how
large the program is."""

import shutil
import subprocess
import tempfile
from collections import Counter

from measure import Competitor, race, run

#: The bars.
VERSION_SECONDS = 0.010
BINARY_MB = 120


def system_calls(command, env):
    """How many system calls of each kind a command makes."""
    with tempfile.NamedTemporaryFile("r", suffix=".strace") as trace:
        run(["strace", "-f", "-o", trace.name, *command], env)
        calls = Counter()
        for line in trace:
            words = line.split(None, 1)
            if len(words) == 2 and "(" in words[1] and not words[1].startswith(("<", "+", "-")):
                calls[words[1].split("(", 1)[0]] += 1
        return calls


def sections(binary):
    """The sizes of the parts of the program, in bytes."""
    listing = subprocess.run(
        ["size", "-A", str(binary)], check=True, capture_output=True, text=True
    ).stdout
    parts = {}
    for line in listing.splitlines():
        words = line.split()
        if len(words) == 3 and words[1].isdigit():
            parts[words[0]] = int(words[1])
    return dict(sorted(parts.items(), key=lambda part: -part[1])[:8])


def bench(tools, data, work, rounds):
    """Runs it, and gives its figures."""
    pond = work / "startup"
    env = {"POND": str(pond)}
    shutil.rmtree(pond, ignore_errors=True)
    run([tools.pond, "init", "--pond", pond])
    small = data.bytes(1024)
    run([tools.pond, "copy", f"host:///{str(small).lstrip('/')}", "/small.bin"], env)
    commands = {
        "pond --version": [tools.pond, "--version"],
        "pond list /": [tools.pond, "list", "/"],
        "pond cat /small.bin": [tools.pond, "cat", "/small.bin"],
        "pond sql 'SELECT 1'": [tools.pond, "sql", "SELECT 1"],
        "duckdb -c 'SELECT 1'": [tools.duckdb, "-c", "SELECT 1"],
    }
    times = race([Competitor(name, line, env) for name, line in commands.items()], rounds * 4)
    calls = {name: system_calls(commands[name], env) for name in list(commands)[:3]}
    figures = {
        "times": times,
        "system calls": {name: sum(counts.values()) for name, counts in calls.items()},
        "system calls of list": dict(calls["pond list /"].most_common(12)),
        "binary bytes": tools.pond.stat().st_size,
        "sections": sections(tools.pond),
    }
    print({name: one["seconds"] for name, one in times.items()}, figures["binary bytes"])
    return figures


def report(figures):
    """The figures as a page."""
    lines = ["| command | time | CPU | peak | system calls |", "|---|---|---|---|---|"]
    for name, one in figures["times"].items():
        calls = figures["system calls"].get(name, "")
        lines.append(
            f"| `{name}` | {one['seconds'] * 1e3:.1f} ms | {one['cpu_seconds'] * 1e3:.0f} ms "
            f"| {one['peak_mib']:.0f} MiB | {calls} |"
        )
    lines += ["", f"The stripped program has {figures['binary bytes'] / 1e6:.1f} MB:", ""]
    lines += [f"- `{name}`: {size / 1e6:.1f} MB" for name, size in figures["sections"].items()]
    return lines

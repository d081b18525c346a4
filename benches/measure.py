"""Running programs and taking their measure.

What always holds: a run is a process of its own, from `exec` to its end; runs
of competitors alternate, so that what else the machine does meets all of them;
a run that fails ends the benchmark.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Run:
    """What one process cost."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    stdout: bytes = b""


@dataclass
class Competitor:
    """Somebody who does the work."""

    name: str
    command: list
    env: dict = field(default_factory=dict)
    # Called before each run, outside of the measure.
    before: object = None
    # Seconds taken off each run: the start of an interpreter.
    start_seconds: float = 0.0
    start_cpu_seconds: float = 0.0


def run(command, env=None, stdout=None, check=True):
    """Runs a command and measures it.

    Peak memory is the kernel's own `ru_maxrss`; this program is small, because
    a child begins with the peak of the one that started it.
    """
    environment = dict(os.environ)
    environment.update(env or {})
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        child = subprocess.Popen(
            [str(word) for word in command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out if stdout is None else stdout,
            stderr=err,
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if check and child.returncode != 0:
            sys.exit(
                f"{' '.join(map(str, command))}\nended with {child.returncode}:\n"
                + err.read().decode(errors="replace")
            )
        return Run(
            seconds,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss / 1024,
            out.read(1 << 20),
        )


def race(competitors, rounds, warm=1):
    """Runs all competitors in turn, `rounds` times, after `warm` rounds that do
    not count, and gives each one's median."""
    runs = {competitor.name: [] for competitor in competitors}
    for number in range(rounds + warm):
        for competitor in competitors:
            if competitor.before:
                competitor.before()
            done = run(competitor.command, competitor.env)
            done.seconds -= competitor.start_seconds
            done.cpu_seconds -= competitor.start_cpu_seconds
            if number >= warm:
                runs[competitor.name].append(done)
    return {
        name: {
            "seconds": round(statistics.median(r.seconds for r in done), 4),
            "cpu_seconds": round(statistics.median(r.cpu_seconds for r in done), 3),
            "peak_mib": round(max(r.peak_mib for r in done), 1),
        }
        for name, done in runs.items()
    }


def bytes_read(command, env, under):
    """How many bytes a command reads of the files below a directory, by the
    system calls that it makes."""
    calls = "read,pread64,readv,preadv,preadv2,mmap"
    with tempfile.NamedTemporaryFile("r", suffix=".strace") as trace:
        run(["strace", "-f", "-y", "-e", f"trace={calls}", "-o", trace.name, *command], env)
        total = 0
        mark = f"<{Path(under).resolve()}/"
        for line in trace:
            if mark in line and " = " in line:
                if "mmap(" in line:
                    sys.exit(f"a file of the pond is mapped, which is not counted: {line}")
                count = line.rsplit(" = ", 1)[1].split()[0]
                total += int(count) if count.isdigit() else 0
        return total


def machine():
    """What the figures were measured on: nothing that names it."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory),
        "kernel": ".".join(os.uname().release.split("-")[0].split(".")[:2]),
        "load": round(os.getloadavg()[0], 1),
    }


class Results:
    """The figures, section by section, in one JSON file."""

    def __init__(self, path):
        self.path = Path(path)
        self.sections = json.loads(self.path.read_text()) if self.path.exists() else {}

    def put(self, section, figures):
        """Replaces a section."""
        self.sections[section] = {"machine": machine(), **figures}
        self.path.write_text(json.dumps(self.sections, indent=1, sort_keys=True) + "\n")

"""The benchmarks: pond beside its peers, in one run.

    bench.py [--rounds N] [--work DIR] [--pond FILE] [SECTION ...]

Sections: scan, ingest, memory, startup, instructions, derived; all when none is named.
Each writes its figures to docs/benchmarks.json and its tables into
docs/benchmarks.md, between the marks that bear its name; what stands outside of
marks is written by people and left alone.

Everything is kept below the work directory; the data is made there once. Peers
come from PyPI (see `requirements.txt`) into an environment beside it, and are
held to the same two processors as pond.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True

import derived
import ingest
import instructions
import memory
import scan
import startup
from data import Data
from measure import Results

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
SECTIONS = {
    "scan": scan,
    "ingest": ingest,
    "memory": memory,
    "startup": startup,
    "instructions": instructions,
    "derived": derived,
}


@dataclass
class Tools:
    """The programs that are run."""

    pond: Path
    python: Path
    duckdb: Path


def peers(directory):
    """An environment with the peers in it."""
    requirements = HERE / "requirements.txt"
    mark = directory / "requirements.txt"
    if not mark.exists() or mark.read_bytes() != requirements.read_bytes():
        venv.create(directory, with_pip=True)
        pip = [directory / "bin" / "python", "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "-r", requirements], check=True)
        shutil.copy(requirements, mark)
    return directory / "bin"


def put(section, lines, machine):
    """Replaces a section of the page."""
    about = (
        f"Measured on {machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB of "
        f"memory, Linux {machine['kernel']}; load before the run {machine['load']}."
    )
    begin, end = f"<!-- {section} -->", f"<!-- /{section} -->"
    text = PAGE.read_text()
    block = "\n".join([begin, "", about, "", *lines, "", end])
    text, found = re.subn(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, text, flags=re.S)
    if not found:
        sys.exit(f"docs/benchmarks.md has no marks for {section}")
    PAGE.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help="all when none is named")
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
    parser.add_argument("--pond", type=Path, default=target / "release" / "pond")
    parser.add_argument("--work", type=Path, default=target / "benches")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--accept", action="store_true", help="note the counts as the baseline")
    parser.add_argument("--reuse", action="store_true", help="scan the ponds of the last run")
    args = parser.parse_args()
    names = args.sections or list(SECTIONS)
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {unknown[0]}; there are {', '.join(SECTIONS)}")

    # Two processors for everybody, whatever the machine has.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    programs = peers(work / "peers")
    tools = Tools(args.pond.resolve(), programs / "python", programs / "duckdb")
    data = Data(work / "data", tools.duckdb)
    results = Results(PAGE.with_suffix(".json"))
    for name in names:
        print(f"== {name}", flush=True)
        if name == "memory":
            figures = memory.bench(tools, data, work)
        elif name == "instructions":
            figures = instructions.bench(tools, data, work, args.accept)
        elif name == "scan":
            figures = scan.bench(tools, data, work, args.rounds, args.reuse)
        else:
            figures = SECTIONS[name].bench(tools, data, work, args.rounds)
        results.put(name, figures)
        put(name, SECTIONS[name].report(figures), results.sections[name]["machine"])


if __name__ == "__main__":
    main()

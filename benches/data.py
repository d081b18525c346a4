"""The data that the benchmarks read, made by DuckDB from nothing but numbers.

What always holds: the same rows every time, whatever the machine, because each
value is a function of its row's number; a file that is there is whole, because
it gets its name last.

The series is what an instrument would send: a reading every five seconds, five
columns, of which two are rounded as instruments round, one has all the digits
of a computed value, and one is a code.
"""

import os
import sys
from pathlib import Path

ROWS = 10_000_000

# A number in [0, 1) that depends on the row and the column alone.
NOISE = "(hash(i * 7 + {column}) % 1000003) / 1000003.0"

SERIES = f"""
SELECT
  make_timestamp((1577836800 + i * 5) * 1000000) AS time,
  round(2.5 + 1.2 * sin(i / 8942.0) + 0.05 * {NOISE.format(column=1)}, 3) AS level,
  round(11 + 6 * sin(i / 1004800.0) + 0.3 * {NOISE.format(column=2)}, 2) AS temperature,
  35 + 4 * sin(i / 17280.0) + {NOISE.format(column=3)} AS flow,
  CAST(CASE WHEN hash(i * 7 + 4) % 1000 < 3 THEN 2 WHEN hash(i * 7 + 4) % 50 = 0 THEN 1 ELSE 0 END
       AS BIGINT) AS quality
FROM range({{rows}}) AS rows(i)
"""


def series_sql(rows=ROWS):
    """The rows, as a query for DuckDB."""
    return SERIES.format(rows=rows)


def whole(path, make):
    """Makes a file unless it is there; `make` is given a temporary name."""
    path = Path(path)
    if path.exists():
        return path
    print(f"making {path.name}", file=sys.stderr)
    temporary = path.with_name(path.name + ".part")
    temporary.unlink(missing_ok=True)
    make(temporary)
    os.replace(temporary, path)
    return path


def csv_time(column="time"):
    """A time as ISO 8601 with its zone, so that nobody has to guess."""
    return f"strftime({column}, '%Y-%m-%dT%H:%M:%SZ') AS time"


class Data:
    """The files of the benchmarks in one directory."""

    def __init__(self, directory, duckdb):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.duckdb = duckdb

    def _sql(self, sql):
        import subprocess

        subprocess.run([str(self.duckdb), "-c", sql], check=True, stdout=subprocess.DEVNULL)

    def parquet(self, rows=ROWS):
        """The series as Parquet, as DuckDB writes it: the file that others bring."""
        copy = f"COPY ({series_sql(rows)}) TO '{{}}' (FORMAT parquet, COMPRESSION zstd)"
        name = self.directory / f"series-{rows}.parquet"
        return whole(name, lambda to: self._sql(copy.format(to)))

    def csv(self, rows=ROWS):
        """The series as CSV."""
        source = self.parquet(rows)
        select = f"SELECT {csv_time()}, * EXCLUDE (time) FROM '{source}'"
        copy = f"COPY ({select}) TO '{{}}' (FORMAT csv, HEADER)"
        return whole(
            self.directory / f"series-{rows}.csv", lambda to: self._sql(copy.format(to))
        )

    def wide_parquet(self, rows):
        """Eight columns of noise and a time, not compressed: 72 bytes a row at most."""
        columns = ", ".join(f"{NOISE.format(column=at)} AS c{at}" for at in range(1, 9))
        select = (
            f"SELECT make_timestamp((1577836800 + i) * 1000000) AS time, "
            f"{columns} FROM range({rows}) AS rows(i)"
        )
        copy = f"COPY ({select}) TO '{{}}' (FORMAT parquet, COMPRESSION uncompressed)"
        name = self.directory / f"wide-{rows}.parquet"
        return whole(name, lambda to: self._sql(copy.format(to)))

    def bytes(self, size):
        """A file of bytes that nothing compresses."""

        def make(to):
            import random

            source = random.Random(20260301)
            with open(to, "wb") as out:
                left = size
                while left > 0:
                    piece = source.randbytes(min(left, 1 << 24))
                    out.write(piece)
                    left -= len(piece)

        return whole(self.directory / f"bytes-{size}.bin", make)

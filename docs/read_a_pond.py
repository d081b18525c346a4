#!/usr/bin/env python3
"""Reads a pond without the program that wrote it, from docs/format.md alone.

    python3 -m venv venv && venv/bin/pip install deltalake duckdb blake3 pytz
    venv/bin/python read_a_pond.py POND list
    venv/bin/python read_a_pond.py POND cat /docs/notes.md > notes.md
    venv/bin/python read_a_pond.py POND sql /sensors/a.series 'SELECT count(*) FROM source'
    venv/bin/python read_a_pond.py POND check

Every verb takes `--as-of N`: the state after transaction N. It is an example to
read and to start from: Delta Lake says which files are live, DuckDB reads the
rows, and what remains is a page of rules. A directory is looked up by its own
rows, but whole contents are held in memory here, which the program never does.
"""

import argparse
import json
import struct
import sys
import tempfile
import uuid
from pathlib import Path

import blake3
import duckdb
from deltalake import DeltaTable

# Times are wanted as the hashes have them: microseconds since 1970 UTC.
TIMES = ["written", "min_time", "max_time", "started", "ended"]


class Pond:
    """The state of a pond after one transaction."""

    def __init__(self, path, as_of=None):
        self.data = Path(path) / "data"
        table = DeltaTable(self.data)
        self.properties = table.metadata().configuration
        if int(self.properties["pond.format"]) > 1:
            sys.exit("this pond has a later format than this reader knows")
        self.root = self.properties["pond.id"]
        self.sql = duckdb.connect()
        self.sql.execute("SET TimeZone = 'UTC'")
        files = [uri.removeprefix("file://") for uri in table.file_uris()]
        times = ", ".join(f"epoch_us({time}) AS {time}" for time in TIMES)
        # `union_by_name`: later programs may add columns.
        self.sql.execute(
            f"CREATE VIEW every AS SELECT * REPLACE ({times})"
            f" FROM read_parquet({files!r}, union_by_name=true)"
        )
        newest = self.sql.execute("SELECT max(txn_seq) FROM every").fetchone()[0]
        self.as_of = newest if as_of is None else as_of
        oldest = int(self.properties["pond.oldest"])
        if self.as_of is not None and not oldest <= self.as_of <= newest:
            sys.exit(f"this pond has the states {oldest} to {newest}")
        self.sql.execute(
            f"CREATE VIEW log AS SELECT * FROM every WHERE txn_seq <= {self.as_of or 0}"
        )

    def rows(self, query, *parameters):
        """The rows of a query, as dictionaries."""
        found = self.sql.execute(query, parameters)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row)) for row in found.fetchall()]

    def names(self, directory):
        """The names in a directory: of each, the newest row holds."""
        return self.rows(
            """SELECT name, child, entry_type FROM (
                 SELECT *, row_number() OVER (
                   PARTITION BY name ORDER BY txn_seq DESC, position DESC) AS n
                 FROM log WHERE kind = 'link' AND node = ?)
               WHERE n = 1 AND child IS NOT NULL ORDER BY name""",
            directory,
        )

    def walk(self, directory=None, path=""):
        """Every entry below a directory, in the order of its path."""
        for entry in self.names(directory or self.root):
            entry["path"] = f"{path}/{entry['name']}"
            yield entry
            if entry["entry_type"] == "directory":
                yield from self.walk(entry["child"], entry["path"])

    def find(self, path):
        """The entry at a path; symbolic links are not followed."""
        entry = {"child": self.root, "entry_type": "directory"}
        for name in path.strip("/").split("/"):
            found = [one for one in self.names(entry["child"]) if one["name"] == name]
            if not found:
                sys.exit(f"nothing is at {path}")
            entry = found[0]
        return entry

    def versions(self, node):
        """The versions of a node and, of a series, its merged runs."""
        rows = self.rows(
            "SELECT * FROM log WHERE kind = 'version' AND node = ? AND version > 0"
            " ORDER BY txn_seq, position",
            node,
        )
        plain = [row for row in rows if row["covers_from"] is None]
        return plain, [row for row in rows if row["covers_from"] is not None]

    def attributes(self, node):
        """What the node declares: the newest row of version 0."""
        rows = self.rows(
            "SELECT attributes FROM log WHERE kind = 'version' AND node = ? AND version = 0"
            " ORDER BY txn_seq DESC, position DESC LIMIT 1",
            node,
        )
        return json.loads(rows[0]["attributes"] or "{}") if rows else {}

    def content(self, version):
        """The bytes of a version, compared with their hash."""
        name = version["hash"]
        if not version["inline"]:
            content = (self.data / "_large_files" / name[:2] / f"blake3={name}").read_bytes()
        elif version["size_bytes"] == 0:
            content = b""
        else:
            content = self.rows(
                "SELECT content FROM log WHERE kind = 'content'"
                " AND node = ? AND version = ? AND hash = ?",
                version["node"],
                version["version"],
                name,
            )[0]["content"]
        if blake3.blake3(content).hexdigest() != name:
            sys.exit(f"version {version['version']} of {version['node']} is damaged")
        return content

    def parts(self, node):
        """What the rows of a series are read from, the lowest precedence first:
        the newest runs that do not overlap, and the versions that none covers."""
        plain, runs = self.versions(node)
        taken = []
        for run in sorted(runs, key=lambda run: (run["txn_seq"], run["version"]), reverse=True):
            if all(
                run["version"] < other["covers_from"] or other["version"] < run["covers_from"]
                for other in taken
            ):
                taken.append(run)
        left = [
            version
            for version in plain
            if not any(run["covers_from"] <= version["version"] <= run["version"] for run in taken)
        ]
        return sorted(taken + left, key=lambda part: part["version"])

    def source(self, path, folder):
        """Makes a view `source` of the rows of a table or series."""
        entry = self.find(path)
        node = entry["child"]
        if entry["entry_type"] == "file:table":
            parts = self.versions(node)[0][-1:]
        elif entry["entry_type"] == "file:series":
            parts = self.parts(node)
        else:
            sys.exit(f"{path} is a {entry['entry_type']}, not a table or series")
        reads = []
        for precedence, part in enumerate(parts):
            file = Path(folder) / f"{precedence}.parquet"
            file.write_bytes(self.content(part))
            reads.append(
                f"SELECT *, {precedence} AS _part"
                f" FROM read_parquet('{file}', file_row_number=true)"
            )
        rows = " UNION ALL BY NAME ".join(reads)
        declared = self.attributes(node)
        time = declared.get("series.time_column")
        keep = "true"
        limits = [
            ("series.floor_us", ">="),
            ("series.start_us", ">="),
            ("series.end_us", "<="),
        ]
        for limit, compare in limits:
            if limit not in declared:
                continue
            at = int(declared[limit])
            unit = declared["series.time_unit"]
            per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
            # Integers are in the declared unit, timestamps know their own.
            kind = self.sql.execute(f'SELECT typeof("{time}") FROM ({rows}) LIMIT 1').fetchone()
            if kind and "INT" in kind[0]:
                # Exact also where the limit lies between two values.
                keep += f' AND "{time}"::HUGEINT * 1000000 {compare} {at * per_second}::HUGEINT'
            else:
                keep += f' AND epoch_us("{time}") {compare} {at}'
        if time is not None and declared.get("series.append") != "true":
            key = json.loads(declared.get("series.key", json.dumps([time])))
            columns = ", ".join(f'"{column}"' for column in key)
            rows = (
                f"SELECT * FROM ({rows}) QUALIFY row_number() OVER ("
                f"PARTITION BY {columns} ORDER BY _part DESC, file_row_number DESC) = 1"
            )
        self.sql.execute(
            f"CREATE VIEW source AS SELECT * EXCLUDE (_part, file_row_number)"
            f" FROM ({rows}) WHERE {keep}"
        )

    def check(self):
        """Recomputes the chain of transactions and the hash of every content."""
        previous = None
        for row in self.rows("SELECT * FROM log WHERE kind = 'transaction' ORDER BY txn_seq"):
            number = row["txn_seq"]
            if previous is None:
                origin = digest("duckpond 1 origin", uuid.UUID(self.root).bytes)
                previous = origin if number == 1 else bytes.fromhex(self.properties["pond.anchor"])
            written = self.rows(
                "SELECT * FROM log WHERE txn_seq = ? AND kind IN ('link', 'version')"
                " ORDER BY position",
                number,
            )
            # Rows of an old transaction may have been forgotten since.
            if len(written) == row["links"] + row["versions"]:
                rows_hash = digest("duckpond 1 rows", *map(row_hash, written))
                if rows_hash.hex() != row["rows_hash"]:
                    sys.exit(f"transaction {number} has other rows than it was written with")
            fields = ["txn_kind", "command", "user_name", "host_name", "started", "ended"]
            fields += ["links", "versions", "content_bytes"]
            found = digest(
                "duckpond 1 transaction",
                number,
                uuid.UUID(row["txn_id"]).bytes,
                *(row[field] for field in fields),
                bytes.fromhex(row["rows_hash"]),
                previous,
            )
            if found.hex() != row["txn_hash"] or previous.hex() != row["previous_hash"]:
                sys.exit(f"transaction {number} is not what was written")
            previous = found
        contents = self.rows("SELECT * FROM log WHERE kind = 'version' AND version > 0")
        for version in contents:
            self.content(version)
        print(f"{number} transactions and {len(contents)} contents are as they were written")


def row_hash(row):
    """The hash of a link or version row."""
    node = uuid.UUID(row["node"]).bytes
    if row["kind"] == "link":
        child = row["child"] and uuid.UUID(row["child"]).bytes
        return digest(
            "duckpond 1 link", row["position"], node, row["name"], child, row["entry_type"]
        )
    attributes = json.loads(row["attributes"] or "{}")
    return digest(
        "duckpond 1 version",
        row["position"],
        node,
        row["version"],
        row["covers_from"],
        row["covers_from_txn"],
        row["entry_type"],
        row["size_bytes"],
        row["hash"] and bytes.fromhex(row["hash"]),
        row["format"],
        int(row["inline"]),
        row["rows"],
        row["min_time"],
        row["max_time"],
        row["time_column"],
        len(attributes),
        *(text for key in sorted(attributes) for text in (key, attributes[key])),
        row["factory"],
    )


def digest(*fields):
    """The hash of fields, each `00`, or `01`, its length and its bytes."""
    hasher = blake3.blake3()
    for field in fields:
        if isinstance(field, str):
            field = field.encode()
        elif isinstance(field, int):
            field = struct.pack("<q", field)
        present = field is not None
        hasher.update(b"\1" + struct.pack("<I", len(field)) + field if present else b"\0")
    return hasher.digest()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("pond", help="its directory")
    parser.add_argument("verb", choices=["list", "cat", "sql", "check"])
    parser.add_argument("words", nargs="*", help="a path and, for sql, a query over `source`")
    parser.add_argument("--as-of", type=int, metavar="N", help="the state after transaction N")
    arguments = parser.parse_args()
    pond = Pond(arguments.pond, arguments.as_of)
    if arguments.verb == "list":
        for entry in pond.walk():
            print(entry["entry_type"], entry["path"])
    elif arguments.verb == "cat":
        node = pond.find(arguments.words[0])["child"]
        sys.stdout.buffer.write(pond.content(pond.versions(node)[0][-1]))
    elif arguments.verb == "sql":
        path, query = arguments.words
        with tempfile.TemporaryDirectory() as folder:
            pond.source(path, folder)
            for row in pond.rows(query):
                print(json.dumps(row, default=str))
    else:
        pond.check()


if __name__ == "__main__":
    main()

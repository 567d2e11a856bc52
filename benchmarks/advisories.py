# SPDX-License-Identifier: Apache-2.0
"""What compiling advisories costs, and reading what is compiled, beside a database of the same.

    python benchmarks/advisories.py [--records 70000] [--check]

The exports are made up in the form of Debian's and Ubuntu's. Each is compiled for one release in a process of its own;
then what is said of 400 source packages is read from the file, as a host with some 700 packages does. With --check it
fails when compiling takes more than 60 s or 300 MiB, or a file has more than 6 MiB.
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO / "_utils"), str(REPO / "tests")]

EXPORTS = {"Debian": "DEBIAN-12", "Ubuntu": "UBUNTU-22.04"}
MOST_SECONDS, MOST_MEBIBYTES, MOST_FILE = 60.0, 300.0, 6.0
PACKAGES = 400


def main() -> None:
    """Measure both exports, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=70_000)
    parser.add_argument("--check", action="store_true", help="fail beyond the targets")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(STEPS[options.one[0]](options.one[1], Path(options.one[2]), options.records)))
        return
    print(f"{options.records} records  {'zip MiB':>8}{'compile s':>11}{'peak MiB':>10}{'again s':>9}{'file MiB':>10}")
    reading = []
    for name in EXPORTS:
        with tempfile.TemporaryDirectory() as directory:

            def step(what: str, name: str = name, directory: str = directory) -> dict[str, float]:
                return run(what, name, directory, options.records)

            size = step("generate")["size"]
            first, second = step("compile"), step("compile")
            print(
                f"  {name:<14}{size / 2**20:>9.0f}{first['seconds']:>11.1f}{first['memory']:>10.0f}"
                f"{second['seconds']:>9.1f}{first['size'] / 2**20:>10.2f}"
            )
            reading.append((name, "this file", step("read")))
            step("make-database")
            reading.append((name, "sqlite", step("read-database")))
            if options.check:
                assert first["seconds"] <= MOST_SECONDS and first["memory"] <= MOST_MEBIBYTES
                assert first["size"] <= MOST_FILE * 2**20
    print(f"\n{PACKAGES} packages            {'file MiB':>9}{'seconds':>9}{'MiB more':>10}")
    for name, what, found in reading:
        print(f"  {name:<10}{what:<12}{found['size'] / 2**20:>10.2f}{found['seconds']:>9.2f}{found['memory']:>10.0f}")


def run(what: str, name: str, directory: str, count: int) -> dict[str, float]:
    """Do one step in a process of its own, which is small when it begins; this one stays small too."""
    argv = [sys.executable, __file__, "--records", str(count), "--one", what, name, directory]
    return dict(json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout))


def generate(name: str, directory: Path, count: int) -> dict[str, float]:
    """Write an export."""
    from support import osv

    made = {"Debian": osv.debian, "Ubuntu": osv.ubuntu}[name](count)
    return {"size": osv.write_zip(directory / "all.zip", made).stat().st_size}


def compiled(name: str, directory: Path, count: int) -> dict[str, float]:
    """Compile the export for its release, or see that this has been done."""
    from ssmpatchlib.fleet.advisories import compile_exports
    from ssmpatchlib.fleet.advisory_settings import AdvisorySettings
    from ssmpatchlib.fleet.osv_fetch import Reach

    release = EXPORTS[name]
    began = time.perf_counter()
    found = compile_exports(
        AdvisorySettings(sources=(f"{directory}/all.zip",), releases=(release,)),
        state_dir=directory / "state" / "ssmpatch",
        reach=Reach(salt_file=lambda location: ""),
        file_roots=[str(directory)],
    )
    assert sum(found["read"].values()) == count
    return {"seconds": time.perf_counter() - began, "memory": peak(), "size": found["releases"][release]["size"]}


def read(name: str, directory: Path, count: int) -> dict[str, float]:
    """Read what the file says of some packages."""
    from ssmpatchlib.advisories import compact

    path = directory / "advisories" / f"{EXPORTS[name]}{compact.SUFFIX}"
    wanted, before, began = wanted_sources(), peak(), time.perf_counter()
    with open(path, "rb") as handle:
        found = compact.read(handle, release=EXPORTS[name], sources=wanted)
    seconds = time.perf_counter() - began
    assert found.packages
    return {"seconds": seconds, "memory": peak() - before, "size": path.stat().st_size}


def make_database(name: str, directory: Path, count: int) -> dict[str, float]:
    """Put the lines of the file into a database: a row for each source package, and one for each record."""
    import gzip

    path, number = directory / "advisories" / f"{EXPORTS[name]}.jsonl.gz", 0
    with sqlite3.connect(directory / "advisories.db") as connection, gzip.open(path, "rb") as lines:
        connection.execute("CREATE TABLE source (name TEXT PRIMARY KEY, said TEXT) WITHOUT ROWID")
        connection.execute("CREATE TABLE record (number INTEGER PRIMARY KEY, said TEXT)")
        for line in lines:
            if line.startswith(b'{"source":"'):
                connection.execute("INSERT INTO source VALUES (?, ?)", (json.loads(line)["source"], line.decode()))
            elif not line.startswith((b'{"form"', b'{"sha256"')):
                connection.execute("INSERT INTO record VALUES (?, ?)", (number, line.decode()))
                number += 1
    return {}


def read_database(name: str, directory: Path, count: int) -> dict[str, float]:
    """Read the same from the database, and only parse it."""
    path = directory / "advisories.db"
    wanted, before, began = wanted_sources(), peak(), time.perf_counter()
    connection = sqlite3.connect(path)
    rows: list[Any] = []
    numbers: set[int] = set()
    for each in wanted:
        for (said,) in connection.execute("SELECT said FROM source WHERE name = ?", (each,)):
            rows.append(json.loads(said))
            numbers.update(place for group in rows[-1]["groups"] for place in group["records"])
    for place in sorted(numbers):
        rows += [
            json.loads(text) for (text,) in connection.execute("SELECT said FROM record WHERE number = ?", (place,))
        ]
    return {"seconds": time.perf_counter() - began, "memory": peak() - before, "size": path.stat().st_size}


def wanted_sources() -> list[str]:
    """The source packages of a host."""
    return [f"source{number * 5}" for number in range(PACKAGES - 2)] + ["linux", "linux-aws"]


def peak() -> float:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


STEPS = {
    "generate": generate,
    "compile": compiled,
    "read": read,
    "make-database": make_database,
    "read-database": read_database,
}


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Run programs in turn and compare them: medians of interleaved runs, CPU time of a whole process tree, peak memory."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Starts a program from a small process: Linux counts the memory of the process that starts one as its own.
LAUNCHER = """
import json, resource, subprocess, sys, time
began = time.monotonic()
code = subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL)
wall, usage = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
print("\\n" + json.dumps([code, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]), end="")
"""


@dataclass(frozen=True)
class Program:
    """What is measured. ``prepare`` runs before each run and is not measured."""

    argv: Sequence[str]
    env: Mapping[str, str]
    prepare: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Sample:
    """Wall and CPU seconds (user and system, of all processes), and MiB of the largest process."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Series:
    """The runs of one program, in their order."""

    samples: tuple[Sample, ...]

    @property
    def wall(self) -> float:
        """The median of the wall seconds."""
        return statistics.median(sample.wall for sample in self.samples)

    @property
    def cpu(self) -> float:
        """The median of the CPU seconds."""
        return statistics.median(sample.cpu for sample in self.samples)

    @property
    def memory(self) -> float:
        """The median of the peak memory, MiB."""
        return statistics.median(sample.memory for sample in self.samples)


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, beside what, how it compares and what is asked for."""

    what: str
    own: str
    other: str
    result: str
    limit: str
    ok: bool


def run(program: Program) -> Sample:
    """Run a program once."""
    program.prepare()
    done = subprocess.run(
        [sys.executable, "-ISc", LAUNCHER, *program.argv], env=dict(program.env), capture_output=True, text=True
    )
    code, wall, cpu, memory = json.loads(done.stdout.rpartition("\n")[2] or "[1, 0, 0, 0]")
    if code:
        raise SystemExit(f"{' '.join(program.argv)}: exit code {code}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return Sample(wall, cpu, memory / 1024)


def interleave(programs: Mapping[str, Program], *, times: int) -> dict[str, Series]:
    """Run all programs in turn, ``times`` times after a round to warm up."""
    for program in programs.values():
        run(program)
    rounds = [{name: run(program) for name, program in programs.items()} for _ in range(times)]
    return {name: Series(tuple(each[name] for each in rounds)) for name in programs}


def ratio(what: str, own: Series, other: Series, *, limit: float) -> Row:
    """Compare the CPU time of two programs, round by round: what else the machine does then hits both alike."""
    found = statistics.median(a.cpu / b.cpu for a, b in zip(own.samples, other.samples, strict=True))
    return Row(what, _seconds(own), _seconds(other), f"{found:.2f} x", f"<= {limit:g} x", found <= limit)


def fastest(what: str, own: Series, other: Series, *, limit: float) -> Row:
    """Compare the wall time of two programs by the fastest run of each, where nothing else took their processors."""
    mine, its = (min(sample.wall for sample in series.samples) for series in (own, other))
    shown = [f"{wall:.2f} s by the clock" for wall in (mine, its)]
    return Row(what, *shown, f"{mine / its:.2f} x", f"<= {limit:g} x", mine / its <= limit)


def more(what: str, own: Series, other: Series, *, limit: float) -> Row:
    """Compare the wall time of two programs by their difference, round by round."""
    found = statistics.median(a.wall - b.wall for a, b in zip(own.samples, other.samples, strict=True))
    return Row(what, _seconds(own), _seconds(other), f"{found:+.2f} s", f"<= +{limit:g} s", found <= limit)


def memory(what: str, own: Series, other: Series, *, limit: float) -> Row:
    """Compare the peak memory of two programs by their difference."""
    found = own.memory - other.memory
    shown = [f"{series.memory:.0f} MiB" for series in (own, other)]
    return Row(what, *shown, f"{found:+.0f} MiB", f"<= +{limit:g} MiB", found <= limit)


def faster(what: str, own: Series, recorded: float, *, least: float) -> Row:
    """Compare with a recorded time."""
    found = recorded / own.cpu
    return Row(
        what, _seconds(own), f"{recorded:.2f} s recorded", f"{found:.0f} x faster", f">= {least:g} x", found >= least
    )


def _seconds(series: Series) -> str:
    return f"{series.cpu:.2f} s CPU, {series.wall:.2f} s"


def table(title: str, rows: Sequence[Row]) -> str:
    """The rows as aligned text."""
    head = ("", "ssmpatch", "beside it", "result", "asked", "")
    cells = [head, *((r.what, r.own, r.other, r.result, r.limit, "ok" if r.ok else "OVER") for r in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([title, *("  " + line for line in lines)]) + "\n"


def environment(**more_of_it: str) -> dict[str, str]:
    """The environment of measured programs: Python keeps its bytecode, nothing else of Python's is inherited."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "APT", "DPKG"))}
    return {**kept, "LC_ALL": "C.UTF-8", **more_of_it}


def copy_loaders(repo: Path, target: Path) -> Path:
    """Copy the loader directories so that bytecode can be kept beside them, and what the engine imports beside it."""
    target.mkdir(parents=True, exist_ok=True)
    places = [repo / name for name in ("_modules", "_states", "_output", "_utils")]
    subprocess.run(["cp", "-r", *map(str, places), str(target)], check=True)
    for name in ("distro", "yaml"):
        found = importlib.util.find_spec(name)
        if found is None or not found.submodule_search_locations:
            raise SystemExit(f"needs the Python package {name}")
        subprocess.run(["cp", "-r", found.submodule_search_locations[0], str(target / "_utils")], check=True)
    return target


def system_python() -> str:
    """The Python of the distribution, which its own programs run in, where the engine can run in it; else this one."""
    path = "/usr/bin/python3"
    check = [path, "-c", "import sys; sys.exit(sys.version_info < (3, 10))"]
    return path if os.path.exists(path) and not subprocess.call(check) else sys.executable

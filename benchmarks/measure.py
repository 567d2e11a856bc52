# SPDX-License-Identifier: Apache-2.0
"""Run programs in turn and compare them: medians of interleaved runs, CPU time of a whole process tree, peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """What is measured. ``prepare`` runs before each run and is not measured; ``codes`` are the exit codes of success."""

    argv: Sequence[str]
    env: Mapping[str, str]
    prepare: Callable[[], object] = lambda: None
    codes: Sequence[int] = (0,)


@dataclass(frozen=True)
class Sample:
    """Wall and CPU seconds (user and system, of all processes), and MiB of the largest process."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, beside what, how it compares and what is asked for."""

    what: str
    own: str
    other: str
    result: str
    limit: str
    ok: bool | None


def run(program: Program) -> Sample:
    """Run a program once."""
    program.prepare()
    began = time.monotonic()
    process = subprocess.Popen(
        list(program.argv), env=dict(program.env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True
    )  # fmt: skip
    assert process.stdout is not None
    output = process.stdout.read()
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode not in program.codes:
        raise SystemExit(f"{' '.join(program.argv)}: exit code {process.returncode}\n{output[-3000:]}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def interleave(programs: Mapping[str, Program], *, times: int) -> dict[str, Sample]:
    """Run all programs in turn, ``times`` times after a round to warm up; return the medians."""
    for program in programs.values():
        run(program)
    samples: dict[str, list[Sample]] = {name: [] for name in programs}
    for _ in range(times):
        for name, program in programs.items():
            samples[name].append(run(program))
    return {name: _median(found) for name, found in samples.items()}


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(
        *(statistics.median(getattr(sample, field) for sample in samples) for field in ("wall", "cpu", "memory"))
    )


def ratio(what: str, own: Sample, other: Sample, *, limit: float) -> Row:
    """Compare the CPU time of two programs."""
    found = own.cpu / other.cpu
    return Row(what, _seconds(own), _seconds(other), f"{found:.2f} x", f"<= {limit:g} x", found <= limit)


def more(what: str, own: Sample, other: Sample, *, limit: float) -> Row:
    """Compare the wall time of two programs by their difference."""
    found = own.wall - other.wall
    return Row(what, _seconds(own), _seconds(other), f"{found:+.2f} s", f"<= +{limit:g} s", found <= limit)


def memory(what: str, own: Sample, other: Sample, *, limit: float) -> Row:
    """Compare the peak memory of two programs by their difference."""
    found = own.memory - other.memory
    shown = [f"{sample.memory:.0f} MiB" for sample in (own, other)]
    return Row(what, *shown, f"{found:+.0f} MiB", f"<= +{limit:g} MiB", found <= limit)


def faster(what: str, own: Sample, recorded: float, *, least: float) -> Row:
    """Compare with a recorded time."""
    found = recorded / own.cpu
    return Row(
        what, _seconds(own), f"{recorded:.2f} s recorded", f"{found:.0f} x faster", f">= {least:g} x", found >= least
    )


def _seconds(sample: Sample) -> str:
    return f"{sample.cpu:.2f} s CPU, {sample.wall:.2f} s"


def table(title: str, rows: Sequence[Row]) -> str:
    """The rows as aligned text."""
    head = ("", "ssmpatch", "beside it", "result", "asked", "")
    cells = [head, *((r.what, r.own, r.other, r.result, r.limit, _verdict(r.ok)) for r in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([title, *("  " + line for line in lines)]) + "\n"


def _verdict(ok: bool | None) -> str:
    return "" if ok is None else "ok" if ok else "OVER"


def environment(**more_of_it: str) -> dict[str, str]:
    """The environment of measured programs: Python keeps its bytecode, nothing else of Python's is inherited."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "APT", "DPKG"))}
    return {**kept, "LC_ALL": "C.UTF-8", **more_of_it}


def copy_loaders(repo: Path, target: Path) -> Path:
    """Copy the loader directories so that bytecode can be kept beside them."""
    target.mkdir(parents=True, exist_ok=True)
    names = ("_modules", "_states", "_output", "_utils")
    subprocess.run(["cp", "-r", *(str(repo / name) for name in names), str(target)], check=True)
    return target

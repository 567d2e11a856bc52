# SPDX-License-Identifier: Apache-2.0
"""Time commands as whole processes, in turn, and compare their medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """One finished process: wall and processor seconds, peak memory in MiB."""

    wall: float
    cpu: float
    memory: float
    words: str = ""


def run_once(argv: Sequence[str], env: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end; raise with its words when it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        list(argv), env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    words = process.stderr.read() if process.stderr else b""
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{' '.join(argv)}: exit code {process.returncode}\n{words.decode(errors='replace')}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, words.decode(errors="replace"))


def in_turn(commands: Mapping[str, tuple[Sequence[str], Mapping[str, str]]], runs: int) -> dict[str, list[Run]]:
    """Run the commands A B C A B C …: fair to all where the machine's speed drifts. The first round is warm-up."""
    found: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, (argv, env) in commands.items():
            result = run_once(argv, env)
            if number:
                found[name].append(result)
    return found


def inside(runs: Sequence[Run]) -> list[Run]:
    """Return the runs with the seconds that the engine took; of helper programs only the wall seconds count."""
    found = []
    for run in runs:
        own, wall = map(float, run.words.rpartition("engine ")[2].split())
        found.append(Run(wall, own, run.memory))
    return found


def median(runs: Sequence[Run], what: str) -> float:
    """Return the median of one figure."""
    return statistics.median(getattr(run, what) for run in runs)


def ratio(some: Sequence[Run], others: Sequence[Run], what: str = "cpu") -> float:
    """Return the median of the ratios, pair by pair."""
    return statistics.median(getattr(a, what) / getattr(b, what) for a, b in zip(some, others, strict=True))


def row(name: str, runs: Sequence[Run], *, against: str = "", value: float = 0.0, target: str = "") -> str:
    """Return a line of the table."""
    figures = f"{median(runs, 'wall'):7.2f} {median(runs, 'cpu'):7.2f} {median(runs, 'memory'):7.0f}"
    compared = f"  {value:5.2f} × {against}" if against else ""
    return f"{name:<46}{figures}{compared}" + (f"  (target {target})" if target else "")


HEAD = f"{'median of whole processes':<46}{'wall s':>7} {'cpu s':>7} {'MiB':>7}"

# SPDX-License-Identifier: Apache-2.0
"""Reads the solutions of all problems from libzypp's log; zypper's output has those of the first problem only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...files import Unwritable, ensure_directory, read_bytes
from .answer import Problem, left_out

LOG = "zypper-solver.log"

_LINE = re.compile(r"^.*\(problems\):\d+ (?P<text>.*)$", re.M)
_BEGIN = "Encountered problems!"
_NEXT = re.compile(r"^Problem \d+:$")
_RULE = re.compile(r"^(?:={8,}|-{8,})$")


def begin(directory: Path) -> Path | None:
    """Return the path of a new log in a directory; None when no file can be written there."""
    log = directory / LOG
    try:
        ensure_directory(directory)
        log.unlink(missing_ok=True)
    except (OSError, Unwritable):
        return None
    return log


def read_log(log: Path | None, *, known: Sequence[Problem] = ()) -> tuple[Problem, ...]:
    """Return the problems in a log, ``()`` without a log; the words of ``known`` ones are kept where longer."""
    try:
        problems = read_problems(read_bytes(log).decode(errors="replace")) if log else ()
    except (OSError, ValueError):
        return ()
    longer = {found.words.partition("; ")[0]: found.words for found in known}
    return tuple(replace(problem, words=longer.get(problem.words, problem.words)) for problem in problems)


def read_problems(log: str) -> tuple[Problem, ...]:
    """Return the problems of the last run of the solver with their solutions; ``()`` when the log has none."""
    lines = [match["text"].strip() for match in _LINE.finditer(log)]
    starts = [place for place, line in enumerate(lines) if line.startswith(_BEGIN)]
    if not starts:
        return ()
    return tuple(_problem(parts) for parts in _divided(lines[starts[-1] + 1 :]) if parts[0])


def _divided(lines: list[str]) -> Iterator[list[list[str]]]:
    """Yield for each problem its words, then the lines of each solution; ruled lines separate them in the log."""
    parts: list[list[str]] = []
    for line in lines:
        if _NEXT.match(line):
            if parts:
                yield parts
            parts = [[]]
        elif parts and _RULE.match(line):
            if parts[0]:
                parts.append([])
        elif parts and line:
            parts[-1].append(line)
    if parts:
        yield parts


def _problem(parts: list[list[str]]) -> Problem:
    solutions = (left_out(lines) for lines in parts[1:])
    return Problem("; ".join(parts[0]), tuple(filter(None, solutions)))

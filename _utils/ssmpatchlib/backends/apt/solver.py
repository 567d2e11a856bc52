# SPDX-License-Identifier: Apache-2.0
"""Asks apt's own solver what it would do with some targets, or why it cannot, without acting."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ...host import CommandResult
from ...model import Target
from ..answers import Solution, Step
from .answer import Change, listed_steps, simulated_steps
from .config import SAFE_OPTIONS, AptCommand

_UNMET = re.compile(r"^ (?P<name>[a-z0-9][a-z0-9+.-]*)(?::(?P<arch>[a-z0-9-]+))? : (?P<words>.*)$")


def solve(
    command: AptCommand,
    targets: Sequence[Target],
    *,
    native: str,
    installed: Mapping[str, str],
    untrusted_only: frozenset[tuple[str, str, str]],
) -> Solution:
    """Return what apt would do to bring in some targets, or why it cannot.

    Args:
        untrusted_only: name, architecture and version of packages that only unsigned repositories have.
    """
    again = any(installed.get(target.id) == target.version for target in targets)
    result, changes = _ask(command, install_words(targets), native, again=again)
    if result.code:
        blame = _blame(result.stdout, targets, native)
        return Solution(words=_words(result.stdout, result.stderr), blame=blame)
    return Solution(steps=tuple(_step(change, untrusted_only) for change in changes))


def install_words(targets: Iterable[Target]) -> list[str]:
    """Return ``name:arch=version`` for every target: exactly these versions, nothing newer."""
    return [f"{t.name}:{t.arch}={t.version}" for t in targets]


def _ask(
    command: AptCommand, words: Sequence[str], native: str, *, again: bool
) -> tuple[CommandResult, tuple[Change, ...]]:
    """Return what an install would do by apt-get's lists, or by its simulation where the lists are not enough.

    A simulation says every step but takes several times as long (benchmarks/apt.py, "install"). ``again`` asks for
    packages whose version does not change, which the lists leave out.
    """
    options = (*SAFE_OPTIONS, "Debug::NoLocking=true", "APT::Get::Remove=true", "APT::Get::Show-Upgraded=true")
    if not again:
        result = command.run(
            "apt-get", "-y", "-V", "--print-uris", "install", "--", *words, options=options, timeout=900
        )
        changes = listed_steps(result.stdout, native)
        if result.code or changes is not None:
            return result, changes or ()
    with_again = (*options, f"APT::Get::ReInstall={str(again).lower()}")
    result = command.run("apt-get", "-s", "-y", "install", "--", *words, options=with_again, timeout=900)
    return result, simulated_steps(result.stdout, native)


def _step(change: Change, untrusted_only: frozenset[tuple[str, str, str]]) -> Step:
    name, arch, old, new = change
    untrusted = new is not None and (name, arch, new) in untrusted_only
    words = f"needs {name}.{arch} {new}, which only an untrusted repository has" if untrusted else ""
    return Step(name, arch, new, old=old, objection=words)


def _words(stdout: str, stderr: str) -> str:
    """Return apt's words about why a set cannot be installed, without its preamble."""
    lines = stdout.splitlines()
    start = next((i for i, line in enumerate(lines) if "unmet dependencies" in line), None)
    unmet = [line.strip() for line in lines[start + 1 :] if line.startswith(" ")] if start is not None else []
    errors = [line for line in stderr.splitlines() if line.startswith("E: ")]
    return "; ".join([*unmet, *errors]) or stderr.strip() or stdout.strip()[-500:]


def _blame(stdout: str, targets: Sequence[Target], native: str) -> dict[str, str]:
    """Return the targets that apt names as the ones with unmet dependencies."""
    ids = {target.id for target in targets}
    blame: dict[str, list[str]] = {}
    current = ""
    for line in stdout.splitlines():
        match = _UNMET.match(line)
        if match:
            current = f"{match['name']}.{match['arch'] or native}"
            words = match["words"]
        elif current and line.startswith("  ") and line.strip():
            words = line.strip()
        else:
            current = ""
            continue
        if current in ids:
            blame.setdefault(current, []).append(words)
    return {name: f"{name.rpartition('.')[0]} : {', '.join(words)}" for name, words in blame.items()}

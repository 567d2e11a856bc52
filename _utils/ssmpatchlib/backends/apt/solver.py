# SPDX-License-Identifier: Apache-2.0
"""Asks apt's own solver what it would do with some targets, or why it cannot, without acting."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ...host import CommandResult
from ...model import Offer, Target
from ..answers import Solution, Step
from .answer import Change, listed_steps, simulated_steps
from .config import SAFE_OPTIONS, AptCommand, recommends_option

_UNMET = re.compile(r"^ (?P<name>[a-z0-9][a-z0-9+.-]*)(?::(?P<arch>[a-z0-9-]+))? : (?P<words>.*)$")


def solve(
    command: AptCommand,
    targets: Sequence[Target],
    *,
    native: str,
    present: Mapping[str, str],
    untrusted_only: frozenset[tuple[str, str, str]],
    needed: Callable[[], Sequence[Offer]],
    hidden: Collection[Offer],
    recommends: bool,
) -> tuple[Solution, Sequence[Offer]]:
    """Return what apt would do to bring in some targets, or why it cannot, and which dependencies it had to be told.

    Args:
        present: the version by ``name.arch`` of what is there, whether it works or not.
        untrusted_only: name, architecture and version of packages that only unsigned repositories have.
        needed: returns the dependencies that apt would not take by itself; called where apt refuses the targets, would
            remove a package or bring in one that is hidden.
        hidden: what must not come in.
        recommends: recommended packages are wanted too.
    """
    again = any(present.get(target.id) == target.version for target in targets)
    words, runs = install_words(targets), 1
    told: Sequence[Offer] = ()
    options = recommends_option(recommends)
    result, changes = _ask(command, words, native, again=again, options=options)
    if (result.code or _is_unfit(changes, hidden)) and (told := needed()):
        runs += 1
        words += offer_words(told)
        second, other = _ask(command, words, native, again=again, options=options)
        if second.code or _is_unfit(other, hidden):
            told = ()
        else:
            result, changes = second, other
    if result.code:
        blame = _blame(result.stdout, targets, native)
        return Solution(words=_words(result.stdout, result.stderr), blame=blame, runs=runs), ()
    without: set[Change] = {*changes}
    if recommends:
        runs += 1
        without = {*_ask(command, words, native, again=again, options=recommends_option(False))[1]}
    steps = (_step(change, untrusted_only, recommended=change not in without) for change in changes)
    return Solution(steps=tuple(steps), runs=runs), told


def order_problem(
    command: AptCommand, targets: Sequence[Target], told: Sequence[Offer], *, recommends: bool
) -> tuple[str, ...]:
    """Return a warning where apt's simulation finds no order in which packages can be unpacked and configured.

    The solver does not look for one. What apt finds none for dpkg refuses, or apt-get itself before it begins; fewer
    packages in one run may have one.
    """
    words = [*install_words(targets), *offer_words(told)]
    options = (*SAFE_OPTIONS, *recommends_option(recommends), "Debug::NoLocking=true", "APT::Get::Remove=true")
    result = command.run("apt-get", "-s", "-y", "install", "--", *words, options=options, timeout=900)
    if not result.code:
        return ()
    said = _words(result.stdout, result.stderr)
    return (
        f"apt-get finds no order in which all of this can be installed in one run ({said}): an install tries parts of "
        "it, and what is refused then is Failed",
    )


def name_holds(solution: Solution, held: Iterable[str]) -> Solution:
    """Return a solution whose words about what cannot be done say which of the packages that they name are held."""
    names = tuple(held)

    def named(words: str) -> str:
        found = [name for name in names if re.search(rf"(?<![\w.+-]){re.escape(name)}(?![\w.+-])", words)]
        return "; ".join([words, *(f"{name} is held (apt-mark hold)" for name in found)])

    return replace(solution, words=named(solution.words), blame={id_: named(w) for id_, w in solution.blame.items()})


def install_words(targets: Iterable[Target]) -> list[str]:
    """Return ``name:arch=version`` for every target: exactly these versions, nothing newer."""
    return [f"{t.name}:{t.arch}={t.version}" for t in targets]


def offer_words(offers: Iterable[Offer]) -> list[str]:
    """Return ``name:arch=version`` for every dependency that apt has to be told with its version."""
    return [f"{offer.name}:{offer.arch}={offer.version}" for offer in offers]


def _ask(
    command: AptCommand, words: Sequence[str], native: str, *, again: bool, options: Sequence[str]
) -> tuple[CommandResult, tuple[Change, ...]]:
    """Return what an install would do by apt-get's lists, or by its simulation where the lists are not enough.

    A simulation says every step but takes several times as long (benchmarks/apt.py, "install"). ``again`` asks for
    packages whose version does not change, which the lists leave out.
    """
    options = (
        *SAFE_OPTIONS,
        *options,
        "Debug::NoLocking=true",
        "APT::Get::Remove=true",
        "APT::Get::Show-Upgraded=true",
    )
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


def _step(change: Change, untrusted_only: frozenset[tuple[str, str, str]], *, recommended: bool) -> Step:
    name, arch, old, new = change
    untrusted = new is not None and (name, arch, new) in untrusted_only
    words = f"needs {name}.{arch} {new}, which only an untrusted repository has" if untrusted else ""
    reason = "recommended by an approved update" if recommended else ""
    return Step(name, arch, new, old=old, objection=words, reason=reason)


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


def _is_unfit(changes: Iterable[Change], hidden: Collection[Offer]) -> bool:
    """Return whether changes remove a package, or bring in one that must not be seen."""
    return any(new is None or Offer(name, arch, new) in hidden for name, arch, _old, new in changes)

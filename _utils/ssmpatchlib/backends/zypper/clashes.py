# SPDX-License-Identifier: Apache-2.0
"""Turns the solver's problems into targets that cannot be installed together. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

from ...model import Target
from ..answers import Clash
from .answer import Problem, nevra_of

_WORD = re.compile(r"[A-Za-z0-9._+~^:-]+")
_REQUIRED = re.compile(r"\brequires '?(?P<name>[^\s'=<>,]+)")
#: The most clashes that are made of one problem, by taking one package of each of its solutions.
_MOST = 1000


def clashes_of(problem: Problem, targets: Sequence[Target], words: str) -> Iterator[Clash]:
    """Yield the clashes of a problem: every choice of one target from each of its solutions.

    Args:
        words: the reason for the target that gives way.
    """
    solutions = _solutions(problem, targets)
    if not solutions:
        named = named_targets(problem, targets)
        if named:
            yield Clash(frozenset(named), words)
        return
    by_nevra = _by_nevra(targets)
    spoken_of = _named(problem.words, by_nevra)
    never = frozenset.intersection(*solutions)
    for id_ in sorted(never):
        known = id_ in spoken_of or not spoken_of
        said = words if known else f"what zypper says of another package holds for it: {words}"
        # A solution of several packages fits these targets only: with fewer targets, a smaller one may do.
        yield Clash(frozenset({id_}), said, certain=len(solutions) == len(solutions[0]) == 1)
    others = [sorted(solution - never) for solution in solutions]
    if len(solutions) > 1:
        certain = all(len(other) == 1 for other in others)
        for ids in dict.fromkeys(map(frozenset, islice(product(*others), _MOST))):
            yield Clash(ids, words, certain=certain)


def named_targets(problem: Problem, targets: Sequence[Target]) -> set[str]:
    """Return the targets of a problem: those it can be solved without, else those it names or asks for."""
    instead = set().union(*_solutions(problem, targets))
    by_nevra = _by_nevra(targets)
    named = _named(problem.words, by_nevra)
    if instead or named:
        return instead or named
    required = _REQUIRED.search(problem.words)
    return {t.id for t in targets if required and t.name == required["name"]}


def _named(words: str, by_nevra: Mapping[str, str]) -> set[str]:
    """Return the targets that words name in full."""
    found = (word.rstrip(".:") for word in _WORD.findall(words))
    return {by_nevra[word] for word in found if word in by_nevra}


def _solutions(problem: Problem, targets: Sequence[Target]) -> list[frozenset[str]]:
    """Return the solutions that leave out only targets, as ``name.arch``."""
    by_nevra = _by_nevra(targets)
    return [
        frozenset(by_nevra[nevra] for nevra in solution)
        for solution in problem.solutions
        if all(nevra in by_nevra for nevra in solution)
    ]


def _by_nevra(targets: Sequence[Target]) -> dict[str, str]:
    return {nevra_of(target.name, target.version, target.arch): target.id for target in targets}

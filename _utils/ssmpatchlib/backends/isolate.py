# SPDX-License-Identifier: Apache-2.0
"""Find the largest set of targets that can be installed together, in few runs of the package manager's solver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..model import Change, Target

#: Solver runs after which what is still undecided counts as not installable.
MAX_RUNS = 60


@dataclass(frozen=True, slots=True)
class Clash:
    """Targets (``name.arch``) that the solver says cannot all be installed, and its words: one of them has to go."""

    ids: frozenset[str]
    words: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the solver says of a set: its changes, or why not.

    A solver that tells only which targets are in trouble gives ``blame`` (words by ``name.arch``), which may be too
    wide; one that tells what exactly does not go together gives ``clashes``.
    """

    changes: tuple[Change, ...] = ()
    words: str = ""
    blame: Mapping[str, str] | None = None
    clashes: tuple[Clash, ...] = ()

    @property
    def possible(self) -> bool:
        """Whether the set can be installed as it is."""
        return not self.words


Solve = Callable[[Sequence[Target]], Answer]
_T = TypeVar("_T")


@dataclass(slots=True)
class _Search(Generic[_T]):
    solve: Solve
    runs: int = 0

    def ask(self, targets: Sequence[Target]) -> Answer:
        self.runs += 1
        return self.solve(targets)


def isolate(targets: Sequence[Target], *, solve: Solve) -> tuple[list[Target], Answer, dict[str, str]]:
    """Return the targets that can be installed together, the solver's answer for them, and words for the others.

    First everything together. Where that fails, the targets that the solver blames, and the last of each clash, are
    set aside until the rest holds; then those are tried again: without what clashes with the rest where the solver
    says it, else in halves, since blame is often too wide.
    """
    search: _Search[Target] = _Search(solve)
    good = list(targets)
    aside: list[Target] = []
    words: dict[str, str] = {}
    answer = search.ask(good) if good else Answer()
    while good and not answer.possible and search.runs < MAX_RUNS:
        named = {**_losers(answer, good), **(answer.blame or {})}
        blamed = [t for t in good if t.id in named]
        if not blamed:
            break
        words.update({t.id: named[t.id] for t in blamed})
        aside.extend(blamed)
        good = [t for t in good if t.id not in named]
        answer = search.ask(good) if good else Answer()
    if not answer.possible:
        candidates, good, answer = [*good, *aside], [], Answer()
    else:
        candidates = aside
    good, answer, failed = _grow(search, good, answer, candidates)
    words = {t.id: failed[t.id] or words.get(t.id, "") for t in targets if t.id in failed}
    return good, answer, words


def _losers(answer: Answer, among: Sequence[Target]) -> dict[str, str]:
    """Words by ``name.arch`` of the targets that give way: the last one of each clash that has none yet."""
    order = {target.id: place for place, target in enumerate(among)}
    found: dict[str, str] = {}
    for members, clash in sorted(((c.ids & order.keys(), c) for c in answer.clashes), key=lambda pair: len(pair[0])):
        if members and not members & found.keys():
            found[max(members, key=order.__getitem__)] = clash.words
    return found


def _settled(answer: Answer, group: Sequence[Target]) -> set[str]:
    """The targets of a group that clash with nothing else of it: with what holds, or with anything."""
    ids = {target.id for target in group}
    return {id_ for clash in answer.clashes for id_ in clash.ids & ids if len(clash.ids & ids) == 1}


def _grow(
    search: _Search[Target], good: list[Target], answer: Answer, candidates: list[Target]
) -> tuple[list[Target], Answer, dict[str, str]]:
    """Add candidates to a set that holds: all at once, else without the losers of clashes, else half by half."""
    failed: dict[str, str] = {}
    queue = [candidates] if candidates else []
    last_words = ""
    while queue:
        group = queue.pop(0)
        if search.runs >= MAX_RUNS:
            failed.update({t.id: last_words or "not tried: too many packages cannot be installed" for t in group})
            continue
        attempt = search.ask([*good, *group])
        losers = _losers(attempt, group)
        if attempt.possible:
            good, answer = [*good, *group], attempt
        elif losers:
            settled = _settled(attempt, group)
            failed.update({id_: words for id_, words in losers.items() if id_ in settled})
            rest = [target for target in group if target.id not in losers]
            # What gave way to others of the group is tried again when it is known whether these hold.
            again = [target for target in group if target.id in losers and target.id not in settled]
            queue[:0] = [part for part in (rest, again) if part]
        elif len(group) == 1:
            target = group[0]
            failed[target.id] = (attempt.blame or {}).get(target.id, "") or attempt.words
        else:
            last_words = attempt.words
            middle = len(group) // 2
            queue[:0] = [group[:middle], group[middle:]]
    return good, answer, failed

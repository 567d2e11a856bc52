# SPDX-License-Identifier: Apache-2.0
"""Find the largest set of targets that can be installed together, in few runs of the package manager's solver."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..backends.answers import Clash, Sizes
from ..model import Change, Target
from .refusal import REFUSED, Refusal

#: Solver runs that are kept back for the targets that the solver never said anything against.
_KEPT = 2
NOT_TRIED = "not tried: too many packages cannot be installed"


@dataclass(frozen=True, slots=True)
class Answer:
    """The solver's answer for a set of targets: the ``changes`` it would make, or in ``words`` why it cannot.

    ``left_out``, ``clashes``, ``blame`` and ``doubts`` are those of a ``Solution``. ``runs`` is how often the solver
    was asked.
    """

    changes: tuple[Change, ...] = ()
    words: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)
    clashes: tuple[Clash, ...] = ()
    blame: Mapping[str, str] = field(default_factory=dict)
    sizes: Callable[[], Sizes] = Sizes
    warnings: tuple[str, ...] = ()
    doubts: Callable[[], tuple[str, ...]] = tuple
    runs: int = 1

    @property
    def possible(self) -> bool:
        """Whether the set can be installed as it is."""
        return not self.words


Solve = Callable[[Sequence[Target]], Answer]


@dataclass(slots=True)
class _Search:
    """Asks the solver, as often as allowed, and counts how often it said something against each target."""

    solve: Solve
    limit: int
    runs: int = 0
    suspects: Counter[str] = field(default_factory=Counter)

    def ask(self, targets: Sequence[Target]) -> Answer:
        if not targets:
            return Answer()
        answer = self.solve(targets)
        self.runs += answer.runs
        for named in (answer.blame, *(clash.ids for clash in answer.clashes)):
            self.suspects.update(iter(named))
        return answer

    def losers(self, answer: Answer, among: Sequence[Target]) -> dict[str, str]:
        """Return the targets that give way, one of each clash, with words by ``name.arch``.

        It is the target that the solver spoke against most often so far; of several the last one.
        """
        order = {target.id: place for place, target in enumerate(among)}
        clashes = sorted(((c.ids & order.keys(), c.words) for c in answer.clashes), key=lambda pair: len(pair[0]))
        found: dict[str, str] = {}
        for members, words in clashes:
            if members and not members & found.keys():
                found[max(members, key=lambda id_: (self.suspects[id_], order[id_]))] = words
        return found


def isolate(targets: Sequence[Target], *, solve: Solve, max_runs: int) -> tuple[list[Target], Answer, dict[str, str]]:
    """Return the targets that can be installed together, the solver's answer for them, and words for the others.

    All targets are tried together first. Where that fails, the targets that the solver blames, and one target of each
    clash, are set aside until the rest can be installed. Then those set aside are tried again: without the ones that
    clash with the rest where the solver names clashes, else in halves, since blame is often too wide. What the solver
    leaves out by itself is not tried again. After ``max_runs`` runs of the solver the set found by then is the result;
    where there is none yet, it is the targets that the solver never said anything against.
    """
    search = _Search(solve, max_runs)
    good = list(targets)
    words: dict[str, str] = {}
    for_good: dict[str, str] = {}
    answer = search.ask(good)
    while not answer.possible and search.runs < max_runs - _KEPT:
        for_good.update(answer.left_out)
        named = {**search.losers(answer, good), **answer.blame, **answer.left_out}
        if not named.keys() & {target.id for target in good}:
            break
        words.update(named)
        good = [target for target in good if target.id not in named]
        answer = search.ask(good)
    if not answer.possible:
        good, answer = _unsuspected(search, good, answer)
    holds = {target.id for target in good}
    candidates = [target for target in targets if target.id not in holds and target.id not in for_good]
    good, answer, failed = _grow(search, good, answer, candidates)
    failed = {**for_good, **failed}
    return good, answer, {t.id: failed[t.id] or words.get(t.id, "") or NOT_TRIED for t in targets if t.id in failed}


def _unsuspected(search: _Search, good: Sequence[Target], answer: Answer) -> tuple[list[Target], Answer]:
    """Return the targets that the solver never said anything against if they can be installed; else none."""
    trusted = [target for target in good if target.id not in search.suspects]
    attempt = search.ask(trusted) if len(trusted) < len(good) else answer
    return (trusted, attempt) if attempt.possible else ([], Answer())


def _settled(answer: Answer, group: Sequence[Target]) -> set[str]:
    """Return the targets of a group that certainly clash, but with no other target of the group."""
    ids = {target.id for target in group}
    certain = [clash.ids & ids for clash in answer.clashes if clash.certain]
    return {id_ for members in certain if len(members) == 1 for id_ in members}


def _grow(
    search: _Search, good: list[Target], answer: Answer, candidates: list[Target]
) -> tuple[list[Target], Answer, dict[str, str]]:
    """Add candidates to an installable set: all at once, else without the losers of clashes, else half by half."""
    failed: dict[str, str] = {}
    queue = [candidates] if candidates else []
    last_words = ""
    refusal = Refusal(disproved=bool(good))
    while queue and not refusal.certain:
        group = refusal.take(queue)
        if search.runs >= search.limit:
            failed.update({target.id: last_words for target in group})
            continue
        attempt = search.ask([*good, *group])
        losers = search.losers(attempt, group)
        refusal.note(attempt.words, refused=not (attempt.possible or attempt.blame or attempt.left_out or losers))
        dropped = {target.id: attempt.left_out[target.id] for target in group if target.id in attempt.left_out}
        if attempt.possible:
            good, answer = [*good, *group], attempt
        elif dropped:
            failed.update(dropped)
            rest = [target for target in group if target.id not in dropped]
            queue[:0] = [rest] if rest else []
        elif losers:
            rest = [target for target in group if target.id not in losers]
            settled = _settled(attempt, group) or (set() if rest else losers.keys())
            failed.update({id_: words for id_, words in losers.items() if id_ in settled})
            # A target that perhaps gave way only to others of the group is tried again after them.
            again = [target for target in group if target.id in losers and target.id not in settled]
            queue[:0] = [part for part in (rest, again) if part]
        elif len(group) == 1:
            target = group[0]
            failed[target.id] = attempt.blame.get(target.id, "") or attempt.words
        else:
            last_words = attempt.words
            middle = len(group) // 2
            queue[:0] = [group[:middle], group[middle:]]
    if refusal.certain or refusal.of_all(len(candidates)):
        words = f"the solver refuses every package: {refusal.words}"
        return [], Answer(warnings=(words,)), dict.fromkeys((target.id for target in candidates), REFUSED)
    return good, answer, failed

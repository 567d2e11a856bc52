# SPDX-License-Identifier: Apache-2.0
"""Find the largest set of targets that can be installed together, in few runs of the package manager's solver."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..backends import Clash, Sizes
from ..model import Change, Target

#: Solver runs that are kept for what nothing was said against, when the rest does not come to an end.
_KEPT = 2
NOT_TRIED = "not tried: too many packages cannot be installed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the solver says of a set: what it would do, or why not.

    ``words`` say why not; ``left_out``, ``clashes`` and ``blame`` are those of a ``Solution``. ``runs`` is how often
    the solver was asked.
    """

    changes: tuple[Change, ...] = ()
    words: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)
    clashes: tuple[Clash, ...] = ()
    blame: Mapping[str, str] = field(default_factory=dict)
    sizes: Callable[[], Sizes] = Sizes
    warnings: tuple[str, ...] = ()
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
        """Words by ``name.arch`` of the targets that give way: of each clash that has none yet one.

        It is the one that most was said against so far, of several the last.
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

    First everything together. Where that fails, the targets that the solver blames, and one of each clash, are set
    aside until the rest holds; then those are tried again: without what clashes with the rest where the solver
    says it, else in halves, since blame is often too wide. What the solver leaves out by itself is not tried again.

    After ``max_runs`` runs of the solver what holds by then is the result: where nothing does yet, that are the
    targets that it never said anything against.
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
    """The targets that the solver never said anything against, when they hold; else none."""
    trusted = [target for target in good if target.id not in search.suspects]
    attempt = search.ask(trusted) if len(trusted) < len(good) else answer
    return (trusted, attempt) if attempt.possible else ([], Answer())


def _settled(answer: Answer, group: Sequence[Target]) -> set[str]:
    """The targets of a group that clash with nothing else of it: with what holds, or with anything."""
    ids = {target.id for target in group}
    certain = [clash.ids & ids for clash in answer.clashes if clash.certain]
    return {id_ for members in certain if len(members) == 1 for id_ in members}


def _grow(
    search: _Search, good: list[Target], answer: Answer, candidates: list[Target]
) -> tuple[list[Target], Answer, dict[str, str]]:
    """Add candidates to a set that holds: all at once, else without the losers of clashes, else half by half."""
    failed: dict[str, str] = {}
    queue = [candidates] if candidates else []
    last_words = ""
    while queue:
        group = queue.pop(0)
        if search.runs >= search.limit:
            failed.update({target.id: last_words for target in group})
            continue
        attempt = search.ask([*good, *group])
        losers = search.losers(attempt, group)
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
            # What gave way to others of the group, and perhaps only to them, is tried again after them.
            again = [target for target in group if target.id in losers and target.id not in settled]
            queue[:0] = [part for part in (rest, again) if part]
        elif len(group) == 1:
            target = group[0]
            failed[target.id] = attempt.blame.get(target.id, "") or attempt.words
        else:
            last_words = attempt.words
            middle = len(group) // 2
            queue[:0] = [group[:middle], group[middle:]]
    return good, answer, failed

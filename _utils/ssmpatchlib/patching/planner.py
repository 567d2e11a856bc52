# SPDX-License-Identifier: Apache-2.0
"""Plans a transaction: asks the solver, hides from it what must not come in, and asks again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from ..backends import PackageManager
from ..backends.answers import Clash, Solution
from ..model import Blocked, Inventory, Offer, Target, Transaction
from ..versions import sort_key
from .isolate import NOT_TRIED, Answer, isolate
from .order import make_batches
from .safety import Forbidden, Known, Objection, Rules

#: libsolv's words about what the configuration keeps out.
_FILTERED = re.compile(
    r"\bpackage (?P<nevra>(?P<name>\S+)-(?P<evr>[^\s-]+-[^\s-]+)\.(?P<arch>\w+))(?: from \S+)? is filtered out"
)


def make_plan(
    manager: PackageManager,
    targets: Sequence[Target],
    *,
    inventory: Inventory,
    forbidden: Forbidden | None,
    hold: bool = False,
) -> Transaction:
    """Return the transaction for ``targets``: what would be done, and what cannot be done in the solver's words.

    Args:
        forbidden: why a version must not come in even as a dependency; None when nothing is rejected with BLOCK.
        hold: the transaction is installed next; the package manager may keep its process waiting until then.

    Raises:
        Busy: another program held the package manager's lock for ``lock_timeout`` seconds.
        SsmpatchError: the solver cannot be asked.
    """
    known = Known(inventory.packages, inventory.not_installed)
    rules = Rules(known, forbidden, sort_key(inventory.family.version_order), inventory.retracted)
    refused = {target: why for target in targets if (why := rules.why_not(target))}
    free = [target for target in targets if target not in refused]
    questions = _Questions(manager, rules, hold)
    good, found, failed = _isolate_versions(free, questions)
    batches = make_batches(good, found, first=inventory.family.update_stack, solve=questions.solve)
    brought = {change.id: rules.version_key(change.new) for change in found.changes if change.new is not None}
    # What was asked for in vain may come in as a dependency of others.
    refused.update(
        {t: words for t, words in failed.items() if t.id not in brought or brought[t.id] < rules.version_key(t.version)}
    )
    if hold and (questions.hidden or batches != (tuple(free),)):
        manager.drop_held()
    sizes = found.sizes()
    return Transaction(
        targets=tuple(targets),
        batches=batches,
        changes=found.changes,
        blocked=tuple(Blocked(target, refused[target]) for target in targets if target in refused),
        download_size=sizes.download,
        disk_size=sizes.disk,
        warnings=(*found.warnings, *found.doubts()),
        hidden=tuple(questions.hidden),
    )


def _isolate_versions(
    targets: Sequence[Target], questions: _Questions
) -> tuple[list[Target], Answer, dict[Target, str]]:
    """Return the targets that can be installed together, the solver's answer for them, and words for the others.

    Of several versions of one package, which replace different ones, the newest stands for all; an older one is tried
    where no newer one can come in.
    """
    limit = questions.manager.limits.runs
    good: list[Target] = []
    found = Answer()
    failed: dict[Target, str] = {}
    left = list(targets)
    while left and (not failed or questions.asked < limit):
        newest = _newest_of_each(left, questions.rules)
        tried = [*good, *newest]
        more, answer, words = isolate(tried, solve=questions.solve, max_runs=limit - questions.asked)
        if len(more) > len(good) or not failed:
            good, found = more, answer
        failed.update({target: words.get(target.id, NOT_TRIED) for target in tried if target not in good})
        left = [target for target in left if target not in newest and target.id in words]
    failed.update(dict.fromkeys(left, NOT_TRIED))
    return good, found, failed


def _newest_of_each(targets: Sequence[Target], rules: Rules) -> list[Target]:
    newest: dict[str, str] = {}
    for target in targets:
        known = newest.setdefault(target.id, target.version)
        if known != target.version and rules.version_key(known) < rules.version_key(target.version):
            newest[target.id] = target.version
    return [target for target in targets if target.version == newest[target.id]]


@dataclass(slots=True)
class _Questions:
    """Asks the solver; ``hidden`` are the offers that it must not see, with the reason for each."""

    manager: PackageManager
    rules: Rules
    hold: bool
    hidden: dict[Offer, str] = field(default_factory=dict)
    asked: int = 0

    def solve(self, targets: Sequence[Target]) -> Answer:
        """Return the solver's answer for some targets, asked again while it brings in what has to be hidden."""
        limits = self.manager.limits
        answer, runs = Answer(), 0
        for run in range(1, limits.hiding_runs + 1):
            solution = self.manager.solve(targets, hidden=self.hidden, hold=self.hold)
            runs += solution.runs
            self.asked += solution.runs
            objections = self.rules.objections(solution, targets)
            answer = self._answer(solution, objections, targets)
            hide = {} if answer.clashes or limits.hiding_runs == 1 else self._to_hide(solution, objections, run)
            new = {offer: words for offer, words in hide.items() if offer not in self.hidden}
            if not new or self.asked >= limits.runs:
                break
            self.hidden.update(new)
            if answer.left_out:
                break
        return replace(answer, runs=runs)

    def _answer(self, solution: Solution, objections: Sequence[Objection], targets: Sequence[Target]) -> Answer:
        wanted = {(target.id, target.version) for target in targets}
        clashes = [replace(clash, words=self._explained(clash.words)) for clash in solution.clashes]
        said = [self._explained(solution.words)] if solution.words and not clashes else []
        blame = {id_: self._explained(words) for id_, words in solution.blame.items()}
        for objection in objections:
            words = objection.words
            if (objection.step.id, objection.step.new) in wanted:
                clashes.append(Clash(frozenset({objection.step.id}), words))
            elif objection.unwelcome and self._comes_all_the_same(objection):
                words = f"needs {objection.step.id} {objection.step.new}: {words}"
            said.append(words)
        left_out = {id_: self._explained(words) for id_, words in solution.left_out.items()}
        words = "; ".join(dict.fromkeys([*said, *(clash.words for clash in clashes), *left_out.values()]))
        if words:
            clashes = [clash for clash in clashes if clash.ids]
            return Answer(words=words, left_out=left_out, clashes=tuple(clashes), blame=blame)
        changes = self.rules.changes(solution.steps, targets)
        return Answer(changes=changes, sizes=solution.sizes, warnings=solution.warnings, doubts=solution.doubts)

    def _comes_all_the_same(self, objection: Objection) -> bool:
        """Return whether a dependency cannot be hidden, or comes in although it is."""
        step = objection.step
        return self.manager.limits.hiding_runs == 1 or Offer(step.name, step.arch, step.new or "") in self.hidden

    def _to_hide(self, solution: Solution, objections: Sequence[Objection], run: int) -> dict[Offer, str]:
        """Return the offers to hide: those that must not come in, and forbidden ones that could replace them."""
        found: dict[Offer, str] = {}
        for offer, words in solution.culprits.items():
            if offer.id in self.rules.known and self.rules.known.installed(offer.id) != offer.version:
                found[offer] = words
        for step, words in ((o.step, o.words) for o in objections if o.step.new is not None):
            found[Offer(step.name, step.arch, step.new or "")] = words
            found.update(self.rules.all_rejected([step.id]))
        if run > 1 and found:
            found.update(islice(self.rules.all_rejected(self.rules.known), self.manager.limits.most_hidden))
        return found

    def _explained(self, words: str) -> str:
        """Return the solver's words, with the reason why each package that they name is hidden or kept out."""
        reasons = [f"needs {_spelled(offer)}: {why}" for offer, why in self.hidden.items() if _names(words, offer)]
        for match in _FILTERED.finditer(words):
            version = match["evr"] if ":" in match["evr"] else f"0:{match['evr']}"
            if why := self.rules.locked(f"{match['name']}.{match['arch']}", version):
                reasons.append(f"needs {match['nevra']}: {why}")
        told = (self._without_exclude(part) for part in words.split("; "))
        return "; ".join(dict.fromkeys([*reasons, "; ".join(told)]))

    def _without_exclude(self, words: str) -> str:
        """Return words without the exclude by which an offer was hidden here; its reason is told beside them."""
        match = _FILTERED.search(words)
        ours = match is not None and any(match["nevra"] in (str(offer), _spelled(offer)) for offer in self.hidden)
        return words.replace(" by exclude filtering", "") if ours else words


def _spelled(offer: Offer) -> str:
    """Return a package as package managers' messages name it: without the epoch when that is 0."""
    return str(offer._replace(version=offer.version.removeprefix("0:")))


def _names(words: str, offer: Offer) -> bool:
    """Whether words name a package on offer: with its version, or as what something requires."""
    if offer.name not in words:
        return False
    name, arch = re.escape(offer.name), re.escape(offer.arch)
    epoch, _, version = offer.version.rpartition(":")
    full = rf"(?<![\w.+-]){name}-(?:{epoch or 0}:)?{re.escape(version)}(?:\.{arch}(?!\w)|(?![\w.~^+-]))"
    required = rf"(?:[Rr]equires:?|provides|Depends:) '?{name}(?:\.so\b|(?![\w.+-]))"
    return re.search(rf"{full}|{required}", words) is not None

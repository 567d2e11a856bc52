# SPDX-License-Identifier: Apache-2.0
"""What no install may ever do: remove, downgrade, bring in what is locked or rejected. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ..backends.answers import Solution, Step
from ..model import Advisory, Change, NotInstalled, Offer, Package, Retracted, Target, Version

#: Returns why a version must not come in even as a dependency (rejected with BLOCK), ``""`` when it may.
Forbidden = Callable[[Package, Version], str]


@dataclass(frozen=True, slots=True)
class Objection:
    """A step that must not happen, and why; ``unwelcome`` is a dependency that is locked or rejected."""

    step: Step
    words: str
    unwelcome: bool = False


class Known(Mapping[str, Package]):
    """All packages by ``name.arch``; those that are not installed are built on the first request for one of them."""

    def __init__(self, present: Iterable[Package], not_installed: NotInstalled) -> None:
        self.present = {package.id: package for package in present}
        self._not_installed = not_installed
        self._built: dict[str, Package] | None = None

    def __getitem__(self, id_: str) -> Package:
        return self.present[id_] if id_ in self.present else self._all()[id_]

    def __iter__(self) -> Iterator[str]:
        return chain(self.present, (id_ for id_ in self._all() if id_ not in self.present))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def installed(self, id_: str) -> str | None:
        """Return the installed version of a package, of several the newest; None for none."""
        package = self.present.get(id_)
        return package.installed.version if package and package.installed else None

    def _all(self) -> dict[str, Package]:
        if self._built is None:
            self._built = {package.id: package for package in self._not_installed.build()}
        return self._built


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that a solver's steps are checked against; without ``forbidden`` nothing is rejected with BLOCK."""

    known: Known
    forbidden: Forbidden | None
    version_key: Callable[[str], Any]
    retracted: Retracted = dict

    def why_not(self, target: Target) -> str:
        """Return why a target must not be installed, ``""`` when it may."""
        package = self.known.present.get(target.replaces or target.id)
        if package is None:
            return ""
        wanted = (target.version, target.name, target.arch)
        found = (v for v in package.versions if (v.version, v.name, v.arch) == wanted)
        locked = package.locked or next((version.blocked for version in found), "")
        again = package.installed is not None and package.installed.version == target.version
        return locked or (package.broken if again and not package.reinstall else "")

    def objections(self, solution: Solution, targets: Iterable[Target]) -> list[Objection]:
        """Return those steps of a solution for the targets that must not happen."""
        wanted = {(target.id, target.version) for target in targets}
        replaced = self.replaced(solution.steps, targets)
        expected = replaced if solution.removes_replaced else {}
        found = []
        for step in solution.steps:
            words, unwelcome = self._never(step, expected) or self._not_replaceable(step, replaced), ""
            if not words and step.new is not None and (step.id, step.new) not in wanted:
                unwelcome = (
                    self.locked(step.id, step.new)
                    or self.rejected(step.id, step.new)
                    or self.retracted().get((step.id, step.new), "")
                )
            if words or unwelcome:
                found.append(Objection(step, words or unwelcome, unwelcome=bool(unwelcome)))
        return found

    def _never(self, step: Step, replaced: Collection[str]) -> str:
        """Return why a step must never happen, ``""`` when it may."""
        old = step.old or self.known.installed(step.id)
        if step.new is None:
            package = self.known.present.get(step.id)
            why = f" ({package.broken})" if package and package.broken else ""
            return "" if step.id in replaced else f"would remove {step.id} {old}{why}"
        if old and self.version_key(step.new) < self.version_key(old):
            return f"would downgrade {step.id} from {old} to {step.new}"
        return step.objection

    def _not_replaceable(self, step: Step, replaced: Mapping[str, str]) -> str:
        """Return why a package must not take the place of others, ``""`` when it may."""
        for id_ in (id_ for id_, by in replaced.items() if by == step.id and step.new is not None):
            package = self.known.present.get(id_)
            if package is None or package.installed is None:
                continue
            kept = package.kept if package.name != step.name else ""
            if why := package.locked or kept or self.rejected(id_, package.installed.version):
                return f"would replace {id_}, which is {why}"
        return ""

    def locked(self, id_: str, version: str) -> str:
        """Return why the administrator keeps a version of a package out as a dependency, ``""`` without a reason."""
        package = self.known.present.get(id_)
        if package is None:
            return ""
        found = next((v for v in package.versions if v.version == version), None)
        return package.locked or (found.blocked if found and not found.dependency_only else "")

    def rejected(self, id_: str, version: str) -> str:
        """Return why a version of a package must not come in as a dependency, ``""`` when it may."""
        if self.forbidden is None:
            return ""
        name, _, arch = id_.rpartition(".")
        package = self.known.get(id_) or Package(name, arch)
        unknown = Version(name, arch, version, (Advisory(metadata=False),))
        return self.forbidden(package, next((v for v in package.versions if v.version == version), unknown))

    def all_rejected(self, ids: Iterable[str]) -> Iterator[tuple[Offer, str]]:
        """Yield every version on offer of some packages that must not come in, with the reason."""
        for id_ in ids if self.forbidden else ():
            package = self.known.get(id_)
            for version in package.versions if package else ():
                if version.id != id_ or version.version == self.known.installed(id_):
                    continue
                if words := self.forbidden(package, version):  # type: ignore[misc, arg-type]
                    yield Offer(version.name, version.arch, version.version), words

    def replaced(self, steps: Iterable[Step], targets: Iterable[Target]) -> dict[str, str]:
        """Return which package takes the place of which installed one, as ``{installed name.arch: new name.arch}``."""
        incoming = {(step.id, step.new): step for step in steps if step.new is not None}
        found = {id_: step.id for step in incoming.values() for id_ in step.replaces}
        found.update({t.replaces: t.id for t in targets if t.replaces and (t.id, t.version) in incoming})
        for step in steps:
            package = self.known.present.get(step.id) if step.new is None else None
            successors = [(v.id, v.version) for v in package.versions if v.id != step.id] if package else []
            for successor in (*successors, *(package.obsoleted_by if package else ())):
                if successor in incoming:
                    found.setdefault(step.id, successor[0])
        return found

    def changes(self, steps: Sequence[Step], targets: Sequence[Target]) -> tuple[Change, ...]:
        """Return the changes of steps that nothing was objected to."""
        wanted = {target.id: target for target in targets}
        replaced = self.replaced(steps, targets)
        found: dict[tuple[str, str | None], Change] = {}
        for step in (step for step in steps if step.new is not None):
            target = wanted.get(step.id)
            reason = target.reason if target else step.reason or "needed by an approved update"
            old = step.old or self.known.installed(step.id)
            change = Change(step.name, step.arch, old, step.new, target is not None, reason)
            found.setdefault((step.id, step.new), change)
            for id_ in (id_ for id_, by in replaced.items() if by == step.id):
                name, _, arch = id_.rpartition(".")
                old, words = self.known.installed(id_), f"replaced by {step.id}"
                found.setdefault((id_, None), Change(name, arch, old, None, False, words, replaced_by=step.id))
        return tuple(found.values())

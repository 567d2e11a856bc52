# SPDX-License-Identifier: Apache-2.0
"""yum's own solver, asked without acting: which targets go together, what else changes, what stands in the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from ...errors import SsmpatchError
from ...model import Blocked, Change, Inventory, Package, Target, Transaction, Version
from ...patching.isolate import Answer, Clash, isolate
from ...patching.safety import divide, target_kept_out, version_kept_out
from ...versions.rpm import compare_evr
from .. import Forbidden
from . import answer
from .answer import Reply, Row
from .command import YumCommand

#: What no run of yum may do, whatever the system's configuration says: exactly the targets and what they need.
SAFE_OPTIONS = (
    "--setopt=obsoletes=1",
    "--setopt=clean_requirements_on_remove=0",
    "--setopt=autosavets=0",
    "--setopt=*.skip_if_unavailable=1",
)
_HIDING_RUNS = 8

#: Packages that carry this run: they are updated last, in a batch of their own.
SALT_PACKAGES = frozenset({"salt", "salt-minion", "salt-master", "salt-api", "salt-syndic", "venv-salt-minion"})


def make_plan(
    command: YumCommand, targets: Sequence[Target], *, inventory: Inventory, forbidden: Forbidden
) -> Transaction:
    """Return the transaction for ``targets``: what yum would do, and what it cannot do, with its own words.

    Raises:
        SsmpatchError: yum cannot be asked (not root, unreadable configuration).
        Busy: another program held yum's lock for ``lock_timeout`` seconds.
    """
    packages = {package.id: package for package in inventory.packages}
    free, blocked = divide(targets, why_not=partial(target_kept_out, packages))
    questions = _Questions(command, packages, forbidden)
    good, found, words = isolate(free, solve=questions.solve)
    blocked += [Blocked(target, words[target.id]) for target in free if target.id in words]
    salt = tuple(target for target in good if target.name in SALT_PACKAGES)
    rest = tuple(target for target in good if target not in salt)
    return Transaction(
        targets=tuple(targets),
        batches=tuple(batch for batch in (rest, salt) if batch),
        changes=found.changes,
        blocked=tuple(blocked),
        download_size=questions.sizes.get(frozenset(good), 0),
        hidden=tuple(questions.hidden),
    )


def nevra(name: str, evr: str, arch: str) -> str:
    """A package in full, ``name-epoch:version-release.arch``: yum finds exactly it."""
    return f"{name}-{evr}.{arch}"


def install_arguments(targets: Iterable[Target], hidden: Iterable[str]) -> list[str]:
    """Return the arguments that install exactly these versions and see nothing of ``hidden``."""
    excludes = [f"--exclude={entry}" for entry in hidden]
    return [*SAFE_OPTIONS, *excludes, "install", *(nevra(t.name, t.version, t.arch) for t in targets)]


@dataclass(slots=True)
class _Questions:
    """Asks the solver, and remembers what it must not see: ``hidden`` says why, by NEVRA."""

    command: YumCommand
    packages: Mapping[str, Package]
    forbidden: Forbidden
    hidden: dict[str, str] = field(default_factory=dict)
    sizes: dict[frozenset[Target], int] = field(default_factory=dict)

    def solve(self, targets: Sequence[Target]) -> Answer:
        """Say what would happen to the targets; what may not come in with them is hidden and yum asked again."""
        found = Answer()
        for _run in range(_HIDING_RUNS):
            reply = self._ask(targets)
            found, hide = self._judge(reply, targets)
            new = {entry: words for entry, words in hide.items() if entry not in self.hidden}
            if not new:
                break
            self.hidden.update(new)
        return found

    def _ask(self, targets: Sequence[Target]) -> Reply:
        if not self.command.context.host.is_root():
            # It would say so itself, and leave a cache of this user behind.
            raise SsmpatchError("plan: yum says only to root what an installation would do; plan as root")
        result = self.command.run("-C", "--assumeno", *install_arguments(targets, self.hidden))
        text = f"{result.stdout}\n{result.stderr}"
        reply = answer.read_reply(text)
        if not (reply.rows or reply.problems or reply.unmatched) and "Nothing to do" not in text:
            raise SsmpatchError(f"yum cannot say what an installation would do: {result.words}")
        self.sizes[frozenset(targets)] = reply.download_size
        return reply

    def _judge(self, reply: Reply, targets: Sequence[Target]) -> tuple[Answer, dict[str, str]]:
        """Return the answer, and what has to be hidden before it is a good one."""
        ids = {(target.id, target.version): target for target in targets}
        clashes = [
            Clash(frozenset(id_ for id_, evr in problem.packages if (id_, evr) in ids), self._explained(problem.words))
            for problem in reply.problems
        ]
        hide: dict[str, str] = {}
        objections = []
        for row in reply.rows:
            words = self._objection(row, reply.rows, ids)
            if words:
                objections.append(words)
                if (row.id, row.evr) in ids:
                    clashes.append(Clash(frozenset({row.id}), words))
                elif row.action != answer.REMOVE:
                    hide[nevra(row.name, row.evr, row.arch)] = words
        if not reply.problems:
            there = {row.id: row.evr for row in reply.rows if row.action in (answer.INSTALL, answer.UPDATE)}
            lost = [t for t in targets if t.id not in there or compare_evr(there[t.id], t.version) < 0]
            clashes += [Clash(frozenset({t.id}), f"yum finds no {nevra(t.name, t.version, t.arch)}") for t in lost]
        words = "; ".join(dict.fromkeys([*(clash.words for clash in clashes), *objections]))
        if words:
            return Answer(words=words, clashes=tuple(clash for clash in clashes if clash.ids)), hide
        return Answer(changes=tuple(_changes(reply.rows, ids, self.packages))), {}

    def _objection(self, row: Row, rows: Sequence[Row], wanted: Mapping[tuple[str, str], Target]) -> str:
        """Say what of the solver's answer an install must never do."""
        package = self.packages.get(row.id)
        if row.action == answer.REMOVE:
            rotated = any(other.id == row.id and other.action == answer.INSTALL for other in rows)
            return "" if rotated else f"would remove {row.id} {row.evr}"
        if row.action == answer.SKIP or (row.id, row.evr) in wanted:
            return ""
        installed = package.installed if package else None
        if row.action == answer.DOWNGRADE or (installed and compare_evr(row.evr, installed.version) < 0):
            return f"would downgrade {row.id} to {row.evr}"
        version = next((v for v in package.versions if v.version == row.evr), None) if package else None
        kept = version_kept_out(package, row.evr)
        return kept or self.forbidden(package or Package(row.name, row.arch), version or Version(row.evr, ()))

    def _explained(self, words: str) -> str:
        """yum's words, with the reason why what they may be about is hidden from it."""
        reasons = [
            f"needs {entry}: {why}"
            for entry, why in self.hidden.items()
            if entry.rpartition("-")[0].rpartition("-")[0] in words
        ]
        return "; ".join((*reasons, words))


def _changes(
    rows: Sequence[Row], wanted: Mapping[tuple[str, str], Target], packages: Mapping[str, Package]
) -> Iterable[Change]:
    for row in rows:
        if row.action in (answer.SKIP, answer.REMOVE):
            continue
        target = wanted.get((row.id, row.evr))
        reason = target.reason if target else "needed by an approved update"
        yield Change(row.name, row.arch, _installed_version(row.id, packages), row.evr, target is not None, reason)
        for replaced in dict.fromkeys((*row.replaced, *([target.replaces] if target and target.replaces else []))):
            name, _, arch = replaced.rpartition(".")
            old = _installed_version(replaced, packages)
            yield Change(name, arch, old, None, False, f"replaced by {row.id}", replaced_by=row.id)


def _installed_version(id_: str, packages: Mapping[str, Package]) -> str | None:
    package = packages.get(id_)
    return package.installed.version if package and package.installed else None

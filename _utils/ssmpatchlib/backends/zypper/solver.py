# SPDX-License-Identifier: Apache-2.0
"""zypper's own solver, asked without acting: which targets go together, what else changes, what stands in the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice

from ...errors import SsmpatchError
from ...model import Blocked, Change, Inventory, NotInstalled, Package, Target, Transaction, Version
from ...patching.isolate import Answer, Clash, isolate
from ...patching.order import make_batches
from ...patching.safety import divide, target_kept_out, version_kept_out
from ...versions.rpm import compare_evr
from .. import Forbidden
from . import answer, solverlog
from .answer import Problem, Reply, Row, edition, nevra_of
from .clashes import clashes_of
from .command import INFORMATIVE, ZypperCommand
from .inventory import find_impossible

#: What every installation is told: exactly these versions and what they need, no recommended packages, no force.
INSTALL_OPTIONS = ("--name", "--no-recommends", "--no-force-resolution", "--auto-agree-with-licenses")
#: Runs of the solver after which what is still undecided counts as not installable.
MAX_RUNS = 12
#: Runs of the solver for one question, each hiding packages that must not come in.
_HIDING_RUNS = 4
#: libzypp looks for the packages of each lock by itself.
_MOST_HIDDEN = 1000

_SUBJECT = re.compile(r"^(?:the to be installed |the installed )?(?P<nevra>\S+) (?:requires|conflicts|obsoletes)\b")
_NEEDED_BY = re.compile(r"needed by (?:the to be installed |the installed )?(?P<nevra>\S+)")


def make_plan(
    command: ZypperCommand, targets: Sequence[Target], *, inventory: Inventory, forbidden: Forbidden
) -> Transaction:
    """Return the transaction for ``targets``: what zypper would do, and what it cannot do, with its own words.

    Raises:
        SsmpatchError: zypper cannot be asked (damaged database, unreadable configuration).
        Busy: another program held libzypp's lock for ``lock_timeout`` seconds.
    """
    packages = {package.id: package for package in inventory.packages}
    by_name = _installed_by_name(inventory)
    free, blocked = divide(targets, why_not=partial(_why_not, packages, by_name))
    questions = _Questions(command, _Known(packages, inventory.not_installed), forbidden, by_name)
    good, found, words = isolate(free, solve=questions.solve, max_runs=MAX_RUNS)
    blocked += [Blocked(target, words[target.id]) for target in free if target.id in words]
    download, disk = questions.sizes.get(frozenset(good), (0, 0))
    return Transaction(
        targets=tuple(targets),
        batches=make_batches(good, found, questions.solve),
        changes=found.changes,
        blocked=tuple(blocked),
        download_size=download,
        disk_size=disk,
        warnings=tuple(questions.rotations.get(frozenset(good), ())),
        hidden=tuple(questions.hidden),
    )


def install_arguments(targets: Iterable[Target]) -> list[str]:
    """Return the arguments that install exactly these versions."""
    return ["install", *INSTALL_OPTIONS, *map(capability, targets)]


def capability(target: Target) -> str:
    """A package in full as zypper's arguments name it, ``name.arch=[epoch:]version-release``."""
    return f"{target.id}={edition(target.version)}"


def nevra(item: Target | Row) -> str:
    """A package in full as zypper's messages name it."""
    return nevra_of(item.name, item.version if isinstance(item, Target) else item.evr, item.arch)


def lock_records(hidden: Iterable[str]) -> list[str]:
    """Return the locks, in the form of /etc/zypp/locks, that hide ``name = edition``."""
    records = []
    for entry in hidden:
        name, _, version = entry.partition(" = ")
        records.append(
            f"type: package\nversion: == {version}\nmatch_type: exact\ncase_sensitive: on\nsolvable_name: {name}\n\n"
        )
    return records


def _why_not(packages: Mapping[str, Package], by_name: Mapping[str, Sequence[str]], target: Target) -> str:
    lost = _lost_sibling(target.name, target.arch, by_name)
    return target_kept_out(packages, target) or (_one_architecture(lost) if lost else "")


def _installed_by_name(inventory: Inventory) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for package in inventory.packages:
        if package.installed:
            found.setdefault(package.name, []).append(package.id)
    return found


def _lost_sibling(name: str, arch: str, by_name: Mapping[str, Sequence[str]]) -> str:
    """The same package in another architecture that is installed: what comes in takes its place without a word."""
    others = (id_ for id_ in by_name.get(name, ()) if id_ not in (f"{name}.{arch}", f"{name}.noarch"))
    return next(others, "") if arch != "noarch" else ""


def _one_architecture(lost: str) -> str:
    return f"would remove {lost}: zypper keeps only one architecture of a package; remove the one that is not needed"


class _Known(Mapping[str, Package]):
    """All packages by ``name.arch``; those that are not installed are built when one of them is asked for."""

    def __init__(self, present: Mapping[str, Package], not_installed: NotInstalled) -> None:
        self._present = present
        self._not_installed = not_installed
        self._built: dict[str, Package] | None = None

    def __getitem__(self, id_: str) -> Package:
        if id_ in self._present:
            return self._present[id_]
        return self._all()[id_]

    def __iter__(self) -> Iterator[str]:
        return chain(self._present, (id_ for id_ in self._all() if id_ not in self._present))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _all(self) -> dict[str, Package]:
        if self._built is None:
            self._built = {package.id: package for package in self._not_installed.build()}
        return self._built


@dataclass(slots=True)
class _Questions:
    """Asks the solver, and remembers what it must not see: ``hidden`` says why, by ``name = edition``."""

    command: ZypperCommand
    packages: Mapping[str, Package]
    forbidden: Forbidden
    by_name: Mapping[str, Sequence[str]]
    hidden: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    impossible: dict[tuple[str, str], str] | None = None
    sizes: dict[frozenset[Target], tuple[int, int]] = field(default_factory=dict)
    rotations: dict[frozenset[Target], tuple[str, ...]] = field(default_factory=dict)

    def solve(self, targets: Sequence[Target]) -> Answer:
        """Say what would happen to the targets; what may not come in with them is hidden and zypper asked again."""
        found = Answer()
        for run in range(1, _HIDING_RUNS + 1):
            reply = self._ask(targets)
            found, hide = self._judge(reply, targets)
            found = replace(found, runs=run)
            new = {} if found.clashes else {entry: words for entry, words in hide.items() if entry not in self.hidden}
            if not new or self.command.private is None or self.asked >= MAX_RUNS:
                break
            # What takes the place of a hidden package may be rejected too: not one by one.
            self.hidden.update({**new, **(self._all_forbidden() if run > 1 else {})})
        return found

    def _all_forbidden(self) -> dict[str, str]:
        """Everything on offer that may not come in, as far as zypper can be given so many locks."""
        found = (
            (f"{package.name} = {edition(version.version)}", words)
            for package in self.packages.values()
            for version in package.versions
            if not version.name and not version.arch and not _is_installed(package, version)
            if (words := self.forbidden(package, version))
        )
        return dict(islice(found, _MOST_HIDDEN))

    def _ask(self, targets: Sequence[Target]) -> Reply:
        self.asked += 1
        log = solverlog.begin(self.command.context.work_dir)
        command = self.command.hiding(lock_records(self.hidden)).logging(log)
        arguments = install_arguments(targets)
        arguments[1:1] = ["--dry-run", "--details"]
        result = command.run(*arguments, options=("--no-refresh",))
        reply = answer.read_reply(result.stdout)
        if reply.problems:
            reply = replace(reply, problems=solverlog.read_log(log, known=reply.problems) or reply.problems)
        understood = reply.summarised or reply.problems or any(not_found(t, reply) for t in targets)
        if not understood or (reply.summarised and result.code not in INFORMATIVE):
            words = "; ".join(reply.errors) or result.words
            raise SsmpatchError(f"zypper cannot say what an installation would do: {words}")
        if reply.summarised:
            self.sizes[frozenset(targets)] = (reply.download_size or 0, reply.disk_size or 0)
            self.rotations[frozenset(targets)] = tuple(_rotations(reply.rows))
        return reply

    def _judge(self, reply: Reply, targets: Sequence[Target]) -> tuple[Answer, dict[str, str]]:
        """Return the answer, and what has to be hidden before it is a good one."""
        if not reply.summarised:
            return self._refusal(reply, targets)
        wanted = {(target.id, target.version): target for target in targets}
        objections: dict[str, Row] = {}
        hide: dict[str, str] = {}
        for row in reply.rows:
            words = self._objection(row, reply.rows, wanted)
            if words:
                objections.setdefault(words, row)
                if (row.id, row.evr) not in wanted and row.action != "remove":
                    hide.update(self._hide(row, words))
        there = {(row.id, row.evr) for row in reply.rows if row.action in ("install", "upgrade", "upgrade-change-arch")}
        lost = [target for target in targets if (target.id, target.version) not in there]
        clashes = [Clash(frozenset({t.id}), _why_lost(t, reply)) for t in lost]
        clashes += [
            Clash(frozenset({row.id}), words) for words, row in objections.items() if (row.id, row.evr) in wanted
        ]
        if lost or objections:
            words = "; ".join([*objections, *(clash.words for clash in clashes)])
            return Answer(words=words, clashes=tuple(clashes)), hide
        return Answer(changes=tuple(_changes(reply.rows, wanted, self.packages))), {}

    def _objection(self, row: Row, rows: Sequence[Row], wanted: Mapping[tuple[str, str], Target]) -> str:
        """Say what of the solver's answer an install must never do."""
        package = self.packages.get(row.id)
        if row.action == "remove":
            replaced = row.kind == "patch" or self._is_replaced(row, rows)
            return "" if replaced else f"would remove {row.id} {row.evr}"
        if row.action.startswith("downgrade") or (row.old and compare_evr(row.evr, row.old) < 0):
            return f"would downgrade {row.id} from {row.old} to {row.evr}"
        if row.action == "change-vendor":
            return "" if self.command.config.vendor_change else f"would change the vendor of {row.id}"
        if lost := _lost_sibling(row.name, row.arch, self.by_name):
            return _one_architecture(lost)
        if (row.id, row.evr) in wanted or row.kind != "package":
            return ""
        version = next((v for v in package.versions if v.version == row.evr), None) if package else None
        kept = version_kept_out(package, row.evr)
        return kept or self.forbidden(package or Package(row.name, row.arch), version or Version(row.evr, ()))

    def _is_replaced(self, removed: Row, rows: Sequence[Row]) -> bool:
        """Whether what is removed gives way to a package that comes in: a newer version, or one that obsoletes it."""
        return any(row.id == removed.id and row.action != "remove" for row in rows) or bool(
            _replacing(self.packages.get(removed.id), rows)
        )

    def _hide(self, row: Row, words: str) -> dict[str, str]:
        """The version and every other one that may not come in either, so that zypper need not be asked for each."""
        entries = {f"{row.name} = {edition(row.evr)}": words}
        package = self.packages.get(row.id)
        for version in package.versions if package else ():
            if not version.name and not version.arch and self.forbidden(package, version):  # type: ignore[arg-type]
                entries[f"{row.name} = {edition(version.version)}"] = words
        return entries

    def _refusal(self, reply: Reply, targets: Sequence[Target]) -> tuple[Answer, dict[str, str]]:
        """Turn the solver's problems into clashes of targets; a dependency that is the culprit is to be hidden."""
        clashes = [Clash(frozenset({t.id}), words) for t in targets if (words := not_found(t, reply))]
        culprits: dict[str, str] = {}
        for problem in reply.problems:
            found = list(clashes_of(problem, targets, self._explained(problem.words)))
            clashes.extend(found)
            if not found:
                culprits.update(self._culprit(problem))
        if culprits:
            impossible = self._impossible()
            known = [(t, impossible[(t.id, t.version)]) for t in targets if (t.id, t.version) in impossible]
            clashes += [Clash(frozenset({target.id}), words) for target, words in known]
        words = "; ".join(dict.fromkeys([problem.words for problem in reply.problems] or reply.errors))
        return Answer(words=words, clashes=tuple(clashes)), culprits

    def _impossible(self) -> dict[tuple[str, str], str]:
        """What can never be installed, found out only when zypper blames packages that are no targets."""
        if self.impossible is None:
            self.impossible = find_impossible(self.command.context, self.command.config)
        return self.impossible

    def _culprit(self, problem: Problem) -> dict[str, str]:
        """The package that the problem is about, when it is one on offer that is no target."""
        found = _NEEDED_BY.search(problem.words) or _SUBJECT.match(problem.words)
        split = answer.split_nevra(found["nevra"].rstrip(",;")) if found else None
        if split is None:
            return {}
        name, arch, evr = split
        package = self.packages.get(f"{name}.{arch}")
        if package is None or (package.installed and package.installed.version == evr):
            return {}
        return {f"{name} = {edition(evr)}": problem.words}

    def _explained(self, words: str) -> str:
        """The solver's words, with the reason why what they name is hidden from it."""
        reasons = [
            f"needs {entry}: {why}"
            for entry, why in self.hidden.items()
            if re.search(rf"(?<![\w.+-]){re.escape(entry.partition(' = ')[0])}(?![\w+]|\.\w+\()", words)
        ]
        return "; ".join((*reasons, words))


def not_found(target: Target, reply: Reply) -> str:
    """Return zypper's words about a package that no repository has in this version, ``""`` without any."""
    wanted = f"'{capability(target)}'"
    return next((words for words in reply.errors if wanted in words), "")


def _why_lost(target: Target, reply: Reply) -> str:
    words = [info for info in reply.infos if nevra(target) in info or f"'{target.id} =" in info]
    return "; ".join(words) or f"zypper left {nevra(target)} out without a reason"


def _changes(
    rows: Sequence[Row], wanted: Mapping[tuple[str, str], Target], packages: Mapping[str, Package]
) -> Iterable[Change]:
    seen: set[str] = set()
    for row in rows:
        if row.kind != "package" or row.action == "change-vendor" or row.id in seen:
            continue
        old = _installed_version(row.id, packages)
        if row.action == "remove":
            by = _replacing(packages.get(row.id), rows)
            if by:
                yield Change(row.name, row.arch, old, None, False, f"replaced by {by}", replaced_by=by)
            continue
        seen.add(row.id)
        target = wanted.get((row.id, row.evr))
        reason = target.reason if target else "needed by an approved update"
        yield Change(row.name, row.arch, old, row.evr, target is not None, reason)
        if row.old_arch not in ("", row.arch):
            old = _installed_version(f"{row.name}.{row.old_arch}", packages)
            yield Change(row.name, row.old_arch, old, None, False, f"replaced by {row.id}", replaced_by=row.id)


def _is_installed(package: Package, version: Version) -> bool:
    return package.installed is not None and package.installed.version == version.version


def _installed_version(id_: str, packages: Mapping[str, Package]) -> str | None:
    """The newest installed version of a package."""
    package = packages.get(id_)
    return package.installed.version if package and package.installed else None


def _replacing(package: Package | None, rows: Sequence[Row]) -> str:
    """The ``name.arch`` that comes in and obsoletes a package, ``""`` for none."""
    incoming = {(row.id, row.evr) for row in rows if row.action != "remove"}
    for version in package.versions if package else ():
        id_ = f"{version.name or package.name}.{version.arch or package.arch}"  # type: ignore[union-attr]
        if (version.name or version.arch) and (id_, version.version) in incoming:
            return id_
    return ""


def _rotations(rows: Sequence[Row]) -> Iterable[str]:
    """Name further installed versions of what comes in, such as older kernels, that zypper removes with it."""
    incoming = {row.id: row for row in rows if row.action != "remove"}
    for row in rows:
        if row.action == "remove" and row.id in incoming:
            new = edition(incoming[row.id].evr)
            yield f"{row.id} {edition(row.evr)} is removed too when zypper installs {new}: it keeps one version of it"


def _old_version(row: Row, target: Target | None, packages: Mapping[str, Package]) -> str | None:
    """The installed version that a row replaces; a package that is kept in several versions replaces none."""
    if row.old or not (target and target.replaces):
        return row.old or None
    replaced = packages.get(target.replaces)
    return replaced.installed.version if replaced and replaced.installed else None

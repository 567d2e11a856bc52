# SPDX-License-Identifier: Apache-2.0
"""dnf's own solver, asked without acting: which targets go together, what else changes, what stands in the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from ...errors import SsmpatchError
from ...model import Blocked, Change, Inventory, NotInstalled, Package, Target, Transaction, Version
from ...patching.isolate import Answer, isolate
from ...patching.safety import divide, target_kept_out, version_kept_out
from ...versions.rpm import compare_evr
from .. import Forbidden
from . import answer
from .answer import Reply, Row, full_evr, short_nevra
from .command import DnfCommand, exclude_options

#: Solver runs after which what is still undecided counts as not installable.
MAX_RUNS = 12

#: What no run of dnf may do, whatever the system's configuration says: exactly the targets and what they need.
SAFE_OPTIONS = (
    "--setopt=best=0",
    "--setopt=strict=0",
    "--setopt=obsoletes=1",
    "--setopt=install_weak_deps=0",
    "--setopt=clean_requirements_on_remove=0",
    "--setopt=*.skip_if_unavailable=1",
)
_LIMIT = 900
_FILTERED = re.compile(
    r"\bpackage (?P<nevra>(?P<name>\S+)-(?P<evr>[^\s-]+-[^\s-]+)\.(?P<arch>\w+))(?: from \S+)? is filtered out"
)

#: Packages that carry this run: they are upgraded last, in a batch of their own.
SALT_PACKAGES = frozenset({"salt", "salt-minion", "salt-master", "salt-api", "salt-syndic", "venv-salt-minion"})


Ask = Callable[[Sequence[Target], Iterable[str]], Reply]


@dataclass(slots=True)
class _Planning:
    """A plan while it is made: what is still wanted, why the rest is not, and what dnf must not see."""

    packages: Mapping[str, Package]
    not_installed: NotInstalled
    forbidden: Forbidden
    ask: Ask
    wanted: list[Target]
    refused: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)

    def refuse(self, target: Target, words: str) -> None:
        self.refused[target.id] = words
        self.wanted.remove(target)


def make_plan(
    command: DnfCommand,
    targets: Sequence[Target],
    *,
    inventory: Inventory,
    forbidden: Forbidden,
    ask: Ask | None = None,
) -> Transaction:
    """Return the transaction for ``targets``: what dnf would do, and what it cannot do, with its own words.

    One run of the solver decides what goes together: targets that do not fit are left out by dnf itself, which says
    why. What dnf would do beyond what is allowed is hidden from it, and it is asked again.

    Args:
        ask: how dnf is asked what it would do with some targets, without what is hidden; ``ask_dnf`` by default.

    Raises:
        SsmpatchError: dnf cannot be asked (not root, damaged database, unreadable configuration).
    """
    packages = {package.id: package for package in inventory.packages}
    free, blocked = divide(targets, why_not=partial(target_kept_out, packages))
    planning = _Planning(packages, inventory.not_installed, forbidden, ask or partial(ask_dnf, command), free)
    reply = Reply()
    for _run in range(MAX_RUNS):
        if not planning.wanted:
            reply = Reply()
            break
        reply = planning.ask(planning.wanted, planning.hidden)
        if not _learn(planning, reply):
            break
    else:
        for target in list(planning.wanted):
            planning.refuse(target, f"dnf found no allowed combination in {MAX_RUNS} attempts")
        reply = Reply()
    blocked += [Blocked(target, planning.refused[target.id]) for target in targets if target.id in planning.refused]
    return Transaction(
        targets=tuple(targets),
        batches=_batches(planning.wanted),
        changes=tuple(_changes(reply.rows, planning.wanted, packages)),
        blocked=tuple(blocked),
        download_size=reply.download_size or 0,
        warnings=tuple(_rotations(reply.rows)),
        hidden=tuple(planning.hidden),
    )


def nevra(target: Target | Row) -> str:
    """A package in full, ``name-epoch:version-release.arch``: dnf finds exactly it."""
    evr = target.version if isinstance(target, Target) else target.evr
    return f"{target.name}-{evr}.{target.arch}"


def install_arguments(generation: int, targets: Iterable[Target], hidden: Iterable[str]) -> list[str]:
    """Return the arguments that bring in exactly these versions and see nothing of ``hidden``.

    ``upgrade`` and not ``install``, which would mark dependencies as wanted by the user and so keep them for ever. It
    takes kernels, packages that obsolete installed ones and, with dnf 4, changes of the architecture too.
    """
    wanted = list(targets)
    options = [*SAFE_OPTIONS, *exclude_options(tuple(hidden))]
    changing = [target for target in wanted if target.replaces.rpartition(".")[0] == target.name]
    if generation == 4 or not changing:
        return [*options, *(["--setopt=skip_unavailable=1"] if generation == 5 else []), "upgrade", *map(nevra, wanted)]
    staying = [nevra(target) for target in wanted if target not in changing]
    upgrades = ["--action=upgrade", *staying] if staying else []
    return [*options, "do", "--skip-unavailable", *upgrades, "--action=install", *map(nevra, changing)]


def _batches(targets: Sequence[Target]) -> tuple[tuple[Target, ...], ...]:
    salt = tuple(t for t in targets if t.name in SALT_PACKAGES)
    rest = tuple(t for t in targets if t.name not in SALT_PACKAGES)
    return tuple(batch for batch in (rest, salt) if batch)


def ask_dnf(command: DnfCommand, targets: Sequence[Target], hidden: Iterable[str]) -> Reply:
    """Let dnf say what it would do with some targets, without what is hidden, and end without doing it.

    Raises:
        SsmpatchError: it cannot say.
    """
    if command.generation == 4 and not command.context.host.is_root():
        # It would say so itself, and leave a cache of this user behind.
        raise SsmpatchError("plan: dnf 4 says only to root what an installation would do; plan as root")
    arguments = install_arguments(command.generation, targets, hidden)
    command.wait_for_system()
    result = command.run("-C", "--assumeno", *arguments, timeout=_LIMIT)
    reply = answer.read_reply(result.stdout, result.stderr)
    if result.code and not (reply.rows or reply.problems or reply.unmatched):
        raise SsmpatchError(f"plan: dnf cannot say what an installation would do: {result.words}")
    return reply


def _learn(planning: _Planning, reply: Reply) -> bool:
    """Take in what an answer says against the plan; False when nothing does."""
    incoming = {row.id: row.evr for row in reply.rows if row.action not in (answer.SKIP, answer.REMOVE)}
    lost = [
        target
        for target in planning.wanted
        if target.id not in incoming or compare_evr(incoming[target.id], target.version) < 0
    ]
    objections = _objections(reply.rows, planning)
    removals = _removals(reply.rows)
    by_id = {target.id: target for target in planning.wanted}
    for target in lost:
        planning.refuse(target, _why_lost(target, reply, planning))
    for row, words in objections:
        if row.id in by_id and by_id[row.id] in planning.wanted:
            planning.refuse(by_id[row.id], words)
        else:
            planning.hidden.update(_to_hide(row, words, planning))
    if removals and planning.wanted:
        _refuse_removers(planning)
    return bool(lost or objections or removals)


def _refuse_removers(planning: _Planning) -> None:
    """Refuse the targets for which dnf would remove a package; it does not say which they are."""

    def solve(targets: Sequence[Target]) -> Answer:
        return Answer(words=_removals(planning.ask(targets, planning.hidden).rows))

    _, _, words = isolate(planning.wanted, solve=solve, max_runs=MAX_RUNS)
    for target in list(planning.wanted):
        if target.id in words:
            planning.refuse(target, words[target.id])


def _removals(rows: Sequence[Row]) -> str:
    """Say what dnf would remove; the oldest version of a package that comes in is none, it makes room for that."""
    incoming = {row.id for row in rows if row.action == answer.INSTALL}
    gone = [row for row in rows if row.action == answer.REMOVE and row.id not in incoming]
    return "; ".join(f"would remove {row.id} {row.evr}" for row in gone)


def _why_lost(target: Target, reply: Reply, planning: _Planning) -> str:
    named = short_nevra(target.name, target.version, target.arch)
    words = reply.unmatched.get(nevra(target)) or reply.problems_about(named)
    if not words:
        words = "; ".join(reply.problems) or "dnf left it out without a reason"
    reasons = [
        f"needs {name}: {reason}"
        for name, reason in planning.hidden.items()
        if name in words or name.replace("-0:", "-", 1) in words
    ]
    reasons += [
        f"needs {match['nevra']}: {reason}"
        for match in _FILTERED.finditer(words)
        if (
            reason := version_kept_out(
                planning.packages.get(f"{match['name']}.{match['arch']}"), full_evr(match["evr"])
            )
        )
    ]
    return "; ".join((*dict.fromkeys(reasons), words))


def _objections(rows: Sequence[Row], planning: _Planning) -> list[tuple[Row, str]]:
    """What dnf would bring in that an install must never bring in."""
    wanted = {(target.id, target.version) for target in planning.wanted}
    found = []
    for row in rows:
        if row.action in (answer.REMOVE, answer.SKIP):
            continue
        present = planning.packages.get(row.id)
        if row.action == answer.DOWNGRADE or _is_older(row, present):
            found.append((row, f"would downgrade {row.id} to {row.evr}"))
        elif (row.id, row.evr) not in wanted and (words := _unwelcome(row, present, planning.forbidden)):
            found.append((row, words))
    return found


def _is_older(row: Row, present: Package | None) -> bool:
    return bool(present and present.installed and compare_evr(row.evr, present.installed.version) < 0)


def _unwelcome(row: Row, present: Package | None, forbidden: Forbidden) -> str:
    """Why a dependency must not come in: rejected with BLOCK, or kept out by the administrator."""
    package = present or Package(row.name, row.arch)
    version = next((v for v in package.versions if v.version == row.evr), None)
    return version_kept_out(package, row.evr) or forbidden(package, version or Version(row.evr, ()))


def _to_hide(row: Row, words: str, planning: _Planning) -> dict[str, str]:
    """The package and every version of it that may not come in either, so that dnf need not be asked for each."""
    hidden = {nevra(row): words}
    package = planning.packages.get(row.id) or next((p for p in planning.not_installed.build() if p.id == row.id), None)
    for version in package.versions if package else ():
        if not version.name and not version.arch and planning.forbidden(package, version):  # type: ignore[arg-type]
            hidden[f"{row.name}-{version.version}.{row.arch}"] = words
    return hidden


def _changes(rows: Sequence[Row], targets: Sequence[Target], packages: Mapping[str, Package]) -> Iterable[Change]:
    wanted = {target.id: target for target in targets}
    for row in rows:
        if row.action in (answer.SKIP, answer.REMOVE):
            continue
        target = wanted.get(row.id)
        reason = target.reason if target else "needed by an approved update"
        yield Change(row.name, row.arch, _installed_version(row.id, packages), row.evr, target is not None, reason)
        for replaced in _replaced(row, target, packages):
            name, _, arch = replaced.rpartition(".")
            old = _installed_version(replaced, packages)
            yield Change(name, arch, old, None, False, f"replaced by {row.id}", replaced_by=row.id)


def _installed_version(id_: str, packages: Mapping[str, Package]) -> str | None:
    """The newest installed version of a package."""
    package = packages.get(id_)
    return package.installed.version if package and package.installed else None


def _replaced(row: Row, target: Target | None, packages: Mapping[str, Package]) -> list[str]:
    """The ``name.arch`` that a row takes the place of: what it obsoletes, or itself in another architecture."""
    found = dict.fromkeys(words.partition(" ")[0] for words in row.replaced)
    if target and target.replaces:
        found[target.replaces] = None
    if row.action == answer.UPGRADE and _installed_version(row.id, packages) is None:
        others = (id_ for id_ in packages if id_.rpartition(".")[0] == row.name and _installed_version(id_, packages))
        found.update(dict.fromkeys(others))
    return list(found)


def _rotations(rows: Sequence[Row]) -> Iterable[str]:
    """Name what dnf removes to keep its limit of install-only packages, such as the oldest of the kernels."""
    for row in rows:
        if row.action == answer.REMOVE:
            yield f"dnf's installonly_limit: {row.id} {row.evr} makes room for the newer version"

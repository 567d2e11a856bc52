# SPDX-License-Identifier: Apache-2.0
"""apt's own solver, asked without acting: which targets go together, what else changes, what stands in the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ...host import CommandResult
from ...model import Blocked, Change, Inventory, Package, Target, Transaction, Version
from ...patching.isolate import Answer, isolate
from ...versions.deb import sort_key
from .. import Forbidden
from .answer import Step, listed_steps, simulated_steps
from .config import SAFE_OPTIONS, AptCommand

_UNMET = re.compile(r"^ (?P<name>[a-z0-9][a-z0-9+.-]*)(?::(?P<arch>[a-z0-9-]+))? : (?P<words>.*)$")

#: Packages that carry this run: they are upgraded last, in a batch of their own.
SALT_PACKAGES = frozenset({"salt-minion", "salt-common", "salt-master", "salt-api", "salt-syndic", "venv-salt-minion"})


def make_plan(
    command: AptCommand,
    targets: Sequence[Target],
    *,
    inventory: Inventory,
    forbidden: Forbidden,
    native: str,
    untrusted_only: frozenset[tuple[str, str, str]],
) -> Transaction:
    """Return the transaction for ``targets``: what apt would do, and what it cannot do, with its own words."""
    packages = {package.id: package for package in inventory.packages if package.installed}
    free, blocked = _split_locked(targets, packages)

    def solve(some: Sequence[Target]) -> Answer:
        return _ask(command, some, packages, forbidden, native, untrusted_only)

    good, answer, words = isolate(free, solve=solve)
    blocked += [Blocked(t, words[t.id]) for t in free if t.id in words]
    return Transaction(
        targets=tuple(targets),
        batches=_batches(good),
        changes=answer.changes,
        blocked=tuple(blocked),
    )


def _split_locked(targets: Sequence[Target], packages: Mapping[str, Package]) -> tuple[list[Target], list[Blocked]]:
    free, blocked = [], []
    for target in targets:
        locked = packages[target.id].locked if target.id in packages else ""
        if locked:
            blocked.append(Blocked(target, f"{locked}: not touched; release it with apt-mark unhold {target.name}"))
        else:
            free.append(target)
    return free, blocked


def _batches(targets: Sequence[Target]) -> tuple[tuple[Target, ...], ...]:
    salt = tuple(t for t in targets if t.name in SALT_PACKAGES)
    rest = tuple(t for t in targets if t.name not in SALT_PACKAGES)
    return tuple(batch for batch in (rest, salt) if batch)


def install_words(targets: Iterable[Target]) -> list[str]:
    """Return ``name:arch=version`` for every target: exactly these versions, nothing newer."""
    return [f"{t.name}:{t.arch}={t.version}" for t in targets]


def _ask(
    command: AptCommand,
    targets: Sequence[Target],
    packages: Mapping[str, Package],
    forbidden: Forbidden,
    native: str,
    untrusted_only: frozenset[tuple[str, str, str]],
) -> Answer:
    result, steps = _solve(command, install_words(targets), native, again=_reinstalls(targets, packages))
    if result.code:
        return Answer(words=_words(result.stdout, result.stderr), blame=_blame(result.stdout, targets, native))
    changes = tuple(_changes(steps, targets))
    objections = _objections(changes, packages, forbidden, untrusted_only)
    if objections:
        blame = {t.id: objections[t.id] for t in targets if t.id in objections}
        return Answer(words="; ".join(dict.fromkeys(objections.values())), blame=blame)
    return Answer(changes=changes)


def _solve(
    command: AptCommand, words: Sequence[str], native: str, *, again: bool
) -> tuple[CommandResult, tuple[Step, ...]]:
    """Ask apt-get what an install would do: by the lists that it shows, or where these cannot tell by a simulation.

    A simulation has a form of its own for every step, but takes several times as long. ``again`` asks for packages
    whose version does not change, which the lists leave out.
    """
    options = (*SAFE_OPTIONS, "Debug::NoLocking=true", "APT::Get::Remove=true", "APT::Get::Show-Upgraded=true")
    if not again:
        result = command.run("apt-get", "-y", "-V", "--print-uris", "install", *words, options=options, timeout=900)
        steps = listed_steps(result.stdout, native)
        if result.code or steps is not None:
            return result, steps or ()
    with_again = (*options, f"APT::Get::ReInstall={str(again).lower()}")
    result = command.run("apt-get", "-s", "-y", "install", *words, options=with_again, timeout=900)
    return result, simulated_steps(result.stdout, native)


def _reinstalls(targets: Sequence[Target], packages: Mapping[str, Package]) -> bool:
    """Whether a target is another build of the version that is installed."""
    found = (packages.get(target.id) for target in targets)
    return any(
        p is not None and p.installed is not None and p.installed.version == t.version
        for p, t in zip(found, targets, strict=True)
    )


def _changes(steps: Iterable[Step], targets: Sequence[Target]) -> Iterable[Change]:
    wanted = {target.id: target for target in targets}
    for name, arch, old, new in steps:
        target = wanted.get(f"{name}.{arch}") if new is not None else None
        reason = target.reason if target else "needed by an approved update" if new is not None else ""
        yield Change(name, arch, old, new, target is not None, reason)


def _objections(
    changes: Sequence[Change],
    packages: Mapping[str, Package],
    forbidden: Forbidden,
    untrusted_only: frozenset[tuple[str, str, str]],
) -> dict[str, str]:
    """Say what the solver's answer would do that an install must never do; by ``name.arch`` of the change."""
    found = {}
    for change in changes:
        package = packages.get(change.id) or Package(change.name, change.arch)
        if change.new is None:
            found[change.id] = f"would remove {change.id} {change.old}"
        elif change.old and sort_key(change.new) < sort_key(change.old):
            found[change.id] = f"would downgrade {change.id} from {change.old} to {change.new}"
        elif package.locked:
            found[change.id] = f"would change {change.id}, which is {package.locked}"
        elif (change.name, change.arch, change.new) in untrusted_only:
            found[change.id] = f"needs {change.id} {change.new}, which only an untrusted repository has"
        elif not change.target and (reason := forbidden(package, Version(change.new, ()))):
            found[change.id] = f"needs {change.id} {change.new}: {reason}"
    return found


def _words(stdout: str, stderr: str) -> str:
    """apt's own words about why a set cannot be installed, without its preamble."""
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

# SPDX-License-Identifier: Apache-2.0
"""Locks keep out what zypper leaves out of its list of updates: generated lock files, many cases in one root."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ssmpatchlib.backends import Context
from ssmpatchlib.backends.zypper import Zypper
from ssmpatchlib.host import Host
from support import rpm_root, suse_root
from support.generated import Cases
from support.lock_cases import REPOSITORIES, Case, batches
from support.rpm_repo import package

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper")]

_VERSIONS = ("1", "1.1", "2", "2.0.1", "10")
_RELEASES = ("1", "1.2", "2")
_SIGNS = ("=", "==", "<", "<=", ">", ">=", "!=")


def make_case(number: int, random: Random) -> Case:
    """Three packages in several versions, one that may obsolete another, and locks about them."""
    case = Case(number)
    for word in ("foo", "Foo-bar", "zed"):
        case.add(case.name(word), random, versions=_VERSIONS, releases=_RELEASES, package=_package)
    packages = case.packages()
    case.locks = [_lock(random.choice(packages), random) for _ in range(random.choice((0, 1, 1, 2)))]
    return case


def _package(name: str, epoch: str, version: str, release: str) -> dict[str, Any]:
    return {**package(f"{name}-{version}-{release}.noarch"), "epoch": epoch}


def _lock(about: dict[str, Any], random: Random) -> str:
    """A record of the file, with names, kinds, repositories, versions and architectures in all their forms."""
    lines = []
    if random.random() < 0.8:
        lines.append(random.choice(("type: package", "type: package", "type: package", "type: patch", "kind: package")))
    if random.random() < 0.2:
        lines.append(f"repo: {random.choice((*REPOSITORIES, '@System', 'absent'))}")
    if random.random() < 0.3:
        lines.append(f"version: {random.choice(('', *(f'{sign} ' for sign in _SIGNS)))}{_edition(about, random)}")
    kind = random.choice(("glob", "glob", "glob", "exact", "substring", "regex", ""))
    if kind:
        lines.append(f"match_type: {kind}")
    if random.random() < 0.6:
        lines.append(f"case_sensitive: {random.choice(('on', 'on', 'off', 'true', '0'))}")
    if random.random() < 0.1:
        lines.append(f"install_status: {random.choice(('all', 'installed', 'not-installed'))}")
    lines += [_condition(about, kind, random) for _ in range(random.choice((1, 1, 1, 2)))]
    return "\n".join(lines) + "\n"


def _condition(about: dict[str, Any], kind: str, random: Random) -> str:
    name = _name(about["name"], kind, random)
    form = random.random()
    sign, edition = random.choice(_SIGNS), _edition(about, random)
    if form < 0.6:
        return f"solvable_name: {name}"
    if form < 0.8:
        return f"solvable_name: {name} {sign} {edition}"
    arch = random.choice(("", r"\ noarch", r"\ x86_64"))
    predicate = rf"SolvableRange\ {sign}\ {edition}{arch}"
    return f"complex: AttrMatchData solvable:name {name} {random.choice('CX')} {predicate}"


def _name(name: str, kind: str, random: Random) -> str:
    prefix, _, rest = name.partition("-")
    if kind == "glob":
        return random.choice(
            (name, f"{prefix}-*", f"{prefix}-f*", f"{name[:-1]}?", f"{prefix}-[!z]*", f"{name}.noarch")
        )
    if kind == "regex":
        return random.choice((f"^{name}$", f"{prefix}-.*", f"{prefix}-(foo|zed)$", name))
    if kind in ("substring", ""):
        return random.choice((name, f"{prefix}-", f"{prefix}-{rest[:2]}", f"{prefix}-FOO"))
    return random.choice((name, name, name.lower()))


def _edition(about: dict[str, Any], random: Random) -> str:
    epoch = random.choice(("", "", f"{about['epoch']}:"))
    return epoch + random.choice((about["version"], f"{about['version']}-{about['release']}", random.choice(_VERSIONS)))


def build(root: Path, batch: Sequence[Case]) -> Path:
    """A root with all packages and locks of some cases."""
    repositories = [
        {"id": id_, "advisories": [], "packages": [p for case in batch for p in case.offered.get(id_, ())]}
        for id_ in REPOSITORIES
    ]
    suse_root.build(root, installed=[p for case in batch for p in case.installed], repositories=repositories)
    rpm_root.put(root / "etc/zypp/locks", "\n".join(lock for case in batch for lock in case.locks))
    return root


def updates(root: Path, work: Path) -> set[tuple[str, str]]:
    """The updates that no lock keeps out, as this project finds them."""
    backend = Zypper(Context(host=Host(), root=root, work_dir=work))
    assert backend.refresh().unread == ()
    inventory = backend.inventory(non_security=True)
    assert inventory.warnings == ()
    found = set()
    for known in inventory.packages:
        free = [v.version for v in known.versions if not v.blocked and not known.locked]
        if known.installed and free and free[-1] != known.installed.version:
            found.add((known.name, free[-1]))
    return found


def listed(root: Path) -> set[tuple[str, str]]:
    """What `zypper list-updates` lists."""
    argv = ["zypper", "--root", str(root), "--non-interactive", "--no-refresh", "list-updates"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines() if line.startswith("v ")]
    return {(row[2], row[4] if ":" in row[4] else f"0:{row[4]}") for row in rows}


@pytest.mark.cases(100)
def test_locks_keep_out_what_zypper_leaves_out(cases: Cases, tmp_path: Path) -> None:
    wrong = []
    for place, batch in enumerate(batches(cases, make_case)):
        root = build(tmp_path / f"root{place}", batch)
        ours, theirs = updates(root, tmp_path / f"work{place}"), listed(root)
        for case in batch:
            mine, native = ({row for row in rows if case.owns(row[0])} for rows in (ours, theirs))
            if mine != native:
                words = f"ours {sorted(mine - native)}, zypper's {sorted(native - mine)}"
                wrong.append(f"{cases.again(case.number)}: {words}; locks {case.locks}")
        shutil.rmtree(root)
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:10])

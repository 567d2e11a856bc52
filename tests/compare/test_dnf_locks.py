# SPDX-License-Identifier: Apache-2.0
"""Version locks, excludes and includes keep out what dnf keeps out: generated entries, many cases in one root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ssmpatchlib.backends import Context
from ssmpatchlib.backends.dnf import Dnf, answer
from ssmpatchlib.host import Host
from support import dnf_root, rpm_root
from support.generated import Cases
from support.lock_cases import REPOSITORIES, Case, batches
from support.rpm_repo import dnf_generation

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")]

_VERSIONS = ("1", "1.0", "1.1", "2", "2.0.1", "10")
_RELEASES = ("1", "1.el8", "1.el8.1", "1.amzn2023", "1.amzn2023.0.1", "2")


def make_case(number: int, random: Random, *, includes: bool) -> Case:
    """Two or three packages in several versions, one that may obsolete another, and entries about them."""
    case = Case(number)
    names = [case.name(word) for word in ("foo", "foo-bar", "zed")]
    for name in names:
        case.add(name, random, versions=_VERSIONS, releases=_RELEASES, package=_package)
    if random.random() < 0.3:
        other = _package(case.name("new"), "0", "3", "1")
        other["obsoletes"] = [random.choice((names[0], f"{names[0]} < 2", f"{names[2]} < 1:0"))]
        case.offered.setdefault("one", []).append(other)
        if random.random() < 0.5:
            case.installed.append({**other, "version": "0.1", "obsoletes": []})
    packages = case.packages()
    entry = _conditions if dnf_generation() == 5 else _entry
    case.locks = [entry(random.choice(packages), random) for _ in range(random.choice((0, 1, 1, 2)))]
    for kind in ("excludepkgs", "includepkgs") if includes else ("excludepkgs",):
        for section in ("main", *REPOSITORIES):
            if random.random() < 0.3:
                entries = [_pattern(random.choice(packages), random) for _ in range(random.choice((1, 2)))]
                case.lists[section, kind] = entries
    return case


def _package(name: str, epoch: str, version: str, release: str) -> dict[str, Any]:
    return {"name": name, "version": version, "release": release, "arch": "noarch", "epoch": epoch}


def _entry(package: dict[str, Any], random: Random) -> str:
    """A line of versionlock.list, most of them as `dnf versionlock add` writes them."""
    whole = "{name}-{epoch}:{version}-{release}.*".format(**package)
    kind = random.random()
    if kind < 0.4:
        return ("!" if random.random() < 0.2 else "") + whole
    if kind < 0.5:
        return f"# {whole}"
    return random.choice(("", "", "!")) + _pattern(package, random)


def _conditions(package: dict[str, Any], random: Random) -> str:
    """A record of dnf 5's versionlock.toml, most of them as `dnf versionlock add` writes them."""
    name = package["name"]
    if random.random() < 0.2:
        name = random.choice((f"{name[:-1]}*", f"{name.partition('-')[0]}-[!z]*", f"{name}.noarch"))
    lines = [f'[[packages]]\nname = "{name}"']
    for _ in range(random.choice((1, 1, 1, 2))):
        key = random.choice(("evr", "evr", "evr", "epoch", "arch", "version"))
        comparator = random.choice(("=", "=", "==", "<", "<=", ">", ">=", "!=", "<>", "~"))
        edition = random.choice((f"{package['version']}-{package['release']}", package["version"]))
        evr = random.choice((f"{package['epoch']}:", "")) + edition
        value = {"epoch": package["epoch"], "arch": random.choice(("noarch", "x86_64"))}.get(key, evr)
        lines.append(f'[[packages.conditions]]\nkey = "{key}"\ncomparator = "{comparator}"\nvalue = "{value}"')
    return "\n".join(lines)


def _pattern(package: dict[str, Any], random: Random) -> str:
    """A way to write a package: with and without epoch, release and architecture, with wildcards."""
    name, version, release = package["name"], package["version"], package["release"]
    epoch = random.choice(("", "", f"{package['epoch']}:", "0:", "*:"))
    if random.random() < 0.4:
        version = random.choice((f"{version[0]}*", f"{version}.*", "*", f"[{version[0]}-9]*", version + "0"))
    if random.random() < 0.4:
        release = random.choice(("*", "1*", "1.*", release.rpartition(".")[0] or release, f"{release}.*"))
    if random.random() < 0.2:
        prefix = name.partition("-")[0]
        name = random.choice((f"{prefix}-f*", f"{prefix}-*", f"{prefix}-[!z]*", f"{prefix}-foo?bar", f"{prefix}-zed*"))
    forms = (
        name,
        f"{name}.noarch",
        f"{name}.*",
        f"{name}-{epoch}{version}",
        f"{name}-{epoch}{version}-{release}",
        f"{name}-{epoch}{version}-{release}.noarch",
        f"{name}-{epoch}{version}-{release}.*",
        f"{epoch}{name}-{version}-{release}.noarch",
    )
    return random.choice(forms)


def build(root: Path, batch: Sequence[Case], plugin: Path | None) -> Path:
    """A root with all packages and entries of some cases."""
    repositories = []
    for id_ in REPOSITORIES:
        repository: dict[str, Any] = {"id": id_, "advisories": []}
        repository["packages"] = [package for case in batch for package in case.offered.get(id_, ())]
        for kind in ("excludepkgs", "includepkgs"):
            if words := _listed(batch, id_, kind):
                repository[kind] = words
        repositories.append(repository)
    main = {kind: words for kind in ("excludepkgs", "includepkgs") if (words := _listed(batch, "main", kind))}
    whole: dict[str, Any] = {
        "manager": "dnf",
        "os": dnf_root.SYSTEM,
        "installed": [package for case in batch for package in case.installed],
        "repositories": repositories,
        "dnf_conf": {"best": "False", **main},
    }
    rpm_root.build(whole, root)
    locks = "\n".join(line for case in batch for line in case.locks) + "\n"
    if plugin is None:
        rpm_root.put(root / "etc/dnf/versionlock.toml", f'version = "1.0"\n{locks}')
        return root
    (root / "plugins").mkdir()
    shutil.copy(plugin / "dnf-plugins/versionlock.py", root / "plugins")
    conf = f"[main]\nenabled = 1\nlocklist = {root}/etc/dnf/plugins/versionlock.list\n"
    rpm_root.put(root / "plugins.conf/versionlock.conf", conf)
    rpm_root.put(root / "etc/dnf/plugins/versionlock.list", locks)
    return root


def _listed(batch: Sequence[Case], section: str, kind: str) -> str:
    return " ".join(pattern for case in batch for pattern in case.lists.get((section, kind), ()))


@dataclass(frozen=True)
class Native:
    """What `dnf upgrade` itself would bring in (names and versions), and the names that this replaces."""

    incoming: frozenset[tuple[str, str]]
    replaced: frozenset[str]


def upgrades(root: Path, plugin: Path | None) -> Native:
    """Ask dnf."""
    argv = ["dnf", f"--installroot={root}", "-C", "--assumeno"]
    if plugin:
        argv += [f"--setopt=pluginpath={root}/plugins", f"--setopt=pluginconfpath={root}/plugins.conf"]
    env = {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(plugin or "")}
    done = subprocess.run([*argv, "upgrade"], capture_output=True, text=True, env=env)
    reply = answer.read_reply(done.stdout, done.stderr)
    assert reply.rows or "othing to do" in done.stdout + done.stderr, done.stdout + done.stderr
    rows = [row for row in reply.rows if row.action in (answer.INSTALL, answer.UPGRADE)]
    replaced = (words.partition(" ")[0].rpartition(".")[0] for row in rows for words in row.replaced)
    return Native(frozenset((row.name, row.evr) for row in rows), frozenset(replaced))


@dataclass(frozen=True)
class Found:
    """The updates that nothing keeps out, and those that are kept out because they would replace what is locked."""

    free: frozenset[tuple[str, str]]
    sparing: frozenset[tuple[str, str]]


def updates(root: Path, work: Path) -> Found:
    """Let this project find them."""
    backend = Dnf(Context(host=Host(), root=root, work_dir=work))
    assert backend.refresh().unread == ()
    free, sparing = set(), set()
    for package in backend.inventory(non_security=True).packages:
        sparing |= {(v.name, v.version) for v in package.versions if "which is locked" in v.blocked}
        allowed = [(v.name, v.version) for v in package.versions if not v.blocked and not package.locked]
        if package.installed and allowed and allowed[-1] != (package.name, package.installed.version):
            free.add(allowed[-1])
    return Found(frozenset(free), frozenset(sparing))


def differences(case: Case, found: Found, native: Native) -> str:
    """What differs, except for what dnf replaces by another update, and for what spares a locked name."""
    ours = {row for row in found.free if case.owns(row[0]) and row[0] not in native.replaced}
    theirs = {row for row in native.incoming if case.owns(row[0])} - found.sparing
    return f"ours {sorted(ours - theirs)}, dnf's {sorted(theirs - ours)}" if ours != theirs else ""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The versionlock plugin of dnf 4, unpacked: Debian's package of it conflicts with zypper. dnf 5 needs none."""
    if dnf_generation() == 5:
        return None
    directory = tmp_path_factory.mktemp("plugin")
    argv = ["apt-get", "-o", "APT::Sandbox::User=root", "download", "dnf-plugins-core"]
    done = subprocess.run(argv, cwd=directory, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs Debian's package dnf-plugins-core: {' '.join(done.stderr.split())}")
    (archive,) = directory.glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", str(archive), str(directory)], check=True)
    return directory / "usr/lib/python3/dist-packages"


@pytest.mark.network
@pytest.mark.cases(100)
@pytest.mark.parametrize("includes", [False, True], ids=["excludes", "includes"])
def test_what_is_kept_out_is_what_dnf_keeps_out(
    cases: Cases, tmp_path: Path, plugin: Path | None, includes: bool
) -> None:
    wrong = []
    for place, batch in enumerate(batches(cases, partial(make_case, includes=includes))):
        root = build(tmp_path / f"root{place}", batch, plugin)
        found, native = updates(root, tmp_path / f"work{place}"), upgrades(root, plugin)
        wrong += [
            f"{cases.again(case.number)}: {words}; locks {case.locks}, lists {case.lists}"
            for case in batch
            if (words := differences(case, found, native))
        ]
        shutil.rmtree(root)
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:10])

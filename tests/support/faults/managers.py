# SPDX-License-Identifier: Apache-2.0
"""The package managers under test: how a root with pending updates is built, and what is asked of it afterwards.

A further package manager joins every test of tests/faults by an entry in ``MANAGERS``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.package_managers import PACKAGE_MANAGERS, Entry
from support import apt_root, toy
from support.faults.debs import ARCHITECTURE, Deb, build_repository, give_shell, install_debs
from support.faults.driver import TOY as TOY_ENTRY
from support.faults.locks import hold
from support.faults.rpm_systems import SYSTEMS, problems, versions
from support.rpm_build import Spec

OLD, NEW = "1.0", "2.0"
#: Where every root has its repositories.
REPOSITORIES = "srv/repositories"


@dataclass(frozen=True, slots=True)
class Update:
    """A package that is installed in version ``OLD`` and on offer in version ``NEW``.

    ``slow`` seconds pass while it is configured, ``slow_unpack`` while it is unpacked. It needs the new version of
    ``after``, which is therefore installed before it, and ``needs``, which nothing provides. Where repositories publish
    advisories, one says that the new version fixes ``cves``.
    """

    name: str
    slow: float = 0
    slow_unpack: float = 0
    after: str = ""
    needs: str = ""
    cves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manager:
    """One package manager.

    Attributes:
        needs: the programs without which there are no roots of it.
        build: makes a root with these updates pending at a path that does not exist yet.
        settings: the ssmpatch configuration for such a root, whose baseline approves all its updates.
        problems: the package manager's own complaints about its database; empty when it is consistent.
        versions: the installed version by package name.
        full: how reports write a version (``2.0``).
        hold_lock: holds the package manager's own lock of the root, as another program would.
        system_files: files of the package manager's configuration, below the root.
        architecture: what ends the Id of its packages.
        publishes: its repositories have advisories.
        breaks: what of an update may not be interrupted without something that it complains about, in the words of
            ``Update``.
        plans_for_users: its solver answers users who are not root.
        lock: lets the administrator keep a package of the root as it is.
        entry: what makes the engine know it, where it does not by itself.
    """

    name: str
    needs: tuple[str, ...]
    build: Callable[[Path, Sequence[Update]], None]
    settings: Callable[[Path], dict[str, Any]]
    problems: Callable[[Path], str]
    versions: Callable[[Path], dict[str, str]]
    full: Callable[[str], str]
    hold_lock: Callable[[Path], AbstractContextManager[object]]
    system_files: tuple[str, ...]
    architecture: str
    lock: Callable[[Path, str], object]
    breaks: frozenset[str] = frozenset({"slow", "slow_unpack"})
    publishes: bool = True
    plans_for_users: bool = True
    entry: Entry | None = None

    @property
    def missing(self) -> list[str]:
        """The programs that it needs and this host does not have."""
        return [program for program in self.needs if shutil.which(program) is None]

    @contextlib.contextmanager
    def known(self) -> Iterator[Manager]:
        """Let the engine know it for as long as a test takes."""
        with pytest.MonkeyPatch.context() as patched:
            if self.entry:
                patched.setitem(PACKAGE_MANAGERS, self.name, self.entry)
            yield self

    def repository_files(self, root: Path) -> dict[str, str]:
        """The hashes of the repositories and of the configuration that names them."""
        return hashes(root / REPOSITORIES, *(root / name for name in self.system_files))


def or_skip(manager: Manager) -> Manager:
    """The package manager; skips the test where what it needs is missing."""
    return pytest.skip(f"needs {', '.join(manager.missing)}") if manager.missing else manager


def hashes(*places: Path) -> dict[str, str]:
    """The hash of every file at or below the places, by path."""
    files = [p for place in places for p in ([place] if place.is_file() else sorted(place.rglob("*"))) if p.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _apt_build(root: Path, updates: Sequence[Update]) -> None:
    news = []
    for update in updates:
        scripts = {}
        if update.slow:
            scripts["postinst"] = f"sleep {update.slow}"
        if update.slow_unpack:
            scripts["preinst"] = f"sleep {update.slow_unpack}"
        depends = [*([f"{update.after} (>= {NEW})"] if update.after else []), *([update.needs] if update.needs else [])]
        fields = {"Depends": ", ".join(depends)} if depends else {}
        news.append(Deb(update.name, NEW, fields=fields, scripts=scripts))
    build_apt(root, installed=[Deb(update.name, OLD) for update in updates], offered=news)


def build_apt(
    root: Path,
    *,
    installed: Sequence[Deb],
    offered: Sequence[Deb],
    untrusted: Sequence[Deb] = (),
    apt_conf: Sequence[str] = (),
) -> None:
    """Build an apt root in which dpkg has installed some debs and a security repository offers others."""
    more = ['DPkg::Options:: "--force-unsafe-io";', *apt_conf]
    case = {"installed": [], "repositories": [], "apt_conf": more, "architectures": [ARCHITECTURE]}
    apt_root.build(case, str(root), update=False)
    if any(deb.scripts for deb in (*installed, *offered, *untrusted)):
        give_shell(root)
    if installed:
        install_debs(root, installed, root / "tmp/installed")
    lines = [build_repository(root / REPOSITORIES / "security", offered)]
    if untrusted:
        lines.append(build_repository(root / REPOSITORIES / "untrusted", untrusted, trusted=False))
    (root / "etc/apt/sources.list").write_text("".join(f"{line}\n" for line in lines))


def _apt_settings(root: Path) -> dict[str, Any]:
    return {
        "root": str(root),
        "operating_system": "DEBIAN",
        "product": "Debian12",
        "package_manager": "apt",
        "lock_timeout": 20,
        "baseline": {
            "operatingSystem": "DEBIAN",
            "approvalRules": {"rules": [{"filterGroup": {"filters": [{"key": "PRODUCT", "values": ["*"]}]}}]},
        },
    }


def _dpkg(root: Path, *arguments: str) -> str:
    command = [*arguments[:1], f"--admindir={root}/var/lib/dpkg", *arguments[1:]]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def _apt_problems(root: Path) -> str:
    journal = [path.name for path in (root / "var/lib/dpkg/updates").iterdir()]
    check = subprocess.run(
        ["apt-get", "check", "-q"], env=apt_root.environment(str(root)), capture_output=True, text=True, timeout=60
    )
    return "\n".join([*journal, _dpkg(root, "dpkg", "--audit"), check.stderr if check.returncode else ""]).strip()


def _apt_versions(root: Path) -> dict[str, str]:
    lines = _dpkg(root, "dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\\n").splitlines()
    return {name: version for name, version, state in map(str.split, lines) if state == "installed"}


APT = Manager(
    name="apt",
    publishes=False,
    needs=("apt-get", "dpkg-deb"),
    build=_apt_build,
    settings=_apt_settings,
    problems=_apt_problems,
    versions=_apt_versions,
    full=str,
    hold_lock=lambda root: hold(root / "var/lib/dpkg/lock-frontend"),
    system_files=("etc/apt",),
    architecture=ARCHITECTURE,
    lock=lambda root, name: subprocess.run(
        ["dpkg", f"--admindir={root}/var/lib/dpkg", "--set-selections"], input=f"{name} hold\n", text=True, check=True
    ),
)


def _specs(updates: Sequence[Update]) -> list[Spec]:
    return [
        Spec(
            update.name,
            NEW,
            requires=[
                *([f"{update.after} >= {NEW}"] if update.after else []),
                *([update.needs] if update.needs else []),
            ],
            # The shell that runs the scripts belongs to no package.
            tags=("Provides: /bin/sh",),
            pre=f"sleep {update.slow_unpack}" if update.slow_unpack else "",
            post=f"sleep {update.slow}" if update.slow else "",
        )
        for update in updates
    ]


def _advisories(updates: Sequence[Update]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"UPD-{update.name}",
            "type": "security",
            "severity": "Important",
            "issued": "2024-01-01 00:00:00",
            "references": [{"id": id_, "type": "cve"} for id_ in update.cves],
            "packages": [Spec(update.name, NEW).nevra],
        }
        for update in updates
        if update.cves
    ]


def _rpm_manager(name: str, *system_files: str, program: str, **more: Any) -> Manager:
    """A package manager of the rpm family."""
    system = SYSTEMS[name]
    return Manager(
        name=name,
        needs=(program, "rpmbuild", "createrepo_c"),
        build=lambda root, updates: system.build(
            root, _specs(updates), old=OLD, repositories=REPOSITORIES, advisories=_advisories(updates)
        ),
        settings=system.settings,
        problems=problems,
        versions=versions,
        full=lambda version: f"0:{version}-1",
        hold_lock=system.hold_lock,
        system_files=system_files,
        architecture="noarch",
        # Killed in a %pre script rpm has done nothing yet; before a %post script it has written the new version down.
        breaks=frozenset({"slow"}),
        **more,
    )


def _add(path: Path, text: str) -> None:
    with open(path, "a") as handle:
        handle.write(text)


DNF = _rpm_manager(
    "dnf",
    "etc/dnf",
    "etc/yum.repos.d",
    program="dnf",
    plans_for_users=False,
    lock=lambda root, name: _add(root / "etc/dnf/dnf.conf", f"excludepkgs={name}\n"),
)
YUM = _rpm_manager(
    "yum",
    "etc/yum",
    "etc/yum.conf",
    "etc/yum.repos.d",
    program="rpm",
    plans_for_users=False,
    lock=lambda root, name: _add(root / "etc/yum.conf", f"exclude={name}\n"),
)
ZYPPER = _rpm_manager(
    "zypper",
    "etc/zypp",
    program="zypper",
    lock=lambda root, name: _add(
        root / "etc/zypp/locks", f"\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: {name}\n"
    ),
)


def _toy_build(root: Path, updates: Sequence[Update]) -> None:
    for name in ("installed", "half"):
        (root / "toy" / name).mkdir(parents=True)
    (root / "toy/held").touch()
    (root / "toy/offers").symlink_to("../srv/repositories/offers")
    (root / REPOSITORIES / "offers").mkdir(parents=True)
    for update in updates:
        (root / "toy/installed" / update.name).write_text(OLD)
        needs = {name: NEW for name in (update.after, update.needs) if name}
        slow = update.slow + update.slow_unpack
        offer = {"name": update.name, "version": NEW, "needs": needs, "sleep": slow, "cves": update.cves}
        (root / REPOSITORIES / "offers" / f"{update.name}-{NEW}").write_text(json.dumps(offer))


TOY = Manager(
    name="toy",
    needs=(),
    build=_toy_build,
    settings=lambda root: {**_apt_settings(root), "package_manager": "toy"},
    problems=lambda root: "\n".join(toy.versions(root / "toy/half")),
    versions=lambda root: toy.versions(root / "toy/installed"),
    full=str,
    hold_lock=lambda root: hold(root / "toy/lock"),
    system_files=("toy/held",),
    architecture="all",
    lock=lambda root, name: _add(root / "toy/held", f"{name}\n"),
    entry=TOY_ENTRY,
)

MANAGERS: Mapping[str, Manager] = {manager.name: manager for manager in (APT, DNF, YUM, ZYPPER)}
#: With the one that only tests have, which shows what the engine asks of a package manager.
WITH_TOY: Mapping[str, Manager] = {**MANAGERS, TOY.name: TOY}

# SPDX-License-Identifier: Apache-2.0
"""Roots of the rpm family with pending updates, made of real rpms with scripts, and what rpm says of them.

dnf, zypper and rpm's transactions are real; yum itself is ``support.yum_program``.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import rpm_build
from support.faults.debs import give_shell
from support.rpm_repo import run
from support.rpm_root import make_database, put, rpm
from support.yum_program import LOCK

#: The repository that every root has.
UPDATES = "updates"


@dataclass(frozen=True, slots=True)
class RpmSystem:
    """A system of one package manager.

    Attributes:
        files: the texts of its configuration, by path below a root.
        repositories: the directory of its repositories' files, below a root.
        lock: what the package manager holds while it changes packages: a file with the number of a living process.
        lock_form: how the number is written there.
    """

    manager: str
    operating_system: str
    product: str
    files: Mapping[str, str]
    repositories: str
    lock: str
    lock_form: str = "{}"

    def build(
        self,
        root: Path,
        packages: Sequence[rpm_build.Spec],
        *,
        old: str,
        repositories: str,
        advisories: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Make a root in which each package is installed in version ``old`` and a repository offers it as given."""
        give_shell(root)
        for name in ("var/lib/rpm", "root", "tmp", "var/tmp"):
            (root / name).mkdir(parents=True, exist_ok=True)
        for name in ("tmp", "var/tmp"):
            (root / name).chmod(0o1777)
        work = root.parent / f"{root.name}-build"
        staged = [
            rpm_build.build_rpm(work / "old", rpm_build.Spec(spec.name, old, tags=spec.tags), work=work)
            for spec in packages
        ]
        rpm_build.build_repository(root / repositories / UPDATES, packages, advisories=advisories, work=work)
        make_database(root)
        if staged:
            run([*rpm(root), "-i", "--nosignature", *map(str, staged)])
        for name, text in self.files.items():
            put(root / name, text)
        self.add_repository(root, UPDATES, f"baseurl=file://{root}/{repositories}/{UPDATES}")

    def add_repository(self, root: Path, name: str, location: str, *more: str) -> None:
        """Configure a repository: where it is, and further lines of its section. Its packages are not signed."""
        lines = [f"[{name}]", f"name={name}", location, "enabled=1", "gpgcheck=0", *more]
        put(root / self.repositories / f"{name}.repo", "".join(f"{line}\n" for line in lines))

    def settings(self, root: Path) -> dict[str, Any]:
        """Approve everything."""
        everything = {"filterGroup": {"filters": [{"key": "PRODUCT", "values": ["*"]}]}, "enableNonSecurity": True}
        return {
            "root": str(root),
            "operating_system": self.operating_system,
            "product": self.product,
            "package_manager": self.manager,
            "lock_timeout": 20,
            "baseline": {"operatingSystem": self.operating_system, "approvalRules": {"rules": [everything]}},
        }

    def hold_lock(self, root: Path) -> AbstractContextManager[None]:
        """Hold the package manager's lock."""
        return hold_number(root / self.lock, self.lock_form)


def problems(root: Path) -> str:
    """A damaged database, unmet dependencies, and packages of which an update left the old version behind."""
    found = []
    for argv in (["rpmdb", "--verifydb"], ["rpm", "-Va"]):
        done = subprocess.run([*rpm(root, argv[0]), *argv[1:]], capture_output=True, text=True, timeout=60)
        if done.returncode:
            found.append(f"{argv}: {done.stdout}{done.stderr}")
    names = [line.split()[0] for line in _query(root)]
    found += [f"{name} is installed twice" for name in sorted({n for n in names if names.count(n) > 1})]
    return "\n".join(found)


def versions(root: Path) -> dict[str, str]:
    """The installed version by package name."""
    return dict(line.split() for line in _query(root))


def _query(root: Path) -> list[str]:
    argv = [*rpm(root), "-qa", "--qf", "%{NAME} %{VERSION}\\n"]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()


@contextlib.contextmanager
def hold_number(path: Path, form: str = "{}") -> Iterator[None]:
    """Hold a lock that is the number of a living process in a file, written in ``form``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(["python3", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as holder:
        path.write_text(form.format(holder.pid))
        yield
        holder.kill()
    path.unlink()


SYSTEMS: Mapping[str, RpmSystem] = {
    system.manager: system
    for system in (
        RpmSystem(
            manager="dnf",
            operating_system="REDHAT_ENTERPRISE_LINUX",
            product="RedhatEnterpriseLinux8.9",
            files={
                "etc/dnf/dnf.conf": "[main]\nmodule_platform_id=platform:el8\n",
                "etc/os-release": 'NAME="Rocky Linux"\nID=rocky\nVERSION_ID="8.9"\nPLATFORM_ID="platform:el8"\n',
                "etc/dnf/plugins/versionlock.list": "nobody-0:1-1.*\n",
            },
            repositories="etc/yum.repos.d",
            lock="var/lib/dnf/rpmdb_lock.pid",
        ),
        RpmSystem(
            manager="yum",
            operating_system="AMAZON_LINUX_2",
            product="AmazonLinux2",
            files={
                "etc/yum.conf": "[main]\ncachedir=/var/cache/yum/$basearch/$releasever\nplugins=1\n",
                "etc/os-release": 'NAME="Amazon Linux"\nID=amzn\nVERSION_ID="2"\n',
                "etc/yum/pluginconf.d/versionlock.conf": "[main]\nenabled = 1\n",
                "etc/yum/pluginconf.d/versionlock.list": "0:nobody-1-1.*\n",
            },
            repositories="etc/yum.repos.d",
            lock=LOCK,
        ),
        RpmSystem(
            manager="zypper",
            operating_system="SUSE",
            product="Suse15.6",
            files={
                # zypper wants an installed glibc unless it is told otherwise.
                "etc/zypp/zypp.conf": "[main]\nsolver.checkSystemFile = /etc/zypp/nothing\n",
                "etc/os-release": 'NAME="SLES"\nID=sles\nVERSION_ID="15.6"\n',
                "etc/zypp/locks": "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: nobody\n",
            },
            repositories="etc/zypp/repos.d",
            lock="run/zypp.pid",
            lock_form="{} (python3)\n",
        ),
    )
}

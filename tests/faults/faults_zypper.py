# SPDX-License-Identifier: Apache-2.0
"""A SUSE root with pending updates, made of real rpms with scripts."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from faults_debs import give_shell

from support import rpm_build
from support.rpm_repo import run

_DATABASE = ("--dbpath", "/var/lib/rpm")


def build(root: Path, packages: Sequence[rpm_build.Spec], *, old: str, repositories: str) -> None:
    """Make a root in which each package is installed in version ``old`` and a repository offers it as given."""
    give_shell(root)
    for name in ("var/lib/rpm", "etc/zypp/repos.d", "root", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    work = root.parent / f"{root.name}-build"
    staged = [
        rpm_build.build_rpm(work / "old", rpm_build.Spec(spec.name, old, tags=spec.tags), work=work)
        for spec in packages
    ]
    rpm_build.build_repository(root / repositories / "updates", packages, work=work)
    rpm = ["rpm", "--root", str(root), *_DATABASE]
    run([*rpm, "--initdb"])
    if staged:
        run([*rpm, "-i", "--nosignature", *map(str, staged)])
    # Debian's zypper looks for the database of another root here.
    (root / "root/.rpmdb").symlink_to("../var/lib/rpm")
    # zypper wants an installed glibc unless it is told otherwise.
    (root / "etc/zypp/zypp.conf").write_text("[main]\nsolver.checkSystemFile = /etc/zypp/nothing\n")
    (root / "etc/os-release").write_text('NAME="SLES"\nID=sles\nVERSION_ID="15.6"\n')
    (root / "etc/zypp/repos.d/updates.repo").write_text(
        f"[updates]\nname=updates\nbaseurl=file://{root}/{repositories}/updates\nenabled=1\ngpgcheck=0\n"
    )
    (root / "etc/zypp/locks").write_text(
        "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: nobody\n"
    )


def settings(root: Path) -> dict[str, Any]:
    """Approve everything."""
    everything = {"filterGroup": {"filters": [{"key": "PRODUCT", "values": ["*"]}]}, "enableNonSecurity": True}
    return {
        "root": str(root),
        "operating_system": "SUSE",
        "product": "Suse15.6",
        "package_manager": "zypper",
        "lock_timeout": 20,
        "baseline": {"operatingSystem": "SUSE", "approvalRules": {"rules": [everything]}},
    }


def problems(root: Path) -> str:
    """A damaged database, unmet dependencies, and packages of which an update left the old version behind."""
    found = []
    for argv in (["rpmdb", "--verifydb"], ["rpm", "-Va"]):
        done = subprocess.run(
            [argv[0], "--root", str(root), *_DATABASE, *argv[1:]], capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            found.append(f"{argv}: {done.stdout}{done.stderr}")
    names = [line.split()[0] for line in _query(root)]
    found += [f"{name} is installed twice" for name in sorted({n for n in names if names.count(n) > 1})]
    return "\n".join(found)


def versions(root: Path) -> dict[str, str]:
    """The installed version by package name."""
    return dict(line.split() for line in _query(root))


def _query(root: Path) -> list[str]:
    argv = ["rpm", "--root", str(root), *_DATABASE, "-qa", "--qf", "%{NAME} %{VERSION}\\n"]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()


@contextlib.contextmanager
def hold_lock(root: Path) -> Iterator[None]:
    """zypper's lock is the number of a living process in a file."""
    (root / "run").mkdir(exist_ok=True)
    with subprocess.Popen(["python3", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as holder:
        (root / "run/zypp.pid").write_text(f"{holder.pid} (python3)\n")
        yield
        holder.kill()
    (root / "run/zypp.pid").unlink()

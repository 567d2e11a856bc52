# SPDX-License-Identifier: Apache-2.0
"""What roots made of real rpms have in common: how they are built, what rpm says of them, locks that are numbers."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from support import rpm_build
from support.faults.debs import give_shell
from support.rpm_repo import run
from support.rpm_root import put

_DATABASE = ("--dbpath", "/var/lib/rpm")
#: The repository that every root has.
UPDATES = "updates"


def build(root: Path, packages: Sequence[rpm_build.Spec], *, old: str, repositories: str) -> None:
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
    rpm_build.build_repository(root / repositories / UPDATES, packages, work=work)
    rpm = ["rpm", "--root", str(root), *_DATABASE]
    run([*rpm, "--initdb"])
    if staged:
        run([*rpm, "-i", "--nosignature", *map(str, staged)])
    # Debian's builds of dnf and zypper look for the database of another root here.
    (root / "root/.rpmdb").symlink_to("../var/lib/rpm")


def settings(root: Path, manager: str, *, operating_system: str, product: str) -> dict[str, Any]:
    """Approve everything."""
    everything = {"filterGroup": {"filters": [{"key": "PRODUCT", "values": ["*"]}]}, "enableNonSecurity": True}
    return {
        "root": str(root),
        "operating_system": operating_system,
        "product": product,
        "package_manager": manager,
        "lock_timeout": 20,
        "baseline": {"operatingSystem": operating_system, "approvalRules": {"rules": [everything]}},
    }


def configure_repository(directory: Path, name: str, location: str, *more: str) -> None:
    """Write the file of a repository whose packages are not signed; ``more`` are further lines of its section."""
    lines = [f"[{name}]", f"name={name}", location, "enabled=1", "gpgcheck=0", *more]
    put(directory / f"{name}.repo", "".join(f"{line}\n" for line in lines))


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
def hold_number(path: Path, form: str = "{}") -> Iterator[None]:
    """Hold a lock that is the number of a living process in a file, written in ``form``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(["python3", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as holder:
        path.write_text(form.format(holder.pid))
        yield
        holder.kill()
    path.unlink()

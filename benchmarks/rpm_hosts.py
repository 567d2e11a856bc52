# SPDX-License-Identifier: Apache-2.0
"""The hosts of the rpm benchmarks: part of a large repository installed, and twenty updates pending."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import rpm_repository
from rpm_repository import Size

from support import rpm_build, rpm_root

PENDING = 20
#: Three, so that two programs that take turns both find another one each time.
REVISIONS = (1, 2, 3)
SYSTEMS = {
    "dnf": {"operating_system": "REDHAT_ENTERPRISE_LINUX", "releasever": "8", "product": "RedhatEnterpriseLinux8.6"},
    "zypper": {"operating_system": "SUSE", "releasever": "15.6", "product": "Suse15.6"},
}
REPOSITORY_FILES = {"dnf": "etc/yum.repos.d/big.repo", "zypper": "etc/zypp/repos.d/big.repo"}


@dataclass(frozen=True)
class Contents:
    """What each pending update is made of: so many files of so many bytes together."""

    words: str
    files: int
    size: int


class Change:
    """Publishes another revision of a repository each time."""

    def __init__(self, published: Path, revisions: Sequence[Path]) -> None:
        self.published = published
        self._revisions = list(revisions)

    @classmethod
    def of(cls, base: Path, size: Size) -> Change:
        """Write the revisions of a repository where they are not there yet, and publish the first."""
        for revision in REVISIONS:
            if not (base / f"{revision}/repodata/repomd.xml").exists():
                rpm_repository.write(base / f"{revision}", size, revision=revision)
        change = cls(base / "published", [base / f"{revision}" for revision in REVISIONS])
        change()
        return change

    def __call__(self) -> None:
        self._revisions.append(self._revisions.pop(0))
        self.published.unlink(missing_ok=True)
        self.published.symlink_to(self._revisions[0])


class Copies:
    """Puts a fresh copy of a root in its place each time; the repositories' configuration names its path."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._kept = root.with_name("kept")
        shutil.copytree(root, self._kept, symlinks=True)

    def __call__(self) -> None:
        shutil.rmtree(self._root)
        shutil.copytree(self._kept, self._root, symlinks=True)


def pending_rpms(directory: Path, contents: Contents) -> Path:
    """Build the pending updates as a repository, where that was not done yet."""
    names = [f"pending{number}" for number in range(PENDING)]
    if not (directory / "repodata/repomd.xml").exists():
        text = "x" * (contents.size // max(1, contents.files))
        specs = [
            rpm_build.Spec(name, files={f"/usr/share/{name}/{n}": text for n in range(contents.files)})
            for name in names
        ]
        advisory = {"id": "PENDING-1", "type": "security", "severity": "important", "issued": "1690000000"}
        advisory |= {"references": [], "packages": [spec.nevra for spec in specs]}
        work = directory.with_name(f"{directory.name}-build")
        rpm_build.build_repository(directory, specs, advisories=[advisory], work=work)
    return directory


def make_host(manager: str, root: Path, repository: Path, size: Size, *, pending: Path) -> Path:
    """A host with part of a repository installed, and a second repository with the pending updates."""
    old = [{"name": f"pending{n}", "version": "1", "release": "1", "arch": "noarch"} for n in range(PENDING)]
    glibc = {"name": "glibc", "version": "2.31", "release": "1", "arch": "x86_64"}
    case = {
        "manager": manager,
        "os": SYSTEMS[manager],
        "installed": [glibc, *old, *rpm_repository.installed(size)],
        "repositories": [{"id": "updates", "path": str(pending)}],
    }
    rpm_root.build(case, root)
    kind = "type=rpm-md\n" if manager == "zypper" else ""
    (root / REPOSITORY_FILES[manager]).write_text(
        f"[big]\nname=big\nbaseurl=file://{repository}\nenabled=1\ngpgcheck=0\n{kind}"
    )
    return root

# SPDX-License-Identifier: Apache-2.0
"""Reads the installed packages from the rpm database, with one run of rpm."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ...errors import SsmpatchError
from ...host import Host
from ...model import Target
from ...names import is_rpm, number
from ...versions.rpm import compare_evr, sort_key

_DATABASES = ("usr/lib/sysimage/rpm", "var/lib/rpm")
_DATABASE_FILES = ("rpmdb.sqlite", "Packages.db", "Packages")
#: SQLite's write-ahead log.
_WRITE_AHEAD = "rpmdb.sqlite-wal"
_FORMAT = (
    r"%{NAME}\t%{ARCH}\t%|EPOCH?{%{EPOCH}}:{0}|:%{VERSION}-%{RELEASE}\t%{INSTALLTIME}\t%{BUILDTIME}"
    r"\t%|VENDOR?{%{VENDOR}}:{}|\t%|SOURCERPM?{%{SOURCERPM}}:{}|\n"
)
_LIMIT = 300
#: What is said of a database that a rebuild may repair.
REBUILD = "rpm --rebuilddb repairs it"
#: rpm's words about a package in its database that it cannot read.
_SKIPPED = re.compile(r"skipping h#|in the database is bad")


class InstalledPackage(NamedTuple):
    """One installed package; ``evr`` is ``epoch:version-release``, times are epoch seconds, 0 unknown.

    ``source_rpm`` is the file name of the source package.
    """

    name: str
    arch: str
    evr: str
    installed_time: int
    build_time: int
    vendor: str
    source_rpm: str = ""

    @property
    def source(self) -> tuple[str, str]:
        """Name and ``epoch:version-release`` of the source package, ``""`` where none is known."""
        whole = self.source_rpm.removesuffix(".src.rpm").removesuffix(".nosrc.rpm")
        name, version, release = (*whole.rsplit("-", 2), "", "")[:3]
        if whole == self.source_rpm or not release or not is_rpm(name, f"0:{version}-{release}", "noarch"):
            return "", ""
        return name, f"{self.evr.partition(':')[0]}:{version}-{release}"

    @property
    def id(self) -> str:
        """``name.arch``."""
        return f"{self.name}.{self.arch}"


def rpm_argv(root: Path, *arguments: str) -> list[str]:
    """Return the argv list of rpm for a root; for a root other than ``/`` it names the database's directory."""
    if root == Path("/"):
        return ["rpm", *arguments]
    return ["rpm", "--root", str(root), "--dbpath", f"/{database_directory(root)}", *arguments]


def database_directory(root: Path) -> str:
    """Return the directory of a root's rpm database, relative to the root; without any the oldest usual one."""
    return next((directory for directory in _DATABASES if _has_database(root, directory)), _DATABASES[-1])


def _has_database(root: Path, directory: str) -> bool:
    return any((root / directory / name).exists() for name in _DATABASE_FILES)


def require_database(root: Path) -> None:
    """Refuse a root other than ``/`` that is no rpm system, before rpm makes a database there.

    Raises:
        SsmpatchError: there is no rpm database.
    """
    if root != Path("/") and not any(_has_database(root, directory) for directory in _DATABASES):
        raise SsmpatchError(
            f"{root}: no rpm database there ({' or '.join(_DATABASES)}); name the root of an rpm system"
        )


def read_installed(host: Host, root: Path) -> list[InstalledPackage]:
    """Return every installed package except gpg-pubkey, with one entry for each version of a package.

    Raises:
        SsmpatchError: there is no rpm database, or it cannot be read.
    """
    require_database(root)
    result = host.run(rpm_argv(root, "-qa", "--qf", _FORMAT), timeout=_LIMIT)
    problems = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    if result.code or problems:
        words = "; ".join(problems) or result.words
        raise SsmpatchError(f"the rpm database of {root} cannot be read: {words}; {_remedy(root, words)}")
    found = []
    for line in result.stdout.splitlines():
        fields = line.split("\t")
        if len(fields) == len(InstalledPackage._fields) and fields[0] != "gpg-pubkey":
            name, arch, evr, installed, built, vendor, source = fields
            found.append(InstalledPackage(name, arch, evr, _number(installed), _number(built), vendor, source))
    if not found and root == Path("/"):
        raise SsmpatchError("rpm says that no package is installed; this is no rpm system, or its database is lost")
    return found


def _remedy(root: Path, words: str) -> str:
    """Return what helps a database that rpm cannot read."""
    if skips_packages(words):
        return (
            "rpm --rebuilddb would forget the packages that rpm skips: restore the database from a backup, "
            "or rebuild it and install them again"
        )
    directory = root / database_directory(root)
    try:
        read_only = os.statvfs(directory).f_flag & os.ST_RDONLY
    except OSError:
        return REBUILD
    return f"{directory} is on a read-only file system; mount it writable" if read_only else REBUILD


def skips_packages(words: str) -> bool:
    """Return whether rpm says that it cannot read some of the packages in its database, which a rebuild forgets."""
    return _SKIPPED.search(words) is not None


class Database:
    """The rpm database of a root; rpm reads it once, and again only after its files have changed."""

    def __init__(self, host: Host, root: Path) -> None:
        self._host = host
        self._root = root
        self._known: tuple[object, list[InstalledPackage]] | None = None

    def read(self) -> list[InstalledPackage]:
        """Return every installed package, as ``read_installed`` does.

        Raises:
            SsmpatchError: there is no rpm database, or it cannot be read.
        """
        stamp = self._stamp()
        if stamp and self._known and self._known[0] == stamp:
            return self._known[1]
        packages = read_installed(self._host, self._root)
        # If the files changed meanwhile, the answer may be from before or after the change.
        self._known = (stamp, packages) if self._stamp() == stamp else None
        return packages

    def versions(self) -> dict[str, str]:
        """Return ``{name.arch: version}``; of several versions the newest."""
        return {id_: package.evr for id_, package in newest(self.read()).items()}

    def missing(self, targets: Iterable[Target]) -> list[Target]:
        """Return the targets that are installed neither in their version nor in a newer one."""
        present = self.versions()
        return [t for t in targets if t.id not in present or compare_evr(present[t.id], t.version) < 0]

    def _stamp(self) -> tuple[tuple[str, int, int, int], ...]:
        """Return sizes and times by which a change of the files is seen; ``()`` where rpm keeps them elsewhere."""
        directory = self._root / database_directory(self._root)
        found = []
        for name in (*_DATABASE_FILES, _WRITE_AHEAD):
            try:
                state = (directory / name).stat()
            except OSError:
                continue
            # A reader creates an empty write-ahead log, which is no change.
            if state.st_size or name != _WRITE_AHEAD:
                found.append((name, state.st_ino, state.st_size, state.st_mtime_ns))
        return tuple(found)


def newest(packages: Sequence[InstalledPackage]) -> dict[str, InstalledPackage]:
    """Return the newest version of each ``name.arch``, since of several kernels the newest is judged."""
    by_id: dict[str, InstalledPackage] = {}
    for package in packages:
        other = by_id.get(package.id)
        if other is None or sort_key(package.evr) > sort_key(other.evr):
            by_id[package.id] = package
    return by_id


def _number(text: str) -> int:
    return number(text) or 0

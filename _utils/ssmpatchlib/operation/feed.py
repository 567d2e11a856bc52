# SPDX-License-Identifier: Apache-2.0
"""The vendor's advisories on this host: the configured feed, read for what is installed, and kept until it changes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__, files
from ..config import Settings
from ..errors import SsmpatchError
from ..fetch import local_path
from ..model import Package
from ..osinfo import OsInfo
from ..times import duration, epoch_of
from .caller import Caller

if TYPE_CHECKING:
    from ..advisories.compact import Feed
    from ..advisories.said import Found
    from .kept_advisories import Kept

SUFFIX = ".jsonl.gz"
#: What a feed says of the packages as the scan has read them, and with the versions of all archives.
FILE, FILE_OF_ALL = "advisories.json", "advisories-all.json"
#: The larger of the files that salt-run ssmpatch.advisories writes have some MiB.
_MOST_BYTES = 64 << 20
#: Seconds by which the clocks of the master, which compiles no record of its future, and of this host may differ.
_MOST_AHEAD = 86400
_WHOLE_NUMBER = ("ALMA_LINUX", "REDHAT_ENTERPRISE_LINUX", "ROCKY_LINUX", "DEBIAN")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*$")
_NONE_FOR = (
    "no vendor's advisories are read for {}; those of Debian, Ubuntu, AlmaLinux, Rocky Linux, Red Hat and SUSE are"
)


class NoFeed(SsmpatchError):
    """A feed cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class LocalFeed:
    """A feed's file on this host: its release, its content and the content's SHA-256."""

    release: str
    path: Path
    sha256: str


def release_name(os_info: OsInfo) -> str:
    """Return the name that feeds know this release by, such as ``DEBIAN-12``; ``""`` where there are none for it.

    It follows from the product, which the administrator may have set. openSUSE is no release of SUSE's enterprise
    systems.
    """
    from ..advisories.ecosystems import RELEASE

    found = _VERSION.search(os_info.product)
    if found is None or os_info.name.lower().startswith("opensuse"):
        return ""
    system, version = os_info.operating_system, found[0]
    if system in _WHOLE_NUMBER:
        version = version.partition(".")[0]
    name = f"{system}-{version.removesuffix('.0')}" if system == "SUSE" else f"{system}-{version}"
    return name if re.fullmatch(RELEASE, name) else ""


def location_of(location: str, release: str) -> str:
    """Return where the file of a release is: the location itself, or below it."""
    return location if location.endswith(SUFFIX) else f"{location.rstrip('/')}/{release}{SUFFIX}"


def local_feed(settings: Settings, os_info: OsInfo, caller: Caller) -> LocalFeed:
    """Return the configured feed's file, fetched through Salt's file cache where it changed.

    Raises:
        NoFeed: there is none for this release, or it cannot be had.
    """
    assert settings.advisories is not None  # noqa: S101 - callers ask only where one is configured
    release = release_name(os_info)
    if not release:
        raise NoFeed(_NONE_FOR.format(" ".join(filter(None, (os_info.name, os_info.version))) or "this system"))
    location = location_of(settings.advisories.location, release)
    try:
        path = Path(_fetched(location, caller))
        data = files.read_bytes(path, max_bytes=_MOST_BYTES)
    except SsmpatchError as exc:
        raise NoFeed(f"{location}: {exc}" if location not in str(exc) else str(exc)) from exc
    except NotADirectoryError as exc:
        raise NoFeed(f"{location}: name a directory, or a file whose name ends in {SUFFIX}") from exc
    except OSError as exc:
        raise NoFeed(f"{location}: {exc.strerror}; salt-run ssmpatch.advisories compiles it on a master") from exc
    return LocalFeed(release, path, hashlib.sha256(data).hexdigest())


def _fetched(location: str, caller: Caller) -> str:
    if not location.startswith("salt://"):
        return local_path(location)
    if caller.salt_path is None:
        raise NoFeed(f"{location}: no Salt file server to ask here; use a path")
    return caller.salt_path(location)


def read_feed(local: LocalFeed, sources: Collection[str]) -> Feed:
    """Return what a feed says of some source packages.

    Raises:
        NoFeed: it is damaged, or for another release.
    """
    from ..advisories import compact

    try:
        with local.path.open("rb") as handle:
            return compact.read(handle, release=local.release, sources=sources)
    except OSError as exc:
        raise NoFeed(f"{local.path}: {exc.strerror}") from exc


def read_feed_of(local: LocalFeed, ids: Collection[str]) -> Feed:
    """Return what a feed says of the source packages of some CVEs and advisories.

    Raises:
        NoFeed: it is damaged, or for another release.
    """
    from ..advisories import compact

    try:
        with local.path.open("rb") as handle:
            sources = compact.find_sources(handle, release=local.release, ids=ids)
            return compact.read(handle, release=local.release, sources=sources)
    except OSError as exc:
        raise NoFeed(f"{local.path}: {exc.strerror}") from exc


def kept_for(local: LocalFeed, packages: Sequence[Package], idle: Collection[tuple[str, str]], *, path: Path) -> Kept:
    """Return what a feed says of the installed packages: what is kept when neither has changed, else it is read.

    Raises:
        NoFeed: it is damaged, or for another release.
    """
    from ..advisories.said import steps
    from . import kept_advisories

    about = [f"{package.id}\t{step.version.version}\t{step.key}" for package in packages for step in steps(package)]
    whole = "\n".join((__version__, local.sha256, *about, repr(sorted(idle))))
    key = hashlib.sha256(whole.encode()).hexdigest()
    kept = kept_advisories.recall(path, key=key)
    if kept is not None:
        return kept
    from ..advisories.found import find
    from ..advisories.said import sources_of

    feed = read_feed(local, sources_of(packages))
    kept = kept_advisories.Kept(
        feed.release, feed.data_time, local.sha256, find(feed, packages, idle=idle), installed_sources(packages, idle)
    )
    kept_advisories.keep(path, kept, key=key)
    return kept


def installed_sources(
    packages: Sequence[Package], idle: Collection[tuple[str, str]]
) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Return the installed source packages, without kernels that do not run."""
    from ..advisories.sources import has_code, source_of

    found: dict[tuple[str, str], list[str]] = {}
    for package in packages:
        if package.installed is None or (package.id, package.installed.version) in idle:
            continue
        if has_code(package.installed):
            found.setdefault(source_of(package.installed), []).append(package.id)
    return tuple((name, version, tuple(sorted(ids))) for (name, version), ids in sorted(found.items()))


def problem_of_age(time: str, *, now: float, max_age: int) -> str:
    """Return why data of a time are too old to be used, ``""`` when they are not."""
    newest = epoch_of(time)
    if newest is None:
        return "its records say no time, so that nobody knows how old they are"
    if newest > now + _MOST_AHEAD:
        return f"its newest record is of {time}, after this host's clock; set the clock right"
    if now - newest <= max_age:
        return ""
    return (
        f"its newest record is {duration(now - newest)} old, which is more than ssmpatch:advisories:max_age allows "
        f"({duration(max_age)}); let the master fetch newer ones (salt-run ssmpatch.advisories)"
    )


def wants_everything(found: Found) -> bool:
    """Return whether a fix is known that the security archives do not have, so that the others have to be read."""
    return any(
        each.fixed and not (each.carriers or each.waiting or each.subscription or each.unimportant)
        for each in found.open
    )

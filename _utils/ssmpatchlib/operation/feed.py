# SPDX-License-Identifier: Apache-2.0
"""The vendor's advisories on this host: the configured feed, read for what is installed, and kept until it changes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__, files
from ..config import Settings
from ..errors import SsmpatchError
from ..fetch import local_path
from ..model import Carrier, OpenCves, Package
from ..osinfo import OsInfo
from ..times import duration, epoch_of
from .caller import Caller

if TYPE_CHECKING:
    from ..advisories.compact import Feed
    from ..advisories.said import Found, Said

SUFFIX = ".jsonl.gz"
#: What a feed says of the packages as the scan has read them, and with the versions of all archives.
FILE, FILE_OF_ALL = "advisories.json", "advisories-all.json"
#: The form of what is kept.
_FORM = 3
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


@dataclass(frozen=True, slots=True)
class Kept:
    """What a feed says of this host, as the last operation kept it.

    ``installed`` are the installed source packages: name, version, ``name.arch`` of the packages.
    """

    release: str
    time: str
    sha256: str
    found: Found
    installed: tuple[tuple[str, str, tuple[str, ...]], ...]


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

    key = hashlib.sha256(f"{__version__}\n{local.sha256}\n".encode())
    for package in packages:
        for step in steps(package):
            key.update(f"{package.id}\t{step.version.version}\t{step.key}\n".encode())
    key.update(repr(sorted(idle)).encode())
    kept = recalled(path, key=key.hexdigest())
    if kept is not None:
        return kept
    from ..advisories.found import find
    from ..advisories.said import sources_of

    feed = read_feed(local, sources_of(packages))
    kept = Kept(
        feed.release, feed.data_time, local.sha256, find(feed, packages, idle=idle), installed_sources(packages, idle)
    )
    with contextlib.suppress(files.Unwritable):
        # Who may not write here reads the feed anew each time.
        files.write_json(path, _form(kept, key.hexdigest()))
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


def _form(kept: Kept, key: str) -> dict[str, Any]:
    said = json.dumps(
        {
            "release": kept.release,
            "time": kept.time,
            "sha256": kept.sha256,
            "updates": kept.found.updates,
            "open": kept.found.open,
            "installed": kept.installed,
        },
        separators=(",", ":"),
    )
    return {"form": _FORM, "key": key, "sum": sum_of(said), "said": said}


def sum_of(said: str) -> str:
    """Return the SHA-256 of what is kept, so that nothing that was altered is believed."""
    return hashlib.sha256(said.encode()).hexdigest()


def recalled(path: Path, *, key: str | None = None) -> Kept | None:
    """Return what was kept, None where there is nothing, it was altered, or it is not of this ``key``."""

    def make(data: Any) -> Kept | None:
        form, own, digest, said = data["form"], data["key"], data["sum"], data["said"]
        if form != _FORM or (key is not None and own != key) or digest != sum_of(said):
            return None
        from ..advisories.said import Found

        data = files.parse_json(said)
        updates = {name: tuple(map(_said, found)) for name, found in data["updates"].items()}
        found = Found(updates, tuple(map(_open, data["open"])))
        release, time, sha256 = (_text(data[name]) for name in ("release", "time", "sha256"))
        return Kept(release, time, sha256, found, tuple(map(_installed, data["installed"])))

    return files.recall(path, make)


def _said(row: Any) -> Said:
    from ..advisories.said import Said

    name, released, severity, cves, subscription = row
    return Said(_text(name), _text(released), _text(severity), _texts(cves), _flag(subscription))


def _open(row: Any) -> OpenCves:
    found = OpenCves(*row)
    if len(found.dates) != len(found.cves):
        raise ValueError("not one date for each CVE")
    return OpenCves(
        source=_text(found.source),
        installed=_text(found.installed),
        fixed=_text(found.fixed),
        subscription=_flag(found.subscription),
        severity=_text(found.severity),
        unimportant=_flag(found.unimportant),
        advisories=_texts(found.advisories),
        published=_text(found.published),
        packages=_texts(found.packages),
        carriers=tuple(Carrier(_text(id_), _text(version)) for id_, version in found.carriers),
        waiting=_text(found.waiting),
        problem=_text(found.problem),
        exploited=tuple((_text(cve), _text(since)) for cve, since in found.exploited),
        cves=_texts(found.cves),
        dates=_texts(found.dates),
    )


def _installed(row: Any) -> tuple[str, str, tuple[str, ...]]:
    name, version, ids = row
    return _text(name), _text(version), _texts(ids)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a value that is no text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("a value that is no list")
    return tuple(map(_text, value))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("a value that is neither true nor false")
    return value


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

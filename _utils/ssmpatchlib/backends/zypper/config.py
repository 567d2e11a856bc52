# SPDX-License-Identifier: Apache-2.0
"""Reads libzypp's configuration as libzypp does: repositories, cache and policies."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...model import UnreadSource
from ...names import number

MAIN_CONFIG = "etc/zypp/zypp.conf"
DEFAULT_PRIORITY = 99
#: Kinds of repositories whose metadata libzypp keeps unchanged; for ``""`` and ``none`` it finds the kind itself.
_RPM_MD = frozenset({"", "rpm-md", "repomd", "rpmmd", "yum", "none"})
_TRUE = frozenset({"yes", "true", "on", "always"})
_FALSE = frozenset({"no", "false", "off", "never"})
_NUMBER = re.compile(r"\s*[+-]?(\d+)", re.ASCII)
#: libzypp counts all vendors that begin with the first as one, and no two that begin with the second.
_SUSE, _OPENSUSE = "suse", "opensuse"


@dataclass(frozen=True, slots=True)
class Repository:
    """An enabled repository; a smaller ``priority`` wins. ``cache`` is the directory of its ``repodata``.

    ``kind`` is set where its metadata are in a form that cannot be read here (``plaindir``, ``yast2``). ``keys`` are
    the places of its signing keys; with ``checks_packages`` its packages must be signed with one of them, even where
    its index is.
    """

    alias: str
    priority: int
    cache: Path
    kind: str = ""
    name: str = ""
    keys: tuple[str, ...] = ()
    checks_packages: bool = False

    @property
    def file_name(self) -> str:
        """The alias as libzypp writes it in file names."""
        return self.alias.replace("/", "_")

    @property
    def index(self) -> Path:
        """libzypp's copy of the repository's index."""
        return self.cache / "repodata" / "repomd.xml"


@dataclass(frozen=True, slots=True)
class ZyppConfig:
    """The part of libzypp's configuration for one root that the engine needs.

    ``solv`` is the directory of zypper's own indexes, ``file`` the zypp.conf in effect, ``own`` whether that is the
    root's. ``vendor_classes`` maps the lower-case beginning of a vendor's name to the number of its class; packages of
    vendors in one class may replace each other.
    """

    repositories: tuple[Repository, ...]
    cache: Path
    solv: Path
    file: Path
    own: bool
    locks: Path | None
    reboot_files: tuple[Path, ...]
    vendor_change: bool = False
    vendor_classes: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[UnreadSource, ...] = ()

    def vendor_class(self, vendor: str) -> str | int:
        """Return a vendor's class; packages of vendors in one class may replace each other.

        Rule: libzypp's VendorAttr. Of openSUSE's vendors only those are in a class that are listed in full.
        """
        name = vendor.lower()
        if name.startswith(_OPENSUSE):
            return self.vendor_classes.get(name, name)
        known = [start for start in self.vendor_classes if name.startswith(start)]
        return self.vendor_classes[max(known, key=len)] if known else name


def read_config(root: Path, *, sources: Path | None = None, sources_cache: Path | None = None) -> ZyppConfig:
    """Read libzypp's configuration below ``root``.

    A root without its own zypp.conf uses this host's, as zypper does; every path in it is taken below the root.

    Args:
        sources: a directory of repository files that replaces the system's.
        sources_cache: the directory of their metadata.
    """
    own = (root / MAIN_CONFIG).exists()
    file = (root if own else Path("/")) / MAIN_CONFIG
    unread: list[UnreadSource] = []
    main = _read(file, unread).get("main", {}) if file.exists() else {}
    base = main.get("configdir", "/etc/zypp")
    repository_directory = sources or _below(root, main.get("reposdir", f"{base}/repos.d"))
    cache = sources_cache or _below(root, main.get("cachedir", "/var/cache/zypp"))
    raw = cache / "raw" if sources_cache else _below(root, main.get("metadatadir", f"{cache}/raw"))
    solv = cache / "solv" if sources_cache else _below(root, main.get("solvfilesdir", f"{cache}/solv"))
    locks = _below(root, main.get("locksfile.path", f"{base}/locks"))
    return ZyppConfig(
        repositories=tuple(
            _repositories(repository_directory, raw, unread, checks_packages=main.get("pkg_gpgcheck", "0"))
        ),
        cache=cache,
        solv=solv,
        file=file,
        own=own,
        locks=locks if _is_true(main.get("locksfile.apply", ""), default=True) else None,
        reboot_files=(_below(root, f"{base}/needreboot"), *_listed(_below(root, f"{base}/needreboot.d"))),
        vendor_change=_is_true(main.get("solver.allowvendorchange", "0")),
        vendor_classes=_vendor_classes(_below(root, main.get("vendordir", f"{base}/vendors.d")), unread),
        unread=tuple(unread),
    )


def _below(root: Path, path: str) -> Path:
    """Return a configured path, put below the root unless it is already."""
    found = Path(path)
    return found if found.is_relative_to(root) else root / path.lstrip("/")


def _repositories(
    directory: Path, raw: Path, unread: list[UnreadSource], *, checks_packages: str
) -> Iterable[Repository]:
    for path in _listed(directory):
        if path.suffix != ".repo":
            continue
        for alias, options in _read(path, unread).items():
            if not _is_true(options.get("enabled", "1")):
                continue
            kind = options.get("type", "").lower()
            yield Repository(
                alias=alias,
                priority=_priority(options.get("priority", "")),
                cache=raw / alias.replace("/", "_"),
                kind="" if kind in _RPM_MD else kind,
                name=options.get("name", alias),
                keys=tuple(options.get("gpgkey", "").replace(",", " ").split()),
                checks_packages=_is_true(options.get("pkg_gpgcheck", checks_packages)),
            )


def _priority(text: str) -> int:
    """Return a repository's priority; by libzypp's rule any text but a positive number is the usual one."""
    return number(text) or DEFAULT_PRIORITY


def _vendor_classes(directory: Path, unread: list[UnreadSource]) -> dict[str, int]:
    """Return the vendor classes of vendors.d and libzypp's own; lists that share a vendor are one class."""
    classes = {_SUSE: -1}
    for place, path in enumerate(_listed(directory)):
        listed = _read(path, unread).get("main", {}).get("vendors", "")
        vendors = [vendor.strip().lower() for vendor in listed.split(",") if vendor.strip()]
        joined = {classes[vendor] for vendor in vendors if vendor in classes}
        classes.update({vendor: place for vendor, known in classes.items() if known in joined})
        classes.update(dict.fromkeys(vendors, place))
    return classes


def _read(path: Path, unread: list[UnreadSource]) -> dict[str, dict[str, str]]:
    """Return the sections of a file with lower-case options; an unreadable file is added to ``unread``."""
    parser = configparser.RawConfigParser(
        strict=False, delimiters=("=",), comment_prefixes=("#", ";"), default_section="", interpolation=None
    )
    try:
        parser.read_string(path.read_text(errors="replace"), str(path))
    except OSError as exc:
        unread.append(UnreadSource(str(path), f"cannot be read: {exc.strerror or exc}"))
        return {}
    except configparser.Error as exc:
        unread.append(UnreadSource(str(path), f"is not understood: {' '.join(str(exc).split())}"))
        return {}
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _listed(directory: Path) -> Sequence[Path]:
    try:
        return sorted(path for path in directory.iterdir() if not path.name.startswith(".") and path.is_file())
    except OSError:
        return []


def _is_true(text: str, *, default: bool = False) -> bool:
    """Return a boolean option's value as libzypp's str::strToBool does: a number at its beginning counts, too."""
    word = text.strip().lower()
    if digits := _NUMBER.match(word):
        return bool(digits.group(1).strip("0"))
    return word in _TRUE or (default and word not in _FALSE)

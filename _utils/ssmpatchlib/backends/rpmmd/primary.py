# SPDX-License-Identifier: Apache-2.0
"""Reads primary.xml: the packages that a repository offers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from . import xmltext
from .metadata import DamagedMetadata

_PACKAGE = re.compile(rb"<package[\s>]")
_COUNT = re.compile(rb"""<metadata\s[^>]*\bpackages\s*=\s*["'](\d+)["']""")
#: The beginning of a package as every repository generator writes it; others are read attribute by attribute.
_USUAL = re.compile(
    r'<name>([^<&]+)</name>\s*<arch>([^<&]+)</arch>\s*<version epoch="(\d*)" ver="([^"&]+)" rel="([^"&]*)"'
)
_USUAL_TIME = re.compile(r'<time file="\d*" build="(\d+)"')
_VERSION = re.compile(rb"<version\s([^>]*)>")
_TIME = re.compile(rb"""<time\s[^>]*\bbuild\s*=\s*["'](\d+)["']""")
_ENTRY = re.compile(rb"<rpm:entry\s([^>]*)>")
_PLAIN_PROVIDE = re.compile(r'<rpm:entry name="([A-Za-z0-9][^"()/&]*)"')


class Obsoletes(NamedTuple):
    """A package name and the range of versions that a package replaces; ``operator`` ``""`` is any version."""

    name: str
    operator: str
    evr: str


class OfferedPackage(NamedTuple):
    """One package of a repository.

    ``evr`` is ``epoch:version-release``, ``build_time`` epoch seconds (0 unknown).
    ``provides`` are the package names other than its own that it provides.
    """

    name: str
    arch: str
    evr: str
    build_time: int
    vendor: str
    obsoletes: tuple[Obsoletes, ...]
    provides: tuple[str, ...]


def read_primary(pieces: Iterable[bytes]) -> Iterator[OfferedPackage]:
    """Yield the packages of a primary.xml; source packages are left out.

    Raises:
        DamagedMetadata: the document is malformed, cut short, or lists another number of packages than it says.
    """
    start = _Start(pieces)
    count = 0
    for element in xmltext.elements(start, opening=_PACKAGE, closing=b"</package>", end=b"</metadata>"):
        count += 1
        package = _package(element)
        if package.arch not in ("src", "nosrc"):
            yield package
    declared = _COUNT.search(start.seen)
    if declared and int(declared.group(1)) != count:
        raise DamagedMetadata(f"the document announces {int(declared.group(1))} packages and lists {count}")


class _Start:
    """The pieces of a document; keeps the first one, which has the root element."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.seen = b""

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if len(self.seen) < 4096:
                self.seen = (self.seen + piece)[:8192]
            yield piece


def _package(element: bytes) -> OfferedPackage:
    text = element.decode(errors="replace")
    usual = _USUAL.search(text)
    if usual:
        name, arch, epoch, version, release = usual.groups()
        place = usual.end()
    else:
        name, arch, epoch, version, release = _unusual(element)
        place = 0
    form = max(text.find("<format", place), 0)
    return OfferedPackage(
        name,
        arch,
        f"{epoch or '0'}:{version}-{release}",
        _build_time(element, text, place),
        _vendor(text, form),
        _obsoletes(text, form),
        _provides(text, form, name),
    )


def _build_time(element: bytes, text: str, place: int) -> int:
    found = text.find("<time ", place)
    if found == -1:
        return 0
    time = _USUAL_TIME.match(text, found) or _TIME.search(element)
    return int(time.group(1)) if time else 0


def _unusual(element: bytes) -> tuple[str, str, str, str, str]:
    name = xmltext.child(element, b"name")
    arch = xmltext.child(element, b"arch")
    tag = _VERSION.search(element)
    version = xmltext.attributes(tag.group(1)) if tag else {}
    if not name or not arch or not version.get("ver"):
        raise DamagedMetadata(f"a package without name, architecture or version: {name or 'unnamed'}")
    return name, arch, version.get("epoch", "0"), version["ver"], version.get("rel", "")


def _section(text: str, start: int, name: str) -> str:
    found = text.find(f"<rpm:{name}>", start)
    return text[found : text.find(f"</rpm:{name}>", found)] if found != -1 else ""


def _vendor(text: str, start: int) -> str:
    found = text.find("<rpm:vendor>", start)
    if found == -1:
        return ""
    return xmltext.resolve(text[found + len("<rpm:vendor>") : text.find("<", found + 1)]).strip()


def _obsoletes(text: str, start: int) -> tuple[Obsoletes, ...]:
    section = _section(text, start, "obsoletes")
    return tuple(_entry(tag) for tag in _ENTRY.findall(section.encode())) if section else ()


def _entry(tag: bytes) -> Obsoletes:
    values = xmltext.attributes(tag)
    operator = values.get("flags", "")
    if operator not in ("LT", "LE", "EQ", "GE", "GT"):
        return Obsoletes(values.get("name", ""), "", "")
    release = values.get("rel", "")
    evr = f"{values.get('epoch') or '0'}:{values.get('ver', '')}" + (f"-{release}" if release else "")
    return Obsoletes(values.get("name", ""), operator, evr)


def _provides(text: str, start: int, name: str) -> tuple[str, ...]:
    found = _PLAIN_PROVIDE.findall(_section(text, start, "provides"))
    if found == [name]:
        return ()
    names = set(found)
    names.discard(name)
    return tuple(sorted(names))

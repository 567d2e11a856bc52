# SPDX-License-Identifier: Apache-2.0
"""Reads primary.xml: the packages that a repository offers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ...names import number, one_line
from ...wording import amount
from . import xmltext
from .metadata import DamagedMetadata

_PACKAGE = re.compile(rb"<package[\s>]")
_ROOT = xmltext.tag("metadata")
#: The beginning of a package as every repository generator writes it; others are read attribute by attribute.
_USUAL = re.compile(
    r'<name>([^<&]+)</name>\s*<arch>([^<&]+)</arch>\s*<version epoch="([0-9]*)" ver="([^"&]+)" rel="([^"&]*)"'
)
_USUAL_TIME = re.compile(r'<time file="[0-9]*" build="([0-9]{1,12})"')
_VERSION = xmltext.tag("version")
_TIME = xmltext.tag("time")
_ENTRY = xmltext.tag("rpm:entry")
_USUAL_ENTRY = '<rpm:entry name="'
_PLAIN_PROVIDE = re.compile(r'<rpm:entry name="([A-Za-z0-9][^"()/&]*)"')
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][^()/]*")
_LATEST_BUILD = 10**12
#: How a range of versions is written.
OPERATORS = frozenset({"LT", "LE", "EQ", "GE", "GT"})


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
        DamagedMetadata: the document is cut short, lists another number of packages than it says, or has malformed
            packages; the others were yielded.
    """
    start = _Start(pieces)
    malformed: list[str] = []
    count = 0
    for element in xmltext.elements(start, opening=_PACKAGE, closing=b"</package>", end=b"</metadata>"):
        count += 1
        try:
            package = _package(element)
        except DamagedMetadata as exc:
            malformed.append(str(exc))
            continue
        if package.arch not in ("src", "nosrc"):
            yield package
    root = _ROOT.search(start.seen)
    declared = xmltext.attributes(root.group(1)).get("packages", "") if root else ""
    if declared and number(declared) != count:
        malformed.append(f"the document announces {one_line(declared, 40)} packages and lists {count}")
    if malformed:
        more = f", and {amount(len(malformed) - 1, 'more package', 'are')} left out" if len(malformed) > 1 else ""
        raise DamagedMetadata(f"{malformed[0]}{more}")


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
        _build_time(element, text, place, name),
        _vendor(element, text, form),
        _obsoletes(text, form),
        _provides(text, form, name),
    )


def _build_time(element: bytes, text: str, place: int, name: str) -> int:
    found = text.find("<time", place)
    if found == -1:
        return 0
    usual = _USUAL_TIME.match(text, found)
    if usual:
        return int(usual.group(1))
    time = _TIME.search(element)
    written = xmltext.attributes(time.group(1)).get("build", "").strip() if time else ""
    built = number(written) if written else 0
    if built is None or built >= _LATEST_BUILD:
        raise DamagedMetadata(f"package {one_line(name)}: build time {one_line(written, 40)!r} is no time")
    return built


def _unusual(element: bytes) -> tuple[str, str, str, str, str]:
    name = xmltext.child(element, b"name")
    arch = xmltext.child(element, b"arch")
    tag = _VERSION.search(element)
    version = xmltext.attributes(tag.group(1)) if tag else {}
    if not name or not arch or not version.get("ver"):
        raise DamagedMetadata(f"a package without name, architecture or version: {one_line(name or 'unnamed')}")
    return name, arch, version.get("epoch", "0"), version["ver"], version.get("rel", "")


def _section(text: str, start: int, name: str) -> str:
    opening = f"<rpm:{name}"
    found = text.find(opening, start)
    if found == -1:
        return ""
    if not text.startswith(">", found + len(opening)) and text.startswith("/", text.find(">", found) - 1):
        return ""
    end = text.find(f"</rpm:{name}", found)
    return text[found : end if end != -1 else None]


def _vendor(element: bytes, text: str, start: int) -> str:
    found = text.find("<rpm:vendor>", start)
    if found == -1:
        return xmltext.child(element, b"rpm:vendor") or ""
    return xmltext.resolve(text[found + len("<rpm:vendor>") : text.find("<", found + 1)]).strip()


def _obsoletes(text: str, start: int) -> tuple[Obsoletes, ...]:
    section = _section(text, start, "obsoletes")
    return tuple(_entry(tag) for tag in _ENTRY.findall(section.encode())) if section else ()


def _entry(tag: bytes) -> Obsoletes:
    values = xmltext.attributes(tag)
    operator = values.get("flags", "")
    if operator not in OPERATORS:
        return Obsoletes(values.get("name", ""), "", "")
    release = values.get("rel", "")
    evr = f"{values.get('epoch') or '0'}:{values.get('ver', '')}" + (f"-{release}" if release else "")
    return Obsoletes(values.get("name", ""), operator, evr)


def _provides(text: str, start: int, name: str) -> tuple[str, ...]:
    section = _section(text, start, "provides")
    found = _PLAIN_PROVIDE.findall(section)
    if section.count("<rpm:entry") != section.count(_USUAL_ENTRY):
        entries = (xmltext.attributes(inside).get("name", "") for inside in _ENTRY.findall(section.encode()))
        found = [entry for entry in entries if _PLAIN_NAME.fullmatch(entry)]
    if found == [name]:
        return ()
    names = set(found)
    names.discard(name)
    return tuple(sorted(names))

# SPDX-License-Identifier: Apache-2.0
"""Finds offers that can never be installed, because a requirement of theirs or of a dependency is not provided."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern

from ...host import Host
from ...versions.rpm import satisfies
from ..rpm.installed import rpm_argv
from ..rpmmd import xmltext
from ..rpmmd.compression import read_pieces

_PACKAGE = re.compile(rb"<package[\s>]")
_IDENTITY = re.compile(rb"<name>([^<]+)</name>\s*<arch>([^<]+)</arch>\s*" + xmltext.tag("version").pattern)
#: An entry as repository generators write it; other attributes are ignored.
_ENTRY = re.compile(
    rb'<rpm:entry name="([^"]*)"(?: flags="(\w\w)"(?: epoch="([0-9]*)")?(?: ver="([^"]*)")?(?: rel="([^"]*)")?)?'
)
_PROVIDES_FORMAT = r"[%{PROVIDENAME}\t%{PROVIDEFLAGS:depflags}\t%{PROVIDEVERSION}\n]"
_OPERATORS = {"=": "EQ", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}

_SIGNS = {word.encode(): sign for sign, word in _OPERATORS.items()}

#: Name, flags, epoch, version and release of one requirement or provision.
_Entry = tuple[bytes, bytes, bytes, bytes, bytes]
#: ``name``, ``name operator evr``: what a package provides or requires.
Capability = str
#: ``(name.arch, evr)``.
Offer = tuple[str, str]


@dataclass(slots=True)
class Dependencies:
    """The requirements and provisions of the packages on offer, and the provisions of the installed ones."""

    requires: dict[Offer, tuple[Capability, ...]] = field(default_factory=dict)
    providers: dict[str, list[tuple[Offer | None, str]]] = field(default_factory=dict)

    def add_installed(self, host: Host, root: Path) -> None:
        """Add the provisions of the installed packages."""
        for line in host.run(rpm_argv(root, "-qa", "--qf", _PROVIDES_FORMAT)).stdout.splitlines():
            name, _, rest = line.partition("\t")
            operator, _, evr = rest.partition("\t")
            provided = evr if operator.strip() == "=" else ""
            self.providers.setdefault(name, []).append((None, provided))

    def add_offers(self, primary: Path) -> None:
        """Add the packages of a primary.xml.

        Raises:
            DamagedMetadata: the file is damaged.
        """
        for offer, requires, provides in _read(primary):
            self.requires[offer] = requires
            for name, evr in provides:
                self.providers.setdefault(name, []).append((offer, evr))


def find_impossible(dependencies: Dependencies) -> dict[Offer, str]:
    """Return the offers that can never be installed, with the reason.

    Only plain requirements are checked, since the providers of files and of rich dependencies are not known here.
    """
    waiting: dict[Capability, list[Offer]] = {}
    for offer, requires in dependencies.requires.items():
        for capability in requires:
            waiting.setdefault(capability, []).append(offer)
    possible: dict[Capability, set[Offer | None]] = {c: _providers(dependencies, c) for c in waiting}
    needed_by: dict[Offer, list[Capability]] = {}
    for capability, offers in possible.items():
        for provider in offers:
            if provider is not None:
                needed_by.setdefault(provider, []).append(capability)
    found: dict[Offer, str] = {}
    lost = [(capability, f"nothing provides {capability}") for capability, offers in possible.items() if not offers]
    while lost:
        capability, why = lost.pop()
        for offer in waiting[capability]:
            if offer in found:
                continue
            found[offer] = why
            for other in needed_by.get(offer, ()):
                possible[other].discard(offer)
                if not possible[other]:
                    lost.append((other, f"needs {other}, which {offer[0]} {offer[1].removeprefix('0:')} has: {why}"))
    return found


def _providers(dependencies: Dependencies, capability: Capability) -> set[Offer | None]:
    name, _, rest = capability.partition(" ")
    operator, _, wanted = rest.partition(" ")
    return {
        offer
        for offer, evr in dependencies.providers.get(name, ())
        if not operator or not evr or satisfies(evr, _OPERATORS[operator], wanted)
    }


def _read(primary: Path) -> Iterator[tuple[Offer, tuple[Capability, ...], list[tuple[str, str]]]]:
    pieces = read_pieces(primary)
    for element in xmltext.elements(pieces, opening=_PACKAGE, closing=b"</package>", end=b"</metadata>"):
        identity = _IDENTITY.search(element)
        if not identity:
            continue
        name, arch = (xmltext.text(group) for group in identity.groups()[:2])
        offer = (intern(f"{name}.{arch}"), _evr(xmltext.attributes(identity.group(3))))
        requires = tuple(dict.fromkeys(c for c in map(_capability, _entries(element, b"requires")) if c))
        provides = [_provision(entry) for entry in _entries(element, b"provides")]
        yield offer, requires, provides


def _entries(element: bytes, section: bytes) -> Sequence[_Entry]:
    start = element.find(b"<rpm:" + section + b">")
    if start == -1:
        return ()
    return _ENTRY.findall(element, start, element.find(b"</rpm:" + section + b">", start))


def _capability(entry: _Entry) -> Capability:
    """Return the requirement in words; ``""`` for one whose providers are not known here."""
    name = xmltext.text(entry[0])
    if name.startswith(("/", "(", "rpmlib(")) or " " in name:
        return ""
    operator = _SIGNS.get(entry[1], "")
    return intern(f"{name} {operator} {_version(entry).removeprefix('0:')}" if operator else name)


def _provision(entry: _Entry) -> tuple[str, str]:
    return intern(xmltext.text(entry[0])), _version(entry) if entry[1] == b"EQ" else ""


def _version(entry: _Entry) -> str:
    _name, _flags, epoch, version, release = (part.decode(errors="replace") for part in entry)
    return f"{epoch or '0'}:{version}" + (f"-{release}" if release else "")


def _evr(values: Mapping[str, str]) -> str:
    release = values.get("rel", "")
    return f"{values.get('epoch') or '0'}:{values.get('ver', '')}" + (f"-{release}" if release else "")

# SPDX-License-Identifier: Apache-2.0
"""Reads updateinfo.xml: the advisories (on SUSE: patches) of a repository."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator

from . import xmltext
from .advisory_types import AdvisoryRecord, Collection, ModuleRef, PackageRef

_UPDATE = re.compile(rb"<update[\s>]")
_REFERENCE = re.compile(rb"<reference\s([^>]*)>")
_MODULE = re.compile(rb"<module\s([^>]*)>")
_PACKAGE = re.compile(rb"<package\s([^>]*)>")
#: A package as the usual generators write it; other orders are read attribute by attribute.
_USUAL = re.compile(r'name="([^"&]+)" version="([^"&]+)" release="([^"&]+)" epoch="(\d*)" arch="([^"&]+)"')
_USUAL_REFERENCE = re.compile(rb'\bid="([^"&]+)" type="([^"&]*)"')
_ENUMERATION = "SEVERITY_"
_FLAG = rb"<%s>\s*[Tt1]"
_REBOOT = re.compile(_FLAG % b"reboot_suggested")
_RESTART = re.compile(_FLAG % b"restart_suggested")
_ISSUED = re.compile(rb"<issued\s([^>]*)>")
_UPDATED = re.compile(rb"<updated\s([^>]*)>")
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[T ]+(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:\.\d+)?)?)?)?"
    r"\s*(?:Z|UTC|GMT|([+-])(\d\d):?(\d\d))?"
)


def read_updateinfo(pieces: Iterable[bytes], *, on_problem: Callable[[str], None]) -> Iterator[AdvisoryRecord]:
    """Yield the advisories of an updateinfo.xml.

    ``on_problem`` is called for each part that had to be left out (a package without a name, an unreadable date).

    Raises:
        DamagedMetadata: the document is malformed or cut short; the advisories before that were yielded.
    """
    for element in xmltext.elements(pieces, opening=_UPDATE, closing=b"</update>", end=b"</updates>"):
        yield _advisory(element, on_problem)


def _advisory(element: bytes, on_problem: Callable[[str], None]) -> AdvisoryRecord:
    own = xmltext.attributes(element[: element.find(b">")])
    listed = element.find(b"<pkglist")
    head, packages = (element, b"") if listed == -1 else (element[:listed], element[listed:])
    tail = packages[packages.rfind(b"</pkglist>") :] if packages else b""
    if b"<references" in tail or b"<id" in tail:
        head += tail
    id_ = xmltext.child(head, b"id") or ""

    def problem(words: str) -> None:
        on_problem(f"advisory {id_ or 'without id'}: {words}")

    return AdvisoryRecord(
        id=id_,
        type=own.get("type", "").strip(),
        severity=_severity(xmltext.child(head, b"severity")),
        status=own.get("status", "").strip().lower(),
        version=own.get("version", ""),
        title=xmltext.child(head, b"title") or "",
        issued=_date(_ISSUED.search(head), problem),
        updated=_date(_UPDATED.search(head), problem) if b"<updated" in head else None,
        references=tuple(_references(head)),
        reboot_suggested=b"<reboot_suggested" in element and bool(_REBOOT.search(element)),
        restart_suggested=b"<restart_suggested" in element and bool(_RESTART.search(element)),
        collections=tuple(_collections(packages, problem)),
    )


def _severity(written: str | None) -> str | None:
    """Return a severity as other vendors write it, where it is the name of Rocky's enumeration (SEVERITY_MODERATE)."""
    if not written or not written.upper().startswith(_ENUMERATION):
        return written
    word = written[len(_ENUMERATION) :].capitalize()
    return "" if word == "Unknown" else word


def _references(head: bytes) -> Iterator[tuple[str, str]]:
    for tag in _REFERENCE.findall(head):
        usual = _USUAL_REFERENCE.search(tag)
        if usual:
            yield usual.group(2).decode(errors="replace").lower(), usual.group(1).decode(errors="replace")
            continue
        values = xmltext.attributes(tag)
        if values.get("id"):
            yield values.get("type", "").lower(), values["id"]


def _collections(packages: bytes, problem: Callable[[str], None]) -> Iterator[Collection]:
    for part in packages.split(b"</collection>"):
        found = _PACKAGE.findall(part)
        if not found:
            continue
        refs = tuple(ref for tag in found if (ref := _package(tag, problem)))
        yield Collection(_module(part), refs)


def _package(tag: bytes, problem: Callable[[str], None]) -> PackageRef | None:
    usual = _USUAL.match(tag.decode(errors="replace"))
    if usual:
        name, version, release, epoch, arch = usual.groups()
        return PackageRef(name, arch, f"{epoch or '0'}:{version}-{release}")
    values = xmltext.attributes(tag)
    missing = [key for key in ("name", "version", "release", "arch") if not values.get(key)]
    if missing:
        problem(f"package {values.get('name') or 'unnamed'} has no {' and no '.join(missing)}; it is left out")
        return None
    epoch = values.get("epoch", "")
    if not epoch.isdecimal():
        if epoch not in ("", "None"):
            problem(f"package {values['name']}: epoch {epoch!r} is not a number; 0 is used")
        epoch = "0"
    return PackageRef(values["name"], values["arch"], f"{epoch}:{values['version']}-{values['release']}")


def _module(part: bytes) -> ModuleRef | None:
    tag = _MODULE.search(part)
    if not tag:
        return None
    values = xmltext.attributes(tag.group(1))
    return ModuleRef(*(values.get(key, "") for key in ModuleRef._fields))


def _date(tag: re.Match[bytes] | None, problem: Callable[[str], None]) -> int | None:
    written = xmltext.attributes(tag.group(1)).get("date", "").strip() if tag else ""
    if not written:
        return None
    seconds = parse_date(written)
    if seconds is None:
        problem(f"the date {written!r} cannot be read; it counts as no date")
    return seconds


def parse_date(written: str) -> int | None:
    """Return epoch seconds of an advisory's date, None for another form.

    The forms are epoch seconds, ``Y-m-d`` and ``Y-m-d H[:M[:S]]`` with a blank or ``T`` between; times are UTC unless
    an offset is given.
    """
    if written.isdecimal() and len(written) <= 12:
        return int(written)
    match = _DATE.fullmatch(written)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(group or 0) for group in match.groups()[:6])
    try:
        when = dt.datetime(year, month, day, hour, minute, min(second, 59))
    except ValueError:
        return None
    sign, hours, minutes = match.groups()[6:]
    offset = (int(hours) * 3600 + int(minutes) * 60) * (-1 if sign == "-" else 1) if sign else 0
    return calendar.timegm(when.timetuple()) - offset

# SPDX-License-Identifier: Apache-2.0
"""Reads updateinfo.xml: the advisories (on SUSE: patches) of a repository."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator

from ...names import number, one_line
from ...wording import amount
from . import xmltext
from .advisory_types import AdvisoryRecord, Collection, ModuleRef, PackageRef
from .metadata import DamagedMetadata

_UPDATE = re.compile(rb"<update[\s>]")
_REFERENCE = xmltext.tag("reference")
_MODULE = xmltext.tag("module")
_PACKAGE = xmltext.tag("package")
#: A package as the usual generators write it; other orders are read attribute by attribute.
_USUAL = re.compile(
    r'<package name="([^"&<]+)" version="([^"&<]+)" release="([^"&<]+)" epoch="([0-9]*)" arch="([^"&<]+)"'
)
_USUAL_REFERENCE = re.compile(rb'\bid="([^"&]+)" type="([^"&]*)"')
_ENUMERATION = "SEVERITY_"
_LONGEST_ID = 100
_FLAG = rb"<%s>\s*[Tt1]"
_REBOOT = re.compile(_FLAG % b"reboot_suggested")
_RESTART = re.compile(_FLAG % b"restart_suggested")
_ISSUED = xmltext.tag("issued")
_UPDATED = xmltext.tag("updated")
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[T ]+(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:\.\d+)?)?)?)?"
    r"\s*(?:Z|UTC|GMT|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)


def read_updateinfo(pieces: Iterable[bytes], *, on_problem: Callable[[str], None]) -> Iterator[AdvisoryRecord]:
    """Yield the advisories of an updateinfo.xml.

    ``on_problem`` is called for each part that had to be left out (a package without a name, an unreadable date).

    Raises:
        DamagedMetadata: the document is cut short, or advisories in it are malformed; the others were yielded.
    """
    malformed: list[str] = []
    for element in xmltext.elements(pieces, opening=_UPDATE, closing=b"</update>", end=b"</updates>"):
        try:
            yield _advisory(element, on_problem)
        except DamagedMetadata as exc:
            malformed.append(str(exc))
    if malformed:
        raise DamagedMetadata(f"{amount(len(malformed), 'advisory', 'are')} malformed, the first has {malformed[0]}")


def _advisory(element: bytes, on_problem: Callable[[str], None]) -> AdvisoryRecord:
    own = xmltext.own_attributes(element)
    listed = element.find(b"<pkglist")
    head, packages = (element, b"") if listed == -1 else (element[:listed], element[listed:])
    tail = packages[packages.rfind(b"</pkglist>") :] if packages else b""
    if b"<references" in tail or b"<id" in tail:
        head += tail
    id_ = one_line(xmltext.child(head, b"id") or "", _LONGEST_ID)
    severity = _severity(xmltext.child(head, b"severity"))

    def problem(words: str) -> None:
        on_problem(f"advisory {id_ or 'without id'}: {words}")

    return AdvisoryRecord(
        id=id_,
        type=one_line(own.get("type", "").strip()),
        severity=None if severity is None else one_line(severity),
        status=own.get("status", "").strip().lower(),
        version=one_line(own.get("version", "")),
        title=one_line(xmltext.child(head, b"title") or ""),
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
            kind, id_ = usual.group(2).decode(errors="replace"), usual.group(1).decode(errors="replace")
        else:
            values = xmltext.attributes(tag)
            kind, id_ = values.get("type", ""), values.get("id", "")
        # Patch lists name advisories and vulnerabilities; what nobody could have written there is no reference.
        if id_ and len(id_) <= _LONGEST_ID and id_.isprintable():
            yield kind.lower(), id_


def _collections(packages: bytes, problem: Callable[[str], None]) -> Iterator[Collection]:
    for part in packages.split(b"</collection>"):
        usual = _USUAL.findall(part.decode(errors="replace"))
        if len(usual) == part.count(b"<package"):
            refs = [PackageRef(name, arch, f"{e or '0'}:{version}-{rel}") for name, version, rel, e, arch in usual]
        else:
            refs = [ref for inside in _PACKAGE.findall(part) if (ref := _package(inside, problem))]
        if refs:
            yield Collection(_module(part), tuple(refs))


def _package(inside: bytes, problem: Callable[[str], None]) -> PackageRef | None:
    values = xmltext.attributes(inside)
    missing = [key for key in ("name", "version", "release", "arch") if not values.get(key)]
    if missing:
        named = one_line(values.get("name") or "unnamed")
        problem(f"package {named} has no {' and no '.join(missing)}; it is left out")
        return None
    epoch = values.get("epoch", "")
    if number(epoch) is None:
        if epoch not in ("", "None"):
            problem(f"package {one_line(values['name'])}: epoch {one_line(epoch, 40)!r} is not a number; 0 is used")
        epoch = "0"
    return PackageRef(values["name"], values["arch"], f"{epoch}:{values['version']}-{values['release']}")


def _module(part: bytes) -> ModuleRef | None:
    tag = _MODULE.search(part)
    if not tag:
        return None
    values = {key: one_line(value) for key, value in xmltext.attributes(tag.group(1)).items()}
    return ModuleRef(*(values.get(key, "") for key in ModuleRef._fields))


def _date(tag: re.Match[bytes] | None, problem: Callable[[str], None]) -> int | None:
    written = xmltext.attributes(tag.group(1)).get("date", "").strip() if tag else ""
    if not written:
        return None
    seconds = parse_date(written)
    if seconds is None:
        problem(f"the date {one_line(written, 40)!r} cannot be read; it counts as no date")
    return seconds


def parse_date(written: str) -> int | None:
    """Return epoch seconds of an advisory's date, None for another form.

    The forms are epoch seconds, ``Y-m-d`` and ``Y-m-d H[:M[:S]]`` with a blank or ``T`` between; times are UTC unless
    an offset is given.
    """
    if len(written) <= 12 and (seconds := number(written)) is not None:
        return seconds
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

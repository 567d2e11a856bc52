# SPDX-License-Identifier: Apache-2.0
"""Reads large, flat XML element by element, by hand for speed and memory (benchmarks/rpm.py, "scan after a change")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .metadata import DamagedMetadata

#: Bytes of an element beyond which a document counts as damaged; no element of repository metadata is larger.
LARGEST_ELEMENT = 8 << 20

_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ASIDE = re.compile(rb"<!--.*?-->|<!\[CDATA\[(.*?)\]\]>", re.S)
_ASIDE_START = re.compile(rb"<!--|<!\[CDATA\[")
_LONGEST_ASIDE_START = len(b"<![CDATA[")
_ENTITY = re.compile(r"&(#x[0-9A-Fa-f]+|#[0-9]+|[A-Za-z]+);")
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
#: A name is looked for where one begins, so that a long one is read once.
_ATTRIBUTE = re.compile(rb"""(?<![\w:.-])([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
#: The attributes in a tag: ``>`` may stand in their values, ``<`` may not. Each character can be read in one way only.
_INSIDE = rb"""[^<>"']*(?:"[^"<]*"[^<>"']*|'[^'<]*'[^<>"']*)*"""
_START = re.compile(rb"<[^\s<>/\"']+(" + _INSIDE + rb")>")
#: The code points that XML has.
_LEGAL = (range(0x9, 0xB), range(0xD, 0xE), range(0x20, 0xD800), range(0xE000, 0xFFFE), range(0x10000, 0x110000))
_LAST_CHARACTER = 0x10FFFF


def tag(name: str) -> re.Pattern[bytes]:
    """Return an expression for the start tags ``name``, whose group is what stands between name and ``>``."""
    return re.compile(rb"<" + re.escape(name.encode()) + rb"(?=[\s/>])\s?(" + _INSIDE + rb")>")


def elements(pieces: Iterable[bytes], *, opening: re.Pattern[bytes], closing: bytes, end: bytes) -> Iterator[bytes]:
    """Yield the elements that ``opening`` starts and ``closing`` ends, each without its closing tag.

    Comments are left out and CDATA sections turned into plain text. The document is complete when ``end``, the closing
    tag of its root, follows the last element.

    Raises:
        DamagedMetadata: the document is empty, declares another encoding than UTF-8, or ends too early.
    """
    rest = held = b""
    started = False
    for piece in pieces:
        if not started:
            _check_encoding(piece)
            started = True
        buffer = rest + held + piece
        held = b""
        if b"<!" in buffer or buffer.endswith(b"<"):
            buffer, held = _without_asides(buffer)
        parts = buffer.split(closing)
        rest = parts.pop()
        for part in parts:
            start = opening.search(part)
            if start:
                yield part[start.start() :]
        if len(rest) + len(held) > LARGEST_ELEMENT:
            raise DamagedMetadata(f"one element is larger than {LARGEST_ELEMENT >> 20} MiB")
    if not started:
        raise DamagedMetadata("the document is empty")
    if end not in rest:
        raise DamagedMetadata(f"the document ends before {end.decode()}")


def _check_encoding(start: bytes) -> None:
    declared = _ENCODING.match(start.removeprefix(b"\xef\xbb\xbf"))
    if declared and declared.group(1).lower() not in (b"utf-8", b"utf8", b"us-ascii", b"ascii"):
        raise DamagedMetadata(f"the document is written in {declared.group(1)[:40].decode()}, not in UTF-8")


def _without_asides(buffer: bytes) -> tuple[bytes, bytes]:
    """Return the buffer without comments and CDATA marks, and the rest from an unfinished comment or mark on."""
    clean: list[bytes] = []
    place = 0
    while found := _ASIDE_START.search(buffer, place):
        whole = _ASIDE.match(buffer, found.start())
        if not whole:
            return b"".join((*clean, buffer[place : found.start()])), buffer[found.start() :]
        clean.append(buffer[place : found.start()])
        clean.append(_escape(whole.group(1) or b""))
        place = whole.end()
    tail = buffer[place:]
    cut = tail.rfind(b"<", len(tail) - _LONGEST_ASIDE_START)
    if cut != -1 and (b"<!--".startswith(tail[cut:]) or b"<![CDATA[".startswith(tail[cut:])):
        return b"".join((*clean, tail[:cut])), tail[cut:]
    return b"".join((*clean, tail)), b""


def _escape(raw: bytes) -> bytes:
    return raw.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")


def text(raw: bytes) -> str:
    """Return character data or an attribute's value as text, with entities resolved."""
    return resolve(raw.decode(errors="replace"))


def resolve(value: str) -> str:
    """Return character data with its entities resolved."""
    return _ENTITY.sub(_character, value) if "&" in value else value


def _character(match: re.Match[str]) -> str:
    name = match.group(1)
    if not name.startswith("#"):
        return _ENTITIES.get(name, match.group(0))
    digits = name[2:].lstrip("0") if name[1] == "x" else name[1:].lstrip("0")
    code = int(digits or "0", 16 if name[1] == "x" else 10) if len(digits) < 8 else _LAST_CHARACTER + 1
    if code > _LAST_CHARACTER:
        return match.group(0)
    return chr(code) if any(code in legal for legal in _LEGAL) else "\ufffd"


def attributes(inside: bytes) -> dict[str, str]:
    """Return the attributes that stand between the name and the end of a start tag."""
    return {
        name.decode(errors="replace"): text(double or single) for name, double, single in _ATTRIBUTE.findall(inside)
    }


def own_attributes(element: bytes) -> dict[str, str]:
    """Return the attributes of the tag that an element begins with.

    Raises:
        DamagedMetadata: the tag has no end.
    """
    start = _START.match(element)
    if not start:
        raise DamagedMetadata(f"a malformed tag: {text(element[:60])!r}")
    return attributes(start.group(1))


def child(element: bytes, name: bytes) -> str | None:
    """Return the text of the first ``<name>`` in an element, ``""`` when it is empty, None without one."""
    plain = b"<" + name + b">"
    start = element.find(plain) + len(plain)
    if start < len(plain):
        if b"<" + name not in element:
            return None
        found = tag(name.decode()).search(element)
        if not found:
            return None
        if found.group(1).endswith(b"/"):
            return ""
        start = found.end()
    end = element.find(b"<", start)
    return text(element[start : end if end != -1 else None]).strip()

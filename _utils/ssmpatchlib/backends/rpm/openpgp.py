# SPDX-License-Identifier: Apache-2.0
"""Reads which keys an OpenPGP key file has: their fingerprints, which name them in rpm's database. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

_ARMORED = re.compile(rb"-----BEGIN PGP PUBLIC KEY BLOCK-----(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.S)
_PUBLIC_KEY = 6


def fingerprints(content: bytes) -> tuple[str, ...]:
    """Return the fingerprints of the primary keys in a key file, in capitals; what cannot be read is left out."""
    blocks = [_unarmored(block) for block in _ARMORED.findall(content)] or [content]
    return tuple(dict.fromkeys(found for block in blocks for found in _of_packets(block)))


def _unarmored(block: bytes) -> bytes:
    """Return the bytes of an armored block, without its headers and its checksum."""
    lines = block.replace(b"\r", b"").strip(b"\n").split(b"\n")
    if b"" in lines:
        lines = lines[lines.index(b"") + 1 :]
    try:
        return base64.b64decode(b"".join(line.strip() for line in lines if not line.startswith(b"=")))
    except (binascii.Error, ValueError):
        return b""


def _of_packets(content: bytes) -> Iterator[str]:
    """Yield the fingerprint of each primary key. Rule: RFC 9580, 4.2 (packets) and 5.5.4 (fingerprints)."""
    place = 0
    while place + 1 < len(content) and content[place] & 0x80:
        tag, start, length = _header(content, place)
        body = content[start : start + length]
        if length < 1 or len(body) < length:
            return
        if tag == _PUBLIC_KEY and body[0] == 4:
            yield hashlib.sha1(b"\x99" + length.to_bytes(2, "big") + body, usedforsecurity=False).hexdigest().upper()
        elif tag == _PUBLIC_KEY and body[0] == 6:
            yield hashlib.sha256(b"\x9b" + length.to_bytes(4, "big") + body).hexdigest().upper()
        place = start + length


def _header(content: bytes, place: int) -> tuple[int, int, int]:
    """Return a packet's kind, where its body begins and how long that is; 0 for a length that is not given."""
    first, second = content[place], content[place + 1]
    if not first & 0x40:
        size = 1 << (first & 3)
        if size == 8:
            return (first >> 2) & 15, place + 1, 0
        return (first >> 2) & 15, place + 1 + size, int.from_bytes(content[place + 1 : place + 1 + size], "big")
    if second < 192:
        return first & 63, place + 2, second
    if second < 224 and place + 2 < len(content):
        return first & 63, place + 3, ((second - 192) << 8) + content[place + 2] + 192
    if second == 255:
        return first & 63, place + 6, int.from_bytes(content[place + 2 : place + 6], "big")
    return first & 63, place + 2, 0

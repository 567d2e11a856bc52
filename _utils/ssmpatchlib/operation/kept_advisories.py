# SPDX-License-Identifier: Apache-2.0
"""What a feed says of this host, in a file that each scan reads: a line about it, and a line with columns of values."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..advisories.said import Found, Said
from ..model import Carrier, OpenCves

#: The form of the file.
FORM = 5
#: The columns with true or false, with some words each, and with pairs of words; the others have a text each.
_FLAGS, _WORDS = {"subscription", "unimportant", "unsupported"}, {"advisories", "packages", "cves", "dates"}
_PAIRS: dict[str, Callable[[str, str], tuple[str, str]]] = {"carriers": Carrier, "exploited": lambda *pair: pair}


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


def keep(path: Path, kept: Kept, *, key: str) -> None:
    """Write what is kept, for packages and a feed of this ``key``; nothing where it would not come back as it is.

    Who may not write here reads the feed anew each time.
    """
    said = json.dumps(form(kept), separators=(",", ":"))
    with contextlib.suppress(files.Unwritable, ValueError):
        if _read(said) == kept:
            head = {"form": FORM, "key": key, "sum": sum_of(said.encode())}
            files.write_text(path, f"{json.dumps(head)}\n{said}")


def sum_of(said: bytes) -> str:
    """Return the SHA-256 of what is kept, so that nothing that was altered is believed."""
    return hashlib.sha256(said).hexdigest()


def recall(path: Path, *, key: str | None = None) -> Kept | None:
    """Return what was kept, None where there is nothing, it was altered, or it is not of this ``key``."""

    def make(data: bytes) -> Kept | None:
        first, _, said = data.partition(b"\n")
        head = files.parse_json(first)
        if head["form"] != FORM or (key is not None and head["key"] != key) or head["sum"] != sum_of(said):
            return None
        return _read(said)

    return files.recall(path, make, parse=bytes)


def form(kept: Kept) -> dict[str, Any]:
    """Return what is kept as plain data."""
    updates = [(key, *said) for key, found in kept.found.updates.items() for said in found]
    return {
        "release": kept.release,
        "time": kept.time,
        "sha256": kept.sha256,
        "updates": _columns(("update", *Said._fields), updates),
        "open": _columns(OpenCves._fields, kept.found.open),
        "installed": _columns(("name", "version", "packages"), kept.installed),
    }


def _columns(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    """Return rows as columns by name, with the words of a value and of its pairs in one text, a space after each."""
    found: dict[str, list[Any]] = {name: [] for name in names}
    for row in rows:
        for name, value in zip(names, row, strict=True):
            words = [word for pair in value for word in pair] if name in _PAIRS else value
            found[name].append(words if isinstance(words, (str, bool)) else "".join(f"{word} " for word in words))
    return found


def _read(said: str | bytes) -> Kept:
    data = files.parse_json(said)
    keys, *updates = _values(data["updates"], ("update", *Said._fields))
    found: dict[str, list[Said]] = {}
    for key, words in zip(keys, map(Said, *updates), strict=True):
        found.setdefault(key, []).append(words)
    release, time, sha256 = ([data[name]] for name in ("release", "time", "sha256"))
    _require(str, release, time, sha256)
    return Kept(
        release[0],
        time[0],
        sha256[0],
        Found({key: tuple(words) for key, words in found.items()}, tuple(_open(data["open"]))),
        tuple(zip(*_values(data["installed"], ("name", "version", "packages")), strict=True)),
    )


def _open(columns: Any) -> Iterator[OpenCves]:
    for found in map(OpenCves, *_values(columns, OpenCves._fields)):
        if len(found.dates) != len(found.cves):
            raise ValueError("not one date for each CVE")
        yield found


def _values(columns: Any, names: Sequence[str]) -> Iterator[Sequence[Any]]:
    """Yield the columns of these names, with values of their types.

    Raises:
        TypeError, ValueError: they are no columns of texts and flags of one length.
    """
    found = [columns[name] for name in names]
    if len(set(map(len, found))) > 1:
        raise ValueError("columns of several lengths")
    for name, column in zip(names, found, strict=True):
        if not isinstance(column, list):
            raise TypeError("a column that is no list")
        _require(bool if name in _FLAGS else str, column)
        if name in _WORDS:
            yield [tuple(text.split(" ")[:-1]) for text in column]
        elif name in _PAIRS:
            yield [tuple(_pairs(text.split(" ")[:-1], _PAIRS[name])) if text else () for text in column]
        else:
            yield column


def _pairs(words: list[str], make: Callable[[str, str], tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return (make(*pair) for pair in zip(words[::2], words[1::2], strict=True))


def _require(kind: type, *columns: list[Any]) -> None:
    for column in columns:
        if not set(map(type, column)) <= {kind}:
            raise TypeError(f"a value that is no {kind.__name__}")

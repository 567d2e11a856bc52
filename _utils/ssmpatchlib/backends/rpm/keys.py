# SPDX-License-Identifier: Apache-2.0
"""Signing keys: what rpm has, what repositories' configuration names, and what is said of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from .. import Context
from .installed import rpm_argv

#: The length of the part of a fingerprint by which rpm 4 names a key.
_SHORT = 8


class Key(NamedTuple):
    """A signing key; ``id`` is its fingerprint or the end of it, ``place`` the file or URL that it is in."""

    id: str
    user: str = ""
    place: str = ""

    def __str__(self) -> str:
        user = f" ({self.user})" if self.user else ""
        return f"0x{short(self.id)}{user}{f' of {self.place}' if self.place else ''}"


class Configured(NamedTuple):
    """A repository, and the places of keys that its own configuration names."""

    repository: str
    places: Sequence[str]

    def names(self, place: str) -> bool:
        """Return whether the configuration names a file or URL."""
        return plain(place) in map(plain, self.places)


def short(id_: str) -> str:
    """Return the part of a fingerprint that people know a key by."""
    return id_[-_SHORT:].upper()


def plain(place: str) -> str:
    """Return the place of a key, of a file its path."""
    path = place.removeprefix("file:")
    return unquote(f"/{path.lstrip('/')}" if path != place else place)


def asked_words(keys: Iterable[Key], step: str) -> str:
    """Return what to do about keys that are not imported; the ``step`` is how a person imports them."""
    named = ", ".join(map(str, keys))
    return f"it is signed, and this system has not imported the repository's key {named}; check the key, then {step}"


def import_note(repositories: Iterable[str], key: Key) -> str:
    """Return the words about a key that was imported."""
    return f"{', '.join(repositories)}: its signing key {key} was imported, as the repository's gpgkey asks"


def announced(context: Context, repositories: Collection[Configured]) -> tuple[str, ...]:
    """Return which keys an install from repositories imports if packages are signed with them.

    Keys in files are compared with those that rpm has. Keys that have to be fetched are named while rpm has none.
    """
    if not any(each.places for each in repositories):
        return ()
    known = _imported(context)
    return tuple(
        f"{each.repository}: its signing key {name} was not imported when this was planned; the install imports it "
        "where a package is signed with it"
        for each in repositories
        for place in each.places
        for name in _missing(place, known)
    )


def import_argv(context: Context, file: Path) -> list[str]:
    """Return the argv list of rpm that imports the keys of a file."""
    return rpm_argv(context.root, "--import", "--", str(file))


def _missing(place: str, known: Collection[str]) -> Iterator[str]:
    """Yield the keys of a place that rpm has not, as far as that can be known."""
    if not plain(place).startswith("/"):
        if not known:
            yield f"of {place}"
        return
    for fingerprint in fingerprints_of(place):
        if short(fingerprint) not in known:
            yield str(Key(fingerprint, place=place))


def _imported(context: Context) -> frozenset[str]:
    """Return the short ids of the keys that rpm has."""
    asked = context.host.run(rpm_argv(context.root, "-q", "gpg-pubkey", "--qf", r"%{VERSION}\n"))
    return frozenset(map(short, asked.stdout.split() if not asked.code else ()))


def fingerprints_of(place: str) -> tuple[str, ...]:
    """Return the fingerprints of the keys in a file; none for a URL, and for a file that cannot be read."""
    from .openpgp import fingerprints

    path = plain(place)
    try:
        return fingerprints(Path(path).read_bytes()) if path.startswith("/") else ()
    except OSError:
        return ()

# SPDX-License-Identifier: Apache-2.0
"""Signing keys of repositories: which of them dnf asks for, has imported, or will import with the next install."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from .. import Context
from ..rpm.installed import rpm_argv
from ..rpmmd.repofiles import Repository

#: What dnf 4 says where it has no terminal and no ``-y``.
REFUSED = "Refusing to automatically import keys"
_SHOWN = re.compile(
    r"Importing \w+ key (?:0x)?(?P<id>[0-9A-Fa-f]+):\s*\n\s*User ?ID\s*: \"(?P<user>[^\"\n]*)\"\s*\n"
    r"(?:\s*(?:Fingerprint)?\s*:[^\n]*\n)*?\s*From\s*: (?P<place>\S+)",
    re.I,
)
#: The length of the part of a fingerprint by which rpm 4 names a key.
_SHORT = 8


class ShownKey(NamedTuple):
    """A key that dnf showed; ``place`` is the file or URL that it is in."""

    id: str
    user: str
    place: str

    def __str__(self) -> str:
        return f"0x{self.id[-_SHORT:].upper()} ({self.user}) of {self.place}"


def shown_keys(text: str) -> list[ShownKey]:
    """Return the keys that dnf asked about or, where it was told to agree, imported."""
    found = _SHOWN.finditer(text)
    keys = (ShownKey(each["id"], each["user"].strip(), each["place"].removeprefix("file://")) for each in found)
    return list(dict.fromkeys(keys))


def asked_for(repository: Repository, text: str) -> str:
    """Return which key of a repository dnf asked for in vain, and what to do; ``""`` when it asked for none."""
    asked = [key for key in shown_keys(text) if _is_of(repository, key)]
    if not asked:
        return ""
    return (
        f"it is signed, and this system has not imported the repository's key {', '.join(map(str, asked))}; check the "
        f"key, then import it: dnf --disablerepo='*' --enablerepo={repository.id} makecache, or ssmpatch.install"
    )


def import_notes(repositories: Sequence[Repository], text: str) -> tuple[str, ...]:
    """Return which key of which repository dnf imported, in words."""
    return tuple(
        f"{_owners(repositories, key)}: its signing key {key} was imported, as the repository's gpgkey asks"
        for key in shown_keys(text)
    )


def announced(context: Context, repositories: Sequence[Repository], used: Collection[str]) -> tuple[str, ...]:
    """Return which keys an install from the ``used`` repositories imports if packages are signed with them.

    Keys in files are compared with those that rpm has. Keys that have to be fetched are named while rpm has none.
    """
    checked = [r for r in repositories if r.id in used and r.checks_packages and r.keys]
    if not checked:
        return ()
    known = _imported(context)
    found = []
    for repository in checked:
        for place in repository.keys:
            missing = [f"0x{key[-_SHORT:]} of {place}" for key in _fingerprints(place) if key[-_SHORT:] not in known]
            if not known and not place.startswith(("file:", "/")):
                missing = [f"of {place}"]
            found += [
                f"{repository.id}: its signing key {name} was not imported when this was planned; the install imports "
                "it where a package is signed with it"
                for name in missing
            ]
    return tuple(found)


def _imported(context: Context) -> frozenset[str]:
    """Return the short ids of the keys that rpm has, in capitals."""
    asked = context.host.run(rpm_argv(context.root, "-q", "gpg-pubkey", "--qf", r"%{VERSION}\n"))
    words = asked.stdout.split() if not asked.code else []
    return frozenset(word[-_SHORT:].upper() for word in words)


def _fingerprints(place: str) -> tuple[str, ...]:
    from ..rpm.openpgp import fingerprints

    path = unquote(place.removeprefix("file://"))
    if not path.startswith("/"):
        return ()
    try:
        return fingerprints(Path(path).read_bytes())
    except OSError:
        return ()


def _owners(repositories: Sequence[Repository], key: ShownKey) -> str:
    return ", ".join(repository.id for repository in repositories if _is_of(repository, key)) or "dnf"


def _is_of(repository: Repository, key: ShownKey) -> bool:
    return key.place in {unquote(place.removeprefix("file://")) for place in repository.keys}

# SPDX-License-Identifier: Apache-2.0
"""Signing keys of repositories: which of them dnf or yum asks for, has imported, or will import."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from .. import Context
from ..rpm import keys
from ..rpm.keys import Configured, Key
from .repofiles import Repository

_SHOWN = re.compile(
    r"Importing \w+ key (?:0x)?(?P<id>[0-9A-Fa-f]+):\s*\n\s*User ?ID\s*: \"(?P<user>[^\"\n]*)\"\s*\n"
    r"(?:\s*(?:Fingerprint|Package)?\s*:[^\n]*\n)*?\s*From\s*: (?P<place>\S+)",
    re.I,
)


def shown_keys(text: str) -> list[Key]:
    """Return the keys that were asked about or, where the package manager was told to agree, imported."""
    found = _SHOWN.finditer(text)
    shown = (Key(each["id"], each["user"].strip(), each["place"].removeprefix("file://")) for each in found)
    return list(dict.fromkeys(shown))


def asked_for(repository: Repository, text: str, *, step: str) -> str:
    """Return which key of a repository was asked for in vain, and the step to take; ``""`` without any."""
    asked = [key for key in shown_keys(text) if _of(repository).names(key.place)]
    return keys.asked_words(asked, f"import it: {step}, or ssmpatch.install") if asked else ""


def import_notes(repositories: Sequence[Repository], text: str, *, otherwise: str) -> tuple[str, ...]:
    """Return which key of which repository was imported, in words; ``otherwise`` stands for an unknown repository."""
    return tuple(
        keys.import_note([r.id for r in repositories if _of(r).names(key.place)] or [otherwise], key)
        for key in shown_keys(text)
    )


def announced(context: Context, repositories: Sequence[Repository], used: Collection[str]) -> tuple[str, ...]:
    """Return which keys an install from the ``used`` repositories imports if packages are signed with them."""
    return keys.announced(context, [_of(r) for r in repositories if r.id in used and r.checks_packages])


def _of(repository: Repository) -> Configured:
    return Configured(repository.id, repository.keys)

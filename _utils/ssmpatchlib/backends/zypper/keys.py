# SPDX-License-Identifier: Apache-2.0
"""Signing keys that zypper asks for: an install imports those that it fetched from the repository's own gpgkey.

zypper's own option to import keys would also take a key that lies beside a repository's index.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...host import CommandResult
from ..rpm import keys
from ..rpm.keys import Configured, Key
from ..rpm.openpgp import fingerprints
from .command import ZypperCommand
from .config import Repository, ZyppConfig

_ELEMENT = re.compile(
    r"Looking for gpg key ID \w+ in (?:(?P<cache>cache) |repository (?P<searched>[^<]*)\.<)|\bgpgkey=(?P<place>[^<\s]+)"
    r"|&lt;gpgkey-info&gt;(?P<info>[^<]*)&lt;/gpgkey-info&gt;|(?P<end></prompt>)"
)
_FIELD = re.compile(r"<(?P<name>repository|key-name|key-fingerprint)>(?P<value>[^<]*)<")
#: Further runs of zypper until its keys are there: one after copies of unknown origin are removed, two after imports.
_RUNS = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A key that zypper asked about; ``repository`` is the name that it shows.

    ``key.place`` is where zypper fetched it from now; with ``kept`` it has it from an earlier run, of any repository.
    With neither the repository itself has it, beside its index.
    """

    repository: str
    key: Key
    kept: bool = False

    def belongs_to(self, repository: Repository) -> bool:
        """Return whether the key was asked about for a repository."""
        return self.repository in (repository.alias, repository.name)


def asked_keys(text: str) -> Iterator[Asked]:
    """Yield the keys that zypper asked about, from its output."""
    kept, searched, place = False, "", ""
    for found in _ELEMENT.finditer(text):
        if found["cache"]:
            kept, searched, place = True, "", ""
        elif found["searched"] is not None:
            kept, searched = False, html.unescape(found["searched"])
        elif found["place"]:
            place = html.unescape(found["place"])
        elif found["end"]:
            kept, searched, place = False, "", ""
        elif found["info"]:
            about = {m["name"]: html.unescape(m["value"]) for m in _FIELD.finditer(html.unescape(found["info"]))}
            repository = about.get("repository", "")
            fetched = place if searched == repository else ""
            key = Key(about.get("key-fingerprint", ""), about.get("key-name", ""), fetched)
            yield Asked(repository, key, kept)


def asked_words(config: ZyppConfig, text: str) -> dict[str, str]:
    """Return which key of which repository zypper asked for in vain, and what to do, by alias."""
    return {
        repository.alias: _words(repository, asked)
        for asked in asked_keys(text)
        for repository in config.repositories
        if asked.belongs_to(repository)
    }


def _words(repository: Repository, asked: Asked) -> str:
    step = f"import it: zypper refresh {repository.alias}"
    known = asked.key.place or next((p for p in repository.keys if asked.key.id in keys.fingerprints_of(p)), "")
    if known and (asked.key.place or asked.kept):
        return keys.asked_words([asked.key._replace(place=keys.plain(known))], f"{step}, or ssmpatch.install")
    if asked.kept and repository.keys:
        return keys.asked_words([asked.key], f"{step}, or ssmpatch.install if the repository's gpgkey has it")
    return (
        f"it is signed with the key {asked.key}, which this system has not imported, and its configuration names no "
        f"such key (gpgkey); check the key, then {step}"
    )


def import_and_repeat(
    command: ZypperCommand, result: CommandResult, run: Callable[[], CommandResult]
) -> tuple[CommandResult, tuple[str, ...]]:
    """Import the keys that zypper asked about, and run it again; return its result and what was imported, in words."""
    notes: dict[str, None] = {}
    for _ in range(_RUNS):
        imported = [_import(command, asked) for asked in asked_keys(result.stdout)]
        notes.update(dict.fromkeys(words for words in imported if words))
        if not any(words is not None for words in imported):
            break
        result = run()
    return result, tuple(notes)


def _import(command: ZypperCommand, asked: Asked) -> str | None:
    """Import a key if zypper fetched it from the repository's own gpgkey; return what is to be said of it.

    A copy of a key from an earlier run is removed, so that zypper fetches the key anew, and says from where: ``""``.
    It is None where zypper need not run again.
    """
    owner = next((r for r in command.config.repositories if r.keys and asked.belongs_to(r)), None)
    copy = _copy(command.config.cache / "pubkeys", asked.key.id) if owner else None
    if owner is None or copy is None or not (asked.key.place or asked.kept):
        return None
    if asked.kept:
        copy.unlink(missing_ok=True)
        return ""
    done = command.context.host.run(keys.import_argv(command.context, copy))
    key = asked.key._replace(place=keys.plain(asked.key.place))
    if done.code:
        return f"{owner.alias}: its signing key {key} could not be imported: {done.words}"
    return keys.import_note([owner.alias], key)


def announced(command: ZypperCommand, used: frozenset[str]) -> tuple[str, ...]:
    """Return which keys an install from the ``used`` repositories imports if packages are signed with them."""
    checked = [r for r in command.config.repositories if r.checks_packages and r.alias in used]
    return keys.announced(command.context, [Configured(r.alias, r.keys) for r in checked])


def _copy(directory: Path, fingerprint: str) -> Path | None:
    """Return zypper's copy of just one key."""
    try:
        return next((p for p in sorted(directory.iterdir()) if fingerprints(p.read_bytes()) == (fingerprint,)), None)
    except OSError:
        return None

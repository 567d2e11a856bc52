# SPDX-License-Identifier: Apache-2.0
"""The versions that a first ring was tested with, one document per operating system and product, on the file server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..baseline.frozen import build_frozen, parse_frozen, version_order_of
from ..errors import InvalidInput, SsmpatchError
from ..versions import sort_key
from .hosts import clean, error_text
from .salt_client import Call, Salt, ask

FREEZE = "ssmpatch.freeze"
#: The set that the last freeze made, for pillars that name a fixed place.
CURRENT = "current"
_SYSTEM = re.compile(r"[A-Z0-9_]{1,60}-[A-Za-z0-9._-]{1,100}")


class NoFrozenSet(SsmpatchError):
    """The versions of a ring could not be frozen."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """The merged documents by system (``DEBIAN-Debian12``), and per minion why it gave none."""

    documents: Mapping[str, Mapping[str, Any]]
    problems: Mapping[str, str]


def directory_of(frozen_dir: Path | None, file_roots: Sequence[str]) -> Path:
    """Where frozen sets are written: in a file root of the environment ``base``.

    Raises:
        InvalidInput: there is no file root, or ``frozen_dir`` is in none of them.
    """
    remedy = "set ssmpatch:frozen_dir in the master configuration to a directory below file_roots:base, or freeze=False"
    if not file_roots:
        raise InvalidInput(f"frozen sets: the environment base has no file root; {remedy}")
    directory = frozen_dir or Path(file_roots[0]) / "ssmpatch-frozen"
    if not any(directory.is_relative_to(root) for root in file_roots):
        raise InvalidInput(f"frozen sets: {directory} is in no file root of the environment base; {remedy}")
    return directory


def location_of(path: Path, file_roots: Sequence[str]) -> str:
    """The ``salt://`` address of a file below one of the file roots."""
    for root in file_roots:
        if path.is_relative_to(root):
            return f"salt://{path.relative_to(root)}"
    raise InvalidInput(f"{path} is in no file root")


def collect(salt: Salt, minions: Sequence[str], *, now: float, timeout: float) -> Frozen:
    """Ask minions for their approved versions and merge them per operating system and product."""
    answers = dict(ask(salt, minions, Call((FREEZE,), ((),)), timeout=timeout))
    problems = {name: "no answer" for name in minions if name not in answers}
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name, document in sorted(answers.items()):
        try:
            parse_frozen(document, origin=name)
            system = f"{document['operating_system']}-{document['product']}"
            if not _SYSTEM.fullmatch(system):
                raise InvalidInput(f"{clean(system, 60)!r} is no operating system and product")
            found.setdefault(system, []).append(document)
        except (InvalidInput, KeyError, TypeError) as exc:
            problems[name] = clean(error_text(document) or str(exc), 300)
    return Frozen({system: _merged(documents, now) for system, documents in found.items()}, problems)


def _merged(documents: Sequence[Mapping[str, Any]], now: float) -> dict[str, Any]:
    """All packages of the documents; of different versions the newest, for that is what the ring has come to."""
    first = documents[0]
    order = version_order_of(first)
    key = sort_key(order)
    packages: dict[str, str] = {}
    for document in documents:
        for name, version in document["packages"].items():
            if name not in packages or key(packages[name]) < key(version):
                packages[name] = version
    return build_frozen(
        operating_system=first["operating_system"],
        product=first["product"],
        created=now,
        baseline=", ".join(sorted({clean(document.get("baseline"), 100) for document in documents})),
        version_order=order,
        packages=packages,
    )


def write(
    documents: Mapping[str, Mapping[str, Any]], *, directory: Path, name: str, file_roots: Sequence[str]
) -> dict[str, str]:
    """Write each document to ``directory/name/system.json``, readable by the file server; return their addresses.

    Raises:
        Unwritable: the directory cannot be written.
    """
    locations = {}
    for system, document in documents.items():
        path = directory / name / f"{system}.json"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise files.Unwritable(path.parent, exc) from exc
        files.write_json(path, dict(document), mode=0o644, indent=1)
        locations[system] = location_of(path, file_roots)
    return locations

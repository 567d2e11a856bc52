# SPDX-License-Identifier: Apache-2.0
"""The versions that a first ring was tested with, one document per operating system and product, on the file server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..baseline.frozen import build_frozen, parse_frozen
from ..errors import InvalidInput, SsmpatchError
from ..names import is_package
from . import file_roots_of_base
from .hosts import REPORT, SCAN
from .salt_client import Call, Salt, ask, keywords
from .systems import system_of
from .untrusted import clean, error_text, shown

FREEZE = "ssmpatch.freeze"
#: The set that the last freeze made, for pillars that name a fixed place.
CURRENT = "current"
MAX_PACKAGES = 50_000
MAX_TOLD = 50
MAX_HOSTS = 5


class NoFrozenSet(SsmpatchError):
    """The versions of a ring could not be frozen."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """The merged documents by system (``DEBIAN-Debian12``), per minion why it gave none, and what they disagree on."""

    documents: Mapping[str, Mapping[str, Any]]
    problems: Mapping[str, str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """What one minion said: its frozen set, the versions in it, and those that its report shows installed."""

    document: Mapping[str, Any]
    approved: Mapping[str, str]
    installed: Mapping[str, str]


def directory_of(frozen_dir: Path | None, file_roots: Sequence[str]) -> Path:
    """Where frozen sets are written: in a file root of the environment ``base``.

    Raises:
        InvalidInput: there is no file root, or ``frozen_dir`` is in none of them.
    """
    remedy = "set ssmpatch:frozen_dir in the master configuration to a directory below file_roots:base, or freeze=False"
    return file_roots_of_base.directory_in(
        file_roots, frozen_dir, default="ssmpatch-frozen", what="frozen sets", remedy=remedy
    )


def collect(salt: Salt, minions: Sequence[str], *, now: float, timeout: float) -> Frozen:
    """Ask minions for their approved and their installed versions, and merge them per operating system and product.

    A version counts when the minion's own report shows it installed and most of the minions that have the package have
    this version. Which system a minion runs is what the master knows of it.
    """
    answers = _ask(salt, minions, timeout=timeout)
    grains, pillars = salt.grains(minions), salt.pillars(minions)
    problems = {name: "no answer" for name in minions if name not in answers}
    members: dict[str, dict[str, Member]] = {}
    for name, answer in sorted(answers.items()):
        try:
            member = _member(answer, origin=name)
            system = system_of(member.document, grains=grains.get(name), pillar=pillars.get(name))
            members.setdefault(system, {})[name] = member
        except InvalidInput as exc:
            problems[name] = clean(str(exc), 300)
        except Exception as exc:  # Whatever one minion says, the others are read.
            problems[name] = f"its answer cannot be read ({type(exc).__name__})"
    warnings: list[str] = []
    documents = {system: _merged(found, now, warnings) for system, found in members.items()}
    return Frozen(documents, problems, tuple(warnings))


def _ask(salt: Salt, minions: Sequence[str], *, timeout: float) -> dict[str, Any]:
    """What minions return for their frozen set and their stored report; who has none is asked to scan."""
    details = keywords(details=True)
    answers = dict(ask(salt, minions, Call((FREEZE, REPORT), ((), details)), timeout=timeout))
    without = [
        name for name, said in answers.items() if isinstance(said, Mapping) and isinstance(said.get(REPORT), str)
    ]
    if without:
        for name, report in ask(salt, without, Call((SCAN,), (details,)), timeout=timeout):
            answers[name] = {**answers[name], REPORT: report}
    return answers


def _member(answer: Any, *, origin: str) -> Member:
    """What one minion said: its frozen set, and what its report shows installed.

    Raises:
        InvalidInput: one of them cannot be read.
    """
    answers = answer if isinstance(answer, Mapping) else {}
    document, report = answers.get(FREEZE), answers.get(REPORT)
    if not isinstance(document, Mapping):
        said = document if answers else answer
        raise InvalidInput(error_text(said) or f"it returned {shown(said)}")
    if not isinstance(report, Mapping) or not isinstance(report.get("patches"), (list, tuple)):
        raise InvalidInput(f"no report: {error_text(report) or shown(report)}")
    approved = parse_frozen(document, origin=origin).versions
    if max(len(approved), len(report["patches"])) > MAX_PACKAGES:
        raise InvalidInput(f"more than {MAX_PACKAGES} packages")
    rows = [row for row in report["patches"] if isinstance(row, Mapping)]
    said = {row["Id"]: row["installed_version"] for row in rows if _is_installed(row)}
    installed = {name: version for name, version in said.items() if name in approved and is_package(name, version)}
    return Member(document, approved, installed)


def _is_installed(row: Mapping[Any, Any]) -> bool:
    return isinstance(row.get("Id"), str) and isinstance(row.get("installed_version"), str) and row["installed_version"]


def _merged(members: Mapping[str, Member], now: float, warnings: list[str]) -> dict[str, Any]:
    """What the minions of one system agree on; what they do not is told."""
    first = next(iter(members.values())).document
    having: dict[str, dict[str, str]] = {}
    told: list[str] = []
    for host, member in members.items():
        for name, version in member.installed.items():
            having.setdefault(name, {})[host] = version
        told += [
            f"{clean(name, 100)}: {host} names {clean(version, 60)}, which its own report does not show installed"
            for name, version in member.approved.items()
            if member.installed.get(name) != version
        ]
    packages = {}
    for name, versions in having.items():
        (version, number), *others = Counter(versions.values()).most_common()
        if number * 2 > len(versions):
            packages[name] = version
        if others:
            told.append(_disagreement(name, versions, version if name in packages else ""))
    warnings += told[:MAX_TOLD] + [f"and {len(told) - MAX_TOLD} more"] * (len(told) > MAX_TOLD)
    return build_frozen(
        operating_system=first["operating_system"],
        product=first["product"],
        created=now,
        baseline=", ".join(sorted({clean(member.document.get("baseline"), 100) for member in members.values()})),
        packages=packages,
    )


def _disagreement(name: str, versions: Mapping[str, str], frozen: str) -> str:
    others = [f"{host} has {version}" for host, version in sorted(versions.items()) if version != frozen]
    more = f" and {len(others) - MAX_HOSTS} more" if len(others) > MAX_HOSTS else ""
    what = f"frozen at {frozen}" if frozen else "no version has a majority, so it is not in the frozen set"
    return f"{name}: {what}; {', '.join(others[:MAX_HOSTS])}{more}"


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
        files.ensure_parents(path)
        files.write_json(path, dict(document), mode=0o644, indent=1)
        locations[system] = file_roots_of_base.location_of(path, file_roots)
    return locations

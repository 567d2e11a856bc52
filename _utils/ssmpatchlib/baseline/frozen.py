# SPDX-License-Identifier: Apache-2.0
"""The document that pins a host's approved versions: built by ``freeze``, read back by ``frozen``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from .. import documents
from ..config_reader import Section
from ..input_errors import kind, refuse, show
from ..masking import masked
from ..model import FrozenSet
from ..names import is_package
from . import schema

FORMAT = 1
MARK = "ssmpatch_frozen"


def build_frozen(
    *,
    operating_system: str,
    product: str,
    created: float,
    baseline: str,
    packages: Mapping[str, str],
) -> dict[str, Any]:
    """The frozen document, of plain JSON values, packages in order of their names.

    Args:
        operating_system: AWS's enumeration, or ``UNSUPPORTED``.
        created: epoch seconds.
        baseline: the id of the baseline that approved the versions.
        packages: version by ``name.arch``; what ``parse_frozen`` would refuse is left out.
    """
    time = dt.datetime.fromtimestamp(created, dt.timezone.utc)
    return {
        MARK: FORMAT,
        "operating_system": operating_system,
        "product": product,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "baseline": baseline,
        "packages": {name: version for name, version in sorted(packages.items()) if _is_entry(name, version)},
    }


def parse_frozen(document: Any, *, origin: str, operating_system: str = "") -> FrozenSet:
    """The versions that a frozen document pins.

    Args:
        document: what ``build_frozen`` made, or its JSON or YAML text.
        origin: where it came from, for people.
        operating_system: this host's; a document of another one is refused.

    Raises:
        InvalidInput: ``problems`` tells what is wrong.
    """
    subject = f"frozen set ({origin})"
    told: Callable[[Any], str] = show
    if isinstance(document, str):
        # It may be any file, which an error must not quote.
        document, told = documents.load(document, subject=subject), kind
    if not isinstance(document, Mapping) or MARK not in document:
        refuse(subject, [f"{told(document)} is not allowed; use a document that ssmpatch.freeze returned"])
    problems: list[str] = []
    top = Section(document, "", problems, joint=".")
    if top.raw(MARK) != FORMAT:
        top.problem(MARK, top.raw(MARK), f"{FORMAT}, the only format there is")
    system = top.choice("operating_system", (*schema.OPERATING_SYSTEMS, schema.UNSUPPORTED), "")
    if operating_system and system and system != operating_system:
        problems.append(
            f"operating_system: frozen for {system}, but this host is {operating_system}; freeze one of these"
        )
    top.ignore("product", "created", "baseline")
    versions = _versions(top.raw("packages"), problems)
    top.finish()
    if problems:
        refuse(subject, problems)
    return FrozenSet(versions=MappingProxyType(versions), origin=masked(origin))


def _versions(packages: Any, problems: list[str]) -> dict[str, str]:
    if not isinstance(packages, Mapping):
        problems.append(f"packages: {show(packages)} is {kind(packages)}; use a mapping of name.arch to version")
        return {}
    versions = {}
    for key, version in packages.items():
        if not isinstance(key, str) or not is_package(key, "1-1"):
            problems.append(f"packages: {show(key)} is not allowed; use name.arch")
        elif not _is_entry(key, version):
            quotes = ", in quotes" if not isinstance(version, str) else ""
            problems.append(f"packages.{key}: {show(version)} is not allowed; use a version{quotes}")
        else:
            versions[key] = version
    return versions


def _is_entry(key: Any, version: Any) -> bool:
    return isinstance(key, str) and isinstance(version, str) and is_package(key, version)

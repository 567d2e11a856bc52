# SPDX-License-Identifier: Apache-2.0
"""Keeps which packages are marked as automatically installed: apt marks all that it is told to install as manual."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ...files import read_json, write_json
from ...host import CommandResult
from ...model import Offer, Target
from .status import get_field

#: Below the work directory, from before an installation until its marks are as before.
FILE = "apt-marks.json"


def read_marks(extended_states: Path) -> frozenset[str]:
    """Return the packages that apt has marked as automatically installed, as ``name:arch``; none without the file."""
    try:
        text = extended_states.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    found = (f"\n{paragraph}\n" for paragraph in text.split("\n\n") if "Auto-Installed: 1" in paragraph)
    return frozenset(f"{get_field(each, 'Package')}:{get_field(each, 'Architecture')}" for each in found)


def remember(targets: Iterable[Target | Offer], marked: frozenset[str], *, file: Path, now: float) -> None:
    """Write down which targets are marked, beside those that are still to be restored.

    Raises:
        Unwritable: that is not possible.
    """
    names = {f"{target.name}:{target.arch}" for target in targets} & marked
    earlier = frozenset(remembered(file, now=now))
    if names - earlier:
        write_json(file, {"version": 1, "marked": sorted(names | earlier)})


def remembered(file: Path, *, now: float) -> Sequence[str]:
    """Return the packages whose marks are to be restored."""
    document, _ = read_json(file, shape=_problem, now=now)
    return document["marked"] if document else ()


def failed(result: CommandResult, names: Sequence[str]) -> tuple[str, ...]:
    """Return the warning about marks that could not be restored; none when they are."""
    if not result.code:
        return ()
    return (f"not marked as automatically installed any more: {', '.join(names)}; apt-mark auto: {result.words}",)


def _problem(document: object) -> str:
    marked = document.get("marked") if isinstance(document, dict) else None
    fine = isinstance(marked, list) and all(isinstance(name, str) for name in marked)
    return "" if fine else "not a list of marked packages"

# SPDX-License-Identifier: Apache-2.0
"""Keeps which packages are marked as automatically installed.

apt marks all that it is told to install as manual, and what becomes a transitional package
(``APT::Move-Autobit-Sections``) as automatic.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ...files import read_json, write_json
from ...host import CommandResult
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


class Marks(NamedTuple):
    """Packages as ``name:arch`` by their marks: automatically installed ones, and others."""

    auto: frozenset[str] = frozenset()
    manual: frozenset[str] = frozenset()


def remember(wanted: Marks, *, file: Path, now: float) -> None:
    """Write down the marks that packages have to have afterwards, beside those that are still to be restored.

    Raises:
        Unwritable: that is not possible.
    """
    earlier = remembered(file, now=now)
    auto = earlier.auto | wanted.auto
    manual = earlier.manual | wanted.manual - auto
    if (auto, manual) != earlier:
        write_json(file, {"version": 1, "marked": sorted(auto), "manual": sorted(manual)})


def remembered(file: Path, *, now: float) -> Marks:
    """Return the packages whose marks are to be restored."""
    document, _ = read_json(file, shape=_problem, now=now)
    return Marks(*(frozenset((document or {}).get(key, ())) for key in ("marked", "manual")))


def failed(result: CommandResult, word: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the warning about marks that could not be restored; none when they are."""
    if not result.code:
        return ()
    return (f"{', '.join(names)} not marked as before; apt-mark {word}: {result.words}",)


def _problem(document: object) -> str:
    lists = [document.get("marked"), document.get("manual", [])] if isinstance(document, dict) else [None]
    fine = all(isinstance(each, list) and all(isinstance(name, str) for name in each) for each in lists)
    return "" if fine else "not a list of marked packages"

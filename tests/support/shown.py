# SPDX-License-Identifier: Apache-2.0
"""What commands print, as the pages show it: the times and ids of one day, and the places that the pages name."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: What differs from run to run, and what stands for it on the pages.
VOLATILE = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "2026-11-23T21:46:05Z"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "2026-11-23 21:46 UTC"),
    (re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b"), "20261123T214605Z-0a1b2c"),
    (re.compile(r"\bin \d+\.\d s\b"), "in 0.4 s"),
    (
        re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"),
        "d0c5d0c5-0000-4000-8000-00000000d0c5",
    ),
    (re.compile(r"(\bduration:\s+)\d+\.\d+"), r"\g<1>0.4"),
    (re.compile(r"(Started: )\d\d:\d\d:\d\d\.\d+"), r"\g<1>21:46:05.000000"),
    (re.compile(r"(\d of \d+ packages, elapsed) \d+ s(, expected \d+ s)?"), r"\g<1> 1 s"),
    (re.compile(r"(: installing, batch \d+ of \d+,) \d+ of"), r"\g<1> 0 of"),
    (re.compile(r"(Duration:|Total run time:) +\d+\.\d+ m?s"), r"\g<1> 400.0 ms"),
    (re.compile(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){31}\b"), ":".join(["5e", "a1", "7c", "03"] * 8)),
)
_SALTS_OWN = re.compile(r"^\[WARNING|unclosed .*use as a context manager$")


def canonical(text: str, places: Mapping[str, str] | None = None) -> str:
    """The output as a page shows it; ``places`` are the paths of the tests with those that stand for them."""
    for real, shown in (places or {}).items():
        text = text.replace(real, shown)
    for pattern, stand_in in VOLATILE:
        text = pattern.sub(stand_in, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def without_warnings(text: str) -> str:
    """What a program says on standard error, but for the warnings of Salt's own log and of its Python."""
    return "".join(f"{line}\n" for line in text.splitlines() if not _SALTS_OWN.search(line))

# SPDX-License-Identifier: Apache-2.0
"""The section ``ssmpatch:advisories`` of the master's configuration, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..advisories.ecosystems import RELEASE, SYSTEMS
from ..config_reader import Section
from ..errors import InvalidInput
from ..fetch import check_location
from ..input_errors import either, show

DAY = 86400
LOCATIONS = "a location such as /srv/osv/Debian.zip, salt://, https:// or s3://, or a list of them"
_Check = Callable[[str], str]
RELEASES = "a release such as DEBIAN-12 or UBUNTU-22.04, or a list of them"


@dataclass(frozen=True, slots=True)
class AdvisorySettings:
    """Which exports are compiled for which releases.

    ``exploited`` is the location of a list of known exploited vulnerabilities, ``""`` for none. ``directory`` None:
    ``advisories`` in the first file root of the environment ``base``. ``max_size`` is in MiB and for each export,
    ``timeout`` in seconds and for all together.
    """

    sources: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    exploited: str = ""
    directory: Path | None = None
    max_size: int = 2048
    timeout: int = 3600


def read(data: Section) -> AdvisorySettings:
    """Read the section; what is wrong goes to its problems."""
    directory = data.directory("directory", Path("/"))
    found = AdvisorySettings(
        sources=locations(data, "sources"),
        releases=releases(data, "releases"),
        exploited=location(data, "exploited"),
        directory=None if directory == Path("/") else directory,
        max_size=data.integer("max_size", 2048, low=1, high=65536),
        timeout=data.seconds("timeout", 3600, low=10, high=DAY),
    )
    data.finish()
    return found


def locations(data: Section, key: str) -> tuple[str, ...]:
    """One location, or a list of them, each once."""
    return _texts(data, key, LOCATIONS, _no_location)


def location(data: Section, key: str) -> str:
    """One location; empty text is none."""
    value = data.text(key, allowed=LOCATIONS.partition(", or")[0])
    if problem := _no_location(value) if value else "":
        data.problems.append(f"{data.at(key)}: {problem}")
    return "" if problem else value


def releases(data: Section, key: str) -> tuple[str, ...]:
    """One release, or a list of them, each once."""
    return _texts(data, key, RELEASES, _no_release)


def _texts(data: Section, key: str, allowed: str, check: _Check) -> tuple[str, ...]:
    value = data.raw(key)
    if value is None:
        return ()
    items: Sequence[object] = [value] if isinstance(value, str) else value if isinstance(value, (list, tuple)) else []
    texts = [each for each in items if isinstance(each, str) and each]
    if not texts or len(texts) < len(items):
        data.problem(key, value, allowed)
        return ()
    for index, each in enumerate(texts):
        if problem := check(each):
            place = data.at(key) if isinstance(value, str) else f"{data.at(key)}[{index}]"
            data.problems.append(f"{place}: {problem}")
    return tuple(dict.fromkeys(texts))


def _no_location(value: str) -> str:
    """Why it is no location, empty when it is one."""
    try:
        check_location(value)
    except InvalidInput as exc:
        return str(exc)
    return ""


def _no_release(value: str) -> str:
    """Why it is no release, empty when it is one."""
    if re.fullmatch(RELEASE, value):
        return ""
    return f"{show(value)} is no release; use one such as DEBIAN-12 or UBUNTU-22.04, of {either(SYSTEMS)}"

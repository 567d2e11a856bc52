# SPDX-License-Identifier: Apache-2.0
"""The alphabets of package names and numbers: what comes from outside and is none is dropped. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .errors import SsmpatchError

#: Patterns of deb(5) and deb-version(7); no name, version or architecture begins like an option. Together they are
#: short enough for apt's file ``name_version_arch.deb``: a longer name is an error that ends a whole installation.
DEB_NAME = r"[A-Za-z0-9][A-Za-z0-9.+-]{0,104}"
DEB_VERSION = r"(?:[0-9]{1,9}:)?[A-Za-z0-9][A-Za-z0-9.+~-]{0,109}"
DEB_ARCH = r"[a-z0-9][a-z0-9-]{0,19}"
#: rpm's own, of its names and of ``epoch:version-release``.
RPM_NAME = r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,150}"
RPM_EVR = r"[0-9]{1,10}:[A-Za-z0-9._+~^]{1,150}-[A-Za-z0-9._+~^]{1,150}"
RPM_ARCH = r"[A-Za-z0-9_]{1,30}"

#: The most digits of a number from outside: Python refuses to convert thousands of them, and nothing needs more.
MOST_DIGITS = 18
#: The longest text from outside (an id, a severity, a section) that reports have.
LONGEST_TEXT = 200
#: The most CVEs and advisories that one question may be about.
MOST_IDS = 100

_VULNERABILITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+]*-[A-Za-z0-9._:+-]+")
_NUMBER = re.compile(rf"[0-9]{{1,{MOST_DIGITS}}}")
_DEB = re.compile(rf"{DEB_NAME} {DEB_VERSION} {DEB_ARCH}")
_RPM = re.compile(rf"{RPM_NAME} {RPM_EVR} {RPM_ARCH}")


def is_deb(name: str, version: str, arch: str) -> bool:
    """Return whether dpkg could have a package of this name, version and architecture."""
    return _DEB.fullmatch(f"{name} {version} {arch}") is not None


def is_rpm(name: str, evr: str, arch: str) -> bool:
    """Return whether rpm could have a package of this name, ``epoch:version-release`` and architecture."""
    return _RPM.fullmatch(f"{name} {evr} {arch}") is not None


def is_package(name_arch: str, version: str) -> bool:
    """Return whether dpkg or rpm could have this version of a package ``name.arch``; rpm's epoch may be left out."""
    name, _, arch = name_arch.rpartition(".")
    return is_deb(name, version, arch) or is_rpm(name, version, arch) or is_rpm(name, f"0:{version}", arch)


def is_vulnerability_id(text: str) -> bool:
    """Return whether this could be the id of a CVE or of a vendor's advisory, in any case."""
    return len(text) <= 80 and _VULNERABILITY.fullmatch(text) is not None and any(map(str.isdigit, text))


def operands(words: Iterable[str]) -> list[str]:
    """Return the names of packages for a place on a command line where ``--`` cannot stand.

    Raises:
        SsmpatchError: one of them would be taken for an option.
    """
    found = list(words)
    for word in found:
        if not word[:1].isalnum() and not word.startswith("_"):
            raise SsmpatchError(f"{one_line(word, 60)!r} is no name of a package; it is given to no program")
    return found


def number(text: str | None) -> int | None:
    """Return a whole number that is written in at most 18 digits; None for another text."""
    return int(text) if text and _NUMBER.fullmatch(text) else None


def one_line(text: str, most: int = LONGEST_TEXT) -> str:
    """Return text from outside for people: its printable characters, ``?`` for others, at most ``most`` of them."""
    if len(text) <= most and text.isprintable():
        return text
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(char if char.isprintable() else "?" for char in cut)


def left_out(strange: Sequence[str], system: str) -> tuple[str, ...]:
    """Return the warning about packages that were not read because ``system`` cannot have them; none without any."""
    if not strange:
        return ()
    first = strange[0][:60] + ("…" if len(strange[0]) > 60 else "")
    more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
    return (f"left out {first!r}{more}: {system} knows no such name, version or architecture",)

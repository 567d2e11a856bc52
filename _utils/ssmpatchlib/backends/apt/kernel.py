# SPDX-License-Identifier: Apache-2.0
"""Whether a newer Linux kernel is installed than the one that runs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ...versions.deb import sort_key

#: How the names of kernel images begin.
PREFIX = "linux-image-"
_IMAGE = re.compile(rf"^{PREFIX}(?:unsigned-)?(\d[^.]*\..*)\.[a-z0-9]+$")


def newer_kernel(installed: Mapping[str, str], *, root: Path, running: str | None = None) -> tuple[str, ...]:
    """Return a hint when an installed kernel image of the running flavour is newer than the running kernel.

    Args:
        installed: ``{name.arch: version}``.
        root: only the running system (``/``) has a running kernel.
        running: kernel release; the running one's by default.
    """
    if root != Path("/") and running is None:
        return ()
    release = running or os.uname().release
    releases = [match.group(1) for name in installed if (match := _IMAGE.match(name))]
    if release not in releases:
        return ()
    flavour = _flavour(release)
    newest = max((r for r in releases if _flavour(r) == flavour), key=sort_key)
    if sort_key(newest) > sort_key(release):
        return (f"kernel {newest} is installed, {release} is running",)
    return ()


def _flavour(release: str) -> str:
    return re.sub(r"^[\d.+~-]*", "", release)

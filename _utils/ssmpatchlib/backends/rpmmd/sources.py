# SPDX-License-Identifier: Apache-2.0
"""Writes a baseline's alternative repositories into a private directory of repository files."""

from __future__ import annotations

from pathlib import Path

from ...errors import SsmpatchError
from ...files import ensure_directory, write_text
from .. import Context


def write_sources(context: Context, name: str) -> Path:
    """Write one ``.repo`` file for each source below the work directory, remove other files; return the directory.

    Raises:
        SsmpatchError: a source has no configuration.
    """
    directory = context.work_dir / name
    ensure_directory(context.work_dir)
    ensure_directory(directory)
    names = {f"{source.name}.repo" for source in context.sources}
    for path in directory.iterdir():
        if path.name not in names:
            path.unlink(missing_ok=True)
    for source in context.sources:
        if not source.configuration.strip():
            raise SsmpatchError(f"Sources: {source.name}: Configuration is empty; give it a repository's section")
        write_text(directory / f"{source.name}.repo", source.configuration.rstrip() + "\n")
    return directory

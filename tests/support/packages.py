# SPDX-License-Identifier: Apache-2.0
"""Copies of the checkout, and the commands of the page about releases, for the tests of what is released."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from support.examples import blocks


def files_of(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, by its path there."""
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


def copy_checkout(repo: Path, to: Path) -> Path:
    """Copy what the project consists of: everything but git's own files and what `.gitignore` names."""
    ignored = [line.strip("/") for line in (repo / ".gitignore").read_text().splitlines()]
    shutil.copytree(repo, to, ignore=shutil.ignore_patterns(".git", *ignored))
    return to


def release_commands(repo: Path, test: str) -> list[str]:
    """The commands of `docs/releasing.md` that a test is named for.

    Args:
        repo: the checkout.
        test: the name of the test function.

    Returns:
        The lines, for this Python in place of `./run-tests --python`.
    """
    (block,) = (b for b in blocks(repo / "docs" / "releasing.md") if b.words and b.words[0].endswith(f"::{test}"))
    return [line.replace("./run-tests --python", sys.executable) for line in block.text.splitlines()]


def run_line(line: str, directory: Path) -> str:
    """What a line of shell prints in a directory; it must succeed."""
    command = ["bash", "-euo", "pipefail", "-c", line]
    environment = {**os.environ, "PIP_NO_INDEX": "1", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout

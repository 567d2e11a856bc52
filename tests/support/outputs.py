# SPDX-License-Identifier: Apache-2.0
"""What Salt prints with the checkout's outputters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.output


def options(repo: Path) -> dict[str, Any]:
    """Options of a salt-call that has the checkout's outputters and no colours."""
    found = dict(salt.config.minion_config(None))
    found.update(outputter_dirs=[str(repo / "_output")], color=False)
    return found


@pytest.fixture
def opts(repo: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of a salt-call that has the checkout's outputters, no colours and no terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)
    return options(repo)


def show(data: Any, opts: dict[str, Any], out: str = "ssmpatch") -> str:
    """What Salt prints for ``data``."""
    return str(salt.output.try_printout(data, out, opts))

# SPDX-License-Identifier: Apache-2.0
"""What a scan keeps of a feed, opened and closed again as one who may write there can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ssmpatchlib.operation.kept_advisories import FORM, sum_of


def opened(path: Path) -> dict[str, Any]:
    """What is kept, as plain data."""
    return json.loads(path.read_bytes().partition(b"\n")[2])  # type: ignore[no-any-return]


def seal(document: Any, path: Path, **head: Any) -> None:
    """Write what is kept with its right sum, for packages of the ``key`` that is given."""
    said = json.dumps(document)
    path.write_text(json.dumps({"form": FORM, "key": "", "sum": sum_of(said.encode()), **head}) + "\n" + said)

# SPDX-License-Identifier: Apache-2.0
"""A dpkg database that tells nothing is an error, never a host without anything to patch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.errors import SsmpatchError
from support.faults.debs import Deb
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, NEW, OLD, build_apt

pytestmark = pytest.mark.root

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "blank": lambda data: b"\n\n",
    "zeros": lambda data: bytes(len(data)),
    "zeros at the end": lambda data: data[:-20] + bytes(20),
    "cut short": lambda data: data[: len(data) - 30],
    "another file": lambda data: b"\x7fELF" + data.replace(b"Package", b"Peckage"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("operation", ["scan", "plan", "install"])
def test_a_damaged_database_is_named(tmp_path: Path, damage: str, operation: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD), Deb("zoo", OLD)], offered=[Deb("foo", NEW)])
    settings = config.load(minion=APT.settings(root))

    def run(name: str) -> dict[str, Any]:
        return getattr(api, name)(settings, caller=quiet_surface(), host=FaultHost())

    assert run("scan")["compliance"] == "NON_COMPLIANT"
    status = root / "var/lib/dpkg/status"
    status.write_bytes(DAMAGES[damage](status.read_bytes()))
    with pytest.raises(SsmpatchError, match="dpkg's database is damaged.*status-old"):
        run(operation)

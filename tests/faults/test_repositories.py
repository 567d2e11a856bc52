# SPDX-License-Identifier: Apache-2.0
"""Repositories that cannot be reached, or never answer: named, with the age of what was used, never COMPLIANT."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.host import CommandResult
from support.faults.children import built
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import NEW, REPOSITORIES, Manager, Update

pytestmark = pytest.mark.root

CALLER = quiet_surface()
DAY = 86400


@pytest.mark.parametrize("pending", [True, False])
def test_unreachable(manager: Manager, tmp_path: Path, pending: bool) -> None:
    root, minion = built(manager, tmp_path, Update("alpha"))
    settings = config.load(minion=minion)
    api.scan(settings, caller=CALLER, host=FaultHost(ahead=-3 * DAY))
    if not pending:
        api.install(settings, caller=CALLER, host=FaultHost(ahead=-3 * DAY))
    (root / REPOSITORIES).rename(root / "srv/gone")
    report = api.scan(settings, caller=CALLER, host=FaultHost())
    # What is missing is known from the copy, or it is not known at all.
    assert report["compliance"] in ({"NON_COMPLIANT", "UNKNOWN"} if pending else {"UNKNOWN"})
    said = [text for text in report["warnings"] if "could not be read" in text]
    assert any(REPOSITORIES in text for text in said), report["warnings"]
    assert any("3 days ago" in text for text in said) or report["compliance"] == "UNKNOWN"
    install = api.install(settings, caller=CALLER, host=FaultHost())
    assert install["compliance"] != "COMPLIANT"
    assert manager.problems(root) == ""


class StuckHost(FaultHost):
    """A host on which a refresh of the package index does not end, whatever its time limit."""

    def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
        if "--print-uris" in argv or not {"update", "refresh", "makecache"} & set(argv):
            return super().run(argv, **more)
        return super().run(["sleep", "60"], **{**more, "timeout": 0.2})


@pytest.mark.parametrize("pending", [True, False])
def test_a_refresh_that_does_not_end(manager: Manager, tmp_path: Path, pending: bool) -> None:
    root, minion = built(manager, tmp_path, Update("alpha"))
    settings = config.load(minion=minion)
    call = api.scan if pending else api.install
    call(settings, caller=CALLER, host=FaultHost(ahead=-3 * DAY))
    for call in (api.scan, api.install):
        report = call(settings, caller=CALLER, host=StuckHost())
        said = [t for t in report["warnings"] if re.match(r"(toy|updates|\S+ stable-security): could not be read: ", t)]
        assert any("no end after" in text and "a copy from 3 days ago was used" in text for text in said), report
        assert report["compliance"] == ("NON_COMPLIANT" if pending and call is api.scan else "UNKNOWN")
    assert manager.versions(root) == {"alpha": NEW}

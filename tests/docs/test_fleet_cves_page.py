# SPDX-License-Identifier: Apache-2.0
"""The page about CVEs of the fleet: what it shows is what the runner prints of a small fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.fleet import fleetreport
from ssmpatchlib.fleet.cve_report import make_cve_report
from ssmpatchlib.fleet.cve_text import render_asked, render_open
from support.cve_reports import row, told
from support.examples import Command, Run, blocks
from support.reports import NOW, minion_return

CVE = "CVE-2026-1234"
ANSWERS: dict[str, Any] = {
    "web1": [row(CVE, "fix available")],
    "web2": [row(CVE, "fix available")],
    "db1": [row(CVE, "fix kept out", reason="openssl.amd64 is on hold (apt-mark unhold releases it)", available="")],
    "app1": [row(CVE, "fixed", installed="3.0.13-1", restart=[])],
    "app2": [row(CVE, "fixed", installed="3.0.13-1", restart=[])],
    "cache1": [row(CVE, "not affected", restart=[])],
}
GROUP = {
    "package": "openssl", "installed": "3.0.11-1", "state": "fix available", "fixed": "3.0.13-1", "severity": "high",
    "advisories": "DSA-5747-1", "exploited": CVE, "cves": CVE, "published": "2026-01-05T00:00:00Z", "reason": "",
}  # fmt: skip
CURL = GROUP | {"package": "curl", "cves": "CVE-2026-88,CVE-2026-97", "exploited": "", "advisories": ""} | {
    "state": "affected, no fix yet", "severity": "medium", "fixed": "",
}  # fmt: skip


def asked() -> str:
    answers = [(name, {"cves": rows, "data": "DEBIAN-12", "problem": ""}) for name, rows in ANSWERS.items()]
    old = ("old1", "'ssmpatch.cve' is not available.")
    made = make_cve_report([*answers, old], [CVE], expected=[*ANSWERS, "old1", "db2"], target="*", now=NOW)
    return "".join(render_asked(made, format="table", columns=80))


def open_cves() -> str:
    pairs = []
    for name, cves in {"web1": [GROUP, CURL], "web2": [GROUP, CURL], "db1": [CURL], "old1": None}.items():
        returned = minion_return(3, rows=0)[1]
        assert returned is not None
        returned["ssmpatch.report"] |= {} if cves is None else {"cves": told(cves)}
        pairs.append((name, returned))
    made = fleetreport.make_report(pairs, expected=(), target="*", clock=lambda: NOW, stale_after=86400)
    return "".join(render_open(made, format="table", columns=80))


def test_what_is_printed(repo: Path, request: pytest.FixtureRequest) -> None:
    known = {f"salt-run ssmpatch.cve {CVE}": asked, "salt-run ssmpatch.cve": open_cves}

    def printed(command: Command) -> str:
        return known.pop(command.line)().strip("\n")

    page = Run(bool(request.config.getoption("--rewrite-examples")))
    for block in blocks(repo / "docs" / "fleet" / "6-cves.md"):
        page.console(block, printed)
    page.end()
    assert known == {}

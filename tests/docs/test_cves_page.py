# SPDX-License-Identifier: Apache-2.0
"""The page about CVEs: its commands, run on the documentation's host with a feed of made-up advisories."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from ssmpatchlib.times import aws_time
from support import osv
from support.demo_host import SHOWN_ROOT, DemoHost
from support.examples import Command, Run, blocks
from support.shown import canonical, without_warnings

pytestmark = [pytest.mark.root, pytest.mark.slow]

DAY = 86400
PUBLISHED_LATELY = 3
#: What the days of the records, as they are when the test runs, are on the page.
SHOWN_DAYS = {-PUBLISHED_LATELY: "2026-11-20", 7 - PUBLISHED_LATELY: "2026-11-27"}


def day(days: int) -> str:
    """The time that many days from now, as records write it."""
    return aws_time(time.time() + days * DAY)


def feed() -> bytes:
    """The compiled feed of Debian 12: a vulnerability of each state."""
    lately = day(-PUBLISHED_LATELY)
    openssl, curl, nginx = "3.0.17-1~deb12u2", "7.88.1-10+deb12u8", "1.22.1-9+deb12u3"
    records = [
        osv.dsa("DSA-6201-1", "openssl", openssl, "CVE-2026-3001", published=lately),
        osv.debian_cve("CVE-2026-3001", "openssl", openssl, published="2026-11-18T09:00:00Z"),
        osv.dsa("DSA-6105-1", "curl", curl, "CVE-2026-2001", published="2026-05-04T10:00:00Z"),
        osv.debian_cve("CVE-2026-2001", "curl", curl, urgency="medium", published="2026-05-01T10:00:00Z"),
        osv.debian_cve("CVE-2026-2555", "curl", urgency="unimportant", published="2026-06-01T10:00:00Z"),
        osv.dsa("DSA-6190-1", "nginx", nginx, "CVE-2026-2950", published="2026-10-02T10:00:00Z"),
        osv.debian_cve("CVE-2026-2950", "nginx", nginx, urgency="medium", published="2026-10-01T10:00:00Z"),
        osv.debian_cve("CVE-2026-3007", "vim", urgency="medium", published="2026-11-02T10:00:00Z"),
        osv.debian_cve("CVE-2026-2104", "openssh", "1:9.2p1-2+deb12u9", published="2026-06-09T10:00:00Z"),
    ]
    return osv.compiled("DEBIAN-12", records, until=day(0), exploited={"CVE-2026-3001": "2026-11-21"})


def test_the_page(host: DemoHost, repo: Path, request: pytest.FixtureRequest) -> None:
    directory = host.states / "advisories"
    directory.mkdir()
    (directory / "DEBIAN-12.jsonl.gz").write_bytes(feed())
    places = {str(host.root): SHOWN_ROOT, **{day(days)[:10]: shown for days, shown in SHOWN_DAYS.items()}}

    def printed(command: Command) -> str:
        done = host.shell(command.line)
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return canonical(without_warnings(done.stderr) + done.stdout, places)

    page = Run(bool(request.config.getoption("--rewrite-examples")))
    for block in blocks(repo / "docs" / "cves.md"):
        if block.language == "yaml" and "used" in block.words:
            host.pillar(yaml.safe_load(block.text))
        elif block.language == "console":
            page.console(block, printed)
    page.end()

# SPDX-License-Identifier: Apache-2.0
"""The open CVEs of hosts on the fleet page: listed, found, opened, counted, and quick for ten thousand hosts."""

from __future__ import annotations

import csv
import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.fleet import collect, fleetreport
from ssmpatchlib.fleet.history import Trends
from ssmpatchlib.fleet.history_cves import CveTime
from ssmpatchlib.fleet.html import html_text
from support.browser import PROGRAM, Browser
from support.cve_reports import fleet_with_cves
from support.fleet_page import chromium, click, search, sticking_out, violations
from support.reports import NOW

__all__ = ["chromium"]
pytestmark = [pytest.mark.slow(60), pytest.mark.skipif(PROGRAM is None, reason="needs chromium")]

DAY = 86400
#: Screenshots for people are kept here when the variable is set.
PICTURES = os.environ.get("SSMPATCH_PICTURES", "")


def make(size: int, **more: Any) -> fleetreport.FleetReport:
    made = fleetreport.make_report(
        fleet_with_cves(size, **more), expected=(), target="*", clock=lambda: NOW, stale_after=7 * DAY, group_by="role"
    )
    times = [
        CveTime(each.id, NOW - (number + 1) * DAY, 0, number % 3, 2.5 * DAY * (number % 3 > 0))
        for number, each in enumerate(made.totals.cves.open[:90])
    ]
    gone = CveTime("CVE-2026-777", NOW - 40 * DAY, NOW - 2 * DAY, 12, 6 * DAY)
    return dataclasses.replace(made, trends=Trends(cves=(*times, gone)))


@pytest.fixture(scope="module")
def made() -> fleetreport.FleetReport:
    """The report of a hundred hosts with some sixty open CVEs each."""
    return make(100, groups=8, each=8)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, made: fleetreport.FleetReport) -> Path:
    path = tmp_path_factory.mktemp("page") / "fleet.html"
    collect.write(html_text(made), path)
    return path


def found(chromium: Browser, section: str) -> int:
    return int(chromium.run(f"document.querySelector('#{section} h2 span').textContent").replace(",", ""))


def cells(chromium: Browser, section: str, row: int = 0) -> list[str]:
    script = f"[...document.querySelectorAll('#{section} tbody tr')[{row}].cells].map(cell => cell.innerText)"
    return list(chromium.run(script))


def hosts_with(made: fleetreport.FleetReport, word: str) -> set[str]:
    """The hosts with an open CVE, or an advisory of one, of this id."""
    return {
        host.id
        for host in made.hosts
        for group in (host.cves.groups if host.cves else ())
        if word in group.ids or word in group.advisories
    }


def test_the_table_has_what_has_to_be_done_first(chromium: Browser, page: Path, made: fleetreport.FleetReport) -> None:
    chromium.open(page)
    first = made.totals.cves.open[0]
    name, hosts, fixable, severity, packages, advisories, known, mean, _ = cells(chromium, "cves")
    assert first.exploited and severity.split() == [first.severity, "exploited"]
    assert (name, int(hosts), int(fixable)) == (first.id, first.hosts, first.fixable) and packages == first.packages[0]
    assert first.hosts == len(hosts_with(made, first.id)) and known == "24 h"
    assert found(chromium, "cves") == len(made.totals.cves.open)
    assert mean == "" and advisories == ", ".join(first.advisories)
    exploited = [cells(chromium, "cves", row)[3].endswith("exploited") for row in range(40)]
    assert exploited == sorted(exploited, reverse=True) and not all(exploited)
    hrefs = chromium.run("[...document.querySelectorAll('#cves tbody a')].map(each => each.href)")
    assert any(each.startswith("https://security-tracker.debian.org/tracker/DSA-") for each in hrefs)
    figure = chromium.run("document.querySelector('.figure.cves').innerText").split("\n")
    assert figure[:2] == [f"{len(made.totals.cves.open):,}", "open CVEs"]
    assert chromium.errors == []


def test_a_cve_and_an_advisory_filter_hosts(chromium: Browser, page: Path, made: fleetreport.FleetReport) -> None:
    chromium.open(page)
    cve = next(each for each in made.totals.cves.open if each.fixable and each.advisories and each.hosts < 50)
    search(chromium, cve.id.lower())
    assert found(chromium, "hosts") == len(hosts_with(made, cve.id)) > 0 and found(chromium, "cves") == 1
    search(chromium, cve.advisories[0])
    assert found(chromium, "hosts") == len(hosts_with(made, cve.advisories[0])) > 0
    assert cells(chromium, "advisories")[0] == cve.advisories[0] and found(chromium, "advisories") == 1
    assert found(chromium, "cves") == len([e for e in made.totals.cves.open if cve.advisories[0] in e.advisories])
    search(chromium, f"{cve.id} {cve.packages[0]} web")
    assert found(chromium, "hosts") == len([name for name in hosts_with(made, cve.id) if "web" in name])
    for chip, ids in (("CVES", made.totals.cves.affected), ("EXPLOITED", made.totals.cves.endangered),
                      ("UNSAID", made.totals.cves.unknown)):  # fmt: skip
        click(chromium, "#clear")
        click(chromium, f".chip[data-chip={chip}]")
        assert found(chromium, "hosts") == len(ids) > 0
    assert chromium.errors == []


def test_a_cve_opens_with_its_hosts_and_a_host_with_its_cves(
    chromium: Browser, page: Path, made: fleetreport.FleetReport, tmp_path: Path
) -> None:
    chromium.open(page)
    first = next(each for each in made.totals.cves.open[1:] if not each.id.startswith("x"))
    name = cells(chromium, "cves", 1)[0]
    assert name == first.id
    chromium.run("document.querySelectorAll('#cves tbody .link')[1].click()")
    shown = chromium.run("document.querySelector('dialog').innerText")
    assert "Closed\n1 host, in 3 days on average" in shown and "First seen open\n2026-11-18 06:30 UTC" in shown
    assert chromium.run("document.querySelectorAll('dialog tbody tr').length") >= len(hosts_with(made, name))
    assert f"cve={name}" in chromium.run("location.hash")
    chromium.downloads_to(tmp_path)
    click(chromium, "dialog .csv")
    ends = time.monotonic() + 20
    while not (files := [path for path in tmp_path.glob("*.csv") if path.stat().st_size]):
        assert time.monotonic() < ends, "no file was saved"
        time.sleep(0.05)
    lines = list(csv.DictReader(files[0].open(newline="", encoding="utf-8")))
    assert {line["Host"] for line in lines} >= hosts_with(made, name)
    assert {line["CVEs"] for line in lines if line["State"] in ("fix available", "affected, no fix yet")} <= {name}
    click(chromium, "dialog tbody .link")
    host = next(h for h in made.hosts if h.id == chromium.run("document.getElementById('opened').textContent"))
    assert host.cves and chromium.run("document.querySelector('dialog h3').textContent") == "CVEs"
    shown = chromium.run("document.querySelector('dialog').textContent")
    assert [cve for group in host.cves.groups for cve in group.ids if cve not in shown] == []
    assert f"Open CVEs{host.cves.counts.open}, {host.cves.counts.exploited} exploited" in shown
    assert chromium.errors == []


def test_cves_that_nobody_has_any_more_are_told(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    text = chromium.run("document.querySelector('[aria-labelledby=closed-title] tbody').innerText").split()
    assert text == ["CVE-2026-777", "12", "6", "days", "2026-11-18"]


def test_what_hosts_say_of_cves_is_text(chromium: Browser, tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror='window.hit = 1'>"
    pairs = list(fleet_with_cves(2, rows=0, groups=2, each=2))
    said = pairs[1][1]["ssmpatch.report"]["cves"]
    said["open"] = [{**each, "package": hostile, "reason": hostile, "fixed": hostile} for each in said["open"]]
    said["problem"] = hostile
    report = fleetreport.make_report(pairs, expected=(), target="*", clock=lambda: NOW, stale_after=DAY)
    path = tmp_path / "hostile.html"
    collect.write(html_text(report), path)
    chromium.open(path)
    click(chromium, "#cves tbody .link")
    chromium.press("Escape")
    chromium.run("document.querySelectorAll('#hosts tbody .link').forEach(each => each.click())")
    chromium.run("new Promise(done => setTimeout(done, 200))")
    assert chromium.run("window.hit") is None and chromium.run("document.images.length") == 0
    assert chromium.errors == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("name", "width", "height"), [("desktop", 1280, 900), ("phone", 390, 844)])
def test_nothing_sticks_out(
    chromium: Browser, page: Path, tmp_path: Path, name: str, width: int, height: int, dark: bool
) -> None:
    chromium.open(page, width=width, height=height, dark=dark)
    pictures = Path(PICTURES or tmp_path)
    shown = f"{name}-{'dark' if dark else 'light'}.png"
    chromium.screenshot(pictures / f"cves-top-{shown}")
    assert sticking_out(chromium, width) == []
    chromium.run("document.querySelector('#cves').scrollIntoView()")
    chromium.screenshot(pictures / f"fleet-{name}-open-cves{'-dark' * dark}.png")
    for number, selector in enumerate(("#cves tbody .link", "#hosts tbody .link", "dialog summary")):
        click(chromium, selector)
        assert sticking_out(chromium, width) == []
        chromium.run("document.querySelector('dialog h3')?.scrollIntoView()")
        chromium.screenshot(pictures / f"cves-{number}-{shown}")


@pytest.mark.parametrize(
    ("width", "dark"), [(1280, False), (1280, True), (390, False)], ids=["desktop", "dark", "phone"]
)
def test_axe_finds_nothing(chromium: Browser, page: Path, width: int, dark: bool) -> None:
    chromium.open(page, width=width, height=900, dark=dark)
    seen = violations(chromium, "#cves tbody .link", "#hosts tbody .link")
    assert seen == dict.fromkeys(seen, []) and len(seen) == 3


def test_ten_thousand_hosts_with_1500_cves_are_usable_within_three_seconds(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "big.html"
    collect.write(html_text(make(10_000, rows=3)), path)
    assert path.stat().st_size < 8 * 2**20
    assert chromium.open(path) < 3
    began = chromium.run("performance.now()")
    search(chromium, "DSA-5002-1 web")
    assert chromium.run("performance.now()") - began < 2000 and found(chromium, "hosts") > 100
    click(chromium, "#cves tbody .link")
    assert chromium.run("document.querySelectorAll('dialog tbody tr').length") > 100
    assert chromium.run("performance.now()") - began < 4000

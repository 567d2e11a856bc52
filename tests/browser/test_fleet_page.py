# SPDX-License-Identifier: Apache-2.0
"""The fleet page in a real browser: what it shows, how it is used, how fast it is there, how it looks."""

from __future__ import annotations

import dataclasses
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.fleet import collect, fleetreport
from ssmpatchlib.fleet.history import Day, OpenPatch, Trends
from ssmpatchlib.fleet.html import html_text
from support.browser import PROGRAM, Browser, browser
from support.reports import NOW, fleet, minion_return

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs chromium")

DAY = 86400
#: Screenshots for people are kept here when the variable is set.
PICTURES = os.environ.get("SSMPATCH_PICTURES", "")
TRENDS = Trends(
    days=tuple(
        Day(
            f"2026-{10 + (number > 30):02d}-{(number - 1) % 31 + 1:02d}",
            {"COMPLIANT": 55 + number, "NON_COMPLIANT": 45 - number},
        )
        for number in range(1, 45)
    ),
    mean_seconds=(
        ("CRITICAL", 14, 1.4 * DAY),
        ("HIGH", 88, 3.1 * DAY),
        ("MEDIUM", 161, 6.5 * DAY),
        ("LOW", 70, 9 * DAY),
    ),
    oldest=(OpenPatch("db-00036.ams.example.net", "dnsmasq-utils.amd64", "LOW", NOW - 44 * DAY),),
)


def make(answers: Any, **more: Any) -> fleetreport.FleetReport:
    pairs = list(answers)
    names = [name for name, _ in pairs]
    made = fleetreport.make_report(
        pairs, expected=names, target="*", clock=lambda: NOW, stale_after=7 * DAY, group_by="role", **more
    )
    return dataclasses.replace(made, trends=TRENDS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests."""
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of four hundred hosts."""
    path = tmp_path_factory.mktemp("page") / "fleet.html"
    collect.write(html_text(make(fleet(400))), path)
    return path


def hosts_shown(chromium: Browser) -> list[str]:
    return list(chromium.run("[...document.querySelectorAll('#hosts tbody tr')].map(r => r.cells[0].textContent)"))


def click(chromium: Browser, selector: str) -> None:
    chromium.run(f"document.querySelector({selector!r}).click()")


def search(chromium: Browser, section: str, words: str) -> None:
    chromium.run(
        f"document.querySelector('#{section} input').select(), document.querySelector('#{section} input').focus()"
    )
    chromium.type_text(words)
    chromium.run("new Promise(done => setTimeout(done, 250))")


def test_it_shows_the_numbers_of_the_report(chromium: Browser, page: Path) -> None:
    made = make(fleet(400))
    chromium.open(page)
    figures = chromium.run("[...document.querySelectorAll('.figure b')].map(f => f.textContent)")
    assert figures[1] == str(made.totals.verdicts["NON_COMPLIANT"])
    assert chromium.run("document.querySelectorAll('.charts > section').length") == 7
    assert len(hosts_shown(chromium)) == 50
    assert chromium.run("document.querySelector('#hosts .pager span').textContent") == "1–50 of 400"
    assert chromium.errors == []


def test_hosts_are_sorted_filtered_paged_and_opened(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    click(chromium, "#hosts th:nth-child(1) button")
    ascending = hosts_shown(chromium)
    assert ascending == sorted(ascending)
    click(chromium, "#hosts th:nth-child(1) button")
    assert hosts_shown(chromium) == sorted(hosts_shown(chromium), reverse=True)
    click(chromium, "#hosts th:nth-child(4) button")
    numbers = chromium.run("[...document.querySelectorAll('#hosts tbody tr')].map(r => +r.cells[3].textContent)")
    assert numbers == sorted(numbers, reverse=True) and numbers[0] > 9
    click(chromium, "#hosts .pager button:nth-child(2)")
    assert chromium.run("document.querySelector('#hosts .pager span').textContent") == "51–100 of 400"
    click(chromium, "#hosts .chip[data-chip=UNREACHABLE]")
    unreachable = make(fleet(400)).totals.unreachable
    assert set(hosts_shown(chromium)) == set(unreachable)
    click(chromium, "#hosts .chip[data-chip='']")
    search(chromium, "hosts", "WEB-00010 sin")
    assert hosts_shown(chromium) == ["web-00010.sin.example.net"]
    click(chromium, "#hosts tbody tr td:nth-child(2)")
    shown = chromium.run("document.querySelector('dialog[open]').innerText")
    assert "web-00010.sin.example.net" in shown and "rule 1 approves" in shown and "CVE-2026-" in shown
    chromium.press("Escape")
    assert chromium.run("document.querySelector('dialog[open]')") is None
    search(chromium, "hosts", "nothing like this")
    assert hosts_shown(chromium) == ["No host matches."]
    assert chromium.errors == []


def test_packages_lead_to_hosts_and_hosts_to_packages(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    most = make(fleet(400)).totals.packages[0]
    assert chromium.run("document.querySelector('#packages tbody .link').textContent") == most.id
    click(chromium, "#packages tbody .link")
    assert chromium.run("document.querySelectorAll('dialog tbody tr').length") == most.hosts
    click(chromium, "dialog tbody .link")
    assert most.id in chromium.run("document.querySelector('dialog[open]').innerText")
    assert chromium.errors == []


def test_figures_lead_to_the_hosts_they_count(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    click(chromium, ".figure.reboot")
    waiting = make(fleet(400)).totals.reboots
    assert chromium.run("document.querySelector('#hosts .pager span').textContent").endswith(f"of {len(waiting)}")


def test_hostile_values_are_shown_as_text_and_run_nothing(chromium: Browser, tmp_path: Path) -> None:
    hostile = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 1'>"
    returned = minion_return(1, rows=1)[1]
    assert returned is not None
    row = returned["ssmpatch.report"]["patches"][0]
    row.update(Id=hostile, reason=hostile, PatchState="Missing", available_version=hostile)
    returned["grains.item"]["role"] = returned["ssmpatch.report"]["baseline"]["name"] = hostile
    path = tmp_path / "hostile.html"
    collect.write(html_text(make([(hostile, returned)])), path)
    chromium.open(path)
    assert hosts_shown(chromium) == [hostile]
    click(chromium, "#hosts tbody .link")
    assert hostile in chromium.run("document.querySelector('dialog').textContent")
    click(chromium, "#packages tbody .link")
    chromium.run("new Promise(done => setTimeout(done, 200))")
    assert chromium.run("window.hit") is None and chromium.run("document.images.length") == 0
    assert chromium.errors == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("name", "width", "height"), [("desktop", 1280, 900), ("phone", 390, 844)])
def test_it_looks_as_it_should(
    chromium: Browser, page: Path, tmp_path: Path, name: str, width: int, height: int, dark: bool
) -> None:
    chromium.open(page, width=width, height=height, dark=dark)
    # Nothing sticks out of the window, no text is hidden behind another element of its own card.
    assert chromium.run("document.documentElement.scrollWidth") <= width
    assert (
        chromium.run(
            "[...document.querySelectorAll('.figure, .card h2, .donut, .trend, .bars .number')]"
            ".map(e => e.getBoundingClientRect()).filter(r => r.width < 10 || r.right > innerWidth + 1).length"
        )
        == 0
    )
    background = chromium.run("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(16, 21, 27)" if dark else "rgb(244, 246, 248)")
    assert contrast(chromium, "h1") >= 7 and contrast(chromium, "header p") >= 4.5 and contrast(chromium, "td") >= 7
    for kind in ("compliant", "non-compliant", "unknown", "critical", "medium", "low", "reboot"):
        if chromium.run(f"document.querySelector('.badge.{kind}') !== null"):
            assert contrast(chromium, f".badge.{kind}") >= 4.5
    picture = Path(PICTURES or tmp_path) / f"fleet-{name}-{'dark' if dark else 'light'}.png"
    chromium.screenshot(picture)
    data = picture.read_bytes()
    assert struct.unpack(">II", data[16:24]) == (width, height) and len(data) > 20_000
    if not dark:
        click(chromium, "#hosts tbody .link")
        chromium.screenshot(picture.with_name(f"fleet-{name}-host.png"))


def contrast(chromium: Browser, selector: str) -> float:
    """The contrast of an element's text with the nearest background behind it, by WCAG 2."""
    return float(
        chromium.run(
            "(() => { const parse = c => c.match(/[\\d.]+/g).map(Number);"
            "const light = c => { const [r, g, b] = c.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 :"
            " ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };"
            f"const element = document.querySelector({selector!r}); let behind = element;"
            "while (behind && (c => c.length === 4 && c[3] === 0)(parse(getComputedStyle(behind).backgroundColor)))"
            " behind = behind.parentElement;"
            "const a = light(parse(getComputedStyle(element).color).slice(0, 3));"
            "const b = light(parse(getComputedStyle(behind || document.body).backgroundColor).slice(0, 3));"
            "return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); })()"
        )
    )


def test_the_theme_can_be_changed_and_it_prints(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    click(chromium, "#theme")
    assert chromium.run("getComputedStyle(document.body).backgroundColor") == "rgb(16, 21, 27)"
    assert chromium.pdf().startswith(b"%PDF")


def test_ten_thousand_hosts_are_usable_within_three_seconds(chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "big.html"
    collect.write(html_text(make(fleet(10_000, rows=30))), path)
    assert chromium.open(path) < 3
    began = chromium.run("performance.now()")
    click(chromium, "#hosts th:nth-child(4) button")
    search(chromium, "hosts", "web-0999")
    assert chromium.run("performance.now()") - began < 1500
    assert len(hosts_shown(chromium)) == 2
    click(chromium, "#packages tbody .link")
    assert chromium.run("document.querySelectorAll('dialog tbody tr').length") > 100

# SPDX-License-Identifier: Apache-2.0
"""The fleet page in a real browser: what it shows, how it is used, how fast it is there, how it looks."""

from __future__ import annotations

import csv
import dataclasses
import os
import re
import struct
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from ssmpatchlib.fleet import collect, fleetreport
from ssmpatchlib.fleet.history import Day, OpenPatch, Trends
from ssmpatchlib.fleet.hosts import HostReport
from ssmpatchlib.fleet.html import html_text
from support.browser import PROGRAM, Browser
from support.fleet_page import chromium, click, search, sticking_out, violations
from support.reports import NOW, fleet, minion_return

__all__ = ["chromium"]
pytestmark = [pytest.mark.slow(60), pytest.mark.skipif(PROGRAM is None, reason="needs chromium")]

DAY = 86400
#: Screenshots for people are kept here when the variable is set.
PICTURES = os.environ.get("SSMPATCH_PICTURES", "")
CVE_TITLES = ["CVE", "Hosts", "Fix on", "Severity", "Exploited", "Packages", "Advisories", "Link"]
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
    rings = {name: "canary" if number < 20 else "production" for number, name in enumerate(names)}
    made = fleetreport.make_report(
        pairs, expected=names, target="*", clock=lambda: NOW, stale_after=7 * DAY, group_by="role", rings=rings, **more
    )
    return dataclasses.replace(made, trends=TRENDS)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of four hundred hosts."""
    path = tmp_path_factory.mktemp("page") / "fleet.html"
    collect.write(html_text(make(fleet(400))), path)
    return path


def hosts_shown(chromium: Browser) -> list[str]:
    return names_shown(chromium, "hosts")


def names_shown(chromium: Browser, section: str) -> list[str]:
    return list(chromium.run(f"[...document.querySelectorAll('#{section} tbody tr')].map(r => r.cells[0].textContent)"))


def hosts_found(chromium: Browser) -> int:
    return int(chromium.run("document.querySelector('#hosts h2 span').textContent").replace(",", ""))


def select(chromium: Browser, label: str, value: str) -> None:
    """Choose what a select with this label offers."""
    chromium.run(
        f"(() => {{ const box = [...document.querySelectorAll('#selects label')]"
        f".find(l => l.textContent.startsWith({label!r})).querySelector('select');"
        f"box.value = {value!r}; box.dispatchEvent(new Event('change')); }})()"
    )


def lacking(made: fleetreport.FleetReport, word: str) -> list[HostReport]:
    """The hosts with a missing or failed patch that names this CVE or advisory."""
    return [host for host in made.hosts if any(word in f"{row.cves},{row.advisories}".split(",") for row in host.rows)]


def saved(chromium: Browser, selector: str, directory: Path) -> list[list[str]]:
    """The rows of the CSV file that a button saves."""
    before = set(directory.iterdir())
    chromium.downloads_to(directory)
    click(chromium, selector)
    ends = time.monotonic() + 20
    while not (found := {path for path in directory.glob("*.csv") if path not in before and path.stat().st_size}):
        assert time.monotonic() < ends, "no file was saved"
        time.sleep(0.05)
    with found.pop().open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def test_it_shows_the_numbers_of_the_report(chromium: Browser, page: Path) -> None:
    made = make(fleet(400))
    chromium.open(page)
    figures = chromium.run("[...document.querySelectorAll('.figure b')].map(f => f.textContent)")
    assert figures[1] == str(made.totals.verdicts["NON_COMPLIANT"])
    assert chromium.run("document.querySelectorAll('.charts > section').length") == 8
    assert len(hosts_shown(chromium)) == 50 and hosts_found(chromium) == 400
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
    click(chromium, ".chip[data-chip=UNREACHABLE]")
    unreachable = make(fleet(400)).totals.unreachable
    assert set(hosts_shown(chromium)) == set(unreachable)
    click(chromium, ".chip[data-chip='']")
    search(chromium, "WEB-00010 sin")
    assert hosts_shown(chromium) == ["web-00010.sin.example.net"]
    click(chromium, "#hosts tbody tr td:nth-child(2)")
    shown = chromium.run("document.querySelector('dialog[open]').innerText")
    assert "web-00010.sin.example.net" in shown and "rule 1 approves" in shown and "CVE-2026-" in shown
    chromium.press("Escape")
    assert chromium.run("document.querySelector('dialog[open]')") is None
    search(chromium, "nothing like this")
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


def test_figures_lead_to_the_hosts_they_count_and_add_up(chromium: Browser, page: Path) -> None:
    made = make(fleet(400))
    verdicts, patches = made.totals.verdicts, made.totals.patches
    chromium.open(page)
    shown = chromium.run("[...document.querySelectorAll('.figure')].map(f => [...f.children].map(c => c.textContent))")
    compliant, bad, unsure, lack, _, _ = shown
    assert compliant[2] == f"{verdicts['COMPLIANT']} of 400 hosts"
    assert unsure[1] == "hosts in an unknown state"
    parts = [int(number) for number in re.findall(r"\d+", unsure[2])]
    assert int(unsure[0]) == sum(parts) and verdicts["COMPLIANT"] + int(bad[0]) + sum(parts) == 400
    assert lack[0] == f"{patches['missing'] + patches['failed']:,}"
    assert lack[2] == f"{patches['missing']:,} missing, {patches['failed']:,} failed"
    found = {}
    for kind in ("non-compliant", "unknown", "reboot", "stale"):
        click(chromium, f".figure.{kind}")
        found[kind] = hosts_found(chromium)
        assert int(chromium.run(f"document.querySelector('.figure.{kind} b').textContent")) == found[kind]
    assert found["reboot"] == len(made.totals.reboots)
    note = chromium.run("document.querySelectorAll('.charts > section')[3].querySelector('.note').textContent")
    total, *states = (int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", note))
    assert total == sum(states) == sum(made.totals.levels.values())


def test_hosts_that_run_old_code_are_found_and_say_what(chromium: Browser, page: Path) -> None:
    made = make(fleet(400))
    chromium.open(page)
    click(chromium, '.chip[data-chip="OLD"]')
    assert hosts_found(chromium) == len(made.totals.old_code) > 0
    click(chromium, "#clear")
    search(chromium, "nginx.service")
    assert hosts_found(chromium) == len(made.totals.old_code)
    click(chromium, "#hosts tbody .link")
    facts = chromium.run("document.querySelector('dialog .facts').textContent")
    assert "Old codeservices: cron.service, nginx.service; sessions of: root; until a reboot: init" in facts
    assert chromium.errors == []


def test_cves_and_advisories_are_found(chromium: Browser, page: Path) -> None:
    made = make(fleet(400))
    chromium.open(page)
    cve = next(row.cves.split(",")[-1] for host in made.hosts for row in host.rows if row.cves)
    search(chromium, cve.lower())
    assert hosts_found(chromium) == len(lacking(made, cve)) > 0
    assert names_shown(chromium, "cves") == [cve]
    assert int(chromium.run("document.querySelector('#cves tbody tr').cells[1].textContent")) == hosts_found(chromium)
    href = chromium.run("document.querySelector('#cves tbody a').href")
    assert href == f"https://www.cve.org/CVERecord?id={cve}"
    packages = {r.id for h in lacking(made, cve) for r in h.rows if cve in r.cves.split(",")}
    assert set(names_shown(chromium, "packages")) == packages
    click(chromium, "#cves tbody .link")
    assert chromium.run("document.querySelectorAll('dialog tbody tr').length") >= hosts_found(chromium)
    chromium.press("Escape")
    advisory = next(r.advisories for h in made.hosts for r in h.rows if r.advisories.startswith("SUSE"))
    search(chromium, advisory)
    assert hosts_found(chromium) == len(lacking(made, advisory)) > 0
    assert names_shown(chromium, "advisories") == [advisory]
    number = advisory.removeprefix("SUSE-SU-2026:")
    assert chromium.run("document.querySelector('#advisories tbody a').href") == (
        f"https://www.suse.com/support/update/announcement/2026/suse-su-2026{number}/"
    )
    assert chromium.errors == []


def test_filters_are_kept_in_the_address(chromium: Browser, page: Path) -> None:
    made = make(fleet(400))
    chromium.open(page)
    select(chromium, "Ring", "canary")
    select(chromium, "Patch group", "staging")
    select(chromium, "Level", "HIGH")
    expected = [
        host.id
        for host in made.hosts
        if host.ring == "canary" and host.patch_group == "staging" and any(r.level == "HIGH" for r in host.rows)
    ]
    assert sorted(hosts_shown(chromium)) == sorted(expected) and expected
    found = chromium.run("document.getElementById('found').textContent")
    assert found.startswith(f"Shown: {len(expected)} of 400 hosts")
    click(chromium, "#packages tbody .link")
    package = chromium.run("document.getElementById('opened').textContent")
    hash_ = chromium.run("location.hash")
    assert parse_qs(hash_[1:]) == {
        "ring": ["canary"], "patch_group": ["staging"], "level": ["HIGH"], "package": [package],
    }  # fmt: skip
    counted = chromium.run(
        "new Set([...document.querySelectorAll('dialog tbody tr')].map(r => r.cells[0].textContent)).size"
    )
    chromium.open(page, fragment=hash_[1:])
    assert sorted(hosts_shown(chromium)) == sorted(expected)
    assert chromium.run("document.getElementById('opened').textContent") == package
    assert counted == chromium.run("+document.querySelector('#packages tbody tr').cells[1].textContent")
    chromium.press("Escape")
    click(chromium, "#clear")
    assert hosts_found(chromium) == 400 and chromium.run("location.hash") == ""
    chromium.run("location.hash = 'status=UNREACHABLE&ring=gone'")
    chromium.run("new Promise(done => setTimeout(done, 100))")
    assert hosts_found(chromium) == 0 and chromium.run(
        "document.querySelector('#selects select[data-x], #selects').textContent.includes('gone')"
    )
    chromium.run("location.hash = 'status=toString&host=nobody'")
    chromium.run("new Promise(done => setTimeout(done, 100))")
    assert hosts_found(chromium) == 400 and chromium.errors == []


@pytest.mark.parametrize("key", ["level", "system", "baseline", "patch_group", "ring", "group"])
@pytest.mark.parametrize("value", ["HGIH", "toString", "<img src=x>", "none of these"])
def test_a_filter_that_nothing_matches_is_seen(chromium: Browser, tmp_path: Path, key: str, value: str) -> None:
    """A link with a misspelt level showed every host, and one with a filter that has no box none, without a reason."""
    alone = [minion_return(1, rows=2)]
    made = dataclasses.replace(make(alone), group_by="")
    bare = [host._replace(patch_group="", ring="", group="") for host in made.hosts]
    path = tmp_path / "page.html"
    collect.write(html_text(dataclasses.replace(made, hosts=tuple(bare))), path)
    chromium.open(path, fragment=urlencode({key: value}))
    assert hosts_found(chromium) == 0
    boxes = "[...document.querySelectorAll('#selects select')].map(box => box.value)"
    assert [found for found in chromium.run(boxes) if found] == [value]
    click(chromium, "#clear")
    assert hosts_found(chromium) == 1 and chromium.errors == []


def test_what_is_shown_is_saved_as_csv(chromium: Browser, page: Path, tmp_path: Path) -> None:
    made = make(fleet(400))
    chromium.open(page)
    click(chromium, ".chip[data-chip=NON_COMPLIANT]")
    titles, *lines = saved(chromium, "#hosts .csv", tmp_path)
    by_id = {host.id: host for host in made.hosts}
    assert len(lines) == made.totals.verdicts["NON_COMPLIANT"]
    for line in (dict(zip(titles, each, strict=True)) for each in lines):
        host = by_id[line["Host"]]
        assert line["Status"] == host.verdict and line["Ring"] == host.ring and line["Address"] == host.address
        assert int(line["Missing"]) == host.counts.missing and line["Level"] == host.severity
    titles, *lines = saved(chromium, "#patches-csv", tmp_path)
    assert len(lines) == sum(made.totals.levels.values())
    assert {line[titles.index("State")] for line in lines} == {row.state for host in made.hosts for row in host.rows}
    search(chromium, "critical-is-nobody's-name")
    assert saved(chromium, "#cves .csv", tmp_path) == [CVE_TITLES]


@pytest.mark.parametrize("start", [*"=+-@|%\uff1d\uff0b\uff0d\uff20", "  =", "\u00a0="])
def test_a_saved_cell_is_no_formula(chromium: Browser, tmp_path: Path, start: str) -> None:
    cmd = f"{start}cmd|' /C calc'!A0;\"{start}1,\"\n"
    returned = minion_return(1, rows=1)[1]
    assert returned is not None
    returned["ssmpatch.report"]["patches"][0].update(
        Id=cmd, PatchState="Missing", CVEIds=cmd, reason=cmd, advisories=cmd
    )
    returned["ssmpatch.report"]["summary"]["PatchGroup"] = cmd
    path = tmp_path / "page.html"
    collect.write(html_text(make([(cmd, returned)])), path)
    chromium.open(path)
    for selector in ("#hosts .csv", "#patches-csv", "#packages .csv", "#cves .csv", "#advisories .csv"):
        titles, *lines = saved(chromium, selector, tmp_path)
        cells = [cell for line in lines for cell in line]
        assert {len(line) for line in lines} == {len(titles)} and any(cell.startswith("'") for cell in cells)
        divided = [*cells, *(part.lstrip('" ') for cell in cells for part in cell.split(";")[1:])]
        assert not [part for part in divided if part.lstrip().startswith(tuple("=+-@|%\uff1d\uff0b\uff0d\uff20"))]


def test_only_ids_of_a_vendors_form_have_addresses(chromium: Browser, tmp_path: Path) -> None:
    good = {
        "RHSA-2026:12345": "https://access.redhat.com/errata/RHSA-2026:12345",
        "ELSA-2026-1234": "https://linux.oracle.com/errata/ELSA-2026-1234.html",
        "ALAS2023-2026-123": "https://alas.aws.amazon.com/AL2023/ALAS2023-2026-123.html",
        "DSA-1234-1": "https://security-tracker.debian.org/tracker/DSA-1234-1",
        "USN-1234-1": "https://ubuntu.com/security/notices/USN-1234-1",
    }
    bad = ("javascript:alert(1)", "RHSA-2026:1234/../..", "xCVE-2026-1234", "CVE-2026-1234#x", "ALAS2023-2023-12",
           "https://evil.example/RHSA-2026:1234")  # fmt: skip
    returned = minion_return(1, rows=1)[1]
    assert returned is not None
    returned["ssmpatch.report"]["patches"][0].update(
        PatchState="Missing", CVEIds="", advisories=",".join([*good, *bad])
    )
    path = tmp_path / "links.html"
    collect.write(html_text(make([("m", returned)])), path)
    chromium.open(path)
    found = chromium.run(
        "Object.fromEntries([...document.querySelectorAll('#advisories tbody tr')]"
        ".map(r => [r.cells[0].textContent, r.querySelector('a')?.href || '']))"
    )
    assert found == {**good, **dict.fromkeys(bad, "")}
    assert chromium.run("[...document.querySelectorAll('a')].every(a => a.rel.includes('noopener'))")


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
    assert not sticking_out(chromium, width) and not broken_badges(chromium)
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
    click(chromium, "#hosts tbody .link")
    assert not sticking_out(chromium, width) and not broken_badges(chromium)
    if not dark:
        chromium.screenshot(picture.with_name(f"fleet-{name}-host.png"))
        chromium.press("Escape")
        search(chromium, "CVE-2026-2200")
        chromium.run("document.querySelector('.filters').scrollIntoView()")
        chromium.screenshot(picture.with_name(f"fleet-{name}-cve.png"))
    click(chromium, "#cves tbody .link")
    assert not sticking_out(chromium, width) and not broken_badges(chromium)


def broken_badges(chromium: Browser) -> list[str]:
    """Badges and chips whose words take more than one line."""
    return list(
        chromium.run(
            "[...document.querySelectorAll('.badge, .chip')].filter(e => e.getClientRects().length"
            " && (e.getClientRects().length > 1 || e.getBoundingClientRect().height > 34)).map(e => e.textContent)"
        )
    )


@pytest.mark.parametrize(
    ("width", "dark"), [(1280, False), (1280, True), (390, False)], ids=["desktop", "dark", "phone"]
)
def test_axe_finds_nothing(chromium: Browser, tmp_path: Path, width: int, dark: bool) -> None:
    path = tmp_path / "small.html"
    collect.write(html_text(make(fleet(20))), path)
    chromium.open(path, width=width, height=900, dark=dark)
    found = violations(chromium, "#hosts tbody .link", "#cves tbody .link")
    assert found == dict.fromkeys(found, []) and len(found) == 3


def test_it_is_used_with_the_keyboard(chromium: Browser, page: Path) -> None:
    """Tab goes through the controls in their order on the page; Enter opens, Escape closes and gives the focus back."""
    chromium.open(page)
    chromium.run("document.body.focus()")
    order = []
    for _ in range(40):
        chromium.press("Tab")
        order.append(chromium.run("document.activeElement.closest('header, section')?.className || 'header'"))
        assert chromium.run("document.activeElement !== document.body")
        if chromium.run("document.activeElement.matches('#hosts tbody .link')"):
            break
    assert chromium.run("document.activeElement.matches('#hosts tbody .link')")
    assert list(dict.fromkeys(order)) == ["header", "figures", "card filters", "card list"]
    name = chromium.run("document.activeElement.textContent")
    chromium.press("Enter")
    assert chromium.run("document.querySelector('dialog[open]').contains(document.activeElement)")
    assert chromium.run("document.getElementById('opened').textContent") == name
    chromium.press("Escape")
    assert chromium.run("document.activeElement.textContent") == name
    assert chromium.run("document.querySelector('dialog[open]')") is None


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
    search(chromium, "web-0999")
    assert chromium.run("performance.now()") - began < 1500
    assert len(hosts_shown(chromium)) == 2
    click(chromium, "#clear")
    search(chromium, "CVE-2026-22")
    assert chromium.run("performance.now()") - began < 4000
    click(chromium, "#packages tbody .link")
    assert chromium.run("document.querySelectorAll('dialog tbody tr').length") > 100

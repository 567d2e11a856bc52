# SPDX-License-Identifier: Apache-2.0
"""Fleet reports: what untrusted returns become, totals, and every format but the page's look."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib.errors import InvalidInput, SsmpatchError
from ssmpatchlib.fleet import collect, export, fleetreport, grid, metrics, text_table
from ssmpatchlib.fleet.hosts import read_host
from ssmpatchlib.fleet.html import html_text
from ssmpatchlib.fleet.html.charts import trend
from ssmpatchlib.fleet.old_code import OldCode
from ssmpatchlib.fleet.totals import percent
from ssmpatchlib.fleet.untrusted import Pool, clean, error_text
from support.reports import NOW, fleet, minion_return

DAY = 86400


def report(answers: Any, expected: Any = None, **more: Any) -> fleetreport.FleetReport:
    pairs = list(answers)
    names = [name for name, _ in pairs] if expected is None else expected
    return fleetreport.make_report(pairs, expected=names, target="*", clock=lambda: NOW, stale_after=7 * DAY, **more)


def host(**changes: Any) -> dict[str, Any]:
    """A compliant host's return with some parts of its report changed."""
    _, returned = minion_return(3, rows=0)
    assert returned is not None
    returned["ssmpatch.report"] |= changes
    return returned


def text(pieces: Any) -> str:
    return "".join(pieces)


# --- who counts as what ----------------------------------------------------------------------------


def test_every_expected_host_counts_and_silence_is_not_compliance() -> None:
    made = report(
        [
            ("good", host()),
            ("bad", minion_return(1, rows=2)[1]),
            ("unknown", host(compliance="UNKNOWN", warnings=["security: could not be read"])),
            ("new", {"ssmpatch.report": "Traceback …\nsalt.exceptions.CommandExecutionError: no report is stored"}),
            ("broken", "Minion did not return. [No response]"),
        ],
        expected=["good", "bad", "unknown", "new", "broken", "gone"],
    )
    assert made.totals.verdicts == {"COMPLIANT": 1, "NON_COMPLIANT": 1, "UNKNOWN": 1, "NO_REPORT": 2, "UNREACHABLE": 1}
    assert made.totals.compliant == pytest.approx(1 / 6)
    assert made.totals.unreachable == ("gone",)
    problems = {each.id: each.problem for each in made.hosts}
    assert problems["new"] == "no report is stored"
    assert problems["broken"] == "Minion did not return. [No response]"
    assert problems["gone"] == "no answer"


def test_a_compliant_word_does_not_outweigh_its_own_rows() -> None:
    returned = minion_return(1, rows=3)[1]
    assert returned is not None
    returned["ssmpatch.report"]["compliance"] = "COMPLIANT"
    assert read_host("m", returned, pool=Pool()).verdict == "NON_COMPLIANT"
    assert read_host("m", host(compliance="FINE"), pool=Pool()).verdict == "UNKNOWN"


OLD = {"units": ["nginx.service", "cron.service"], "sessions": [], "reboot": ["init"], "restarted": ["ssh.service"]}


def test_what_runs_old_code_is_counted_and_named() -> None:
    made = report(
        [
            ("old", host(restarts=OLD)),
            ("container", host(restarts={"containers": ["docker-01.scope"]})),
            ("new", host(restarts=dict.fromkeys(OLD, []))),
            ("silent", host()),
            ("strange", host(restarts=["nginx.service"])),
            (
                "hostile",
                host(restarts={"units": ["\x1b[31m", 7, {}], "sessions": "root", "processes": ["x" * 999] * 500}),
            ),
        ]
    )
    assert made.totals.old_code == ("hostile", "old")
    said = {each.id: each.old_code for each in made.hosts}
    assert (
        said["old"] is not None and said["old"].words == "services: nginx.service, cron.service; until a reboot: init"
    )
    assert said["new"] == OldCode() and said["silent"] is said["strange"] is None
    assert said["hostile"] is not None and said["hostile"].units == ("\N{REPLACEMENT CHARACTER}[31m", "7")
    assert (len(said["hostile"].processes), len(said["hostile"].processes[0])) == (101, 200)
    lines = text(metrics.prometheus_text(made)).splitlines()
    assert "ssmpatch_old_code_hosts 2" in lines
    kinds = [line for line in lines if line.startswith("ssmpatch_host_old_code{") and 'minion="old"' in line]
    assert [re.sub(r"\{.*kind=", "{kind=", line) for line in kinds] == [
        'ssmpatch_host_old_code{kind="units"} 2',
        'ssmpatch_host_old_code{kind="reboot"} 1',
    ]
    shown = text_table.table_text(made)
    assert "2 hosts running code that an update replaced" in shown
    assert "old: services: nginx.service, cron.service; until a reboot: init" in shown
    page = text(html_text(made))
    assert 'data-chip="OLD" aria-pressed="false">running old code 2</button>' in page
    assert "services: nginx.service, cron.service; until a reboot: init" in page
    document = json.loads(text(export.json_text(made)))
    assert document["summary"]["old_code"] == 2
    assert [
        each["old_code"] and each["old_code"]["units"] for each in document["hosts"] if each["id"] in ("old", "silent")
    ] == [
        ["nginx.service", "cron.service"],
        None,
    ]


def test_compliant_rows_of_a_detailed_report_are_left_out() -> None:
    returned = minion_return(1, rows=1)[1]
    assert returned is not None
    returned["ssmpatch.report"]["patches"].append({"Id": "a.amd64", "PatchState": "Installed", "Status": "COMPLIANT"})
    assert len(read_host("m", returned, pool=Pool()).rows) == 1


def test_all_the_cves_of_a_kernel_are_read() -> None:
    returned = minion_return(1, rows=1)[1]
    assert returned is not None
    cves = ",".join(f"CVE-2026-{number}" for number in range(1000, 1600))
    returned["ssmpatch.report"]["patches"][0] |= {"PatchState": "Missing", "CVEIds": cves}
    assert read_host("m", returned, pool=Pool()).rows[0].cves == cves


def test_old_reports_are_stale() -> None:
    def ended(days: int) -> dict[str, Any]:
        _, returned = minion_return(3, rows=0, now=NOW - days * DAY)
        assert returned is not None
        return returned

    made = report([("old", ended(20)), ("young", ended(0))])
    assert made.totals.stale == ("old",)


def test_totals_of_packages_count_each_host_once() -> None:
    returned = minion_return(1, rows=1)[1]
    assert returned is not None
    row = {**returned["ssmpatch.report"]["patches"][0], "PatchState": "Missing", "Severity": "LOW"}
    other = {**row, "PatchState": "Failed", "Severity": "HIGH", "available_version": "9.9"}
    rejected = {**row, "Id": "other.amd64", "PatchState": "InstalledRejected"}
    returned["ssmpatch.report"]["patches"] = [row, other, rejected]
    (package,) = report([("a", returned), ("b", returned)]).totals.packages
    assert (package.id, package.hosts, package.level) == (row["Id"], 2, "HIGH")
    assert package.states == ("Failed", "Missing") and "9.9" in package.available


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (1, "100 %"), (0.99999, "99.9 %"), (0.00001, "0.1 %"), (0.5, "50.0 %"), (2 / 3, "66.7 %")],
)
def test_only_all_is_all_and_only_none_is_none(share: float, words: str) -> None:
    assert percent(share) == words


# --- hostile and broken returns --------------------------------------------------------------------

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["compliance", "summary", "patches", "baseline", "warnings", "run"]


@settings(max_examples=80)
@given(data=st.data())
def test_no_return_breaks_a_report(data: st.DataObject) -> None:
    broken = dict(host()["ssmpatch.report"])
    for key in data.draw(st.lists(st.sampled_from(KEYS), max_size=3)):
        broken[key] = data.draw(ANY)
    summary = data.draw(st.dictionaries(st.sampled_from(["MissingCount", "OperationEndTime", "BaselineId"]), ANY))
    if isinstance(broken["summary"], dict):
        broken["summary"] = {**broken["summary"], **summary}
    row = st.dictionaries(st.sampled_from(["Id", "Severity", "CVEIds", "reason", "Title"]), ANY).map(
        lambda fields: {**fields, "PatchState": "Missing"}
    )
    if isinstance(broken["patches"], list):
        broken["patches"] = data.draw(st.lists(row | ANY, max_size=3))
    returned = {"ssmpatch.report": broken, "ssmpatch.status": data.draw(ANY), "grains.item": data.draw(ANY)}
    made = report([("m", returned), ("n", data.draw(ANY.filter(lambda value: value is not None)))])
    assert made.totals.hosts == 2 and sum(made.totals.verdicts.values()) == 2
    json.loads(text(export.json_text(made)))
    for pieces in (export.csv_text(made), export.csv_text(made, details=True), metrics.prometheus_text(made)):
        assert text(pieces)
    assert text_table.table_text(made) and text(html_text(made)).endswith("</html>\n")


HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{7*7}}\x1b[31m\u202e\u2028\r\n\x00=1+1"


def hostile() -> fleetreport.FleetReport:
    returned = minion_return(1, rows=1)[1]
    assert returned is not None
    found: dict[str, Any] = returned["ssmpatch.report"]
    row = {**dict.fromkeys(found["patches"][0], HOSTILE), "PatchState": "Missing", "Severity": "HIGH"}
    found |= {"patches": [row], "warnings": [HOSTILE]}
    found["baseline"] = dict.fromkeys(found["baseline"], HOSTILE)
    found["summary"] |= {"PatchGroup": HOSTILE, "BaselineId": HOSTILE}
    returned["grains.item"] = dict.fromkeys(returned["grains.item"], HOSTILE)
    returned["ssmpatch.status"]["running"] = {"operation": HOSTILE}
    return report([(HOSTILE, returned)], group_by="role")


def test_what_minions_say_is_never_markup() -> None:
    """Parsed as a browser does, the page has only the elements that it has for a harmless fleet."""

    class Elements(html.parser.HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.seen: set[tuple[str, ...]] = set()

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.add((tag, *sorted(name for name, _ in attrs)))

    def elements(made: fleetreport.FleetReport) -> set[tuple[str, ...]]:
        parser = Elements()
        parser.feed(text(html_text(made)))
        return parser.seen

    harmless = report([minion_return(1, rows=1)], group_by="role")
    assert elements(hostile()) == elements(harmless)
    page = text(html_text(hostile()))
    assert page.count("</script>") == 2 and "<img" not in page
    block = page.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    assert any("onerror=alert(1)" in each for each in json.loads(block)["strings"])


def test_the_page_may_load_and_run_nothing_but_itself() -> None:
    page = text(html_text(report(fleet(20))))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy and policy[1].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1]
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""<[^>]+\b(src|href|style|on\w+)\s*=""", markup)
    assert "url(" not in page and "@import" not in page


def test_cells_are_no_formulas() -> None:
    for start in ("=", "+", "-", "@", "|", "%", " =", "\t=", "\uff1d", "\uff0b", "\uff0d", "\uff20"):
        returned = host(baseline={"name": f"{start}cmd"})
        returned["ssmpatch.report"]["summary"]["PatchGroup"] = f"{start}cmd|' /C calc'!A0"
        row = list(csv.reader(io.StringIO(text(export.csv_text(report([("m", returned)]))))))[1]
        assert not [cell for cell in row if cell.lstrip().startswith(tuple("=+-@|%\uff1d\uff0b\uff0d\uff20"))]
        assert any(cell.startswith("'") for cell in row)


@pytest.mark.parametrize("divider", [";", ";;", "; ", ';"', ";'\" ", "\t", "a;b;"])
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "|", "%", "\uff1d"])
def test_cells_are_no_formulas_where_semicolons_divide_them(divider: str, start: str) -> None:
    returned = host(baseline={"name": f"x{divider}{start}cmd"})
    returned["ssmpatch.report"]["summary"]["PatchGroup"] = f"x{divider}{start}1+1"
    written = text(export.csv_text(report([("m", returned)])))
    for read in (csv.reader(io.StringIO(written), delimiter=";"), csv.reader(io.StringIO(written), delimiter="\t")):
        for cell in (cell for row in read for cell in row):
            assert not re.match(rf"""[\s"]*{re.escape(start)}""", cell), cell


def test_cells_with_semicolons_stay_as_they_are() -> None:
    returned = host()
    returned["ssmpatch.report"]["summary"]["PatchGroup"] = "web; db; a=b"
    (line,) = csv.DictReader(io.StringIO(text(export.csv_text(report([("m", returned)])))))
    assert line["Patch group"] == "web; db; a=b"


def test_csv_has_aws_columns_and_counts() -> None:
    made = report([minion_return(1, rows=30)])
    (line,) = csv.DictReader(io.StringIO(text(export.csv_text(made))))
    assert list(line) == [*export.HOST_COLUMNS, *export.CVE_COLUMNS] and line["Index"] == "1"
    assert line["SSM Agent version"] == "", "no agent of AWS's takes part, and Salt's version is none of it"
    counts = [int(value) for key, value in line.items() if key.endswith("patch count")]
    assert sum(counts) == len(made.hosts[0].rows) == 30 and line["Compliance status"] == "NON_COMPLIANT"
    lines = list(csv.DictReader(io.StringIO(text(export.csv_text(made, details=True)))))
    assert list(lines[0]) == list(export.PATCH_COLUMNS) and len(lines) == 30
    assert {each["SSM Agent version"] for each in lines} == {""}
    assert re.fullmatch(r"2026-11-\d\dT\d\d:\d\d:\d\dZ", lines[0]["Last report time"])


def test_json_has_what_the_report_has() -> None:
    made = report(fleet(40), group_by="role")
    document = json.loads(text(export.json_text(made)))
    assert document["summary"]["hosts"] == len(document["hosts"]) == 40
    assert sum(len(each["rows"]) for each in document["hosts"]) == sum(made.totals.levels.values())
    assert document["hosts"][1]["counts"]["missing"] == made.hosts[1].counts.missing


SAMPLE = re.compile(r'([a-z_:]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)*)\})? (-?[\d.e+]+)')


def test_prometheus_text_is_of_its_grammar() -> None:
    nasty = 'back\\slash "quote"'
    lines = text(metrics.prometheus_text(report([*fleet(30), (nasty, host())]))).splitlines()
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    seen: set[tuple[str, str]] = set()
    for line in lines:
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        assert match and match[1] in typed, line
        assert (match[1], match[2]) not in seen
        seen.add((match[1], match[2]))
    name = 'minion="back\\\\slash \\"quote\\""'
    assert any(line.startswith(f"ssmpatch_host_compliant{{{name},system=") and line.endswith("} 1") for line in lines)
    assert any(line.startswith('ssmpatch_hosts{compliance="unreachable"}') for line in lines)


def test_the_table_fits_its_width_and_names_everybody_who_matters() -> None:
    made = report(fleet(300), group_by="role")
    shown = text_table.table_text(made)
    assert max(map(len, shown.splitlines())) <= grid.WIDTH
    for words in (
        "By system",
        "By baseline",
        "By role",
        "Worst hosts",
        "Most missing packages",
        "Unreachable",
        "Stale",
    ):
        assert words in shown
    assert made.totals.unreachable[0] in shown


def test_one_long_name_moves_its_own_row_only() -> None:
    rows = [(f"host{number}", "CRITICAL", "1") for number in range(9)] + [("long" * 20, "CRITICAL", "1")]
    lines = grid.grid("Worst hosts", ("host", "level", "missing"), rows)
    assert {line.index("CRITICAL") for line in lines if "CRITICAL" in line and "long" not in line} == {4 + 5 + 2}
    assert max(map(len, lines)) <= grid.WIDTH == 80 and "long" * 20 in "".join(map(str.strip, lines))


def test_control_characters_reach_no_format() -> None:
    made = hostile()
    for pieces in (export.csv_text(made, details=True), metrics.prometheus_text(made), html_text(made)):
        # The page's own script and style have line ends only.
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u202e]", text(pieces))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text_table.table_text(made))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            "Traceback (most recent call last):\n  File\nsalt.exceptions.CommandExecutionError: busy: install",
            "busy: install",
        ),
        ("Traceback (most recent call last):\n  File\nKeyError: 'x'", "'x'"),
        ("'ssmpatch.report' is not available.", "'ssmpatch.report' is not available."),
        (None, ""),
        ({}, ""),
        ("", ""),
    ],
)
def test_errors_of_minions_in_one_line(value: Any, words: str) -> None:
    assert error_text(value) == words


def test_long_texts_are_shortened() -> None:
    assert len(clean("x" * 100_000)) == 2000 and clean("x" * 100_000).endswith("…")
    assert clean(["a"]) == "" and clean(3) == "3" and clean(None) == ""


# --- files -----------------------------------------------------------------------------------------


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    collect.write(["one", "two"], path)
    assert path.read_text() == "onetwo" and path.stat().st_mode & 0o777 == 0o644

    def broken() -> Any:
        yield "half"
        raise ValueError

    with pytest.raises(ValueError):
        collect.write(broken(), path)
    assert path.read_text() == "onetwo" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(InvalidInput, match="absolute path"):
        collect.write(["x"], Path("relative.html"))
    with pytest.raises(SsmpatchError, match="could not be written"):
        collect.write(["x"], tmp_path / "missing" / "report.html")


def test_the_curve_is_drawn_on_the_whole_axis() -> None:
    """Where an axis begins at 40 %, a small change looks like a large one."""
    drawn = trend([("2026-11-01", 0.9), ("2026-11-02", 0.95)], label="compliance")
    grid = [float(y) for y in re.findall(r'class="grid" x1="[\d.]+" y1="([\d.]+)"', drawn)]
    assert re.findall(r">(\d+%)<", drawn) == ["0%", "25%", "50%", "75%", "100%"]
    zero, *_, full = grid
    dots = [float(y) for y in re.findall(r'cy="([\d.]+)"', drawn)]
    assert [(zero - y) / (zero - full) for y in dots] == pytest.approx([0.9, 0.95], abs=0.001)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'pdf' is not allowed; use table, json, csv, html or prometheus"):
        collect.render(report([]), format="pdf", details=False)


def test_an_empty_fleet_has_a_report() -> None:
    made = report([])
    assert made.totals.compliant == 0 and "0 % of 0 hosts" in text_table.table_text(made)
    assert text(html_text(made)) and text(export.json_text(made))

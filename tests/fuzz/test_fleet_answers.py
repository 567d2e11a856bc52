# SPDX-License-Identifier: Apache-2.0
"""Whatever minions answer, and whatever stands in the files that the master reads: the other minions are served."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ssmpatchlib.errors import InvalidInput, SsmpatchError
from ssmpatchlib.fleet import (
    export,
    fleetreport,
    frozen,
    history,
    journal,
    metrics,
    minion_states,
    remediation,
    rollout,
)
from ssmpatchlib.fleet import settings as fleet_settings
from ssmpatchlib.fleet.cve_report import make_cve_report
from ssmpatchlib.fleet.cve_text import render_asked, render_open
from ssmpatchlib.fleet.hosts import COMPLIANT, HostReport
from ssmpatchlib.fleet.html import html_text
from ssmpatchlib.fleet.quantities import Rate
from ssmpatchlib.fleet.settings import Remediation
from ssmpatchlib.fleet.text_table import table_text
from support.answers import hostile, mutated, size
from support.cve_reports import answer, cves_of, row
from support.fake_fleet import START, FakeFleet, FakeMinion
from support.fuzzing import named, within_budget
from support.generated import Cases
from support.reports import NOW, minion_return

GOOD = minion_return(3, rows=0)[1]
BAD = minion_return(1, rows=3)[1]
for _said in (GOOD, BAD):
    assert _said is not None
    _said["ssmpatch.report"]["cves"] = cves_of(1, groups=3, size=3)
CVE = "CVE-2026-1234"
ANYBODY = Remediation(per_minion=Rate(100, 3600), fleet=Rate(100, 3600))
LIMITS = fleet_settings.Limits()
RING = fleet_settings.parse_rings([{"name": "all", "tgt": "*", "gate": {"checks": [{"test.ping": True}]}}])[0]
INSTALLED = {
    "compliance": "NON_COMPLIANT",
    "summary": {"MissingCount": "1", "OperationEndTime": "2026-11-20T06:30:00Z"},
    "patches": [{"Id": "x.amd64", "PatchState": "Failed", "Status": "NON_COMPLIANT", "reason": "gone"}],
    "held_back": ["x.amd64"],
    "reboot": {"action": "reboot", "due": "2026-11-20T06:30:00Z"},
    "changes": {"x": {"old": "1", "new": "2"}},
    "warnings": ["w"],
    "next_open": None,
}
STATUS = {"running": {"operation": "scan"}, "boot_id": "1", "next_open": "2026-11-20T06:30:00Z"}
CHECKED = {
    "ssmpatch.status": {**STATUS, "running": None},
    "ssmpatch.version": {"operating_system": "DEBIAN", "product": "Debian12"},
    "disk.usage": {"/": {"available": "9999999"}},
}
FROZEN = {
    "ssmpatch_frozen": 1,
    "operating_system": "DEBIAN",
    "product": "Debian12",
    "created": "2026-11-20T06:30:00Z",
    "baseline": "pb-1",
    "packages": {"x.amd64": "1", "y.amd64": "2"},
}
ROWS = [
    {"Id": f"{name}.amd64", "PatchState": "Installed", "installed_version": v} for name, v in (("x", "1"), ("y", "2"))
]
FREEZING = {"ssmpatch.freeze": FROZEN, "ssmpatch.report": {"compliance": "COMPLIANT", "summary": {}, "patches": ROWS}}
PLAN = {"changes": {"x": {"old": "1", "new": "2"}}, "blocked": [{"id": "y"}], "next_open": "2026-11-20T06:30:00Z"}


def shown(report: fleetreport.FleetReport) -> None:
    """Every format of a report."""
    assert table_text(report) and json.loads("".join(export.json_text(report)))
    pieces = (export.csv_text(report), export.csv_text(report, details=True), metrics.prometheus_text(report))
    for text in map("".join, pieces):
        text.encode()
    "".join(html_text(report)).encode()
    for format in ("table", "json", "csv"):
        "".join(render_open(report, format=format, columns=80)).encode()


def collected(answers: list[Any], path: Path) -> None:
    names = ["good", *(f"m{number}" for number in range(len(answers)))]
    made = fleetreport.make_report(
        zip(names, [GOOD, *answers], strict=True), expected=names, target="*", clock=lambda: NOW, stale_after=86400
    )
    assert made.hosts[0].verdict == COMPLIANT and len(made.hosts) == len(names)
    assert sum(made.totals.verdicts.values()) == len(names)
    for host in made.hosts:
        assert host.ended is None or host.ended <= NOW
        assert not (host.unreadable and host.verdict == COMPLIANT)
        assert all(len(text) <= 2000 and text.isprintable() for text in texts(host))
    shown(made)
    assert not history.update(path, scope="*", hosts=made.hosts, totals=made.totals, now=NOW).warnings


def texts(host: HostReport) -> list[str]:
    rows = [value for row in host.rows for value in row if isinstance(value, str)]
    return [*(value for value in host if isinstance(value, str)), *rows, *host.warnings, *host.unreadable]


@pytest.mark.cases(150)
def test_reports_of_minions(cases: Cases, tmp_path: Path) -> None:
    for number, random in cases:
        answers = [mutated(random, random.choice((GOOD, BAD))) for _ in range(2)]
        with named(cases, number, "reports"):
            path = tmp_path / f"{number}"
            within_budget(lambda a=answers, p=path: collected(a, p), size(answers), memory=number % 50 == 0, extra=0.3)
            path.unlink()


@pytest.mark.cases(300)
def test_answers_about_cves(cases: Cases) -> None:
    """Every host is told, and one that is fine stays so, whatever the others say."""
    good = row(CVE, "not affected", restart=[])
    for number, random in cases:
        said = mutated(random, answer(random.randrange(12), CVE))

        def work(said: Any = said) -> None:
            answers = [("good", {"cves": [good]}), ("odd", said)]
            made = make_cve_report(answers, [CVE, "DSA-5747-1"], expected=["good", "odd"], target="*", now=NOW)
            for asked in made.asked:
                assert sum(asked.numbers.values()) == 2
                assert {host.host: host.state for host in asked.hosts}["good"] == "not affected"
                assert all(len(host.reason) <= 2400 and host.reason.isprintable() for host in asked.hosts)
            for format in ("table", "json", "csv"):
                "".join(render_asked(made, format=format, columns=80)).encode()

        with named(cases, number, "cve"):
            within_budget(work, size(said), memory=number % 100 == 0)


@pytest.mark.cases(600)
def test_answers_in_a_remediation(cases: Cases) -> None:
    record = remediation.Record(attempts=(START,), job="1", failures=1)
    for number, random in cases:
        answer = mutated(random, INSTALLED)
        looked = {"ssmpatch.report": mutated(random, INSTALLED), "ssmpatch.status": mutated(random, STATUS)}
        looked = random.choice((looked, looked, hostile(random)))

        def work(answer: Any = answer, looked: Any = looked) -> None:
            settled = remediation.settle(record, answer, limits=ANYBODY, now=START + 60)
            assert answer is None or not settled.job
            kept, reason = remediation.asked(record, looked, now=START + 60)
            for each in (settled, kept):
                document = remediation._document({"a": each}, START + 60)
                assert not remediation._problem(json.loads(json.dumps(document, allow_nan=False)))
                assert len(each.reason) <= 500 and isinstance(reason, str)

        with named(cases, number, "answer"):
            within_budget(work, size([answer, looked]), memory=number % 100 == 0)


PHASES = {
    minion_states.CHECKING: CHECKED,
    minion_states.INSTALLING: INSTALLED,
    minion_states.VERIFYING: INSTALLED,
    minion_states.TESTING: True,
}


@pytest.mark.cases(800)
def test_answers_in_a_rollout(cases: Cases) -> None:
    for number, random in cases:
        phase, sample = random.choice(list(PHASES.items()))
        answer, probe = mutated(random, sample), mutated(random, STATUS)
        minion = minion_states.Minion(phase=phase, job="1", attempts=random.randint(0, 3))

        def work(minion: minion_states.Minion = minion, answer: Any = answer, probe: Any = probe) -> None:
            found = minion_states.answered(minion, answer, ring=RING, now=START, limits=LIMITS)
            others = [minion_states.probed(minion, probe, now=START)]
            others.append(minion_states.probed(minion_states.Minion(phase="rebooting", boot_id="0"), probe, now=START))
            for each in (found, *others):
                assert each.phase in minion_states.PHASES and len(each.reason) <= 2400
                assert not journal._misfit(json.loads(json.dumps(journal._minion_data(each))), minion_states.Minion())
            if found.phase in minion_states.PASSED and minion.phase == minion_states.TESTING:
                assert answer is True or answer == 1

        with named(cases, number, phase):
            within_budget(work, size([answer, probe]), memory=number % 100 == 0)


@pytest.mark.cases(400)
def test_answers_of_a_freeze(cases: Cases) -> None:
    """Two good minions decide, whatever the third says, but for packages that it alone has."""
    for number, random in cases:
        third = mutated(random, FREEZING)

        def work(third: Any = third) -> None:
            fleet = FakeFleet({name: FakeMinion() for name in "abc"})
            answers = {"a": FREEZING, "b": FREEZING, "c": third}
            salt = fleet.salt()
            seam = {"returns": lambda job: answers, "publish": lambda *given: None}
            found = frozen.collect(_with(salt, **seam), list("abc"), now=START, timeout=1)
            packages = found.documents["DEBIAN-Debian12"]["packages"]
            assert list(found.documents) == ["DEBIAN-Debian12"]
            assert {name: packages[name] for name in FROZEN["packages"]} == FROZEN["packages"]
            json.dumps(found.documents, allow_nan=False).encode()
            assert len(found.warnings) <= frozen.MAX_TOLD + 1
            assert all(len(text) < 2500 and text.isprintable() for text in (*found.warnings, *found.problems.values()))

        with named(cases, number, "freeze"):
            within_budget(work, size(third) + size(FREEZING), memory=number % 100 == 0)


def _with(salt: Any, **fields: Any) -> Any:
    import dataclasses

    return dataclasses.replace(salt, **fields)


@pytest.mark.cases(400)
def test_plans_of_a_dry_run(cases: Cases, tmp_path: Path) -> None:
    config = fleet_settings.load(None, state_dir=tmp_path)
    rings = fleet_settings.parse_rings([{"name": "all", "tgt": "*"}])
    for number, random in cases:
        plan = mutated(random, PLAN)

        def work(plan: Any = plan) -> None:
            fleet = FakeFleet({"a": FakeMinion(), "b": FakeMinion()})
            seam = {"returns": lambda job: {"a": plan, "b": PLAN}, "publish": lambda *given: None}
            result = rollout.dry_run(config, rings, _with(fleet.salt(), **seam), ask_minions=True, timeout=1)
            assert result["changes"]["b"] == {"changes": {"x": "1 → 2"}, "blocked": ["y"]}
            json.dumps(result, allow_nan=False).encode()

        with named(cases, number, "plan"):
            within_budget(work, size(plan), memory=number % 100 == 0)


# --- whole runs, and stored files ------------------------------------------------------------------


@pytest.mark.cases(20)
def test_a_rollout_with_a_hostile_minion_ends_and_patches_the_others(cases: Cases, tmp_path: Path) -> None:
    for number, random in cases:
        fleet = FakeFleet({"p0": FakeMinion(), "p1": FakeMinion()})
        real = fleet._answer

        def answer(
            minion: FakeMinion, function: str, args: Any, fleet: Any = fleet, real: Any = real, random: Random = random
        ) -> Any:
            said = real(minion, function, args)
            return mutated(random, said) if minion is fleet.minions["p0"] and random.random() < 0.7 else said

        fleet._answer = answer  # type: ignore[method-assign]
        config = fleet_settings.load({"limits": {"window": "6h"}}, state_dir=tmp_path / f"{number}")
        rings = [{"name": "all", "tgt": "p*", "max_failures": 1, "gate": {"min_compliant": 1}}]
        with named(cases, number, "rollout"):
            result = rollout.start(
                config, fleet_settings.parse_rings(rings), fleet.salt(), freeze=False, file_roots=[str(tmp_path)]
            )
            assert result["status"] in ("succeeded", "incomplete") and fleet.minions["p1"].patched
            json.dumps(result, allow_nan=False).encode()
            assert rollout.status(config, fleet.salt(), rollout="", details=True)["id"] == result["id"]


@pytest.mark.cases(30)
def test_remediation_of_a_fleet_with_a_hostile_minion(cases: Cases, tmp_path: Path) -> None:
    for number, random in cases:
        fleet = FakeFleet({"a": FakeMinion(), "b": FakeMinion()})
        real = fleet._answer

        def answer(
            minion: FakeMinion, function: str, args: Any, fleet: Any = fleet, real: Any = real, random: Random = random
        ) -> Any:
            said = real(minion, function, args)
            return mutated(random, said) if minion is fleet.minions["a"] else said

        fleet._answer = answer  # type: ignore[method-assign]
        directory = tmp_path / f"{number}"

        def run(name: Any, fleet: FakeFleet = fleet, directory: Path = directory) -> dict[str, Any]:
            return remediation.remediate(name, salt=fleet.salt(), state_dir=directory, limits=ANYBODY, reach=5)

        with named(cases, number, "remediation"):
            with suppress(InvalidInput):
                assert run(hostile(random))["started"] in ([], ["a"], ["b"])
            run("a")
            assert run("b")["started"] == ["b"]
            for _ in range(3):
                fleet.sleep(100)
                json.dumps(run(""), allow_nan=False).encode()
            assert fleet.minions["b"].patched and "b" not in run("")["running"]


def damaged(random: Random, text: str) -> str:
    """The text of a stored document after some changes, of values or of characters."""
    with suppress(ValueError, RecursionError):
        if random.random() < 0.7:
            return json.dumps(mutated(random, json.loads(text)), default=str)
    place = random.randrange(len(text))
    return text[:place] + random.choice(("", "\ud800", "[" * 50_000, "9" * 5000, "\x00", "}", text))


@pytest.mark.cases(60)
def test_stored_journals(cases: Cases, tmp_path: Path) -> None:
    config = fleet_settings.load(None, state_dir=tmp_path)
    fleet = FakeFleet({"a": FakeMinion(installable=False), "b": FakeMinion()})
    rings = fleet_settings.parse_rings([{"name": "all", "tgt": "*"}])
    rollout.start(config, rings, fleet.salt(), freeze=False, file_roots=[])
    (path,) = (tmp_path / journal.DIRECTORY).glob("*.json")
    remediation.remediate("a", salt=fleet.salt(), state_dir=tmp_path, limits=ANYBODY)
    stored = {each: each.read_text() for each in (path, tmp_path / remediation.FILE)}
    for number, random in cases:
        for each, text in stored.items():
            each.write_text(damaged(random, text), errors="surrogatepass")
        path.with_suffix(".abort").write_text(damaged(random, '{"a": ["enough"]}'), errors="surrogatepass")

        def work() -> None:
            with suppress(SsmpatchError):
                json.dumps(rollout.status(config, fleet.salt(), rollout="", details=True), allow_nan=False).encode()
            json.dumps(
                remediation.remediate("", salt=fleet.salt(), state_dir=tmp_path, limits=ANYBODY, reach=1),
                allow_nan=False,
            ).encode()

        with named(cases, number, "stored"):
            within_budget(work, sum(each.stat().st_size for each in stored), extra=1.0)
        for each in tmp_path.rglob("*.damaged-*"):
            each.unlink()


COLUMNS = {
    "daily": ("scope", "day", "key", "value"),
    "host": ("name", "seen", "verdict"),
    "patch": ("name",),
    "open": ("host", "patch", "level", "since"),
    "closed": ("day", "level", "number", "seconds"),
    "cve": ("name", "first", "seen", "last", "closed", "seconds"),
    "open_cves": ("host", "since", "cves"),
    "compared": ("data",),
}
VALUES = (None, 0, -1, 9, 2**62, 0.5, 1e300, float("inf"), "", "x", "2026-11-20", "9999-99-99", b"\xff", "\x00" * 9)


@pytest.mark.cases(120)
def test_stored_histories(cases: Cases, tmp_path: Path) -> None:
    made = fleetreport.make_report(
        [("a", BAD), ("b", GOOD)], expected=["a", "b", "c"], target="*", clock=lambda: NOW, stale_after=86400
    )
    path = tmp_path / history.FILE
    for number, random in cases:
        for old in tmp_path.iterdir():
            old.unlink()
        history.update(path, scope="*", hosts=made.hosts, totals=made.totals, now=NOW)
        with sqlite3.connect(path) as connection:
            for _ in range(random.randint(1, 3)):
                table = random.choice(list(COLUMNS))
                column, value = random.choice(COLUMNS[table]), random.choice(VALUES)
                with suppress(sqlite3.Error):
                    connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
        connection.close()
        with named(cases, number, "history"):
            trends = history.update(path, scope="*", hosts=made.hosts, totals=made.totals, now=NOW + 60)
            shown(fleetreport.FleetReport(NOW + 60, "*", made.hosts, made.totals, 86400, trends=trends))

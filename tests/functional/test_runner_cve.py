# SPDX-License-Identifier: Apache-2.0
"""``salt-run ssmpatch.cve`` in Salt's words: arguments, what is asked of minions, what is returned and written."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import salt.config

from support.cve_reports import answer, fleet_with_cves, row
from support.fake_fleet import FakeFleet, FakeMinion

CVE = "CVE-2026-1234"


@pytest.fixture
def fleet() -> FakeFleet:
    """Minions that answer in every way, one that is away, and their stored reports."""
    reports = {name: said for name, said in fleet_with_cves(12, rows=0, groups=3, each=4) if said}
    minions = {
        f"web{number:02d}": FakeMinion(
            checks={"ssmpatch.cve": answer(number), "grains.item": {"os": "Debian"}}, stored=said["ssmpatch.report"]
        )
        for number, said in enumerate(reports.values())
    }
    return FakeFleet({**minions, "gone": FakeMinion(away=((0, 1e9),))})


@pytest.fixture
def runner(loaders: Any, repo: Path, tmp_path: Path, fleet: FakeFleet) -> Any:
    spec = importlib.util.spec_from_file_location("loaded_runner_of_cves", repo / "_runners" / "ssmpatch.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    @contextlib.contextmanager
    def world() -> Iterator[Any]:
        yield fleet.salt()

    opts = {**salt.config.DEFAULT_MASTER_OPTS, "cachedir": str(tmp_path), "conf_file": "", "file_roots": {"base": []}}
    vars(module).update(__opts__=opts, __context__={}, __salt__={}, _world=world)
    return module


@pytest.mark.parametrize("columns", [80, 120])
def test_every_host_is_told(runner: Any, fleet: FakeFleet, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda fallback=(80, 24): os.terminal_size((columns, 24)))
    shown = runner.cve("cve-2026-1234")
    lines = shown.splitlines()
    assert lines[0].startswith(f"{CVE}, high, exploited since 2026-06-01") and max(map(len, lines)) <= columns
    assert [name for name in fleet.minions if name not in shown] == []
    assert "  unreachable (1)\n    gone" in shown
    assert runner.__context__ == {} and [functions for *_, functions in fleet.published] == [("ssmpatch.cve",)]


@pytest.mark.parametrize(
    "ids",
    ["CVE-2026-1234,USN-1-1", "CVE-2026-1234, USN-1-1,", ["CVE-2026-1234", "USN-1-1"], ("CVE-2026-1234", "USN-1-1")],
)
def test_several_ids_are_asked_for_at_once(runner: Any, fleet: FakeFleet, ids: Any) -> None:
    fleet.minions = {
        "a": FakeMinion(
            checks={"ssmpatch.cve": {"cves": [row(CVE, "fixed"), row("CVE-2026-2", "unknown", advisories=["USN-1-1"])]}}
        )
    }
    found = json.loads(runner.cve(ids, format="json"))
    assert {each["id"]: each["numbers"] for each in found["cves"]} == {CVE: {"fixed": 1}, "USN-1-1": {"unknown": 1}}


def test_without_ids_the_stored_reports_say_what_is_open(runner: Any, fleet: FakeFleet) -> None:
    shown = runner.cve()
    assert shown.startswith("Open CVEs of *, ") and "  critical  " in shown.splitlines()[7]
    assert "  not known: no answer (1)\n    gone" in shown
    assert fleet.published[0][3][0] == "ssmpatch.report"
    only = json.loads(runner.cve(tgt="web01", format="json"))
    assert only["hosts"] == 1 and only["cves"]


def test_a_file_is_written_and_the_numbers_returned(runner: Any, tmp_path: Path) -> None:
    path = tmp_path / "cve.csv"
    found = runner.cve(CVE, format="csv", output=str(path))
    assert found["output"] == str(path) and found["hosts"] == sum(found["cves"][CVE].values()) >= 12
    assert path.read_text().startswith("Index,Asked,Host,State,CVE,")
    found = runner.cve(format="table", output=str(path))
    assert found["cves"]["open"] > 0 and path.read_text().startswith("Open CVEs")


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"ids": "x"}, "ids: 'x' is not allowed; use ids such as CVE-2026-1234"),
        ({"ids": "CVE-2026-1,rm -rf /"}, "ids: 'rm -rf /' is not allowed"),
        ({"ids": ","}, "ids: ',' is not allowed"),
        ({"ids": ""}, "ids: '' is not allowed"),
        (
            {"ids": [f"CVE-2026-{number}" for number in range(101)]},
            "ids: '101 ids' is not allowed; use at most 100 ids",
        ),
        ({"ids": CVE, "format": "html"}, "format: 'html' is not allowed; use table, json or csv"),
        ({"id": CVE}, "id='CVE-2026-1234': no such argument; did you mean ids?"),
        ({"ids": CVE, "tgt": "nobody*"}, "tgt: no accepted minion matches 'nobody*' (glob)"),
        ({"tgt": "nobody*"}, "tgt: no accepted minion matches 'nobody*' (glob)"),
    ],
)
def test_what_is_wrong_is_a_sentence_with_a_return_code(
    runner: Any, fleet: FakeFleet, kwargs: dict[str, Any], words: str
) -> None:
    found = runner.cve(**kwargs)
    assert set(found) == {"error", "retcode"} and words in found["error"]
    assert runner.__context__["retcode"] == found["retcode"] == 1 and fleet.published == []

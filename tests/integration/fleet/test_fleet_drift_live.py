# SPDX-License-Identifier: Apache-2.0
"""Beacon, reactor and remediation, reports, and new engine code, on a real master with real minions."""

from __future__ import annotations

import csv
import http.server
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.salt_fleet import Fleet, installed, offer, package

pytestmark = [pytest.mark.root, pytest.mark.slow(300)]

NEW, UNINSTALLABLE = package("2.0"), package("2.0", depends="libgone")


@pytest.fixture
def beacon(fleet: Fleet) -> Iterator[str]:
    """A minion whose beacon is on; its events start the remediation of the examples."""
    time.sleep(3)  # the beacon, every second, advisories that the reports of the test before are gone
    yield "drift1"
    fleet.run("ssmpatch.remediate", "drift1", "reset=True")


def installs(fleet: Fleet, minion: str) -> int:
    return [run["operation"] for run in fleet.call(minion, "ssmpatch.history")].count("Install")


def test_drift_is_repaired_without_a_human(fleet: Fleet, beacon: str) -> None:
    offer(fleet.roots[beacon], NEW)
    assert fleet.call(beacon, "ssmpatch.scan")["compliance"] == "NON_COMPLIANT"
    fleet.wait(lambda: installed(fleet.roots[beacon]) == "2.0")
    fleet.wait(lambda: not fleet.run("ssmpatch.remediate")["running"])
    assert fleet.call(beacon, "ssmpatch.report")["compliance"] == "COMPLIANT"
    assert installs(fleet, beacon) == 1


def test_what_cannot_be_installed_is_given_up_and_calls_for_a_human(fleet: Fleet, beacon: str) -> None:
    offer(fleet.roots[beacon], UNINSTALLABLE)
    fleet.call(beacon, "ssmpatch.scan")
    fleet.wait(lambda: installs(fleet, beacon) == 1)
    # Each look settles what has returned; two failures in a row are the limit of these tests.
    stopped = fleet.wait(lambda: fleet.run("ssmpatch.remediate")["stopped"].get(beacon))
    assert "libgone" in stopped and installs(fleet, beacon) == 2
    # Neither further scans nor further requests start another one.
    for _ in range(3):
        fleet.call(beacon, "ssmpatch.scan")
        assert fleet.run("ssmpatch.remediate", beacon)["started"] == []
    assert installs(fleet, beacon) == 2
    offer(fleet.roots[beacon], NEW)
    fleet.run("ssmpatch.remediate", beacon, "reset=True")
    assert fleet.run("ssmpatch.remediate", beacon)["started"] == [beacon]
    fleet.wait(lambda: installed(fleet.roots[beacon]) == "2.0")


def forge(fleet: Fleet, tag: str, minion: str) -> None:
    """Let another minion send a batched event, as a beacon's are, in the name of ``minion``."""
    data = {"id": minion, "compliance": tag.rpartition("/")[2].upper(), "noncompliant": ["tool.amd64"]}
    preload = {"events": [{"tag": tag, "data": data}], "pretag": None}
    asked = questions(fleet, minion)
    assert fleet.call("prod1", "event.fire_master", "{}", "forged", f"preload={json.dumps(preload)}") is True
    # The reaction is over when its question is.
    fleet.wait(lambda: questions(fleet, minion) > asked)
    time.sleep(3)


def questions(fleet: Fleet, minion: str) -> int:
    """How often the master has asked a minion for its stored report."""
    jobs = fleet.run("jobs.list_jobs", f"search_target={minion}").values()
    return sum("ssmpatch.report" in job["Function"] for job in jobs)


def test_a_forged_event_patches_nobody_and_forgets_no_failure(fleet: Fleet, beacon: str) -> None:
    fleet.call(beacon, "ssmpatch.scan")
    forge(fleet, f"salt/beacon/{beacon}/ssmpatch/noncompliant", beacon)
    assert installs(fleet, beacon) == 0 and fleet.run("ssmpatch.remediate")["running"] == []
    offer(fleet.roots[beacon], UNINSTALLABLE)
    fleet.call(beacon, "ssmpatch.scan")
    fleet.wait(lambda: fleet.run("ssmpatch.remediate")["stopped"].get(beacon))
    for tag in ("compliant", "reset"):
        forge(fleet, f"salt/beacon/{beacon}/ssmpatch/{tag}", beacon)
        assert beacon in fleet.run("ssmpatch.remediate")["stopped"]


def test_a_synced_engine_is_used_at_once_by_minions_with_a_beacon_and_by_the_runner(fleet: Fleet, beacon: str) -> None:
    source = fleet.files / "_utils" / "ssmpatchlib" / "__init__.py"
    text = source.read_text()
    version = fleet.call(beacon, "ssmpatch.version")["version"]
    try:
        source.write_text(text.replace(f'"{version}"', '"99.9.9"'))
        fleet.call(beacon, "saltutil.sync_all")
        assert fleet.call(beacon, "ssmpatch.version")["version"] == "99.9.9"
    finally:
        source.write_text(text)
        fleet.call(beacon, "saltutil.sync_all")
    assert fleet.call(beacon, "ssmpatch.version")["version"] == version


def test_reports_of_real_minions_in_every_format(fleet: Fleet, tmp_path: Path) -> None:
    offer(fleet.roots["prod1"], NEW)
    offer(fleet.roots["prod2"], NEW)
    fleet.call("prod*", "ssmpatch.scan")
    assert json.loads(fleet.run("ssmpatch.report", "prod2", "format=json"))["summary"]["hosts"] == 1
    fleet.stop("prod2")
    try:
        page = tmp_path / "page.html"
        written = fleet.run("ssmpatch.report", "[cp]*", "format=html", f"output={page}", "timeout=10")
        assert written["verdicts"] == {
            "COMPLIANT": 0,
            "NON_COMPLIANT": 1,
            "UNKNOWN": 0,
            "NO_REPORT": 1,
            "UNREACHABLE": 1,
        }
        assert "tool.amd64" in page.read_text() and "last report" not in page.read_text()
        # A raw return is what salt-run prints for people.
        table = fleet.run_raw("ssmpatch.report", "[cp]*", "timeout=10").stdout
        assert "0 % of 3 hosts compliant" in table and "Unreachable (1)" in table and "prod2 (last report 20" in table
        assert "canary1: no report is stored in" in table
        lines = list(csv.DictReader(io.StringIO(fleet.run("ssmpatch.report", "prod1", "format=csv", "details=True"))))
        assert [(line["Instance ID"], line["KB ID/Patch ID"], line["Patch state"]) for line in lines] == [
            ("prod1", "tool.amd64", "Missing")
        ]
        document: dict[str, Any] = json.loads(fleet.run("ssmpatch.report", "prod1", "format=json"))
        assert document["hosts"][0]["group"] == "prod" and document["hosts"][0]["platform"]
        metrics = fleet.run("ssmpatch.report", "prod1", "format=prometheus")
        assert re.search(r'^ssmpatch_host_compliant\{minion="prod1",.*group="prod".*\} 0$', metrics, re.M)
    finally:
        fleet.start("prod2")
    rescanned = fleet.run("ssmpatch.report", "canary1", "format=json", "rescan=True")
    assert json.loads(rescanned)["hosts"][0]["verdict"] == "COMPLIANT"


def test_a_cve_is_asked_of_real_minions(fleet: Fleet, tmp_path: Path) -> None:
    fleet.call("prod1", "ssmpatch.scan")
    answer = json.loads(fleet.run("ssmpatch.cve", "CVE-2026-1234,usn-1-1", "tgt=prod1", "format=json", "timeout=30"))
    assert [(each["id"], each["numbers"]) for each in answer["cves"]] == [
        ("CVE-2026-1234", {"unknown": 1}), ("USN-1-1", {"unknown": 1}),
    ]  # fmt: skip
    assert "ssmpatch.advisories" in answer["hosts"][0]["problem"]
    shown = fleet.run_raw("ssmpatch.cve", "CVE-2026-1234", "tgt=prod1", "timeout=30").stdout
    assert "1  unknown" in shown and "\n    prod1" in shown
    path = tmp_path / "open.csv"
    written = fleet.run("ssmpatch.cve", "tgt=prod1", "format=csv", f"output={path}", "timeout=30")
    assert written["hosts"] == 1 and path.read_text().startswith("Index,CVE,Severity,")


def test_the_orchestrations_of_the_examples_patch_the_fleet_and_tell_a_human(fleet: Fleet, tmp_path: Path) -> None:
    for name in ("canary1", "prod1", "prod2"):
        offer(fleet.roots[name], NEW)
    page = tmp_path / "index.html"
    done = fleet.run_raw("state.orchestrate", "orch.ssmpatch_rollout", f"pillar={json.dumps({'report': str(page)})}")
    assert done.returncode == 0, done.stdout
    assert {installed(fleet.roots[name]) for name in ("canary1", "prod1", "prod2")} == {"2.0"}
    assert page.read_text().endswith("</html>\n")
    received: list[tuple[dict[str, str], bytes]] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        pillar = {
            "tag": "ssmpatch/rollout/1/failed",
            "data": {"reason": "ring canary: 0 of 1"},
            "alert_url": f"http://127.0.0.1:{server.server_port}/",
            "report": str(tmp_path / "report.json"),
        }
        done = fleet.run_raw("state.orchestrate", "orch.ssmpatch_alert", f"pillar={json.dumps(pillar)}")
        assert done.returncode == 0, done.stdout
    ((headers, body),) = received
    assert headers["X-Salt-Event"] == "ssmpatch/rollout/1/failed" and headers["X-Reason"] == "ring canary: 0 of 1"
    assert json.loads(body)["summary"]["verdicts"]["COMPLIANT"] == 3


def test_mistakes_are_sentences_with_a_return_code(fleet: Fleet) -> None:
    for words, said in (
        (("ssmpatch.report", "format=pdf"), "format: 'pdf' is not allowed"),
        (("ssmpatch.report", "nobody*"), "tgt: no accepted minion matches 'nobody*'"),
        (("ssmpatch.rollout", "rings=[]"), "rings: there is none"),
    ):
        done = fleet.run_raw(*words)
        assert done.returncode == 1 and said in done.stdout and "Traceback" not in done.stdout + done.stderr


def test_freeze_writes_documents_that_minions_accept(fleet: Fleet) -> None:
    result = fleet.run("ssmpatch.freeze", "canary*", "name=golden")
    location = "salt://ssmpatch-frozen/golden/DEBIAN-Debian12.json"
    assert result == {"locations": {"DEBIAN-Debian12": location}, "packages": {"DEBIAN-Debian12": 1}, "minions": 1}
    assert fleet.call("prod1", "cp.get_file_str", location).startswith('{\n "ssmpatch_frozen": 1')

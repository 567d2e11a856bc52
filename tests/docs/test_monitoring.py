# SPDX-License-Identifier: Apache-2.0
"""The dashboard and the alerts of the documentation against what the report exports, by Prometheus' own programs."""

from __future__ import annotations

import dataclasses
import http.server
import json
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssmpatchlib.fleet import fleetreport
from ssmpatchlib.fleet.metrics import prometheus_text
from ssmpatchlib.fleet.minion_states import PHASES
from ssmpatchlib.fleet.standing import RingStanding, RolloutStanding
from support.cve_reports import fleet_with_cves
from support.daemons import end, free_ports

REPO = Path(__file__).resolve().parents[2]
EXAMPLES = REPO / "docs" / "examples" / "fleet" / "monitoring"
RULES = EXAMPLES / "alerts.yml"
UNIT_TESTS = REPO / "tests" / "data" / "monitoring" / "alerts_test.yml"
PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian: prometheus)")
SECONDS = 60
NOW = time.time()


def exported() -> str:
    """The metrics of a fleet with everything: failures, frozen sets, rings, and a rollout that has ended."""
    pairs = list(fleet_with_cves(200, groups=6, each=5))
    for _, returned in pairs:
        if returned and isinstance(returned["ssmpatch.report"], dict):
            returned["ssmpatch.report"]["baseline"]["frozen"] = True
    names = [name for name, _ in pairs]
    made = fleetreport.make_report(
        pairs,
        expected=names,
        target="*",
        clock=lambda: NOW,
        stale_after=7 * 86400,
        group_by="role",
        rings={name: "canary" if number < 20 else "production" for number, name in enumerate(names)},
    )
    phases = dict.fromkeys(sorted(PHASES), 0) | {"compliant": 18, "failed": 2}
    rings = (RingStanding("canary", phases, NOW - 900, NOW - 60), RingStanding("production", phases, NOW - 60, NOW))
    rollout = RolloutStanding("failed", NOW - 900, NOW, rings)
    return "".join(prometheus_text(dataclasses.replace(made, rollout=rollout)))


@pytest.fixture(scope="module")
def export() -> str:
    return exported()


def expressions() -> dict[str, str]:
    """Every expression of the dashboard (its variables let everything through) and of the alerts, by its place."""
    dashboard = json.loads((EXAMPLES / "dashboard.json").read_text())
    found = {
        f"{panel['title']} {target['refId']}": re.sub(r"\$\w+", ".*", target["expr"])
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]
            found[f"variable {variable['name']}"] = f"group by ({label}) ({metric})"
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return found | {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def promtool(*words: str, stdin: str | None = None, cwd: Path | None = None) -> str:
    """The output of promtool, which has to be content."""
    done = subprocess.run(
        [PROMTOOL or "", *words], input=stdin, cwd=cwd, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_metrics(export: str) -> None:
    assert promtool("check", "metrics", stdin=export) == ""


@needs_promtool
def test_the_alerts_are_raised_when_they_should_be(tmp_path: Path) -> None:
    for path in (RULES, UNIT_TESTS):
        shutil.copy(path, tmp_path)
    promtool("check", "rules", RULES.name, cwd=tmp_path)
    promtool("test", "rules", UNIT_TESTS.name, cwd=tmp_path)
    tried = UNIT_TESTS.read_text()
    alerts = [rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert [name for name in alerts if len(re.findall(rf"alertname: {name}\b", tried)) < 2] == []


def test_what_is_asked_for_is_exported(export: str) -> None:
    """Metrics and their labels; a label in a matcher that no sample has would silently match nothing."""
    labels: dict[str, set[str]] = {}
    for name, inside in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", export, re.M):
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', inside))
    for place, expression in expressions().items():
        used = re.findall(r"(ssmpatch_\w+)(?:\{([^}]*)\})?", expression)
        assert used, place
        for metric, matchers in used:
            assert metric in labels, f"{place}: {metric}"
            assert set(re.findall(r"(\w+)\s*=~?", matchers)) <= labels[metric], f"{place}: {matchers}"


@pytest.fixture(scope="module")
def server(export: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that scrapes the export; its address."""

    class Exporter(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(export.encode())

        def log_message(self, *_: Any) -> None:
            pass

    directory = tmp_path_factory.mktemp("prometheus")
    exporter = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    scraped = f"127.0.0.1:{exporter.server_address[1]}"
    job = {"job_name": "node", "scrape_interval": "1s", "static_configs": [{"targets": [scraped]}]}
    (directory / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [job]}))
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    with (directory / "log").open("wb") as log:
        words = (f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data")
        process = subprocess.Popen(
            [PROMETHEUS or "", *words, f"--web.listen-address={address}"], stdout=log, stderr=log
        )
    try:
        ends = time.monotonic() + SECONDS
        while not ready(address):
            assert process.poll() is None and time.monotonic() < ends, (directory / "log").read_text()[-2000:]
            time.sleep(0.2)
        yield address
    finally:
        end(process)
        exporter.shutdown()
        exporter.server_close()


def query(address: str, expression: str) -> list[Any]:
    """What a real Prometheus answers to an expression."""
    words = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"http://{address}/api/v1/query?{words}", timeout=SECONDS) as answer:
        return list(json.load(answer)["data"]["result"])


def ready(address: str) -> bool:
    """Whether it has read the export."""
    try:
        return bool(query(address, "ssmpatch_report_time_seconds"))
    except OSError:
        return False


#: What this export gives no answer to, for it is of a fleet that has just been reported.
SILENT = {"PatchReportStopped", "PatchReportAbsent", "PatchRolloutIncomplete"}


@pytest.mark.skipif(PROMETHEUS is None, reason="needs prometheus")
def test_every_panel_shows_something(server: str) -> None:
    found = {place: len(query(server, expression)) for place, expression in expressions().items()}
    assert {place for place, samples in found.items() if not samples} == SILENT
    assert found["Compliant by ring A"] == 2 and found["Hosts by verdict A"] == 5

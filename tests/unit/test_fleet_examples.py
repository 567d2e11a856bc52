# SPDX-License-Identifier: Apache-2.0
"""The fleet examples of the documentation: every key, function, file and window in them exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssmpatchlib.fleet import settings

REPO = Path(__file__).resolve().parents[2]
EXAMPLES = REPO / "docs" / "examples" / "fleet"


def functions(path: str) -> dict[str, list[str]]:
    """The public functions of a loader module, with the names of their arguments."""
    return {
        node.name.rstrip("_"): [arg.arg for arg in node.args.args]
        for node in ast.parse((REPO / path).read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def check_job(job: dict[str, Any], known: dict[str, list[str]]) -> None:
    name = job["function"].removeprefix("ssmpatch.")
    assert set(job.get("kwargs", {})) <= set(known[name])
    assert any(key in job for key in ("cron", "minutes", "run_on_start")) and job["maxrunning"] == 1


def test_the_masters_configuration() -> None:
    document = yaml.safe_load((EXAMPLES / "master.conf").read_text())
    found = settings.load(document["ssmpatch"], state_dir=Path("/var/cache/salt/master/ssmpatch"))
    assert [ring.name for ring in found.rings] == ["canary", "production"] and found.remediation.windows
    for item in document["reactor"]:
        for files in item.values():
            assert all((EXAMPLES / name.removeprefix("salt://")).is_file() for name in files)
    for job in document["schedule"].values():
        check_job(job, functions("_runners/ssmpatch.py"))


def test_the_masters_configuration_of_advisories() -> None:
    document = yaml.safe_load((EXAMPLES / "advisories.conf").read_text())
    found = settings.load(document["ssmpatch"], state_dir=Path("/var/cache/salt/master/ssmpatch")).advisories
    assert found.sources and found.exploited and len(found.releases) == 3
    for job in document["schedule"].values():
        check_job(job, functions("_runners/ssmpatch.py"))


def test_the_masters_configuration_of_mirrored_advisories() -> None:
    document = yaml.safe_load((EXAMPLES / "advisories-mirror.conf").read_text())
    found = settings.load(document["ssmpatch"], state_dir=Path("/var/cache/salt/master/ssmpatch")).advisories
    assert len(found.sources) == 2 and all("/srv/osv/" in each for each in (*found.sources, found.exploited))


@pytest.mark.parametrize("path", sorted((EXAMPLES / "reactor").glob("*.sls")), ids=lambda path: path.stem)
def test_reactors_start_what_exists(path: Path) -> None:
    text = path.read_text()
    mods = re.findall(r"mods: orch\.(\w+)", text)
    assert all((EXAMPLES / "orch" / f"{name}.sls").is_file() for name in mods)
    assert mods or "runner.ssmpatch.remediate" in text
    # What comes from a minion is quoted before YAML reads it.
    assert all("| json" in inside for inside in re.findall(r"{{(.*?)}}", text))

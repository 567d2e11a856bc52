# SPDX-License-Identifier: Apache-2.0
"""The fleet's pillar examples, rendered by Salt for each system: every setting and job in them is valid there."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
import salt.template

from ssmpatchlib import config
from ssmpatchlib.fleet import systems
from ssmpatchlib.osinfo import detect

REPO = Path(__file__).resolve().parents[2]
PILLARS = sorted((REPO / "docs" / "examples" / "fleet" / "pillar").glob("*.sls"))
RELEASES = REPO / "tests" / "data" / "os-release"
#: Files of tests/data/os-release, with the grains `os` and `osrelease` that Salt has on such a host.
SYSTEMS = {
    "debian-10": ("Debian", "10"),
    "debian-12": ("Debian", "12"),
    "debian-13": ("Debian", "13.1"),
    "raspbian-11": ("Raspbian", "11"),
    "ubuntu-22.04": ("Ubuntu", "22.04"),
    "ubuntu-24.04": ("Ubuntu", "24.04"),
    "rhel-7": ("RedHat", "7.9"),
    "rhel-9": ("RedHat", "9.4"),
    "rhel-10": ("RedHat", "10.0"),
    "centos-7": ("CentOS", "7.9.2009"),
    "centos-8": ("CentOS", "8.5.2111"),
    "centos-stream-9": ("CentOS Stream", "9"),
    "rocky-9": ("Rocky", "9.3"),
    "alma-8": ("AlmaLinux", "8.9"),
    "oracle-8": ("OEL", "8.4"),
    "sles-12": ("SUSE", "12.5"),
    "sles-15-ga": ("SUSE", "15"),
    "sles-15": ("SUSE", "15.3"),
    "opensuse-leap-15": ("SUSE", "15.5"),
    "amazon-1": ("Amazon", "2018.03"),
    "amazon-2": ("Amazon", "2"),
    "amazon-2023": ("Amazon", "2023"),
}
#: Systems that AWS does not know: no canary's set is for them.
OTHERS = {"fedora-42": ("Fedora", "42"), "opensuse-tumbleweed": ("SUSE", "20250101")}


def rendered(path: Path, grains: dict[str, str], directory: Path) -> dict[str, Any]:
    """What Salt makes of a pillar file for a minion with these grains."""
    opts = salt.config.DEFAULT_MINION_OPTS.copy()
    opts.update(grains=grains, cachedir=str(directory / "cache"), extension_modules=str(directory / "ext"))
    renderers = salt.loader.render(opts, {})
    found = salt.template.compile_template(str(path), renderers, "jinja|yaml", [], [])
    assert isinstance(found, dict)
    return found


def known_functions() -> set[str]:
    """The public functions of the execution module."""
    tree = ast.parse((REPO / "_modules" / "ssmpatch.py").read_text())
    return {f"ssmpatch.{node.name}" for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}


@pytest.mark.parametrize("release", [*SYSTEMS, *OTHERS])
def test_every_system_gets_a_valid_pillar(release: str, tmp_path: Path) -> None:
    system, version = {**SYSTEMS, **OTHERS}[release]
    for path in PILLARS:
        document = rendered(path, {"os": system, "osrelease": version}, tmp_path)
        if path.stem == "top":
            assert {name for names in document["base"].values() for name in names} == {
                each.stem for each in PILLARS if each != path
            }
            continue
        assert set(document) <= {"ssmpatch", "schedule", "beacons"}
        assert config.problems(None, document.get("ssmpatch")) == []
        for job in document.get("schedule", {}).values():
            assert job["function"] in known_functions() and job["maxrunning"] == 1
            assert any(key in job for key in ("cron", "minutes", "run_on_start"))


@pytest.mark.parametrize("release", SYSTEMS)
def test_production_takes_the_set_of_its_own_system(release: str, tmp_path: Path) -> None:
    grains = dict(zip(("os", "osrelease"), SYSTEMS[release], strict=True))
    (tmp_path / "etc").mkdir()
    for suffix, name in (("", "os-release"), (".centos-release", "centos-release")):
        if (RELEASES / f"{release}{suffix}").exists():
            (tmp_path / "etc" / name).write_text((RELEASES / f"{release}{suffix}").read_text())
    found = detect(root=tmp_path)
    said = {"operating_system": found.operating_system, "product": found.product}
    # The name under which the rollout's master files the set of such a minion.
    name = systems.system_of(said, grains=grains, pillar={})
    path = next(each for each in PILLARS if each.stem == "production")
    assert rendered(path, grains, tmp_path)["ssmpatch"]["frozen"] == f"salt://ssmpatch-frozen/current/{name}.json"


@pytest.mark.parametrize("release", OTHERS)
def test_production_of_a_system_that_aws_does_not_know_has_no_set(release: str, tmp_path: Path) -> None:
    grains = dict(zip(("os", "osrelease"), OTHERS[release], strict=True))
    path = next(each for each in PILLARS if each.stem == "production")
    assert "frozen" not in rendered(path, grains, tmp_path)["ssmpatch"]

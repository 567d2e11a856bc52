# SPDX-License-Identifier: Apache-2.0
"""One rollout over the three families: Debian's, Red Hat's and SUSE's minions, each with its own package manager."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import dnf_root, rpm_build, rpm_root, suse_root
from support.rpm_build import Spec
from support.salt_fleet import Fleet, installed, offer, package

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow(60),
    pytest.mark.skipif(not (shutil.which("dnf") and shutil.which("zypper")), reason="needs dnf and zypper"),
]

RINGS = (
    "rings=[{name: canary, tgt: 'canary1,redhat1,suse1', tgt_type: list},"
    " {name: production, tgt: 'prod1,redhat2', tgt_type: list}]"
)
REDHAT = {**dnf_root.SYSTEM, "package_manager": "dnf"}
SUSE = {"operating_system": "SUSE", "product": "Suse15.3", "package_manager": "zypper"}
SYSTEMS = {"redhat1": REDHAT, "redhat2": REDHAT, "suse1": SUSE}
#: What the master knows these minions by, whose Python runs on this host.
GRAINS = {"dnf": {"os": "RedHat", "osrelease": "8.6"}, "zypper": {"os": "SLES", "osrelease": "15.3"}}
NEW, NEWER, UNINSTALLABLE = Spec("tool"), Spec("tool", "3"), Spec("tool", requires=["libgone"])


@pytest.fixture(scope="module")
def rpm_roots(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Minions of Red Hat's and SUSE's family, where ``tool`` 1 is installed and 2 is on offer.

    On redhat2 3 is on offer too; on suse1 what is on offer needs what nobody has.
    """
    work = tmp_path_factory.mktemp("rpm")
    old = ["tool-1-1.noarch"]
    advisory, patch = dnf_root.advisory("RHSA-1", NEW.nevra, NEWER.nevra), suse_root.patch("SUSE-1", NEW.nevra)
    roots = {
        "redhat1": dnf_root.build(work / "redhat1", installed=old, specs=[NEW], advisories=[advisory]),
        "redhat2": dnf_root.build(work / "redhat2", installed=old, specs=[NEW, NEWER], advisories=[advisory]),
        "suse1": suse_root.build(work / "suse1", installed=old, specs=[UNINSTALLABLE], advisories=[patch]),
    }
    daemons = []
    for name, root in roots.items():
        own = {key: value for key, value in SYSTEMS[name].items() if key != "releasever"}
        settings = {
            "ssmpatch": {**own, "root": str(root)},
            "grains": GRAINS[own["package_manager"]],
            "loop_interval": 1,
        }
        daemons.append(fleet.master.salt_minion_daemon(name, overrides=settings))
    with contextlib.ExitStack() as stack, ThreadPoolExecutor() as pool:
        for daemon in daemons:
            stack.callback(daemon.terminate)
        list(pool.map(lambda daemon: daemon.start(start_timeout=300), daemons))
        fleet.call("[rs]*", "saltutil.sync_all", timeout=120)
        yield roots


def versions(fleet: Fleet, rpm_roots: dict[str, Path]) -> dict[str, str]:
    debian = {name: installed(fleet.roots[name]) for name in ("canary1", "prod1")}
    return debian | {name: rpm_root.installed(root)["tool.noarch"][0] for name, root in rpm_roots.items()}


def mend(root: Path) -> None:
    """Let the update of SUSE's root be one that can be installed."""
    work = root.parent / "mended"
    patch = suse_root.patch("SUSE-1", NEW.nevra)
    made = rpm_build.build_repository(work / "updates", [NEW], advisories=[patch], work=work)
    shutil.rmtree(root / "repos/updates")
    shutil.copytree(made, root / "repos/updates")


def test_one_family_holds_the_next_ring_back_until_it_is_compliant(fleet: Fleet, rpm_roots: dict[str, Path]) -> None:
    for name in ("canary1", "prod1"):
        offer(fleet.roots[name], package("2.0"))
    stopped = fleet.run_raw("ssmpatch.rollout", RINGS, "--out=json")
    result = json.loads(stopped.stdout)
    assert stopped.returncode == 1 and result["status"] == "failed", result
    assert result["reason"].startswith("ring canary: 2 of 3 minions compliant, min_compliant is 100%")
    assert "libgone" in result["minions"]["suse1"]["reason"]
    updated = {"canary1": "2.0", "redhat1": "0:2-1"}
    assert versions(fleet, rpm_roots) == {**updated, "suse1": "0:1-1", "prod1": "1.0", "redhat2": "0:1-1"}
    mend(rpm_roots["suse1"])
    result = fleet.run("ssmpatch.rollout", "resume=True")
    assert result["status"] == "succeeded", result
    assert versions(fleet, rpm_roots) == {**updated, "suse1": "0:2-1", "prod1": "2.0", "redhat2": "0:2-1"}
    frozen = ["DEBIAN-Debian12", "REDHAT_ENTERPRISE_LINUX-RedhatEnterpriseLinux8.6", "SUSE-Suse15.3"]
    assert sorted(result["frozen"]) == frozen
    reports = {name: fleet.call(name, "ssmpatch.report") for name in rpm_roots}
    assert reports["redhat1"]["compliance"] == reports["suse1"]["compliance"] == "COMPLIANT"
    # What the first ring could not test is not installed, and is said to be missing all the same.
    held = reports["redhat2"]
    assert (held["frozen_compliance"], held["compliance"]) == ("COMPLIANT", "NON_COMPLIANT")
    assert held["held_back"] == ["tool.noarch"]

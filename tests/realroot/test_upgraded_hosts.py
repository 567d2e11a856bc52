# SPDX-License-Identifier: Apache-2.0
"""Fully upgraded hosts with the usual sources are compliant, and apt agrees before and after an install."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from support import apt_root, real_root
from support.faults.debs import ARCHITECTURE, Deb, build_deb
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, NEW, OLD, build_apt
from support.real_root import RealRoot

pytestmark = [pytest.mark.root, pytest.mark.slow(280)]

COMPONENTS = "main contrib non-free non-free-firmware"
EVERYTHING = {
    "Name": "everything",
    "OperatingSystem": "DEBIAN",
    "ApprovalRules": {
        "PatchRules": [
            {
                "PatchFilterGroup": {"PatchFilters": [{"Key": "PRODUCT", "Values": ["*"]}]},
                "ApproveAfterDays": 0,
                "EnableNonSecurity": True,
            }
        ]
    },
}


def upgrades(text: str) -> dict[str, str]:
    """What ``apt-get -s dist-upgrade`` would install, by name."""
    return dict(re.findall(r"^Inst (\S+?)(?::\S+)? (?:\[\S+\] )?\((\S+) ", text, re.M))


def marks(root: RealRoot) -> dict[str, list[str]]:
    return {word: root.run("apt-mark", word).stdout.split() for word in ("showauto", "showmanual", "showhold")}


@dataclass(frozen=True)
class Host:
    """A host that is fully upgraded, and then has two updates: what it says of itself, and what apt says of it."""

    scans: list[dict[str, Any]]
    agreed: list[dict[str, str]]
    plan: dict[str, Any]
    install: dict[str, Any]
    marks: list[dict[str, list[str]]]


def story(root: RealRoot, suite: str) -> Host:
    """Upgrade a host with all usual sources, offer it two updates, and let them be installed."""
    main, security = real_root.archives() or ("", "")
    for old in (*(root.path / "etc/apt/sources.list.d").glob("*"), root.path / "etc/apt/sources.list"):
        old.unlink(missing_ok=True)
    lines = [f"deb {main} {suite}{part} {COMPONENTS}\n" for part in ("", "-updates", "-backports")]
    root.write("etc/apt/sources.list", "".join([*lines, f"deb {security} {suite}-security {COMPONENTS}\n"]))
    root.apt_get("update")
    root.apt_get("dist-upgrade")
    root.configure(baseline=EVERYTHING)
    root.salt_call("saltutil.sync_all")
    scans, agreed = [root.salt_call("ssmpatch.scan")], [upgrades(root.run("apt-get", "-s", "dist-upgrade").stdout)]
    lib = {"name": "ssmpatch-lib", "section": "libs", "priority": "optional", "arch": root.architecture}
    app = {**lib, "name": "ssmpatch-app", "depends": "ssmpatch-lib"}
    root.offer({**lib, "version": "1.0"}, {**app, "version": "1.0"})
    root.apt_get("update")
    root.apt_get("install", "ssmpatch-app")
    root.offer({**lib, "version": "2.0"}, {**app, "version": "2.0", "depends": "ssmpatch-lib (= 2.0)"})
    root.apt_get("update")
    before = marks(root)
    agreed.append(upgrades(root.run("apt-get", "-s", "dist-upgrade").stdout))
    plan, install = root.salt_call("ssmpatch.plan"), root.salt_call("ssmpatch.install")
    scans.append(root.salt_call("ssmpatch.scan"))
    agreed.append(upgrades(root.run("apt-get", "-s", "dist-upgrade").stdout))
    return Host(scans, agreed, plan, install, [before, marks(root)])


@pytest.fixture(scope="module")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRoot]:
    """Debian 13 as its archive has it."""
    root = real_root.build_bare(tmp_path_factory.mktemp("trixie"), "trixie")
    real_root.add_libraries(root)
    yield root
    shutil.rmtree(root.path)


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def host(request: pytest.FixtureRequest) -> Host:
    """A real release."""
    if request.param == "trixie":
        return story(request.getfixturevalue("trixie"), "trixie")
    make: Callable[[], RealRoot] = request.getfixturevalue("make_root")
    return story(make(), "bookworm")


@pytest.mark.network
def test_a_fully_upgraded_host_is_compliant(host: Host) -> None:
    for scan in host.scans:
        assert (scan["compliance"], scan["patches"], scan["warnings"]) == ("COMPLIANT", [], [])
    assert host.agreed[0] == host.agreed[2] == {}


@pytest.mark.network
def test_the_plan_is_what_apt_would_upgrade(host: Host) -> None:
    planned = {name: change["new"] for name, change in host.plan["changes"].items()}
    assert planned == host.agreed[1] == {"ssmpatch-lib": "2.0", "ssmpatch-app": "2.0"}
    assert host.plan["blocked"] == [] and host.install["changes"] == host.plan["changes"]


@pytest.mark.network
def test_marks_are_as_before(host: Host) -> None:
    before, after = host.marks
    assert after == before and "ssmpatch-lib" in before["showauto"] and "ssmpatch-app" in before["showmanual"]


# --- Ubuntu's layout -------------------------------------------------------------------------------

SUITES = ("noble", "noble-updates", "noble-security", "noble-backports")
PARTS = ("main", "restricted", "universe", "multiverse")


def publish(place: Path, offered: Mapping[tuple[str, str], Sequence[Deb]]) -> str:
    """Write an archive laid out as Ubuntu's, with debs by suite and component; return its lines of sources.list."""
    lines = []
    for suite in SUITES:
        dist, sums = place / "dists" / suite, []
        for part in PARTS:
            paragraphs = []
            for deb in offered.get((suite, part), ()):
                pool = place / "pool" / suite / part
                pool.mkdir(parents=True, exist_ok=True)
                data = build_deb(deb, pool).read_bytes()
                name = f"pool/{suite}/{part}/{deb.file_name}"
                digest = hashlib.sha256(data).hexdigest()
                paragraphs.append(f"{deb.control()}Filename: {name}\nSize: {len(data)}\nSHA256: {digest}\n")
            index = dist / part / f"binary-{ARCHITECTURE}/Packages"
            index.parent.mkdir(parents=True)
            index.write_text("\n".join(paragraphs))
            digest = hashlib.sha256(index.read_bytes()).hexdigest()
            sums.append(f" {digest} {index.stat().st_size} {index.relative_to(dist)}\n")
        kind = "NotAutomatic: yes\nButAutomaticUpgrades: yes\n" if suite.endswith("backports") else ""
        (dist / "Release").write_text(
            f"Origin: Ubuntu\nLabel: Ubuntu\nSuite: {suite}\nVersion: 24.04\nCodename: noble\n{kind}"
            "Date: Sat, 01 Jan 2022 00:00:00 UTC\nAcquire-By-Hash: no\n"
            f"Architectures: {ARCHITECTURE}\nComponents: {' '.join(PARTS)}\nSHA256:\n{''.join(sums)}"
        )
        lines.append(f"deb [trusted=yes] file:{place} {suite} {' '.join(PARTS)}\n")
    return "".join(lines)


def test_a_host_with_the_layout_of_ubuntu(tmp_path: Path) -> None:
    root = tmp_path / "root"
    old = [Deb("bash", OLD), Deb("libfoo", OLD), Deb("nginx", OLD, fields={"Depends": "libfoo"})]
    build_apt(root, installed=old, offered=[])
    place = root / "srv/ubuntu"
    offered: dict[tuple[str, str], Sequence[Deb]] = {("noble", "main"): old[:2], ("noble", "universe"): old[2:]}
    offered["noble-backports", "universe"] = [Deb("other", "9.0")]
    sources = root / "etc/apt/sources.list"
    sources.write_text(publish(place, offered))
    env = apt_root.environment(str(root))

    def apt(*words: str) -> str:
        done = subprocess.run(words, env=env, check=True, capture_output=True, text=True, timeout=120)
        return done.stdout

    ours = config.load(
        minion={
            **APT.settings(root),
            "operating_system": "UBUNTU",
            "product": "Ubuntu24.04",
            "baseline": {**EVERYTHING, "OperatingSystem": "UBUNTU"},
        }
    )
    apt("apt-get", "-qq", "update")
    apt("apt-mark", "auto", "libfoo")
    scan = api.scan(ours, caller=quiet_surface(), host=FaultHost())
    assert (scan["compliance"], scan["warnings"]) == ("COMPLIANT", [])
    assert upgrades(apt("apt-get", "-s", "dist-upgrade")) == {}
    shutil.rmtree(place)
    offered["noble-security", "main"] = [Deb("libfoo", NEW)]
    offered["noble-updates", "universe"] = [Deb("nginx", NEW, fields={"Depends": f"libfoo (= {NEW})"})]
    publish(place, offered)
    before = apt("apt-mark", "showauto"), apt("apt-mark", "showmanual")
    plan = api.plan(ours, caller=quiet_surface(), host=FaultHost())
    planned = {name: change["new"] for name, change in plan["changes"].items()}
    assert planned == upgrades(apt("apt-get", "-s", "dist-upgrade")) == {"libfoo": NEW, "nginx": NEW}
    install = api.install(ours, caller=quiet_surface(), host=FaultHost())
    assert (install["compliance"], install["warnings"]) == ("COMPLIANT", [])
    assert (apt("apt-mark", "showauto"), apt("apt-mark", "showmanual")) == before
    assert upgrades(apt("apt-get", "-s", "dist-upgrade")) == {}

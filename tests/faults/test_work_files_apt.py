# SPDX-License-Identifier: Apache-2.0
"""The apt backend's private files and apt's own locks: what is damaged is made anew, what is held is waited for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.errors import Busy, SsmpatchError
from support.faults.children import built, expect_killed, kill_all, run, sleeps, start, wait_for, workers
from support.faults.debs import Deb
from support.faults.driver import FaultHost, quiet_surface
from support.faults.locks import hold
from support.faults.managers import APT, NEW, OLD, Update, build_apt
from support.store import SPOILERS

pytestmark = pytest.mark.root

CALLER = quiet_surface()


def directory(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "inside").touch()


DAMAGES: dict[str, Callable[[Path], object]] = {
    **{name: SPOILERS[name] for name in ("empty", "truncated", "binary", "other json", "null", "deep")},
    "directory": directory,
    "dangling link": lambda path: (path.unlink(missing_ok=True), path.symlink_to("nowhere/at/all")),
}
FILES = {
    "apt-targets.json": ("empty", "truncated", "other json", "deep", "directory"),
    "apt-refresh.json": ("binary", "other json", "null", "deep", "directory"),
    "apt-root.conf": ("empty", "binary", "directory", "dangling link"),
    "apt-output.log": ("binary", "directory", "dangling link"),
}


@pytest.mark.parametrize(("name", "damage"), [(name, damage) for name, damages in FILES.items() for damage in damages])
def test_a_damaged_work_file_is_made_anew(tmp_path: Path, name: str, damage: str) -> None:
    root, minion = built(APT, tmp_path, Update("alpha"))
    settings = config.load(minion=minion)
    api.scan(settings, caller=CALLER, host=FaultHost())
    (work,) = (root / "var/lib/ssmpatch").glob("work-*")
    (work / name).touch()
    DAMAGES[damage](work / name)
    scan = api.scan(settings, caller=CALLER, host=FaultHost(), refresh=name == "apt-output.log")
    assert scan["compliance"] == "NON_COMPLIANT"
    install = api.install(settings, caller=CALLER, host=FaultHost())
    assert (install["compliance"], install["changes"].keys()) == ("COMPLIANT", {"alpha"})
    assert (work / name).is_file()
    # What was made anew is good for the next time.
    again = api.scan(settings, caller=CALLER, host=FaultHost(), refresh=False)
    assert (again["compliance"], again["warnings"]) == ("COMPLIANT", [])


def test_a_work_directory_that_is_none(tmp_path: Path) -> None:
    root, minion = built(APT, tmp_path, Update("alpha"))
    settings = config.load(minion=minion)
    api.scan(settings, caller=CALLER, host=FaultHost())
    (work,) = (root / "var/lib/ssmpatch").glob("work-*")
    work.rename(work.with_name("moved"))
    work.write_text("a file")
    for operation in (api.scan, api.install):
        with pytest.raises(SsmpatchError, match=rf"{work}: is no directory.*move it away"):
            operation(settings, caller=CALLER, host=FaultHost())


def test_what_apt_prints_is_kept_but_not_for_ever(tmp_path: Path) -> None:
    root, minion = built(APT, tmp_path, Update("alpha"))
    settings = config.load(minion=minion)
    api.scan(settings, caller=CALLER, host=FaultHost())
    (work,) = (root / "var/lib/ssmpatch").glob("work-*")
    log = work / "apt-output.log"
    log.write_text("old words\n" * 1_000_000)
    api.install(settings, caller=CALLER, host=FaultHost())
    assert "Setting up alpha" in log.read_text() and log.stat().st_size < 100_000
    assert (work / "apt-output.log.old").read_text().startswith("old words")


@pytest.mark.parametrize("name", ["var/lib/dpkg/lock", "var/lib/dpkg/lock-frontend"])
def test_dpkg_alone_is_waited_for(tmp_path: Path, name: str) -> None:
    root, minion = built(APT, tmp_path, Update("alpha"))
    settings = config.load(minion={**minion, "lock_timeout": 1})
    with hold(root / name) as pid, pytest.raises(Busy, match=rf"python\S*, pid {pid}, holds .*{name}; waited 1 s"):
        api.install(settings, caller=CALLER, host=FaultHost())
    assert APT.versions(root) == {"alpha": OLD}


@pytest.mark.parametrize("call", ["scan", "plan", "install"])
def test_a_refresh_of_somebody_else_is_waited_for(tmp_path: Path, call: str) -> None:
    root, minion = built(APT, tmp_path, Update("alpha"))
    settings = config.load(minion={**minion, "lock_timeout": 1})
    with hold(root / "var/lib/apt/lists/lock"), pytest.raises(Busy, match="lock was held for 1 s: .*lists/lock"):
        getattr(api, call)(settings, caller=CALLER, host=FaultHost())
    assert APT.versions(root) == {"alpha": OLD}
    assert api.status(settings, caller=CALLER)["journal"] is None


def test_a_download_of_somebody_else_is_waited_for_with_a_bound(tmp_path: Path) -> None:
    root, minion = built(APT, tmp_path, Update("alpha"), Update("beta"))
    settings = config.load(minion={**minion, "lock_timeout": 1})
    with hold(root / "var/cache/apt/archives/lock"):
        began = time.monotonic()
        report = api.install(settings, caller=CALLER, host=FaultHost())
        assert time.monotonic() - began < 30
    assert {row["PatchState"] for row in report["patches"]} == {"Failed"}
    assert all("lock was held for 1 s" in row["reason"] for row in report["patches"])
    assert APT.versions(root) == {"alpha": OLD, "beta": OLD}
    assert api.install(settings, caller=CALLER, host=FaultHost())["compliance"] == "COMPLIANT"


def test_killed_while_it_repairs(tmp_path: Path) -> None:
    root, settings = built(APT, tmp_path, Update("alpha", slow=2), Update("beta"))
    first = start("install", settings)
    wait_for(lambda: sleeps(root), "a package that is being configured")
    kill_all(root)
    first.kill()
    expect_killed(first)
    second = start("resume", settings)
    wait_for(lambda: sleeps(root), "the repair")
    second.kill()
    expect_killed(second)
    assert any("--configure" in words for words in workers(root).values()), "the repair died with us"
    resumed = run("resume", settings)
    assert not workers(root)
    assert resumed["report"]["changes"].keys() >= {"alpha"}
    assert run("install", settings)["compliance"] == "COMPLIANT"
    assert APT.problems(root) == ""
    assert APT.versions(root) == {"alpha": NEW, "beta": NEW}


def test_an_interrupted_install_is_finished_with_its_own_sources(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("alpha", OLD)], offered=[Deb("alpha", NEW)])
    minion: dict[str, Any] = APT.settings(root)
    line = (root / "etc/apt/sources.list").read_text().strip()
    baseline = {**minion["baseline"], "sources": [{"name": "ours", "products": ["*"], "configuration": line}]}
    (root / "etc/apt/sources.list").write_text("")
    expect_killed(start("install", {**minion, "baseline": baseline}, kill={"phase": "reported", "before": True}))
    report = run("resume", minion)["report"]
    assert [(row["Title"].rpartition(":")[2], row["PatchState"]) for row in report["patches"]] == [(NEW, "Installed")]
    assert report["compliance"] == "COMPLIANT", report["warnings"]
    # Without them nothing is known.
    assert run("scan", minion)["compliance"] == "UNKNOWN"


def test_dpkg_that_cannot_be_repaired_is_said(tmp_path: Path) -> None:
    root = tmp_path / "root"
    broken = Deb("broken", NEW, scripts={"postinst": "exit 3"})
    build_apt(root, installed=[Deb("alpha", OLD), Deb("broken", OLD)], offered=[Deb("alpha", NEW), broken])
    settings = config.load(minion=APT.settings(root))
    api.install(settings, caller=CALLER, host=FaultHost())
    report = api.install(settings, caller=CALLER, host=FaultHost())
    said = next(text for text in report["warnings"] if "did not repair it" in text)
    assert "broken" in said and "exit status 3" in said
    audit = subprocess.run(["dpkg", f"--root={root}", "--audit"], capture_output=True, text=True, timeout=60)
    assert "broken" in audit.stdout

# SPDX-License-Identifier: Apache-2.0
"""Disks that are full or read-only, and users who may write nothing: what can be done is done, the rest is said."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from support.faults.children import answer, built, error_of, result_of, run, spread, start, workers
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import NEW, OLD, Manager, Update, hashes
from support.store import NOBODY, fill, remount_read_only, tmpfs

pytestmark = pytest.mark.root


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system for the state directory."""
    with tmpfs(tmp_path / "disk", size="2m") as path:
        yield path


def on_disk(settings: Mapping[str, Any], disk: Path) -> dict[str, Any]:
    return {**settings, "state_dir": str(disk / "state"), "aws_dir": str(disk / "aws")}


SPOILERS: dict[str, Callable[[Path], None]] = {"full": fill, "read-only": remount_read_only}
# With or without the files of an earlier scan.
SPOILT = [(name, scanned_before) for name in SPOILERS for scanned_before in (True, False)]


@pytest.mark.parametrize(("manager", "spoilt"), spread(SPOILT, (("read-only", False),)), indirect=["manager"], ids=str)
def test_a_state_directory_that_cannot_be_written(
    manager: Manager, tmp_path: Path, disk: Path, spoilt: tuple[str, bool]
) -> None:
    spoil, scanned_before = SPOILERS[spoilt[0]], spoilt[1]
    root, settings = built(manager, tmp_path, Update("alpha"))
    settings = on_disk(settings, disk)
    if scanned_before:
        run("scan", settings)
        first = run("report", settings)
    spoil(disk)
    stored = hashes(disk)
    system = manager.versions(root), manager.repository_files(root)

    scan = run("scan", settings)
    assert (scan["compliance"], scan["summary"]["MissingCount"]) == ("NON_COMPLIANT", "1")
    assert any("could not be stored" in text and str(disk) in text for text in scan["warnings"])
    assert run("plan", settings)["changes"] == {"alpha": {"old": manager.full(OLD), "new": manager.full(NEW)}}
    error = error_of(start("install", settings))
    assert error["type"] == "Unwritable" and str(disk) in error["message"]
    assert (manager.versions(root), manager.repository_files(root)) == system
    assert {path: hash_ for path, hash_ in hashes(disk).items() if path in stored and ".lock" not in path} == {
        path: hash_ for path, hash_ in stored.items() if ".lock" not in path
    }
    if scanned_before:
        assert run("report", settings) == first
        assert run("status", settings)["running"] is None


def installed_while_the_disk_fills(
    manager: Manager, tmp_path: Path, disk: Path, phase: str
) -> tuple[Path, config.Settings, dict[str, Any]]:
    """Install while the disk of the state directory fills in a phase; return root, settings and report."""
    root, minion = built(manager, tmp_path, Update("alpha", slow=0.7))
    settings = config.load(minion=on_disk(minion, disk))

    def on_event(tag: str, data: Mapping[str, Any]) -> None:
        if tag.endswith("/install/progress") and data["phase"] == phase:
            fill(disk)

    report = api.install(settings, caller=quiet_surface(fire=on_event), host=FaultHost())
    assert any("could not be stored" in text and "free some space" in text for text in report["warnings"])
    status = api.status(settings, caller=quiet_surface())
    assert status["journal"]["run_id"] == report["run"]["id"]
    return root, settings, report


def test_a_disk_that_fills_during_an_install_loses_nothing(manager: Manager, tmp_path: Path, disk: Path) -> None:
    root, settings, report = installed_while_the_disk_fills(manager, tmp_path, disk, "installing")
    assert report["compliance"] == "COMPLIANT"
    assert manager.versions(root) == {"alpha": NEW}
    # As long as the disk is full everything goes on as well as it can.
    for call in (api.scan, api.install):
        fill(disk)
        result = call(settings, caller=quiet_surface(), host=FaultHost())
        assert result["compliance"] == "COMPLIANT"
        assert any("could not be stored" in text for text in result["warnings"])

    (disk / "ballast").unlink()
    resumed = api.resume(settings, caller=quiet_surface(), host=FaultHost())
    assert resumed["resumed"] == report["run"]["id"]
    history = api.history(settings, caller=quiet_surface())
    assert [(row["id"], row["changes"]) for row in history] == [(report["run"]["id"], report["changes"])]
    assert api.status(settings, caller=quiet_surface())["journal"] is None


def test_a_disk_that_fills_before_the_package_manager_starts_is_named(
    manager: Manager, tmp_path: Path, disk: Path
) -> None:
    root, settings, report = installed_while_the_disk_fills(manager, tmp_path, disk, "downloading")
    assert report["compliance"] == "NON_COMPLIANT"
    (row,) = report["patches"]
    assert row["PatchState"] == "Failed" and f"no space left at {disk}" in row["reason"]
    assert not workers(root), "a package manager was left waiting"
    (disk / "ballast").unlink()
    assert api.install(settings, caller=quiet_surface(), host=FaultHost())["compliance"] == "COMPLIANT"
    assert manager.versions(root) == {"alpha": NEW}
    assert manager.problems(root) == ""


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A temporary directory that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="ssmpatch-faults-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize(("manager", "root_was_here"), spread((True, False), (True,)), indirect=["manager"])
def test_a_user_without_rights(manager: Manager, open_path: Path, root_was_here: bool) -> None:
    root, settings = built(manager, open_path, Update("alpha"))
    run("scan", settings)
    if not root_was_here:
        settings |= {"state_dir": str(root / "var/lib/other"), "aws_dir": str(root / "var/log/other")}
    before = hashes(root)
    scan = result_of(start("scan", settings, user=NOBODY))
    assert (scan["compliance"], scan["summary"]["MissingCount"]) == ("NON_COMPLIANT", "1")
    said = "\n".join(scan["warnings"])
    assert "was not refreshed" in said and "running without a lock" in said and "could not be stored" in said
    if manager.plans_for_users:
        assert result_of(start("plan", settings, user=NOBODY))["changes"].keys() == {"alpha"}
    else:
        error = error_of(start("plan", settings, user=NOBODY))
        assert "only to root" in error["message"], "no answer is not an empty plan"
    assert (
        result_of(start("scan", settings, user=NOBODY, arguments={"refresh": False}))["compliance"] == "NON_COMPLIANT"
    )
    error = error_of(start("install", settings, user=NOBODY))
    assert error["type"] == "InvalidInput" and "root" in error["message"]
    assert result_of(start("explain", settings, user=NOBODY, arguments={"name": "alpha"}))
    for name in ("status", "report", "resume"):
        found = answer(start(name, settings, user=NOBODY))
        assert "error" not in found or "permission denied" in found["error"]["message"].lower() or not root_was_here
    assert hashes(root) == before
    assert not list(Path(tempfile.gettempdir()).glob("ssmpatch-????????")), "temporary files are left"


@pytest.mark.parametrize("closed", ["", "etc", "etc/apt", "etc/apt/preferences.d", "var/lib", "var/lib/dpkg"])
@pytest.mark.parametrize("manager", ["apt"], indirect=True)
def test_a_directory_that_a_user_may_not_search_is_named(manager: Manager, open_path: Path, closed: str) -> None:
    root, settings = built(manager, open_path, Update("alpha"))
    settings |= {"state_dir": str(open_path / "state"), "aws_dir": str(open_path / "aws")}
    place = root / closed
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o700)
    for name, arguments in {"scan": {}, "plan": {}, "explain": {"name": "alpha"}, "baseline": {}}.items():
        found = answer(start(name, settings, user=NOBODY, arguments=arguments))
        if "error" in found:
            message = found["error"]["message"]
            assert str(place) in message and "permission denied" in message.lower() and "as root" in message
    assert error_of(start("scan", settings, user=NOBODY))["type"] != "PermissionError"


def test_a_user_without_rights_is_not_told_that_all_is_well(manager: Manager, open_path: Path) -> None:
    _, settings = built(manager, open_path, Update("alpha"))
    run("install", settings)
    week = 7 * 86400
    scan = result_of(start("scan", settings, user=NOBODY, ahead=week))
    assert scan["compliance"] == "UNKNOWN"
    assert any("was not refreshed" in text and "7 days" in text for text in scan["warnings"])

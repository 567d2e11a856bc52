# SPDX-License-Identifier: Apache-2.0
"""Two operations at once: one works, the other waits for it or says who is busy with what."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.errors import Busy
from support.faults.children import built, error_of, result_of, run, start, wait_for, workers
from support.faults.managers import NEW, OLD, Manager, Update

pytestmark = pytest.mark.root


def running(settings: dict[str, Any], phase: str) -> dict[str, Any] | None:
    """The operation that runs now, once it has reached a phase."""
    found = run("status", settings)["running"]
    return found if found and phase in (found["phase"] or "") else None


def test_the_second_waits_for_the_first(manager: Manager, tmp_path: Path) -> None:
    root, settings = built(manager, tmp_path, Update("alpha", slow=2), Update("beta"))
    first = start("install", settings)
    wait_for(lambda: running(settings, "installing"), "the first operation to install")
    others = {name: start(name, settings) for name in ("scan", "install", "resume", "plan")}
    report = result_of(first)
    assert report["changes"].keys() == {"alpha", "beta"}
    results = {name: result_of(process) for name, process in others.items()}
    assert results["scan"]["compliance"] == results["install"]["compliance"] == "COMPLIANT"
    assert results["install"]["changes"] == results["plan"]["changes"] == {}
    assert results["resume"]["resumed"] is None
    assert manager.versions(root) == {"alpha": NEW, "beta": NEW}
    assert manager.problems(root) == ""
    assert len(run("history", settings)) == 3


def test_the_second_says_who_is_busy(any_manager: Manager, tmp_path: Path) -> None:
    root, settings = built(any_manager, tmp_path, Update("alpha", slow=10))
    first = start("install", settings)
    holder = wait_for(lambda: running(settings, "installing"), "the first operation to install")
    assert (holder["pid"], holder["operation"]) == (first.pid, "install")
    impatient = {**settings, "lock_timeout": 0}
    for call in ("scan", "install", "plan", "resume", "reboot"):
        with pytest.raises(Busy, match=rf"busy: install since \S+, pid {first.pid}, phase \w+") as caught:
            run(call, impatient)
        assert caught.value.code == 4
        assert caught.value.info["busy"]["run_id"] == holder["run_id"]
    assert result_of(first)["compliance"] == "COMPLIANT"
    assert any_manager.versions(root) == {"alpha": NEW}
    assert len(run("history", settings)) == 1


def test_questions_are_answered_while_an_operation_runs(any_manager: Manager, tmp_path: Path) -> None:
    _, settings = built(any_manager, tmp_path, Update("alpha", slow=2))
    run("scan", settings)
    first = start("install", settings)
    wait_for(lambda: running(settings, "installing"), "the operation to install")
    assert run("report", settings)["summary"]["OperationType"] == "Scan"
    assert len(run("history", settings)) == 1
    assert run("status", settings)["journal"] is None, "what runs was not interrupted"
    assert result_of(first)["compliance"] == "COMPLIANT"


def test_other_roots_are_not_waited_for(any_manager: Manager, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    _, one = built(any_manager, tmp_path / "one", Update("alpha", slow=3))
    _, two = built(any_manager, tmp_path / "two", Update("alpha"))
    first = start("install", one)
    wait_for(lambda: running(one, "installing"), "the first operation to install")
    assert run("install", {**two, "lock_timeout": 0})["compliance"] == "COMPLIANT"
    assert first.poll() is None, "the first operation was too fast to test anything"
    assert result_of(first)["compliance"] == "COMPLIANT"


def test_another_program_holds_the_package_manager(manager: Manager, tmp_path: Path) -> None:
    root, settings = built(manager, tmp_path, Update("alpha"))
    with manager.hold_lock(root):
        began = time.monotonic()
        error = error_of(start("install", {**settings, "lock_timeout": 2}))
        assert 2 <= time.monotonic() - began < 30
    assert (error["type"], error["code"]) == ("Busy", 4)
    assert "lock" in error["message"] and "2 s" in error["message"]
    assert manager.versions(root) == {"alpha": OLD}
    assert run("status", settings)["journal"] is None
    assert run("install", settings)["compliance"] == "COMPLIANT"


def test_another_program_lets_go_in_time(manager: Manager, tmp_path: Path) -> None:
    root, settings = built(manager, tmp_path, Update("alpha"))
    with manager.hold_lock(root):
        process = start("install", settings)
        wait_for(lambda: running(settings, ""), "the operation to begin")
        time.sleep(1.5)
        assert process.poll() is None and manager.versions(root) == {"alpha": OLD}
    assert result_of(process)["compliance"] == "COMPLIANT"
    assert not workers(root)

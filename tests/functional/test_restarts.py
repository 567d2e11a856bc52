# SPDX-License-Identifier: Apache-2.0
"""What still runs code that an update replaced, through Salt's loaders, on the system that runs the tests."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

from support.loader_minion import LoaderMinion, simple_case

MakeMinion = Callable[..., LoaderMinion]


@pytest.fixture
def old_program() -> Iterator[str]:
    """A program that runs and whose file was replaced."""
    with tempfile.TemporaryDirectory(dir="/opt", prefix="ssmpatch-") as directory:
        program = shutil.copy("/usr/bin/sleep", f"{directory}/daemon")
        with subprocess.Popen([program, "60"]) as process:
            new = shutil.copy(program, f"{program}.new")
            Path(new).rename(program)
            yield program
            process.kill()


@pytest.fixture
def running_system(make_minion: MakeMinion, tmp_path: Path) -> LoaderMinion:
    """A minion that judges the system that runs it, of which it changes nothing."""
    loaders = make_minion(simple_case()).loaders
    directories = {key: str(tmp_path / key) for key in ("state_dir", "aws_dir")}
    return LoaderMinion(loaders, Path("/"), directories)


def names(found: dict[str, Any]) -> list[str]:
    """Everything that is said to run old code, whatever it belongs to where the tests run."""
    return [name for kind in ("units", "sessions", "processes", "containers") for name in found[kind]]


@pytest.mark.root
def test_a_program_that_was_replaced_is_named_with_its_file(running_system: LoaderMinion, old_program: str) -> None:
    found = running_system("restarts")
    assert [name for name in names(found) if old_program in found["files"][name]]


@pytest.mark.root
def test_a_scan_of_the_running_system_says_it_too(running_system: LoaderMinion, old_program: str) -> None:
    found = running_system("restarts")
    report = running_system("scan", refresh=False)
    assert set(report["restarts"]) == {*set(found) - {"files", "required_hints"}, "restarted", "later"}
    owners = {name for name in names(found) if old_program in found["files"][name]}
    assert owners and owners <= set(names(report["restarts"]))
    assert running_system("report")["restarts"] == report["restarts"]


def test_another_root_runs_nothing(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    with pytest.raises(CommandExecutionError, match=f"restarts: nothing runs in {minion.root}; .* root /"):
        minion("restarts")
    assert "restarts" not in minion("scan")

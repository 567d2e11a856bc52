# SPDX-License-Identifier: Apache-2.0
"""What stands on the screens of real terminals: the tables fit them, whatever their width, and stay plain elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support import screens
from support.demo_host import DemoHost

pytestmark = pytest.mark.root


@pytest.mark.parametrize("columns", [80, 120])
def test_a_scan_and_a_plan_fit_the_screen(host: DemoHost, columns: int) -> None:
    for function in ("scan", "plan"):
        screen = host.salt_call_on_terminal(f"ssmpatch.{function}", columns=columns)
        assert screen.unbroken and screen.returncode == 0, screen.text
        assert "\x1b[" in screen.printed and "\x1b" not in screen.text
        assert screen.text.count("approved by rule 0 (PRIORITY=optional)") == 1
        rows = [line for line in screen.lines if "→ 7.88.1-10+deb12u14" in line]
        assert [line.split()[0] for line in rows] == ["curl.amd64", "libcurl4.amd64"]


def test_without_a_terminal_it_is_plain_and_100_columns_wide(host: DemoHost) -> None:
    done = host.salt_call("ssmpatch.scan")
    assert "\x1b" not in done.stdout and max(map(len, done.stdout.splitlines())) <= 100
    on_terminal = host.salt_call_on_terminal("ssmpatch.report", columns=100)
    assert without_times(done.stdout) == without_times(on_terminal.text)


def without_times(text: str) -> str:
    return re.sub(r"\d+\.\d s|\d{4}-\S+Z", "", text).strip()


def test_every_other_table_is_the_default_too(host: DemoHost) -> None:
    shown = {
        "validate": "  Valid       configuration and baseline; no problem was found",
        "history": "  Nothing     no operation yet",
        "status": "  Running     nothing",
        "freeze": "  Frozen set  DEBIAN Debian12, made ",
    }
    for function, line in shown.items():
        screen = host.salt_call_on_terminal(f"ssmpatch.{function}", columns=80)
        assert screen.unbroken and line in screen.text, screen.text


def test_the_screen_is_read_as_a_terminal_shows_it(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n\\033[31mred\\033[0m\\n' {'x' * 25}; exit 3\n")
    program.chmod(0o755)
    screen = screens.run([str(program)], columns=20)
    assert screen.lines == ("x" * 20, "x" * 5, "red") and not screen.unbroken and screen.returncode == 3
    assert screens.run([str(program)], columns=40).unbroken

# SPDX-License-Identifier: Apache-2.0
"""Watching: what events and answers mean, when it ends, and what a terminal shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.fleet import watch
from ssmpatchlib.fleet.watch_text import frame, line
from ssmpatchlib.fleet.watched import Watched, after_event, read_event
from support.fake_fleet import START, FakeFleet, FakeMinion
from support.screens import Terminal, lines_of

Script = list[tuple[float, str, Any]]


def event(minion: str, step: str, *, operation: str = "install", run: str = "r1", **data: Any) -> tuple[str, Any]:
    return f"ssmpatch/{minion}/{operation}/{step}", {"id": minion, "data": {"run_id": run, **data}}


def progress(minion: str, detail: str, *, elapsed: float = 5, expected: float | None = None) -> tuple[str, Any]:
    numbers = {"batch": 1, "batches": 1, "elapsed": elapsed, "expected": expected}
    return event(minion, "progress", phase="installing", detail=detail, **numbers)


class Bus:
    """Events at their times; time passes only while they are waited for."""

    def __init__(self, fleet: FakeFleet, script: Script) -> None:
        self.fleet, self.script = fleet, sorted(script, key=lambda item: item[0])

    def __call__(self, seconds: float) -> tuple[str, Any] | None:
        end = self.fleet.time + seconds
        if self.script and self.script[0][0] <= end:
            at, tag, data = self.script.pop(0)
            self.fleet.sleep(max(0.001, at - self.fleet.time))
            return tag, data
        self.fleet.sleep(seconds)
        return None


def follow(
    script: Script, *, minions: dict[str, FakeMinion] | None = None, timeout: float = 3600
) -> tuple[Any, list[str]]:
    """What a watch returns, and its lines."""
    fleet = FakeFleet(minions or {"web1": FakeMinion(), "web2": FakeMinion()})
    lines: list[str] = []
    result = watch.follow(
        fleet.salt(),
        list(fleet.minions),
        events=Bus(fleet, script),
        view=watch.LineView(lines.append),
        timeout=timeout,
        reach=60,
    )
    return result, lines


def test_an_install_is_followed_from_its_start_to_its_end() -> None:
    script = [
        (0.5, *event("web1", "start")),
        (3.0, *progress("web1", "12 of 80 packages", elapsed=2, expected=20)),
        (9.0, *event("web1", "complete", compliance="COMPLIANT")),
    ]
    result, lines = follow(script)
    assert result == {"complete": ["web1"]}
    assert lines == [
        "asking 2 minions what runs",
        "web1: install, preparing, 0 s",
        "web1: install, installing, 12 of 80 packages, 2 s of about 20 s",
        "web1: install complete after 8 s (COMPLIANT)",
    ]


def test_joined_late_it_asks_and_a_lost_end_is_found_out() -> None:
    busy = FakeMinion(busy_until=100)
    result, lines = follow([], minions={"web1": busy, "web2": FakeMinion()})
    assert result == {"ended": ["web1"]}
    assert lines[1].startswith("web1: install, preparing") and lines[-1].startswith("web1: install ended after")


def test_nothing_runs() -> None:
    result, lines = follow([])
    assert result == {} and lines == ["asking 2 minions what runs", "nothing runs on 2 minions"]


def test_a_minion_that_does_not_answer_any_more_is_silent_and_the_time_is_bounded() -> None:
    away = FakeMinion(busy_until=1e6, away=((5, 1e9),))
    assert follow([], minions={"web1": away})[0] == {"silent": ["web1"]}
    assert follow([], minions={"web1": FakeMinion(busy_until=1e6)}, timeout=30)[0] == {"running": ["web1"]}


def test_who_is_silent_is_asked_once_a_minute_and_nobody_else() -> None:
    fleet = FakeFleet({"web1": FakeMinion(busy_until=600), "web2": FakeMinion()})
    watch.follow(
        fleet.salt(), ["web1", "web2"], events=Bus(fleet, []), view=watch.LineView(lambda text: None), timeout=3600,
        reach=60,
    )  # fmt: skip
    assert [names for _, _, names, _ in fleet.published][:1] == [("web1", "web2")]
    assert {names for _, _, names, _ in fleet.published[1:]} == {("web1",)}
    assert len(fleet.published) <= 2 + 600 / watch.SILENT_SECONDS
    assert {call for _, _, _, call in fleet.published} == {("ssmpatch.status",)}


@pytest.mark.parametrize(
    ("tag", "data"),
    [
        ("ssmpatch/web2/install/complete", {"id": "web1", "data": {"run_id": "r1"}}),
        ("ssmpatch/rollout/20261123T063005Z-0a1b2c/start", {"rollout": "x"}),
        ("ssmpatch/web1/install/progress", {"id": "web1", "data": "no mapping"}),
        ("ssmpatch/web1/install/progress", None),
        (7, {}),
    ],
)
def test_what_is_no_event_of_that_minion_is_not_believed(tag: Any, data: Any) -> None:
    assert read_event(tag, data) is None


def test_words_of_minions_cannot_steer_the_terminal() -> None:
    tag, data = event(
        "web1",
        "progress",
        phase="in\x1b[2Jstalling",
        detail=["x"],
        batch=True,
        batches=-1,
        elapsed="x",
        expected=float("nan"),
    )
    heard = read_event(tag, data)
    assert heard is not None
    known = after_event(None, heard, now=START)
    assert known is not None and "\x1b" not in line(known, now=START) and known.expected is None


def host(name: str, **fields: Any) -> Watched:
    return Watched(name, "install", "r1", began=START - 40, heard=START, step_began=START - 30, **fields)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_frame_fits_the_terminal_and_replaces_the_one_before(columns: int) -> None:
    some = [
        host(
            "a-host-with-quite-a-long-name.example.com" + str(n),
            phase="installing",
            batch=1,
            batches=1,
            detail="12 of 80 packages",
            expected=60.0,
        )
        for n in range(50)
    ]
    text, above = frame([], some, now=START, size=(columns, 24), above=7)
    assert text.startswith("\r\x1b[7A\x1b[J")
    lines = text.split("\x1b[J")[1].splitlines()
    assert len(lines) == above == 22 and lines[-1] == "and 29 more hosts"
    assert max(map(len, lines)) < columns
    gone, left = frame(
        [host("web1", state="complete", outcome="COMPLIANT")], [], now=START, size=(columns, 24), above=3
    )
    assert left == 0 and re.search(r"\[J(web1: install complete after 40 s \(COMPLIANT\)|web1.*…)\n$", gone)


@pytest.mark.parametrize("columns", [80, 120])
def test_hosts_in_every_phase_as_the_documentation_shows_them(
    repo: Path, request: pytest.FixtureRequest, columns: int
) -> None:
    numbers = {"phase": "installing", "batch": 1, "batches": 1}
    hosts = [
        host("web-frontend-1.example.com", **numbers, detail="63 of 80 packages", expected=41.0),
        host("web-frontend-2.example.com", **numbers, detail="12 of 80 packages", expected=58.0),
        host("db1.example.com", phase="downloading", batch=2, batches=3, detail="0 of 1 packages"),
        host("cache1.example.com"),
    ]
    ended = [host("db2.example.com", state="failed", outcome="hook pre_install failed: the replica lags behind")]
    text = frame(ended, hosts, now=START, size=(columns, 24), above=0)[0].partition("\x1b[J")[2]
    page = repo / "docs" / "fleet" / "captures" / f"watch-many-{columns}.txt"
    if request.config.getoption("--rewrite-examples"):
        page.write_text(text)
    assert page.read_text() == text and max(map(len, text.splitlines())) < columns


def test_the_view_of_a_terminal_keeps_its_lines_apart() -> None:
    written: list[str] = []
    view = watch.TerminalView(written.append, lambda: (80, 24))
    view.show([host("web1")], [host("web1"), host("web2")], now=START)
    view.show([], [host("web1"), host("web2")], now=START + 1)
    view.show([host("web1", state="failed", outcome="libgone")], [host("web2")], now=START + 2)
    assert [text.count("\n") for text in written] == [2, 2, 2]
    assert "\x1b[2A" in written[1]
    assert lines_of("".join(written), columns=80) == (
        "web1: install failed after 42 s (libgone)",
        "web2  install  preparing  42 s",
    )


def test_a_program_on_a_terminal_is_seen_as_a_person_sees_it() -> None:
    text = frame([], [host("web1"), host("web2")], now=START, size=(80, 24), above=0)[0]
    again, _ = frame([host("web1", state="complete")], [host("web2")], now=START, size=(80, 24), above=2)
    program = f"import sys; sys.stdout.write({text!r}); sys.stdout.write({again!r}); print(sys.stdout.isatty())"
    terminal = Terminal([sys.executable, "-c", program], columns=80)
    try:
        seen = terminal.end(seconds=60)
    finally:
        terminal.close()
    assert seen == ("web1: install complete after 40 s", "web2  install  preparing  40 s", "True")

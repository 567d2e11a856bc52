# SPDX-License-Identifier: Apache-2.0
"""What a person sees while a real fleet is patched, on pseudo-terminals; the documentation shows the captures."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from support.salt_fleet import REPO, Fleet, hold, offer, package, release
from support.screens import Terminal

pytestmark = [pytest.mark.root, pytest.mark.slow(200)]

CAPTURES = REPO / "docs" / "fleet" / "captures"
RINGS = "rings=[{name: canary, tgt: 'canary*'}, {name: production, tgt: 'prod*', batch: 1}]"
HOSTS = ("canary1", "prod1", "prod2")
VOLATILE = (
    (re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b"), "20261123T063005Z-0a1b2c"),
    (re.compile(r"^\d\d:\d\d:\d\d "), "06:30:05 "),
    (re.compile(r"\b\d+ (s|min)\b( of about \d+ (s|min))?"), "2 s"),
)


@contextlib.contextmanager
def on_terminal(fleet: Fleet, *words: str, columns: int) -> Iterator[Terminal]:
    """salt-run with these words on a terminal."""
    # On standard error Salt warns of its own unclosed resources.
    terminal = Terminal(fleet.command("salt-run", *words), columns=columns, errors=False)
    try:
        yield terminal
    finally:
        terminal.close()


def check(name: str, lines: Sequence[str], request: pytest.FixtureRequest) -> None:
    """Compare a screen with its capture in the documentation, or write it there."""
    kept = []
    for line in lines:
        if "being verified" in line:  # said only where it takes long
            continue
        for pattern, stand_in in VOLATILE:
            line = pattern.sub(stand_in, line)
        kept.append(line.rstrip())
    text = "\n".join(kept).strip("\n") + "\n"
    path: Path = CAPTURES / f"{name}.txt"
    if request.config.getoption("--rewrite-examples"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text


def offer_everywhere(fleet: Fleet, *held: str) -> None:
    for name in HOSTS:
        offer(fleet.roots[name], package("2.0"))
    for name in held:
        hold(fleet.roots[name])


@pytest.mark.parametrize("columns", [80, 120])
def test_a_rollout_shows_where_it_is(fleet: Fleet, request: pytest.FixtureRequest, columns: int) -> None:
    offer_everywhere(fleet, "prod1")
    with on_terminal(fleet, "ssmpatch.rollout", RINGS, columns=columns) as terminal:
        under_way = terminal.wait(
            lambda lines: any(line.endswith("1 installing") for line in lines if "production" in line)
        )
        check(f"rollout-in-progress-{columns}", under_way, request)
        release(fleet.roots["prod1"])
        finished = terminal.end()
        # What follows is what the rollout returns.
        end = next(number for number, line in enumerate(finished) if " rollout succeeded after " in line)
        check(f"rollout-finished-{columns}", finished[: end + 1], request)
    assert terminal.process.returncode == 0


def test_progress_is_not_in_the_output_for_programs(fleet: Fleet) -> None:
    offer_everywhere(fleet)
    done = fleet.run_raw("ssmpatch.rollout", RINGS, "--out=json")
    assert json.loads(done.stdout)["status"] == "succeeded" and "ring canary" not in done.stderr


def test_quiet_prints_nothing_and_a_pipe_gets_plain_lines(fleet: Fleet) -> None:
    offer_everywhere(fleet)
    rings = "rings=[{name: canary, tgt: 'canary*'}]"
    assert fleet.run_raw("--quiet", "ssmpatch.rollout", rings).stdout == ""
    piped = fleet.run_raw("ssmpatch.rollout", rings).stdout
    assert "\x1b" not in piped and re.search(r"^\d\d:\d\d:\d\d ring canary: gate open", piped, re.MULTILINE)


@pytest.mark.parametrize("columns", [80, 120])
def test_a_watch_that_joined_late_follows_installs_on_one_line_each(
    fleet: Fleet, request: pytest.FixtureRequest, columns: int
) -> None:
    offer_everywhere(fleet, "prod1", "prod2")
    install(fleet, "prod1", "prod2")
    with on_terminal(fleet, "ssmpatch.watch", columns=columns) as terminal:
        under_way = terminal.wait(lambda lines: sum("install  downloading" in line for line in lines) == 2)
        # Who began first stands first.
        check(f"watch-in-progress-{columns}", [under_way[0], *sorted(filter(None, under_way[1:]))], request)
        release(fleet.roots["prod1"])
        terminal.wait(lambda lines: any("prod1" in line and "complete after" in line for line in lines))
        release(fleet.roots["prod2"])
        check(f"watch-finished-{columns}", terminal.end(), request)
    assert "\x1b[2A" in terminal.written


def install(fleet: Fleet, *minions: str) -> None:
    """Begin an install on minions, and return when all are at their batch."""
    argv = fleet.command("salt", "--async", "-L", ",".join(minions), "ssmpatch.install")
    subprocess.run(argv, capture_output=True, timeout=60, check=True)
    for name in minions:
        fleet.wait(partial(at_batch, fleet, name))


def at_batch(fleet: Fleet, minion: str) -> bool:
    return "batch" in str((fleet.call(minion, "ssmpatch.status")["running"] or {}).get("phase"))


def test_a_watch_elsewhere_prints_a_line_for_each_change_at_once(fleet: Fleet) -> None:
    offer_everywhere(fleet, "prod1")
    install(fleet, "prod1")
    assert fleet.run("ssmpatch.watch", "prod1", "timeout=5") == {"running": ["prod1"]}
    argv = fleet.command("salt-run", "ssmpatch.watch", "prod1")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline() == "asking 1 minion what runs\n"
        assert re.match(r"prod1: install, \w+, \d+ \w+", watch.stdout.readline())
        release(fleet.roots["prod1"])
        rest = watch.communicate(timeout=120)[0]
    assert re.search(r"^prod1: install complete after \d+ \w+ \(COMPLIANT\)$", rest, re.MULTILINE)
    assert "\x1b" not in rest


def test_a_watch_of_an_idle_fleet_says_so_and_ends(fleet: Fleet) -> None:
    assert fleet.run("ssmpatch.watch") == {}
    said = fleet.run_raw("ssmpatch.watch", "prod1").stdout.splitlines()
    assert said[:2] == ["asking 1 minion what runs", "nothing runs on 1 minion"]

# SPDX-License-Identifier: Apache-2.0
"""The guide's commands, run on a real master with real minions; what they print is what the page shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from support.examples import Command, blocks, commands, render, replace
from support.salt_fleet import REPO, Fleet, offer, package

pytestmark = [pytest.mark.root, pytest.mark.slow]

PAGE = REPO / "docs" / "fleet" / "1-guide.md"
#: The two minions of the guide among those of the tests.
TARGET = "[cp]*1"
VOLATILE = (
    (re.compile(re.escape(TARGET)), "*"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "2026-11-23T06:30:05Z"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "2026-11-23 06:30 UTC"),
    (re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b"), "20261123T063005Z-0a1b2c"),
    (re.compile(r"\b\d+ s\b"), "2 s"),
    (re.compile(r"(seconds: )\d+"), r"\g<1>2"),
)


def execute(line: str, fleet: Fleet) -> str:
    """What a command of the guide prints."""
    program, *words = shlex.split(line)
    if program == "salt":
        fleet.call(TARGET, *[word for word in words[1:] if not word.startswith("--out")])
        return ""
    if words[0] == "ssmpatch.report":
        words[1:1] = [TARGET, "group_by="]
    if words[0] == "ssmpatch.rollout":
        rings = yaml.safe_load(next(block.text for block in blocks(PAGE) if block.language == "yaml"))["ssmpatch"][
            "rings"
        ]
        rings[1]["tgt"] = "prod1"
        words.append(f"rings={yaml.safe_dump(rings, default_flow_style=True, width=10000).strip()}")
    text = fleet.run_raw(*words).stdout
    for pattern, stand_in in VOLATILE:
        text = pattern.sub(stand_in, text)
    lines = [each.rstrip() for each in text.strip("\n").splitlines()]
    # Two minions report in the order in which they happen to answer.
    if lines[-2:] and all(re.match(r"    (canary1|prod1) +tool\.amd64 ", line) for line in lines[-2:]):
        lines[-2:] = sorted(lines[-2:])
    return "\n".join(lines)


def test_the_guide(fleet: Fleet, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    fleet.forget_history()
    for name in ("canary1", "prod1"):
        offer(fleet.roots[name], package("2.0", name="tool"))
    replacements = []
    for block in blocks(PAGE):
        if block.language != "console":
            continue
        shown = commands(block)
        real = [Command(each.line, execute(each.line, fleet)) for each in shown]
        if request.config.getoption("--rewrite-examples"):
            replacements.append((block, render(real)))
        else:
            assert render(real) == render(shown), f"{block.id} shows something else than what is printed"
    for block, text in reversed(replacements):
        replace(block, text)
    assert fleet.run("ssmpatch.report", TARGET, "format=html", f"output={tmp_path}/patch.html")["hosts"] == 2

# SPDX-License-Identifier: Apache-2.0
"""Every example of the documentation, run or validated; what its commands print is what the pages show."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import salt.config
import yaml

from ssmpatchlib import config
from ssmpatchlib.baseline.override import parse_baseline_override, parse_install_override_list
from ssmpatchlib.errors import InvalidInput
from support.demo_host import SHOWN_ROOT, DemoHost
from support.examples import Block, Command, Run, blocks, pages
from support.shown import canonical, without_warnings

REPO = Path(__file__).resolve().parents[2]
BLOCKS = [block for page in pages(REPO) for block in blocks(page)]


def of(*languages: str, marker: str = "example") -> list[Block]:
    """The blocks of some languages, with a marker of this kind or none."""
    return [block for block in BLOCKS if block.language in languages and block.marker in ("", marker)]


# --- what stands on the pages, without running it --------------------------------------------------


def test_there_are_examples() -> None:
    assert {"yaml", "console", "sh"} <= {block.language for block in BLOCKS}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.id)
def test_every_block_is_of_a_kind_that_is_checked(block: Block) -> None:
    if block.marker == "tested":
        name, _, function = block.words[0].partition("::")
        assert re.search(rf"^(async )?def {function}\(", (REPO / name).read_text(), re.MULTILINE)
    elif block.language in ("yaml", "json"):
        assert kind(block) in CHECKS
    else:
        assert block.language == "console", "name the test that runs it: <!-- tested: FILE::FUNCTION -->"


def kind(block: Block) -> str:
    """What a YAML or JSON block is: what its marker says, else a pillar."""
    return block.words[0] if block.marker == "example" else "pillar"


def check_pillar(block: Block, document: Any) -> None:
    assert list(document) == ["ssmpatch"]
    if "invalid" in block.words:
        with pytest.raises(InvalidInput):
            config.load(pillar=document["ssmpatch"])
    else:
        config.load(pillar=document["ssmpatch"])


def check_state(block: Block, document: Any) -> None:
    assert block.words[1].endswith(".sls") and isinstance(document, dict)


def check_top(block: Block, document: Any) -> None:
    assert all(isinstance(targets, dict) for targets in document.values())


def check_master(block: Block, document: Any) -> None:
    assert set(document) <= set(salt.config.DEFAULT_MASTER_OPTS)


def check_minion(block: Block, document: Any) -> None:
    assert set(document) <= set(salt.config.DEFAULT_MINION_OPTS)


def check_baseline_override(block: Block, document: Any) -> None:
    systems = [entry["OperatingSystem"] for entry in document]
    assert parse_baseline_override(document, operating_system=systems[0], location=block.id)


def check_install_override(block: Block, document: Any) -> None:
    assert parse_install_override_list(document, location=block.id).entries


CHECKS: dict[str, Callable[[Block, Any], None]] = {
    "pillar": check_pillar,
    "pillar-top": check_top,
    "state": check_state,
    "master": check_master,
    "minion": check_minion,
    "baseline-override": check_baseline_override,
    "install-override": check_install_override,
}


@pytest.mark.parametrize("block", of("yaml", "json"), ids=lambda block: block.id)
def test_document(block: Block) -> None:
    CHECKS[kind(block)](block, yaml.safe_load(block.text))


# --- states ----------------------------------------------------------------------------------------

# What Salt's compiler itself puts into a low chunk, and the requisites.
LOW = {"state", "fun", "name", "order", "onchanges", "onfail", "require", "watch", "failhard", "retry"}
STATES = [block for block in of("yaml") if kind(block) == "state"]


@pytest.mark.root
def test_states_compile_and_exist(host: DemoHost) -> None:
    """Salt's own compiler takes every state example, and every state in them takes its arguments."""
    for block in STATES:
        (host.states / block.words[1]).write_text(block.text)
    for example in (REPO / "docs" / "examples" / "states").glob("*.sls"):
        if example.name != "top.sls":
            (host.states / example.name).write_text(example.read_text())
    for path in sorted(host.states.glob("*.sls")):
        lows = json.loads(host.salt_call("--out=json", "state.show_low_sls", path.stem).stdout)["local"]
        assert all(isinstance(low, dict) for low in lows), f"{path.name}: {lows}"
        for low in lows:
            if low["state"] == "ssmpatch":
                name = f"{low['state']}.{low['fun']}"
                found = json.loads(host.salt_call("--out=json", "sys.state_argspec", name).stdout)["local"]
                known = set(found[name]["args"])
                extra = {
                    "state",
                    "fun",
                    "name",
                    "order",
                    "onchanges",
                    "require",
                    "watch",
                    "onfail",
                    "failhard",
                    "retry",
                }
                assert {key for key in low if not key.startswith("__")} <= known | extra


@pytest.mark.root
def test_example_files_make_a_top_file_and_a_pillar(host: DemoHost) -> None:
    examples = REPO / "docs" / "examples"
    roots = [f"--file-root={examples / 'states'}", f"--pillar-root={examples / 'pillar'}", "--out=json"]
    top = json.loads(host.salt_call(*roots, "state.show_top").stdout)["local"]
    assert top == {"base": ["patching"]}
    assert json.loads(host.salt_call(*roots, "ssmpatch.validate").stdout)["local"] == []
    pillar = json.loads(host.salt_call(*roots, "pillar.items").stdout)["local"]
    assert {"ssmpatch", "schedule"} <= set(pillar) and "_errors" not in pillar
    functions = set(json.loads(host.salt_call("--out=json", "sys.list_functions").stdout)["local"])
    for path in (examples / "pillar").glob("*.sls"):
        for job in yaml.safe_load(path.read_text()).get("schedule", {}).values():
            assert job["function"] in functions


def test_pillar_example_is_valid_and_complete() -> None:
    text = (REPO / "pillar.example").read_text()
    settings = config.load(pillar=yaml.safe_load(text)["ssmpatch"])
    assert not settings.warnings
    named = set(re.findall(r"^  (?:# )?(\w+):(?: |$)", text, flags=re.MULTILINE))
    assert not {name for name in settings.__dataclass_fields__ if name != "warnings"} - named


# --- commands --------------------------------------------------------------------------------------


def execute(command: Command, host: DemoHost, *, columns: int = 0) -> str:
    """What a command prints, run as it stands, or what stands on the screen of a terminal with so many ``columns``."""
    assert command.line.startswith("salt-call "), f"{command.line}: run it in a test of its own"
    places = {str(host.root): SHOWN_ROOT}
    if columns:
        screen = host.shell_on_terminal(command.line, columns=columns)
        return canonical(without_warnings(screen.text), places)
    done = host.shell(command.line)
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    return canonical(without_warnings(done.stderr) + done.stdout, places)


def run_page(page: Path, host: DemoHost, *, rewrite: bool) -> None:
    """Run the commands of a page in order, on one host, with the pillars and states that stand before them."""
    run = Run(rewrite)
    for block in blocks(page):
        if block.language == "yaml" and "used" in block.words:
            host.pillar(yaml.safe_load(block.text))
        elif block.language == "yaml" and block.words[:1] == ("state",):
            (host.states / block.words[1]).write_text(block.text)
        elif block.language == "console" and block.marker != "tested":
            columns = int(block.words[1]) if block.words[:1] == ("terminal",) else 0
            run.console(block, partial(execute, host=host, columns=columns))
    run.end()


PAGES_WITH_COMMANDS = sorted({block.path for block in of("console")})


@pytest.mark.root
@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=lambda page: page.name)
def test_commands_print_what_the_page_shows(page: Path, host: DemoHost, request: pytest.FixtureRequest) -> None:
    run_page(page, host, rewrite=request.config.getoption("--rewrite-examples"))


@pytest.mark.root
def test_rewriting_changes_nothing_that_is_right(host: DemoHost, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n\n```console\n# salt-call test.echo right\nlocal:\n    right\n\n"
        "# salt-call test.echo wrong\nlocal:\n    something else\n```\n\nText.\n"
    )
    with pytest.raises(AssertionError, match="page.md:4"):
        run_page(page, host, rewrite=False)
    run_page(page, host, rewrite=True)
    assert page.read_text() == (
        "# Page\n\n```console\n# salt-call test.echo right\nlocal:\n    right\n\n"
        "# salt-call test.echo wrong\nlocal:\n    wrong\n```\n\nText.\n"
    )
    run_page(page, host, rewrite=False)

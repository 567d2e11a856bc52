# SPDX-License-Identifier: Apache-2.0
"""The steps of ./run-tests one by one, and the hooks before a commit that are made of them."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.packages import copy_checkout

CONFIG = yaml.safe_load((Path(__file__).resolve().parents[2] / ".pre-commit-config.yaml").read_text())
HOOKS = [hook for repository in CONFIG["repos"] for hook in repository["hooks"]]
PIP = ("-m", "pip", "install", "-qq", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def checkout(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, beside the cache that its ``./run-tests`` uses: the environment of this process."""
    place = tmp_path_factory.mktemp("hooks")
    environment = place / "cache" / "salt-3008"
    environment.mkdir(parents=True)
    for path in Path(sys.prefix).iterdir():
        if path.name != "requirements":
            (environment / path.name).symlink_to(path)
    setup = configparser.ConfigParser()
    setup.read(repo / "setup.cfg")
    extras = setup["options.extras_require"]
    packages = [line for name in ("aws", "dev", "docs") for line in extras[name].split("\n") if line]
    (environment / "requirements").write_text("\n".join([*PIP, "salt>=3008,<3009", *packages]) + "\n")
    return copy_checkout(repo, place / "checkout")


def run_step(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``./run-tests`` of the copy, without a network."""
    cache = str(checkout.parent / "cache")
    environment = {**os.environ, "SSMPATCH_CACHE": cache, "PIP_NO_INDEX": "1", "NO_COLOR": "1"}
    command = [str(checkout / "run-tests"), *words]
    return subprocess.run(
        command, cwd=checkout, capture_output=True, text=True, timeout=120, env=environment, stdin=subprocess.DEVNULL
    )


def commands_of_steps(repo: Path) -> dict[str, str]:
    """The program of each step of ``./run-tests``, by the step's name."""
    text = (repo / "run-tests").read_text()
    functions = dict(re.findall(r"^(\w+)\(\) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL))
    result = {}
    for name, command in re.findall(r"^step '(.+?)' (.+)$", text, re.MULTILINE):
        words = functions.get(command, command)
        inside = re.search(r'"\$newest/bin/([\w-]+)"', words)
        result[name] = str(Path(sys.executable).parent / inside[1]) if inside else words.split()[0]
    return result


def test_pre_commit_takes_the_configuration(repo: Path) -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-config", repo / ".pre-commit-config.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stdout + done.stderr


def test_no_hook_downloads_anything() -> None:
    assert [each["repo"] for each in CONFIG["repos"]] == ["local"]
    assert {hook["language"] for hook in HOOKS} == {"system"}
    assert not [hook["id"] for hook in HOOKS if "additional_dependencies" in hook]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_the_command_of_each_hook_exists(hook: dict[str, Any], repo: Path) -> None:
    program, option, step = shlex.split(hook["entry"])
    assert (program, option) == ("./run-tests", "--step")
    assert os.access(repo / program, os.X_OK)
    command = commands_of_steps(repo)[step]
    assert shutil.which(command), f"{step}: {command}"


def test_a_step_that_is_not_there_is_refused_with_those_that_are(checkout: Path, repo: Path) -> None:
    done = run_step(checkout, "--step", "lnt")
    names = " ".join(f"'{name}'" for name in commands_of_steps(repo))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"run-tests: no step is called 'lnt'; there are: {names}\n"


def test_one_step_runs_alone(checkout: Path) -> None:
    done = run_step(checkout, "--step", "shell scripts")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"==> shell scripts\n==> shell scripts: \d+ s\n", done.stderr)


def test_every_state_that_is_shipped_is_good_salt(checkout: Path) -> None:
    done = run_step(checkout, "--step", "states")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_what_is_badly_written_is_found_wherever_it_lies(repo: Path, checkout: Path) -> None:
    names = ["fleet/orch/new.sls", "states/map.jinja", "states/map.jinja2", "states/new/config.j2"]
    added = [checkout / "docs" / "examples" / name for name in names]
    pillar = (repo / "pillar.example").read_text()
    for path in added:
        path.parent.mkdir(exist_ok=True)
        path.write_text("# The value is in a variable.\n{{grains.id}}:\n  test.nop: []\n")
    (checkout / "pillar.example").write_text(pillar + "  state_dir: {{grains.id}}\n")
    done = run_step(checkout, "--step", "states")
    for path in added:
        path.unlink()
    (checkout / "pillar.example").write_text(pillar)
    assert (done.returncode, done.stdout.count("[206] ")) == (1, len(names) + 1)
    assert re.findall(r"^\[(?!206)", done.stdout, re.MULTILINE) == []
    assert not [name for name in names if f"./docs/examples/{name}:2\n" not in done.stdout]
    line = pillar.count("\n") + 1
    assert re.search(rf"^/\S+\.sls:{line}$", done.stdout, re.MULTILINE), "pillar.example is read as an SLS"
    assert done.stdout.endswith("FAILED: states\n")


def test_no_rule_of_salt_lint_is_off_without_a_reason(repo: Path) -> None:
    text = (repo / ".salt-lint").read_text()
    assert list(yaml.safe_load(text)) == ["rules"], "no rule is skipped everywhere, and no path"
    lines = text.splitlines()
    rules = [number for number, line in enumerate(lines) if re.match(r"  \d+:", line)]
    assert len(rules) == len(yaml.safe_load(text)["rules"])
    assert not [lines[number] for number in rules if not lines[number - 1].startswith("  # ")]
    shipped = [path for path in (repo / "docs" / "examples").rglob("*") if path.is_file()]
    assert not [path for path in (*shipped, repo / "pillar.example") if "# noqa" in path.read_text()]

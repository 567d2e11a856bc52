# SPDX-License-Identifier: Apache-2.0
"""What Salt prints about the functions in a terminal: an overview first, then each function in words of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ssmpatchlib import __version__

COMMANDS = {
    "module": ("salt-call", "--local", "sys.doc", "ssmpatch"),
    "state": ("salt-call", "--local", "sys.state_doc", "ssmpatch"),
    "runner": ("salt-run", "--doc", "ssmpatch"),
}
OVERVIEWS = {"module": "ssmpatch.about", "state": "ssmpatch", "runner": "ssmpatch.about"}


@pytest.fixture(scope="module")
def configuration(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a minion and a master that load the checkout."""
    home = tmp_path_factory.mktemp("documented")
    loaded = {f"{kind}_dirs": [str(repo / f"_{kind}s")] for kind in ("module", "state", "util", "runner")}
    loaded |= {"module_dirs": [str(repo / "_modules")], "utils_dirs": [str(repo / "_utils")]}
    common = {"root_dir": str(home), "states_dirs": [str(repo / "_states")], **loaded}
    (home / "etc").mkdir()
    (home / "etc" / "minion").write_text(json.dumps({"id": "documented", "file_client": "local", **common}))
    (home / "etc" / "master").write_text(json.dumps({"user": "root", **common}))
    return home / "etc"


@pytest.fixture(scope="module")
def printed(configuration: Path, repo: Path) -> dict[str, dict[str, str]]:
    """What the commands print: by kind, the text by function."""
    texts = {}
    for kind, (program, *words) in COMMANDS.items():
        argv = [str(Path(sys.executable).with_name(program)), f"--config-dir={configuration}", *words]
        environment = {"PYTHONPATH": str(repo / "_utils"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=environment)
        heading = re.compile(r"^ {0,4}(ssmpatch(?:\.\w+)?):$", re.MULTILINE)
        _, *parts = heading.split(done.stdout)
        texts[kind] = dict(zip(parts[::2], parts[1::2], strict=True))
        assert texts[kind], done.stdout + done.stderr
    return texts


@pytest.mark.parametrize("kind", COMMANDS)
def test_an_overview_comes_first_and_names_every_function(printed: dict[str, dict[str, str]], kind: str) -> None:
    first, *others = printed[kind]
    assert first == OVERVIEWS[kind]
    assert [name for name in others if name not in printed[kind][first]] == (["ssmpatch.mod_watch"] * (kind == "state"))


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_function_says_itself_what_it_does(printed: dict[str, dict[str, str]], kind: str) -> None:
    for name, text in printed[kind].items():
        assert not re.search(r":\w+:`|\bAs for\b|\.\. ", text), name
        assert text.strip().splitlines()[0].endswith((".", ":")), name
        assert f"New in version {__version__}" in text or name == "ssmpatch", name


def test_the_overview_is_printed_too(configuration: Path, printed: dict[str, dict[str, str]]) -> None:
    argv = [str(Path(sys.executable).with_name("salt-call")), "--local", f"--config-dir={configuration}"]
    done = subprocess.run([*argv, "--out=json", "ssmpatch.about"], capture_output=True, text=True, timeout=120)
    text = json.loads(done.stdout)["local"]
    assert text.startswith("Say what this module can do") and text.splitlines()[-1].startswith("configuration")
    assert "``" not in text and "CLI Example" not in text

# SPDX-License-Identifier: Apache-2.0
"""Programs that ask a question: what they say before it is read, and they go on once they are answered."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssmpatchlib.host import CommandMissing, CommandTimeout, Host

ASKING = """
import sys
print("a table")
try:
    answer = input("Is this ok [y/N]: ")
except EOFError:
    answer = "nothing"
print("\\nanswered", answer)
sys.exit(0 if answer == "y" else 3)
"""
PROMPT = "[y/N]: "


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "output"
    path.write_text("what was there before\n[y/N]: ")
    return path


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def test_a_question_is_read_and_answered(output: Path) -> None:
    looks: list[int] = []
    running = Host().start(python(ASKING), output=output)
    assert running.wait_for(PROMPT, timeout=30) == "a table\nIs this ok [y/N]: "
    result = running.finish("y\ny\ny\n", watch=lambda: looks.append(1))
    assert (result.code, result.stdout) == (0, "a table\nIs this ok [y/N]: \nanswered y\n")
    assert output.read_text().startswith("what was there before")


def test_no_answer_is_none(output: Path) -> None:
    running = Host().start(python(ASKING), output=output)
    assert running.wait_for(PROMPT, timeout=30)
    result = running.finish()
    assert (result.code, "answered nothing" in result.stdout) == (3, True)


def test_a_program_that_ends_without_a_question(output: Path) -> None:
    running = Host().start(python("print('nothing to do')"), output=output)
    assert running.wait_for(PROMPT, timeout=30) is None
    assert running.finish("y\n").stdout == "nothing to do\n"


def test_a_program_that_never_asks_is_stopped(output: Path) -> None:
    running = Host().start(python("import time; time.sleep(600)"), output=output)
    with pytest.raises(CommandTimeout, match="no question after 1 s"):
        running.wait_for(PROMPT, timeout=1)


def test_a_program_that_does_not_end_is_stopped(output: Path) -> None:
    running = Host().start(python(f"input('{PROMPT}'); import time; time.sleep(600)"), output=output)
    assert running.wait_for(PROMPT, timeout=30)
    with pytest.raises(CommandTimeout, match="no end after 1 s"):
        running.finish("y\n", timeout=1)


def test_a_program_that_is_not_there(output: Path) -> None:
    with pytest.raises(CommandMissing, match="no-such-program: program not found"):
        Host().start(["no-such-program"], output=output)


def test_when_this_process_is_killed_the_program_reads_no_answer(tmp_path: Path, output: Path) -> None:
    """Whoever is killed while a package manager waits has not agreed to anything."""
    asking = tmp_path / "asking.py"
    asking.write_text(ASKING)
    killed = (
        "import os, signal, sys; from pathlib import Path; from ssmpatchlib.host import Host\n"
        f"running = Host().start([sys.executable, {str(asking)!r}], output=Path({str(output)!r}))\n"
        f"assert running.wait_for({PROMPT!r}, timeout=30)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    engine = Path(__file__).resolve().parents[2] / "_utils"
    done = subprocess.run([sys.executable, "-c", killed], env={"PYTHONPATH": str(engine)}, timeout=60, check=False)
    assert done.returncode == -9
    deadline = time.monotonic() + 30
    while "answered nothing" not in output.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_a_program_printed_last_is_looked_at_however_short_it_ran(output: Path) -> None:
    looks: list[str] = []
    argv = python("print('its last words')")
    Host().run(argv, output=output, watch=lambda: looks.append(output.read_text()))
    assert looks[-1].endswith("its last words\n")
    running = Host().start(python(ASKING), output=output)
    assert running.wait_for(PROMPT, timeout=30)
    running.finish("y\n", watch=lambda: looks.append(output.read_text()))
    assert looks[-1].endswith("answered y\n")

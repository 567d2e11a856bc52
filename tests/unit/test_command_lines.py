# SPDX-License-Identifier: Apache-2.0
"""Every command line of the engine: what comes from outside is no option, and no more than one argument."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.backends.apt import solver as apt
from ssmpatchlib.backends.dnf import solver as dnf
from ssmpatchlib.backends.yum import solver as yum
from ssmpatchlib.backends.zypper import solver as zypper
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.host import Host
from ssmpatchlib.model import Offer, Target
from ssmpatchlib.names import operands
from ssmpatchlib.operation import journal_form
from ssmpatchlib.reboot import reboot_command

ENGINE = Path(__file__).resolve().parents[2] / "_utils/ssmpatchlib"
#: The words after which programs take operands.
VERBS = {
    "install", "upgrade", "update", "remove", "erase", "reinstall", "downgrade", "policy", "show", "auto", "manual",
    "hold", "unhold", "-e", "--whatprovides", "--queryformat", "addlock", "removelock", "patch", "in", "up", "rm",
    "mark", "--import", "refresh",
}  # fmt: skip
#: What stands on command lines without being from outside: options of our own, and files that the engine names.
OURS = {"options", "_OPTIONS", "_FETCH", "INSTALL_OPTIONS", "_FORMAT", "_PROVIDES_FORMAT", "path"}
#: A dnf 5 ``do`` has operands of several actions, whose names are checked one by one.
CHECKED = {"operands"}
HOSTILE = (
    "--setopt=pluginpath=/tmp/x",
    "--no-gpg-checks",
    "-beta",
    "!beta",
    "@core",
    "~a",
    "a\nb",
    "a\0b",
    "a b",
    "",
    "*",
    "/tmp/x.rpm",
    "a,b",
    "${x}",
)
ALLOWED = ("a", "_a", "2048-cli")


def sequences(tree: ast.AST) -> Iterator[list[ast.expr]]:
    """The lists, tuples and arguments of calls in a module, which is what a command line is made of."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.List, ast.Tuple)):
            yield node.elts
        elif isinstance(node, ast.Call):
            yield node.args


def unguarded(elements: list[ast.expr]) -> str:
    """The first operand from elsewhere that stands behind a verb without ``--``, as source text; "" for none."""
    verb = ""
    for element in elements:
        value = element.value if isinstance(element, ast.Starred) else element
        if isinstance(value, ast.Constant):
            if value.value == "--":
                return ""
            if value.value in VERBS:
                verb = str(value.value)
            continue
        named = value.func if isinstance(value, ast.Call) else value
        name = named.id if isinstance(named, ast.Name) else named.attr if isinstance(named, ast.Attribute) else ""
        text = ast.unparse(value)
        if verb and name not in OURS | CHECKED and not text.startswith(("f'--", "['--setopt", "[]")):
            return f"{verb} … {text}"
    return ""


MODULES = sorted([*(ENGINE / "backends").rglob("*.py"), ENGINE / "reboot.py", ENGINE / "host.py"])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ENGINE)))
def test_operands_stand_behind_two_dashes(path: Path) -> None:
    tree = ast.parse(path.read_text())
    programs = {"apt-get", "apt-cache", "apt-mark", "dnf", "yum", "zypper", "rpm", "dpkg"}
    text = path.read_text()
    if not any(f'"{word}"' in text for word in (*programs, *VERBS)):
        return
    assert [found for elements in sequences(tree) if (found := unguarded(elements))] == []


def target(word: str, place: str) -> Target:
    values: dict[str, Any] = {"name": "a", "arch": "noarch", "version": "0:1-1", place: word}
    return Target(**values, replaces="a.x86_64")


def command_lines(of: Target) -> Iterator[list[str]]:
    """Every command line that brings in a package."""
    yield ["apt-get", "install", "--", *apt.install_words([of])]
    for generation in (4, 5):
        yield dnf.install_arguments(generation, [of], [])
        yield dnf.install_arguments(generation, [Target("b", "noarch", "0:1-1"), of], [])
    yield yum.install_arguments([of], [])
    yield zypper.install_arguments([of])


@pytest.mark.parametrize("word", HOSTILE, ids=ascii)
def test_a_name_that_got_through_is_an_operand_all_the_same(word: str) -> None:
    hostile = target(word, "name")
    lines = []
    try:
        lines = list(command_lines(hostile))
    except SsmpatchError as exc:
        assert "no name of a package" in str(exc)
    for line in lines:
        carrying = [place for place, text in enumerate(line) if word and text.startswith(word)]
        assert all("--" in line[:place] or line[place][:1].isalnum() for place in carrying), line


@pytest.mark.parametrize("place", ["name", "version", "arch"])
@pytest.mark.parametrize("word", HOSTILE, ids=ascii)
def test_what_is_hidden_is_hidden_by_its_name_only(word: str, place: str) -> None:
    offer = Offer(**{"name": "a", "arch": "noarch", "version": "0:1-1", place: word})
    fine = Offer("b", "noarch", "0:1-1")
    for line in (
        dnf.install_arguments(4, [], [offer, fine]),
        dnf.install_arguments(5, [target("a", "name")], [offer, fine]),
        yum.install_arguments([], [offer, fine]),
        zypper.lock_records([offer, fine]),
    ):
        hiding = [text for text in line if "--exclude" in text or "solvable_name" in text]
        assert len(hiding) == 1 and ("=b-" in hiding[0] or "solvable_name: b\n" in hiding[0])


@pytest.mark.parametrize("word", HOSTILE[:5], ids=ascii)
def test_operands_without_two_dashes_are_checked(word: str) -> None:
    assert operands(ALLOWED) == list(ALLOWED)
    with pytest.raises(SsmpatchError, match="no name of a package"):
        operands(["a", word])


@pytest.mark.parametrize("place", ["name", "version", "arch"])
@pytest.mark.parametrize("word", HOSTILE, ids=ascii)
def test_a_journal_brings_no_other_names(word: str, place: str) -> None:
    row = {"name": "a", "arch": "noarch", "version": "0:1-1", "reason": "", "replaces": ""}
    assert journal_form._are_targets([row])  # noqa: SLF001
    assert not journal_form._are_targets([{**row, place: word}])  # noqa: SLF001


@pytest.mark.parametrize("word", ["--help", "-k now", "a\nb", "a\0b", "a\x1bb", ""], ids=ascii)
def test_a_message_of_a_reboot_is_one_operand(word: str) -> None:
    program, *rest = reboot_command(5, word)
    assert (program, *rest[:2]) == ("shutdown", "-r", "+5")
    assert all(text.isprintable() and not text.startswith("-") for text in rest[2:])


def test_an_argument_that_no_program_takes_is_an_error_in_words() -> None:
    with pytest.raises(SsmpatchError, match="no program takes"):
        Host().run(["true", "a\0b"])

# SPDX-License-Identifier: Apache-2.0
"""The fenced blocks of the documentation: where they are, what their marker says, and their commands with output."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[\w-]*)\s*$")
MARKER = re.compile(r"^\s*<!-- (?P<kind>example|tested): (?P<words>.+?) -->\s*$")
PROMPT = re.compile(r"^# (?=salt|systemctl )")
# Blocks that are no examples: drawings, toctrees and other directives have another fence or this language.
PROSE = {"text"}


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. ``line`` is the number of its first line; ``words`` is what its marker says."""

    path: Path
    line: int
    language: str
    text: str
    marker: str = ""
    words: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """How tests call it."""
        return f"{self.path.name}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a console block and what it prints there."""

    line: str
    output: str


def pages(repo: Path) -> list[Path]:
    """Every page with examples, in a fixed order."""
    found = sorted(path for path in (repo / "docs").rglob("*.md") if "_build" not in path.parts)
    return [path for path in (repo / "README.md", *found) if path.exists()]


def blocks(path: Path) -> list[Block]:
    """The examples of a page, in order.

    Raises:
        ValueError: a block is not closed, or has no language, so that nobody can say what it is.
    """
    result: list[Block] = []
    lines = path.read_text().splitlines()
    number = 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        if not fence:
            if lines[number].lstrip().startswith("```") and "{" not in lines[number]:
                raise ValueError(f"{path.name}:{number + 1}: {lines[number].strip()} is no fence that tests understand")
            number += _length_of_directive(lines, number)
            continue
        end = next((n for n in range(number + 1, len(lines)) if lines[n].strip() == fence["ticks"]), None)
        if end is None or not fence["language"]:
            raise ValueError(f"{path.name}:{number + 1}: a block needs a language and an end")
        marker = MARKER.match(lines[number - 1]) if number else None
        if fence["language"] not in PROSE:
            body = [line.removeprefix(fence["indent"]) for line in lines[number + 1 : end]]
            words = tuple(marker["words"].split()) if marker else ()
            kind = marker["kind"] if marker else ""
            result.append(Block(path, number + 2, fence["language"], "\n".join(body) + "\n", kind, words))
        number = end + 1
    return result


def _length_of_directive(lines: list[str], number: int) -> int:
    """How many lines to skip: a whole MyST directive (```` ```{name} ````), else one line."""
    if not lines[number].startswith("```{"):
        return 1
    end = next(n for n in range(number + 1, len(lines)) if lines[n].strip() == "```")
    return end - number + 1


def commands(block: Block) -> list[Command]:
    """The commands of a console block; lines up to the next prompt are the output of the one before."""
    result: list[Command] = []
    for line in block.text.splitlines():
        if PROMPT.match(line):
            result.append(Command(PROMPT.sub("", line), ""))
        elif result:
            result[-1] = Command(result[-1].line, result[-1].output + line + "\n")
        elif line.strip():
            raise ValueError(f"{block.id}: {line!r} stands before the first command")
    return [Command(each.line, each.output.strip("\n")) for each in result]


def render(found: list[Command]) -> str:
    """The text of a console block; the opposite of ``commands``."""
    parts = [f"# {each.line}\n{each.output}".rstrip("\n") + "\n" for each in found]
    return "\n".join(part if index == len(parts) - 1 else part for index, part in enumerate(parts))


def replace(block: Block, text: str) -> None:
    """Put another text into a block's place on its page."""
    lines = block.path.read_text().splitlines(keepends=True)
    start = block.line - 1
    end = start + len(block.text.splitlines())
    block.path.write_text("".join([*lines[:start], text, *lines[end:]]))


@dataclass
class Run:
    """The console blocks of a page as they are run; with ``rewrite`` what is printed is put in their place."""

    rewrite: bool
    _replacements: list[tuple[Block, str]] = field(default_factory=list)

    def console(self, block: Block, printed: Callable[[Command], str]) -> list[str]:
        """Run the commands of a block, of each what ``printed`` says; return their lines.

        Raises:
            AssertionError: something else is printed than the page shows.
        """
        shown = commands(block)
        text = render([Command(each.line, printed(each)) for each in shown])
        if self.rewrite:
            self._replacements.append((block, text))
        else:
            assert text == render(shown), f"{block.id} shows something else than what is printed"
        return [each.line for each in shown]

    def end(self) -> None:
        """Put what is to be changed onto the page, the last block first, so that the lines of the others stay."""
        for block, text in reversed(self._replacements):
            replace(block, text)

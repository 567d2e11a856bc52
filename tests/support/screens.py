# SPDX-License-Identifier: Apache-2.0
"""Programs on a terminal of a given width, and what stands on its screen, while they run and then."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyte

LINES = 4000
SILENCE = 300


@dataclass(frozen=True, slots=True)
class Screen:
    """What a program left on the terminal.

    ``lines`` are those of the screen, without the blank ends; ``printed`` is what the program sent, codes and all.
    """

    lines: tuple[str, ...]
    printed: str
    returncode: int

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines)

    @property
    def unbroken(self) -> bool:
        """Whether every line that was printed has a line of the screen for itself: none ran over the edge."""
        return len(self.lines) == len(self.printed.strip("\r\n").split("\n"))


class Terminal:
    """A program that runs on a terminal of so many columns; what it prints is read when somebody looks."""

    def __init__(
        self, argv: Sequence[str], *, columns: int, env: Mapping[str, str] | None = None, errors: bool = True
    ) -> None:
        """Start the program; without ``errors`` its standard error is thrown away."""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {**(os.environ if env is None else env), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        sized = ("COLUMNS", "LINES")
        self.process = subprocess.Popen(
            list(argv),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs if errors else subprocess.DEVNULL,
            env={key: value for key, value in environment.items() if key not in sized},
            start_new_session=True,
        )
        os.close(theirs)
        self._written = bytearray()
        self._screen = pyte.Screen(columns, LINES)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def written(self) -> str:
        """What the program has sent so far, codes and all."""
        return self._written.decode(errors="replace")

    def wait(self, until: Callable[[tuple[str, ...]], bool], *, seconds: float = 120) -> tuple[str, ...]:
        """The screen as soon as it is as wanted.

        Raises:
            AssertionError: it never was.
        """
        deadline = time.monotonic() + seconds
        while not until(found := _shown(self._screen)):
            assert time.monotonic() < deadline and self._read(1.0), "\n".join(found)
        return found

    def end(self, *, seconds: float = 120) -> tuple[str, ...]:
        """The screen after the program has ended.

        Raises:
            AssertionError: it has not ended.
        """
        deadline = time.monotonic() + seconds
        while self._read(1.0):
            assert time.monotonic() < deadline, self.written
        self.process.wait(timeout=60)
        return _shown(self._screen)

    def close(self) -> None:
        """Kill what still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait(timeout=10)
        os.close(self._ours)

    def _read(self, seconds: float) -> bool:
        """Read what is there; False when the program has closed the terminal."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # Linux says so when the other side is closed.
            return False
        self._written += data
        self._stream.feed(data)
        return bool(data)


def run(argv: Sequence[str], *, columns: int, env: Mapping[str, str] | None = None) -> Screen:
    """Run a program whose standard output and error are a terminal, until it ends."""
    terminal = Terminal(argv, columns=columns, env=env)
    try:
        lines = terminal.end(seconds=SILENCE)
    finally:
        terminal.close()
    return Screen(lines, terminal.written, terminal.process.returncode)


def lines_of(text: str, *, columns: int) -> tuple[str, ...]:
    """What a text with control codes leaves on a screen."""
    screen = pyte.Screen(columns, LINES)
    # A terminal turns the end of a line into these two.
    pyte.Stream(screen).feed(text.replace("\r\n", "\n").replace("\n", "\r\n"))
    return _shown(screen)


def _shown(screen: pyte.Screen) -> tuple[str, ...]:
    """The lines that stand on a screen, without the blank ends. A wide character has an empty cell behind it."""
    shown = []
    for row in range(max(screen.buffer, default=-1) + 1):
        # A row that nothing was written to has no cells; most of those that a program clears.
        cells = screen.buffer[row]
        shown.append("".join(cells[column].data for column in range(screen.columns)).rstrip() if cells else "")
    while shown and not shown[-1]:
        shown.pop()
    return tuple(shown)

# SPDX-License-Identifier: Apache-2.0
"""The engine's way to the machine: commands, clock, boot facts. Tests put another Host in its place."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .errors import SsmpatchError
from .masking import harmless, masked
from .model import Boot
from .process_groups import end_group, ending_with_us

#: The locale of every helper program, in place of the caller's.
LOCALE = {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8", "LANGUAGE": "C"}
#: Seconds between two checks whether a program has asked its question.
_POLL = 0.02
#: Seconds for which most programs run; one that goes on is made to end with this process (benchmarks/apt.py).
_MOMENT = 0.1
SBIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The exit code and output of a program; ``code`` is negative when a signal ended it."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def words(self) -> str:
        """The program's own words about a failure: standard error, else the end of standard output, else its code.

        They are at most 2,000 characters, secrets in them are masked, and what steers a terminal is ``?``.
        """
        said = self.stderr.strip()[-2000:] or self.stdout.strip()[-2000:]
        return masked(harmless(said)) or f"exit code {self.code}"


class CommandTimeout(SsmpatchError):
    """A helper program was ended after ``timeout`` seconds; ``said`` is what it had printed, ``late`` what happened."""

    def __init__(self, argv: Sequence[str], timeout: float, *, awaited: str = "end", said: str = "") -> None:
        self.late = f"no {awaited} after {timeout:g} s; it was stopped"
        self.said = said
        super().__init__(f"{' '.join(argv)}: {self.late}")


class CommandMissing(SsmpatchError):
    """A helper program is not on this host, or cannot be started."""


class Running:
    """A running program that asks a question and waits for the answer; it prints into the file ``output``."""

    def __init__(self, argv: tuple[str, ...], process: subprocess.Popen[bytes], output: Path, start: int) -> None:
        self.argv = argv
        self._process = process
        self._output = output
        self._start = start

    def wait_for(self, prompt: str, *, timeout: float) -> str | None:
        """Wait for the question that ends with ``prompt``; return all that was printed, None if the program ended.

        Raises:
            CommandTimeout: neither happened within ``timeout`` seconds; the program was stopped.
        """
        deadline = time.monotonic() + timeout
        while True:
            ended = self._process.poll() is not None
            text = _added(self._output, self._start)
            if text.endswith(prompt):
                return text
            if ended:
                return None
            if time.monotonic() > deadline:
                _end(self._process)
                raise CommandTimeout(self.argv, timeout, awaited="question")
            time.sleep(_POLL)

    def finish(
        self, answers: str = "", *, timeout: float = 300, watch: Callable[[], None] | None = None
    ) -> CommandResult:
        """Send the answers, wait for the program's end and return its result; ``""`` closes its input unanswered.

        Raises:
            CommandTimeout: the program ran longer than ``timeout`` seconds; it was stopped.
        """
        stdin, self._process.stdin = self._process.stdin, None
        assert stdin is not None  # noqa: S101 - it is a pipe, and there is one end
        with contextlib.suppress(BrokenPipeError), stdin:
            stdin.write(answers.encode())
        try:
            _watch(self._process, watch or (lambda: None), timeout)
        except subprocess.TimeoutExpired as exc:
            _end(self._process)
            raise CommandTimeout(self.argv, timeout) from exc
        return CommandResult(self.argv, self._process.returncode, _added(self._output, self._start), "")


class Host:
    """This machine."""

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float = 300,
        stdin: str | None = None,
        output: Path | None = None,
        watch: Callable[[], None] | None = None,
        slow: bool = False,
    ) -> CommandResult:
        """Run a program with an argv list, in the C.UTF-8 locale, for at most ``timeout`` seconds.

        Without ``output`` the program and all that it starts end with this process, however that ends; for one that
        is not ``slow``, as what uses the network is, that holds only after a moment. With ``output`` both streams are
        appended to that file, and the program outlives this process; the result's ``stdout`` is then what the program
        added. ``watch``, only with ``output``, is called about twice a second while the program runs, and at its end.

        Raises:
            CommandMissing: the program is not installed.
            CommandTimeout: the program ran longer than ``timeout`` seconds; it was sent SIGTERM, then SIGKILL.
        """
        process, start = _open(argv, self.environment(env), asks=stdin is not None, output=output)
        if output is None:
            out, err = _answer(process, argv, (stdin or "").encode() or None, timeout=timeout, slow=slow)
            return CommandResult(tuple(argv), process.returncode, out, err)
        try:
            _watch(process, watch or (lambda: None), timeout)
        except subprocess.TimeoutExpired as exc:
            _end(process)
            raise CommandTimeout(argv, timeout) from exc
        return CommandResult(tuple(argv), process.returncode, _added(output, start), "")

    def start(self, argv: Sequence[str], *, output: Path, env: Mapping[str, str] | None = None) -> Running:
        """Start a program that asks a question, with both streams appended to ``output``; return it while it runs.

        If this process ends first, the program's input ends, which no program takes for an answer.

        Raises:
            CommandMissing: the program is not installed.
        """
        process, start = _open(argv, self.environment(env), asks=True, output=output)
        return Running(tuple(argv), process, output, start)

    def stream(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, size: int = 1 << 22
    ) -> Iterator[bytes]:
        """Yield a program's standard output in pieces of at most ``size`` bytes.

        Raises:
            CommandMissing: the program is not installed.
            SsmpatchError: the program failed; the message has its own words.
        """
        # A file, since a pipe would be full while standard output is read.
        with tempfile.TemporaryFile() as said:
            try:
                process = subprocess.Popen(  # noqa: S603 - argv list, no shell
                    list(argv), env=self.environment(env), stdout=subprocess.PIPE, stderr=said
                )
            except FileNotFoundError as exc:
                raise CommandMissing(f"{argv[0]}: program not found; install the package that provides it") from exc
            except OSError as exc:
                raise CommandMissing(f"{argv[0]}: {_not_started(exc)}") from exc
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            with process, process.stdout as stdout:
                while piece := stdout.read(size):
                    yield piece
            if process.returncode:
                said.seek(0)
                words = CommandResult(tuple(argv), process.returncode, "", _text(said.read())).words
                raise SsmpatchError(f"{' '.join(argv)}: {words}")

    @staticmethod
    def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a helper program: the caller's with our locale and PATH, without Salt's Python.

        ``HOME`` is the one in the password database: after ``sudo`` it may be another user's, whose settings programs
        would read, and Debian's rpm and dnf look below it for the rpm database of a root.
        """
        env = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "PYTHON", "LD_"))}
        env.update(LOCALE)
        env["PATH"] = SBIN_PATH
        with contextlib.suppress(KeyError):
            env["HOME"] = pwd.getpwuid(os.geteuid()).pw_dir
        env.update(extra or {})
        return env

    def now(self) -> float:
        """Return the seconds since the epoch, UTC."""
        return time.time()

    def boot_id(self) -> str:
        """Return the kernel's random id of this boot; empty where the kernel does not tell."""
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return ""

    def boot_time(self) -> float | None:
        """Return when this boot began, epoch seconds by the kernel's own account; None where it does not tell."""
        try:
            for line in Path("/proc/stat").read_text().splitlines():
                if line.startswith("btime "):
                    return float(line.split()[1])
        except (OSError, ValueError):
            pass
        return None

    def machine(self) -> str:
        """Return the kernel's word for the architecture (``x86_64``)."""
        return os.uname().machine

    def kernel_release(self) -> str:
        """Return the release of the running kernel, as ``uname -r`` does."""
        return os.uname().release

    def kernel_build(self) -> str:
        """Return what the running kernel says of its build, as ``uname -v`` does."""
        return os.uname().version

    def find_program(self, name: str) -> str | None:
        """Return the path of a program in the directories of the system; None where there is none."""
        return shutil.which(name, path=SBIN_PATH)

    def this_boot(self) -> Boot:
        """Return the boot that runs now."""
        return Boot(self.boot_id(), self.boot_time())

    def is_root(self) -> bool:
        """Return whether this process may change the system."""
        return os.geteuid() == 0

    def has_systemd(self) -> bool:
        """Return whether systemd is the running init."""
        return os.path.isdir("/run/systemd/system")

    def shutdown_planned(self) -> bool | None:
        """Return whether systemd has a shutdown at a later time planned; None where that cannot be known."""
        return os.path.exists("/run/systemd/shutdown/scheduled") if self.has_systemd() else None

    def has_system_bus(self) -> bool:
        """Return whether there is the D-Bus of the system, by which services are started and followed."""
        return os.path.exists("/run/dbus/system_bus_socket")

    def sleep(self, seconds: float) -> None:
        """Wait some seconds."""
        time.sleep(seconds)


def _open(
    argv: Sequence[str], env: Mapping[str, str], *, asks: bool, output: Path | None
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a program; return it and the size that the file ``output`` had before."""
    sink: IO[bytes] | None = None
    start = 0
    try:
        if output:
            sink = open(output, "ab")  # noqa: SIM115 - closed below on every path
            start = sink.tell()
        process = subprocess.Popen(  # noqa: S603 - argv list, no shell
            list(argv),
            env=env,
            stdin=subprocess.PIPE if asks else subprocess.DEVNULL,
            stdout=sink or subprocess.PIPE,
            stderr=subprocess.STDOUT if sink else subprocess.PIPE,
            # A group of its own, which can be ended with all that the program has started.
            start_new_session=True,
        )
    except FileNotFoundError as exc:
        raise CommandMissing(f"{argv[0]}: program not found; install the package that provides it") from exc
    except PermissionError as exc:
        raise CommandMissing(f"{argv[0]}: may not be executed: {exc.strerror}") from exc
    except ValueError as exc:
        raise SsmpatchError(f"{argv[0]}: an argument holds what no program takes: {exc}") from exc
    except OSError as exc:
        raise CommandMissing(f"{argv[0]}: {_not_started(exc)}") from exc
    finally:
        if sink:
            sink.close()
    return process, start


def _not_started(exc: OSError) -> str:
    remedy = "raise the limits of this process on open files, processes and memory"
    return f"could not be started: {(exc.strerror or str(exc)).lower()}; {remedy}"


def _added(output: Path, start: int) -> str:
    """Return what was added to a file since it had ``start`` bytes."""
    with open(output, "rb") as handle:
        handle.seek(start)
        return handle.read().decode(errors="replace")


def _watch(process: subprocess.Popen[bytes], watch: Callable[[], None], timeout: float) -> None:
    """Call ``watch`` until the program ends, and once more then; only for programs whose output goes to a file."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                raise
        watch()
        if process.returncode is not None:
            return


def _answer(
    process: subprocess.Popen[bytes], argv: Sequence[str], stdin: bytes | None, *, timeout: float, slow: bool
) -> tuple[str, str]:
    """Return what a program prints; it ends with this process, and with an error after ``timeout`` seconds."""
    try:
        if not slow:
            with contextlib.suppress(subprocess.TimeoutExpired):
                out, err = process.communicate(stdin, timeout=min(_MOMENT, timeout))
                return _text(out), _text(err)
            stdin = None
        with ending_with_us(process.pid):
            out, err = process.communicate(stdin, timeout=timeout)
            return _text(out), _text(err)
    except subprocess.TimeoutExpired as exc:
        raise CommandTimeout(argv, timeout, said="\n".join(_end_group(process))) from exc
    except BaseException:
        _end_group(process)
        raise


def _text(data: bytes | None) -> str:
    return (data or b"").decode(errors="replace")


def _end_group(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """End a program and what it has started; return what it printed."""
    end_group(process.pid, is_left=lambda: process.poll() is None)
    # What left the group may still hold the pipes.
    with contextlib.suppress(subprocess.TimeoutExpired):
        out, err = process.communicate(timeout=1)
        return _text(out), _text(err)
    return "", ""


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()

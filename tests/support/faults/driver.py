# SPDX-License-Identifier: Apache-2.0
"""Run one operation of the engine in a process of its own, which can be told to kill itself on the way.

yum, which no longer exists, is played by a program of the tests.

``python driver.py`` reads a specification (JSON) from standard input and prints what came of it (JSON):
``{"result": ...}`` or ``{"error": {"type", "message", "code", "info"}}``. All but an ``SsmpatchError`` is a traceback.

Keys of the specification: ``operation``, ``settings`` (as in pillar), ``arguments``; ``boot_id``, ``boot_time`` and
``ahead`` (seconds that the clock is ahead) of the host; ``kill`` ``{"phase", "batch", "before"}``: the journal's phase
that the process does not survive, killed right after it is written, or with ``before`` instead of writing it;
``next_installs``: what Salt's schedule says;
``user``: the id of the user to become once the engine is imported; ``shutdown_code``: what shutdown ends with.
The hook ``test.false`` fails, and ``drain.slowly`` takes an hour by the host's clock.
The answer also has ``shutdowns`` and ``walls`` (argv lists), ``calls`` (the functions that hooks called) and
``notices`` (the data of the events that announce something).
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import pkgutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ssmpatchlib
from ssmpatchlib import api, config
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.host import CommandResult, Host
from ssmpatchlib.package_managers import PACKAGE_MANAGERS, Entry
from ssmpatchlib.store import journal

#: What makes the engine know the package manager that only tests have.
TOY = Entry("support.toy", "Toy", programs=(), traces=("toy",))
_YUM = [sys.executable, str(Path(__file__).parents[1] / "yum_program.py")]


class FaultHost(Host):
    """This machine, with a clock that may be set, boots that may happen and a shutdown that is only noted."""

    def __init__(
        self,
        *,
        ahead: float = 0,
        boot_id: str = "boot-1",
        boot_time: float | None = 1_700_000_000,
        shutdown_code: int = 0,
    ) -> None:
        self.ahead = ahead
        self._boot = (boot_id, boot_time)
        self._shutdown_code = shutdown_code
        self.shutdowns: list[tuple[str, ...]] = []
        self.walls: list[tuple[str, ...]] = []

    def now(self) -> float:
        return super().now() + self.ahead

    def boot_id(self) -> str:
        return self._boot[0]

    def boot_time(self) -> float | None:
        return self._boot[1]

    def boot(self, boot_id: str) -> None:
        """Start anew."""
        self._boot = (boot_id, self.now())

    def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
        if argv[0] == "shutdown":
            self.shutdowns.append(tuple(argv))
            return CommandResult(tuple(argv), self._shutdown_code, "", "no way" if self._shutdown_code else "")
        if argv[0] == "wall":
            self.walls.append(tuple(argv))
            return CommandResult(tuple(argv), 0, "", "")
        if "yum" in argv:
            place = argv.index("yum")
            argv = [*argv[:place], *_YUM, *argv[place + 1 :]]
        return super().run(argv, **more)


def quiet_surface(**more: Any) -> api.Caller:
    """A caller whose log nobody reads."""
    log = logging.Logger("faults")
    log.addHandler(logging.NullHandler())
    return api.Caller(log=log, **more)


def _kill_at(wanted: Mapping[str, Any]) -> None:
    """Replace the journal's functions by ones that do not survive a phase."""
    begin, advance, close = journal.begin, journal.advance, journal.close

    def is_fatal(phase: str, batch: int) -> bool:
        return phase == wanted["phase"] and batch == wanted.get("batch", batch)

    def dying(write: Any, phase: str, batch: int) -> Any:
        fatal = is_fatal(phase, batch)
        if fatal and wanted.get("before"):
            os.kill(os.getpid(), signal.SIGKILL)
        entry = write()
        if fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return entry

    def dying_advance(entry: journal.JournalEntry, phase: str, **fields: Any) -> journal.JournalEntry:
        return dying(lambda: advance(entry, phase, **fields), phase, fields.get("batch", entry.batch))

    journal.begin = lambda place, **fields: dying(lambda: begin(place, **fields), journal.PLANNED, 0)
    journal.advance = dying_advance
    journal.close = lambda entry: dying(lambda: close(entry), journal.CLOSED, entry.batch)


def _become(user: int) -> None:
    """Give up every right; what the engine imports later may be out of reach then, so it is imported before."""
    engine = [module.name for module in pkgutil.walk_packages(ssmpatchlib.__path__, "ssmpatchlib.")]
    for name in (*engine, "distro", "yaml", "_strptime"):
        importlib.import_module(name)
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def main() -> None:
    """Run the operation that standard input asks for."""
    PACKAGE_MANAGERS["toy"] = TOY
    spec = json.load(sys.stdin)
    if "kill" in spec:
        _kill_at(spec["kill"])
    if "user" in spec:
        _become(spec["user"])
    facts = ("ahead", "boot_id", "boot_time", "shutdown_code")
    host = FaultHost(**{key: spec[key] for key in facts if key in spec})
    calls: list[str] = []

    def call(function: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        calls.append(function)
        host.ahead += 3600 * (function == "drain.slowly")
        return function != "test.false"

    notices: list[Mapping[str, Any]] = []

    def fire(tag: str, data: Mapping[str, Any]) -> None:
        if tag == "ssmpatch/<id>/notice":
            notices.append(data)

    caller = quiet_surface(call=call, fire=fire, next_installs=lambda: spec.get("next_installs", {}))
    try:
        settings = config.load(minion=spec["settings"])
        run = getattr(api, spec["operation"])
        answer: dict[str, Any] = {"result": run(settings, caller=caller, host=host, **spec["arguments"])}
    except SsmpatchError as exc:
        said = {"type": type(exc).__name__, "message": str(exc), "code": exc.code, "info": dict(exc.info)}
        answer = {"error": said}
    answer |= {"shutdowns": host.shutdowns, "walls": host.walls, "calls": calls, "notices": notices}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()

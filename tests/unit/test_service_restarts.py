# SPDX-License-Identifier: Apache-2.0
"""The restarts of services that run old code: in order, each bounded, and what fails keeps nothing back."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ssmpatchlib.host import CommandResult, CommandTimeout, Host
from ssmpatchlib.processes.proc import Process
from ssmpatchlib.processes.restart import ALL_SECONDS, SECONDS, restart, restart_later


class System(Host):
    """Services that run old code until they are restarted; each restart takes ``seconds``."""

    def __init__(self, *old: str, seconds: float = 1.0, systemd: int = 252) -> None:
        self.old, self.seconds, self.systemd = list(old), seconds, systemd
        self.clock = 1000.0
        self.commands: list[list[str]] = []
        self.fails: dict[str, str] = {}
        self.hangs: set[str] = set()
        self.slow: dict[str, int] = {}
        self.restarts_too: dict[str, str] = {}

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds

    def has_system_bus(self) -> bool:
        return True

    def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
        if argv[1] == "--version":
            return CommandResult(tuple(argv), 0, f"systemd {self.systemd} (x)\n", "")
        self.commands.append(list(argv))
        if argv[0] == "systemd-run":
            return CommandResult(tuple(argv), 1 if self.fails else 0, "", self.fails.get("systemd-run", ""))
        assert argv[:3] == ["systemctl", "restart", "--"] and more["timeout"] == SECONDS
        self.clock += self.seconds
        unit = argv[3]
        if unit in self.hangs:
            raise CommandTimeout(argv, more["timeout"])
        if unit in self.fails:
            return CommandResult(tuple(argv), 1, "", self.fails[unit])
        for name in (unit, self.restarts_too.get(unit)):
            if name in self.old and name not in self.slow:
                self.old.remove(name)
        return CommandResult(tuple(argv), 0, "", "")

    def read(self) -> list[Process]:
        for name in [name for name in self.old if self.slow.get(name, 1) == 0]:
            self.old.remove(name)
        for name in self.slow:
            self.slow[name] -= 1
        return [Process(9, "/x", f"/system.slice/{name}", ("/usr/lib/x",)) for name in self.old]

    @property
    def restarted(self) -> list[str]:
        return [argv[3] for argv in self.commands]


def restarted(
    system: System, *units: str, tell: Callable[[str], None] = str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return restart(system, units, tell=tell, read=system.read)


def test_services_are_restarted_one_after_the_other() -> None:
    system, told = System("b.service", "a.service", "c.service"), []
    assert restarted(system, "b.service", "a.service", tell=told.append) == (("b.service", "a.service"), ())
    assert system.restarted == told == ["b.service", "a.service"]


def test_one_that_fails_is_named_and_keeps_nothing_back() -> None:
    system = System("a.service", "b.service", "c.service")
    system.fails, system.hangs = {"a.service": "Job for a.service failed."}, {"b.service"}
    done, warnings = restarted(system, "a.service", "b.service", "c.service")
    assert done == ("c.service",)
    assert warnings == (
        "a.service could not be restarted: Job for a.service failed.; see systemctl status a.service",
        "b.service could not be restarted: systemctl restart -- b.service: no end after 200 s; it was stopped",
    )


def test_one_that_another_has_restarted_is_not_restarted_again() -> None:
    system = System("a.service", "b.service")
    system.restarts_too = {"a.service": "b.service"}
    assert restarted(system, "a.service", "b.service") == (("a.service", "b.service"), ())
    assert system.restarted == ["a.service"]


def test_all_restarts_together_are_bounded() -> None:
    system = System("a.service", "b.service", "c.service", seconds=ALL_SECONDS / 2)
    done, warnings = restarted(system, "a.service", "b.service", "c.service")
    assert done == ("a.service", "b.service")
    assert warnings == ("c.service was not restarted: the restarts before it took 1800 s; restart it",)


def test_a_clock_that_is_set_back_starts_no_endless_row_of_restarts() -> None:
    system = System("a.service", "b.service", seconds=-5000)
    assert restarted(system, "a.service", "b.service")[0] == ("a.service",)


def test_a_process_that_has_just_begun_is_waited_for() -> None:
    system = System("a.service")
    system.slow = {"a.service": 4}
    assert restarted(system, "a.service") == (("a.service",), ())


def test_one_that_goes_on_with_old_code_was_restarted_in_vain() -> None:
    system = System("a.service")
    system.slow = {"a.service": 10_000}
    before = system.clock
    assert restarted(system, "a.service") == ((), ())
    assert system.clock - before < 10


def test_salts_own_services_wait_for_this_process() -> None:
    system = System()
    assert restart_later(system, ["salt-master.service", "salt-minion.service"], name="ssmpatch-restart-1") == ""
    (argv,) = system.commands
    timeout = Host().find_program("timeout")
    assert argv == [
        "systemd-run", "--quiet", "--unit=ssmpatch-restart-1", "--collect", "--no-block",
        f"--property=ExecStartPre=-{timeout} 3600 tail --pid={os.getpid()} -f /dev/null",
        "--property=TimeoutStartSec=infinity", "--property=RuntimeMaxSec=400",
        "--", "systemctl", "restart", "--", "salt-master.service", "salt-minion.service",
    ]  # fmt: skip


def test_an_old_systemd_gives_salt_some_time() -> None:
    system = System(systemd=219)
    assert restart_later(system, ["salt-minion.service"], name="ssmpatch-restart-1") == ""
    assert system.commands == [
        ["systemd-run", "--quiet", "--unit=ssmpatch-restart-1", "--on-active=120"]
        + ["--", "systemctl", "restart", "--", "salt-minion.service"]
    ]


def test_a_restart_that_cannot_be_asked_for_is_said() -> None:
    system = System()
    system.fails = {"systemd-run": "Failed to connect to bus"}
    assert restart_later(system, ["salt-minion.service"], name="x") == "Failed to connect to bus"


@pytest.mark.parametrize("units", [(), ("a.service",)])
def test_what_runs_new_code_is_left_alone(units: tuple[str, ...]) -> None:
    system = System()
    assert restarted(system, *units) == (units, ())
    assert system.commands == []

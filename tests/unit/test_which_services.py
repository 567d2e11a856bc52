# SPDX-License-Identifier: Apache-2.0
"""Which services an install restarts: not outside of its window, and none again and again in vain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ssmpatchlib.operation import finish, restarts
from ssmpatchlib.operation.restarts import Restarts, restart_services, services_wait
from ssmpatchlib.operation.window import may_begin
from ssmpatchlib.processes.old_code import OldCode
from ssmpatchlib.reboot import NONE, RebootDecision
from ssmpatchlib.windows import Window

#: 2027-01-15, a Friday, 08:00 UTC.
NOW = 1_800_000_000.0
OLD = OldCode(units=("a.service", "b.service", "salt-minion.service"))
REASON = "a.service still runs code that an update replaced"


class System:
    """A system of which some services run old code, whatever is restarted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *hints: str) -> None:
        self.restarted: list[str] = []
        last = SimpleNamespace(reboot=SimpleNamespace(required_hints=hints))
        monkeypatch.setattr(restarts, "find_old_code", lambda host: OLD)
        monkeypatch.setattr(restarts, "own_group", lambda: "")
        monkeypatch.setattr(restarts, "restart", self._restart)
        monkeypatch.setattr(restarts.reports, "load_report", lambda place: (last, ()))

    def _restart(self, host: Any, units: Sequence[str], **more: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
        self.restarted += units
        return (), ()

    def session(self, window: Window | None = None, restart: str = "services") -> Any:
        host = SimpleNamespace(now=lambda: NOW, is_root=lambda: True)
        settings = SimpleNamespace(root=Path("/"), restart=restart, window=window, place=lambda now: None)
        return SimpleNamespace(host=host, settings=settings)


@pytest.mark.parametrize("changed", [True, False])
def test_services_are_restarted_whether_or_not_something_was_installed(
    monkeypatch: pytest.MonkeyPatch, changed: bool
) -> None:
    system = System(monkeypatch)
    assert services_wait(system.session())
    assert restart_services(system.session(), str, changed=changed) == Restarts(OLD)
    assert system.restarted == ["a.service", "b.service"]


def test_one_that_a_restart_has_not_cured_is_left_until_something_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, REASON)
    restart_services(system.session(), str, changed=False)
    assert system.restarted == ["b.service"]
    restart_services(system.session(), str, changed=True)
    assert system.restarted == ["b.service", "a.service", "b.service"]


def test_what_is_left_alone_calls_no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, REASON, REASON.replace("a.", "b."))
    monkeypatch.setattr(restarts, "find_old_code", lambda host: OldCode(units=("a.service", "b.service")))
    assert not services_wait(system.session())
    monkeypatch.setattr(restarts, "find_old_code", lambda host: OLD)
    assert services_wait(system.session()), "Salt's own is restarted"


@pytest.mark.parametrize(
    ("window", "may"),
    [
        (None, True),
        (Window("07:00", 7200), True),
        (Window("09:00", 3600), False),
    ],
)
def test_restarts_begin_in_the_window_of_installs(
    monkeypatch: pytest.MonkeyPatch, window: Window | None, may: bool
) -> None:
    system = System(monkeypatch)
    assert may_begin(system.session(window).settings, NOW) is may
    # So does an interrupted install that is finished, at whatever time.
    monkeypatch.setattr(finish, "_decide", lambda *known: RebootDecision(NONE, ""))
    monkeypatch.setattr(finish, "restart_the_last", lambda session, done: done)
    done: Any = SimpleNamespace(may_reboot=True, changed=())
    known: Any = None
    *_, found = finish._consequences(system.session(window), known, done, (), str)
    assert system.restarted == (["a.service", "b.service"] if may else [])
    words = "3 services with old code not restarted: the maintenance window has closed; the next install does it"
    assert found == Restarts(OLD, warnings=() if may else (words,))

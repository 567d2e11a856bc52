# SPDX-License-Identifier: Apache-2.0
"""A fleet in simulated time behind the seam of the fleet room: minions that install, boot, fail, vanish, come back."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ssmpatchlib.errors import OutsideWindow
from ssmpatchlib.fleet.salt_client import Call, Salt
from ssmpatchlib.times import aws_time

START = 1_800_000_000.0


class Killed(BaseException):
    """The runner was killed here."""


@dataclass
class FakeMinion:
    """How one minion behaves. Times are seconds from the start of the simulation.

    ``opens`` are the spans in which its maintenance window is open; ``stored`` is returned as its stored report.
    """

    patched: bool = False
    installable: bool = True
    install_seconds: float = 60
    away: tuple[tuple[float, float], ...] = ()
    busy_until: float = -1
    reboots: bool = False
    boot_seconds: float = 90
    boots: bool = True
    loses_returns: int = 0
    free: int = 10_000_000
    pending: bool = False
    checks: Mapping[str, Any] = field(default_factory=dict)
    product: str = "Debian12"
    report_error: str = ""
    opens: tuple[tuple[float, float], ...] = ((0, 1e12),)
    stored: Any = None
    grains: Any = field(default_factory=lambda: {"os": "Debian", "osrelease": "12"})
    pillar: Any = None
    frozen_set: Any = None
    boot_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    installs: int = 0
    frozen: list[str] = field(default_factory=list)
    running: tuple[str, float] | None = None
    boot_at: float | None = None


class FakeFleet:
    """Runs what is published when its time has come; the clock moves only when the runner sleeps."""

    def __init__(self, minions: Mapping[str, FakeMinion]) -> None:
        self.minions = dict(minions)
        self.time = 0.0
        self.jobs: dict[str, dict[str, Any]] = {}
        self.due: list[tuple[float, str, str, Call]] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.published: list[tuple[float, str, tuple[str, ...], tuple[str, ...]]] = []
        self.told: list[str] = []
        self.steps_left: int | None = None

    def salt(self) -> Salt:
        """The seam, for the code under test."""
        return Salt(
            expand=self.expand,
            new_job=lambda: uuid.uuid4().hex,
            publish=self.publish,
            returns=self.returns,
            fire=lambda tag, data: self.events.append((tag, dict(data))),
            now=lambda: START + self.time,
            sleep=self.sleep,
            grains=lambda names: {name: self.minions[name].grains for name in names},
            pillars=lambda names: {name: self.minions[name].pillar for name in names},
            tell=self.told.append,
        )

    def expand(self, tgt: str | Sequence[str], tgt_type: str) -> list[str]:
        if tgt_type == "list":
            return [name for name in self.minions if name in tgt]
        prefix = str(tgt).rstrip("*")
        return [name for name in self.minions if name.startswith(prefix)]

    def _step(self) -> None:
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise Killed

    def publish(self, job: str, names: Sequence[str], call: Call) -> None:
        self._step()
        self.published.append((self.time, call.functions[0], tuple(names), call.functions))
        self.jobs.setdefault(job, {})
        for name in names:
            if self.reachable(name):
                self._begin(job, name, call)
        self._step()

    def reachable(self, name: str) -> bool:
        minion = self.minions[name]
        booting = minion.boot_at is not None and self.time < minion.boot_at + minion.boot_seconds
        return not booting and not any(start <= self.time < end for start, end in minion.away)

    def _begin(self, job: str, name: str, call: Call) -> None:
        minion = self.minions[name]
        if call.functions == ("ssmpatch.install",):
            minion.installs += 1
            minion.frozen += [arg["frozen"] for arg in call.args[0] if "frozen" in arg]
            minion.running = ("install", self.time + minion.install_seconds)
            self.due.append((self.time + minion.install_seconds, job, name, call))
        else:
            self.due.append((self.time + 1, job, name, call))

    def returns(self, job: str) -> Mapping[str, Any]:
        return self.jobs.get(job, {})

    def sleep(self, seconds: float) -> None:
        self._step()
        assert seconds > 0
        end = self.time + seconds
        while self.due and min(self.due, key=lambda item: item[0])[0] <= end:
            item = min(self.due, key=lambda item: item[0])
            self.due.remove(item)
            self.time = max(self.time, item[0])
            self._finish(*item[1:])
        self.time = end
        for minion in self.minions.values():
            if minion.boot_at is not None and minion.boots and self.time >= minion.boot_at + minion.boot_seconds:
                minion.boot_at, minion.boot_id, minion.pending = None, str(uuid.uuid4()), False
        assert self.time < 40 * 86400, "the rollout does not end"

    def _finish(self, job: str, name: str, call: Call) -> None:
        minion = self.minions[name]
        answers = {
            function: self._answer(minion, function, args)
            for function, args in zip(call.functions, call.args, strict=False)
        }
        if call.functions == ("ssmpatch.install",):
            minion.running = None
            if not self.reachable(name):
                return
            if minion.loses_returns:
                minion.loses_returns -= 1
                return
        if self.reachable(name):
            self.jobs[job][name] = answers if len(answers) > 1 else answers[call.functions[0]]
        if call.functions == ("ssmpatch.install",) and minion.reboots:
            minion.boot_at = self.time

    def _answer(self, minion: FakeMinion, function: str, args: Sequence[Any]) -> Any:
        if function == "ssmpatch.status":
            running = {"operation": "install"} if minion.running or self.time < minion.busy_until else None
            found = {"running": running, "boot_id": minion.boot_id, "journal": None, "last": None}
            return {**found, "next_open": self._next_open(minion)}
        if function == "ssmpatch.version":
            return {"version": "0.1.0", "operating_system": "DEBIAN", "product": minion.product}
        if function == "disk.usage":
            return {"/": {"available": str(minion.free)}}
        if function == "ssmpatch.freeze" and minion.frozen_set is not None:
            return minion.frozen_set
        if function == "ssmpatch.freeze":
            packages = {"openssl.amd64": "3.0-1"}
            return {
                "ssmpatch_frozen": 1,
                "operating_system": "DEBIAN",
                "product": minion.product,
                "created": "2026-11-20T06:30:00Z",
                "baseline": "pb-1",
                "packages": packages,
            }
        if function == "ssmpatch.plan":
            changes = {"openssl": {"old": "1", "new": "2"}}
            return {"changes": changes, "blocked": [], "next_open": self._next_open(minion)}
        if function == "ssmpatch.report":
            return self._stored(minion, args) if minion.stored is None else minion.stored
        if function == "ssmpatch.install" and self._next_open(minion, at=self.time - minion.install_seconds):
            minion.installs -= 1
            return f"ERROR: {OutsideWindow(str(self._next_open(minion)))} [code 1]"
        if function == "ssmpatch.install":
            minion.patched = minion.patched or minion.installable
            return self._report(minion, installing=True)
        if function == "ssmpatch.scan":
            return minion.report_error or self._stored(minion, args)
        return minion.checks.get(function, f"'{function}' is not available.")

    def _stored(self, minion: FakeMinion, args: Sequence[Any]) -> dict[str, Any]:
        report = self._report(minion)
        if minion.patched and any(arg.get("details") for arg in args):
            report["patches"] = [{"Id": "openssl.amd64", "PatchState": "Installed", "installed_version": "3.0-1"}]
        return report

    def _next_open(self, minion: FakeMinion, *, at: float | None = None) -> str | None:
        at = self.time if at is None else at
        if any(start <= at < end for start, end in minion.opens):
            return None
        return next((aws_time(START + start) for start, _ in minion.opens if start > at), "never")

    def _report(self, minion: FakeMinion, *, installing: bool = False) -> dict[str, Any]:
        state = "Failed" if installing else "Missing"
        rows = [] if minion.patched else [_row(state)]
        if minion.pending and minion.patched:
            rows = [_row("InstalledPendingReboot")]
        due = None
        if installing and minion.reboots:
            due = aws_time(START + self.time)
        return {
            "compliance": "NON_COMPLIANT" if rows else "COMPLIANT",
            "summary": {"OperationEndTime": aws_time(START + self.time)},
            "patches": rows,
            "reboot": {"action": "reboot" if due else "none", "due": due},
            "changes": {},
            "warnings": [],
        }


def _row(state: str) -> dict[str, str]:
    return {
        "Id": "openssl.amd64",
        "PatchState": state,
        "Status": "NON_COMPLIANT",
        "reason": "libgone is not installable",
    }

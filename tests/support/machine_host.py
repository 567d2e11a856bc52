# SPDX-License-Identifier: Apache-2.0
"""A machine that boots, as a minion of a master: what it has, what is on offer, and how its runs end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from support.faults.debs import Deb
from support.machine import Machine
from support.machine_master import Master

_EVERYTHING = {"PatchFilterGroup": {"PatchFilters": [{"Key": "PRODUCT", "Values": ["*"]}]}, "ApproveAfterDays": 0}
BASELINE = {
    "Name": "everything",
    "OperatingSystem": "DEBIAN",
    "GlobalFilters": {"PatchFilters": []},
    "ApprovalRules": {"PatchRules": [_EVERYTHING]},
}
#: The schedule that docs/examples/pillar/schedule.sls has for resume, sooner.
RESUME = {
    "ssmpatch-resume": {
        "function": "ssmpatch.resume",
        "run_on_start": True,
        "seconds": 20,
        "return_job": False,
        "maxrunning": 1,
    }
}


@dataclass(frozen=True)
class MachineHost:
    """A machine and its master."""

    vm: Machine
    master: Master

    def begin(
        self, *, settings: Mapping[str, Any], minion: Mapping[str, Any] | None = None, schedule: bool = True
    ) -> None:
        """Boot the machine with a minion that knows ssmpatch and has these settings in its pillar."""
        self.vm.configure({**self.master.minion, **(minion or {})})
        self.settings(settings, schedule=schedule)
        self.vm.enable("salt-minion")
        self.vm.boot()
        self.synced()

    def settings(self, settings: Mapping[str, Any], *, schedule: bool = True) -> None:
        """Let the pillar have these settings."""
        self.master.pillar({"ssmpatch": settings, **({"schedule": RESUME} if schedule else {})})

    def synced(self) -> None:
        """Wait for the minion, and let it have the modules."""
        self.answers()
        self.call("saltutil.sync_all")

    def answers(self) -> None:
        """Wait for the minion."""
        self.vm.wait(lambda: self.call("test.ping", timeout=5), "the minion")

    def call(self, *words: str, timeout: int = 100) -> Any:
        """What a function returns on the minion; None where it does not answer."""
        return self.master.call(self.vm.name, *words, timeout=timeout)

    def asynchronously(self, *words: str) -> None:
        """Start a function on the minion, and do not wait for it."""
        self.master.salt("--async", self.vm.name, *words)

    def has_debs(self, installed: Sequence[Deb], offered: Sequence[Deb]) -> None:
        """Install packages while the machine is off, and let others be on offer."""
        self.vm.install_debs(installed)
        self.vm.offer(offered)

    def scanned(self, compliance: str) -> dict[str, Any]:
        """The report of a scan, which finds this."""
        report = self.call("ssmpatch.scan")
        assert isinstance(report, dict) and report["compliance"] == compliance, report
        return report

    def finished(self, run_id: str = "") -> dict[str, Any]:
        """The report at the master once the run is closed, and is another one than ``run_id``."""

        def closed() -> Any:
            status = self.call("ssmpatch.status", timeout=20)
            # Where the minion is ended while it answers, there is no answer or an empty one.
            if not isinstance(status, dict) or not status or status["running"] or status["journal"]:
                return None
            report = self.call("ssmpatch.report", timeout=20)
            return report if isinstance(report, dict) and report and report["run"]["id"] != run_id else None

        return self.vm.wait(closed, "the end of the run")

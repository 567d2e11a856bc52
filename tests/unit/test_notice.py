# SPDX-License-Identifier: Apache-2.0
"""When what is planned is announced: within the time of the notice, once for each planned time."""

from __future__ import annotations

from ssmpatchlib.operation.notice import Planned, due_notices

NOW = 1_800_000_000.0
DAY = 86400.0
REBOOT = Planned("reboot", NOW, "3 installed packages wait for it")
INSTALL = Planned("install", NOW + 60, "by the schedule: ssmpatch-install", "ssmpatch-install")


def test_it_is_announced_from_the_time_of_the_notice_until_it_happens() -> None:
    for before, told in ((DAY + 1, False), (DAY, True), (60, True), (1, True), (0, False), (-60, False)):
        assert bool(due_notices([REBOOT], {}, now=NOW - before, notice=DAY)) is told, before


def test_each_planned_time_is_announced_once() -> None:
    assert due_notices([REBOOT, INSTALL], {}, now=NOW - 60, notice=DAY) == (REBOOT, INSTALL)
    assert due_notices([REBOOT, INSTALL], {"reboot": NOW}, now=NOW - 60, notice=DAY) == (INSTALL,)
    known = {"reboot": NOW + 30, "install ssmpatch-install": NOW + 60}
    assert due_notices([REBOOT, INSTALL], known, now=NOW - 60, notice=DAY) == ()


def test_another_time_is_announced_anew() -> None:
    known = {"reboot": NOW - 7 * DAY, "install": NOW + 60, "install ssmpatch-install": NOW - 3600}
    assert due_notices([REBOOT, INSTALL], known, now=NOW - 60, notice=DAY) == (REBOOT, INSTALL)

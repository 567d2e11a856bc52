# SPDX-License-Identifier: Apache-2.0
"""The reboot policy: when, why, and how often; and the command that does it."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib import reboot
from ssmpatchlib.config import REBOOT_OPTIONS, RebootSettings
from ssmpatchlib.errors import InvalidInput, SsmpatchError
from ssmpatchlib.host import CommandMissing, CommandResult, CommandTimeout, Host
from ssmpatchlib.model import Boot
from ssmpatchlib.reboot import RebootDecision, RebootRequests, one_more, same_boot
from ssmpatchlib.windows import Window, is_open, next_open

NOW = dt.datetime(2026, 11, 23, 22, tzinfo=dt.timezone.utc).timestamp()  # a Monday
SATURDAY = Window(days=("sat",), start="02:00", duration=14400)
SATURDAY_OPENS = dt.datetime(2026, 11, 28, 2, tzinfo=dt.timezone.utc).timestamp()
BOOT = Boot("boot-1", NOW - 86400)


def decide(**changes: object) -> RebootDecision:
    facts = {
        "option": "RebootIfNeeded",
        "changed": False,
        "pending": (),
        "hints": (),
        "windows": (),
        "delay_minutes": 1,
        "max_attempts": 3,
        "requests": RebootRequests(),
        "now": NOW,
        "boot": BOOT,
        "root": Path("/"),
    }
    facts |= changes
    names = {"option": "option", "windows": "windows", "delay_minutes": "delay", "max_attempts": "max_attempts"}
    policy = RebootSettings(**{to: facts.pop(name) for name, to in names.items()})
    return reboot.decide(policy, **facts)


PENDING = ("bash.amd64:5.2", "acl.amd64:1")
WAIT = "2 installed packages wait for it: acl.amd64:1, bash.amd64:5.2"
ASKED = "the system asks for it: /run/reboot-required"


@pytest.mark.parametrize(
    ("option", "changed", "pending", "hints", "action", "reason"),
    [
        ("RebootIfNeeded", False, (), (), "none", "nothing asks for a reboot"),
        ("RebootIfNeeded", False, (), ("/run/reboot-required",), "none", "nothing asks for a reboot"),
        ("RebootIfNeeded", True, (), (), "reboot", "packages were installed"),
        ("RebootIfNeeded", False, PENDING, (), "reboot", WAIT),
        ("RebootIfNeeded", True, PENDING[:1], (), "reboot", "1 installed package waits for it: bash.amd64:5.2"),
        ("RebootIfRequired", True, PENDING, (), "none", "nothing asks for a reboot"),
        ("RebootIfRequired", False, (), ("/run/reboot-required",), "reboot", ASKED),
        ("NoReboot", True, PENDING, ("/run/reboot-required",), "none", f"reboot_option is NoReboot; {WAIT}"),
        ("NoReboot", False, (), (), "none", "nothing asks for a reboot"),
    ],
)
def test_the_three_options(option, changed, pending, hints, action, reason):
    decision = decide(option=option, changed=changed, pending=pending, hints=hints)
    assert decision == RebootDecision(action, reason, NOW + 60 if action == "reboot" else None)


def test_a_long_list_of_packages_is_shortened():
    decision = decide(pending=[f"package-{number:02}" for number in range(30)])
    assert decision.reason.startswith("30 installed packages wait for it: package-00, package-01, ")
    assert decision.reason.endswith("package-09 and 20 more")


def test_only_the_running_system_is_rebooted(tmp_path):
    assert decide(changed=True, root=tmp_path) == RebootDecision(
        "none", f"{tmp_path} is not the running system; packages were installed"
    )
    assert decide(changed=True, root=Path("/tmp/..")).action == "reboot"


def test_outside_of_the_windows_it_is_due_when_the_next_one_opens():
    assert decide(changed=True, windows=[SATURDAY]) == RebootDecision(
        "deferred", "outside of the reboot windows; packages were installed", SATURDAY_OPENS
    )
    assert decide(changed=True, windows=[SATURDAY], now=SATURDAY_OPENS).due == SATURDAY_OPENS + 60


def test_the_reboot_itself_and_not_only_the_request_falls_into_a_window():
    closing = SATURDAY_OPENS + 14400
    late = decide(changed=True, windows=[SATURDAY], now=closing - 30, delay_minutes=1)
    assert (late.action, late.due) == ("deferred", SATURDAY_OPENS + 7 * 86400)
    early = decide(changed=True, windows=[SATURDAY], now=SATURDAY_OPENS - 30, delay_minutes=1)
    assert (early.action, early.due) == ("reboot", SATURDAY_OPENS + 30)


def test_a_request_under_way_is_waited_for_and_not_repeated():
    requests = RebootRequests(1, NOW - 1800, "boot-1")
    assert decide(changed=True, requests=requests, delay_minutes=60) == RebootDecision(
        "deferred", "a reboot is under way; packages were installed", NOW + 1800, requested=True
    )
    assert decide(changed=True, requests=requests, delay_minutes=1).action == "reboot"


@pytest.mark.parametrize(("attempts", "action"), [(0, "reboot"), (2, "reboot"), (3, "exhausted"), (4, "exhausted")])
def test_attempts_are_counted_within_a_boot(attempts, action):
    requests = RebootRequests(attempts, NOW - 7200, "boot-1")
    assert decide(pending=PENDING, requests=requests).action == action
    assert decide(pending=PENDING, requests=requests, boot=Boot("boot-2", NOW - 86400)).action == "reboot"
    assert decide(requests=requests).action == "none"


def test_exhausted_says_what_to_do():
    decision = decide(changed=True, requests=RebootRequests(3, NOW - 7200, "boot-1"))
    assert decision.reason == (
        "3 reboots were requested and the machine did not boot, do it by hand; packages were installed"
    )


def test_a_clock_set_back_does_not_keep_a_reboot_under_way_for_ever():
    requests = RebootRequests(1, NOW + 86400, "boot-1")
    assert decide(changed=True, requests=requests).action == "reboot"


@pytest.mark.parametrize(
    ("recorded_id", "boot_id", "boot_time", "same"),
    [
        ("a", "a", NOW + 1e9, True),  # the clock was set after the record
        ("a", "b", 0.0, False),
        ("", "b", NOW - 1, True),
        ("a", "", NOW + 1, False),
        ("", "", NOW, False),
        ("", "", None, True),
    ],
)
def test_the_boot_id_decides_and_the_boot_time_only_without_one(recorded_id, boot_id, boot_time, same):
    assert same_boot(Boot(boot_id, boot_time), recorded_id=recorded_id, recorded_at=NOW) is same


def test_requests_are_counted_up_within_a_boot_and_anew_after_it():
    first = one_more(RebootRequests(), now=NOW, boot=Boot("a", None))
    second = one_more(first, now=NOW + 1, boot=Boot("a", None))
    assert second == RebootRequests(2, NOW + 1, "a")
    assert one_more(second, now=NOW + 2, boot=Boot("b", None)) == RebootRequests(1, NOW + 2, "b")


FLAG, KERNEL = "/run/reboot-required", "the kernel 6.1.0-40 is installed and 6.1.0-37 runs"


@pytest.mark.parametrize(
    ("hints", "changed", "boot_id", "action"),
    [
        ((FLAG,), False, "boot-2", "exhausted"),
        ((FLAG,), True, "boot-2", "reboot"),
        ((FLAG, KERNEL), False, "boot-2", "reboot"),
        ((KERNEL,), False, "boot-2", "reboot"),
        ((), False, "boot-2", "none"),
        ((FLAG,), False, "boot-1", "reboot"),
    ],
)
def test_what_a_reboot_did_not_clear_asks_for_no_other(hints, changed, boot_id, action):
    requests = RebootRequests(1, NOW - 7200, "boot-1", (FLAG,))
    facts = {"option": "RebootIfRequired", "hints": hints, "changed": changed, "boot": Boot(boot_id, NOW - 86400)}
    decision = decide(requests=requests, **facts)
    assert decision.action == action
    if action == "exhausted":
        assert decision.reason.endswith(f"not changed that: {FLAG}; find out what sets it, or reboot by hand")


@pytest.mark.parametrize(
    ("hints", "boot_id", "left"),
    [((FLAG, KERNEL), "boot-2", (FLAG,)), ((KERNEL,), "boot-2", ()), ((KERNEL,), "boot-1", (FLAG,))],
)
def test_what_a_reboot_has_cleared_is_forgotten(hints, boot_id, left):
    requests = RebootRequests(1, NOW, "boot-1", (FLAG,))
    assert reboot.remembered(requests, hints, boot=Boot(boot_id, NOW)).hints == left


class Planning(Host):
    """A host in ``boot-1`` that may have a shutdown planned."""

    def __init__(self, planned, now):
        self._planned, self._now = planned, now

    def shutdown_planned(self):
        return self._planned

    def now(self):
        return self._now

    def this_boot(self):
        return BOOT


@pytest.mark.parametrize(
    ("planned", "minutes", "attempts"), [(True, 5, 2), (None, 5, 2), (False, 5, 1), (False, 61, 2), (False, -5, 2)]
)
def test_a_cancelled_reboot_is_no_attempt(planned, minutes, attempts):
    requests = RebootRequests(2, NOW, "boot-1")
    found = reboot.without_cancelled(requests, Planning(planned, NOW + 60 * minutes), delay=60)
    assert found.attempts == attempts
    assert decide(changed=True, requests=found, now=NOW + 300, delay_minutes=60).requested is (attempts == 2)


@given(
    option=st.sampled_from(REBOOT_OPTIONS),
    changed=st.booleans(),
    pending=st.lists(st.sampled_from(PENDING), max_size=2),
    hints=st.lists(st.just("/run/reboot-required"), max_size=1),
    windows=st.lists(st.just(SATURDAY), max_size=1),
    hours=st.integers(0, 24 * 7),
    attempts=st.integers(0, 5),
    delay=st.integers(0, 300),
)
def test_what_holds_for_every_decision(option, changed, pending, hints, windows, hours, attempts, delay):
    now = NOW + hours * 3600
    decision = decide(
        option=option,
        changed=changed,
        pending=pending,
        hints=hints,
        windows=windows,
        now=now,
        delay_minutes=delay,
        requests=RebootRequests(attempts, now - 86400, "boot-1"),
    )
    wanted = bool(hints) if option == "RebootIfRequired" else option == "RebootIfNeeded" and (changed or bool(pending))
    assert (decision.action == "none") is not wanted
    assert (decision.action == "exhausted") is (wanted and attempts >= 3)
    if decision.action == "reboot":
        assert decision.due == now + delay * 60
        assert is_open(windows, decision.due)
    if decision.action == "deferred":
        assert decision.due == next_open(windows, now + delay * 60) > now


# --- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delay", "message", "argv"),
    [
        (1, "patched, back soon", ("shutdown", "-r", "+1", "patched, back soon")),
        (0, "", ("shutdown", "-r", "+0")),
        (5, "two\nlines\x07\x1b[31m", ("shutdown", "-r", "+5", "two lines [31m")),
        (5, "--help", ("shutdown", "-r", "+5", "help")),
        (5, " - ", ("shutdown", "-r", "+5")),
    ],
)
def test_the_command_has_the_delay_and_one_line_of_message(delay, message, argv):
    assert reboot.reboot_command(delay, message) == argv


@pytest.mark.parametrize("delay", [-1, 10081])
def test_an_impossible_delay_is_refused(delay):
    with pytest.raises(InvalidInput, match=rf"reboot.delay: {delay} is not allowed; use 0 to 10080 minutes"):
        reboot.reboot_command(delay, "")


class AnsweringHost(Host):
    """A host whose programs answer what the test says."""

    def __init__(self, answer: CommandResult | Exception) -> None:
        self.answer = answer
        self.ran: list[tuple[str, ...]] = []

    def run(self, argv, **_options):
        self.ran.append(tuple(argv))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_the_request_runs_the_command():
    host = AnsweringHost(CommandResult((), 0, "", "Shutdown scheduled"))
    assert reboot.request_reboot(host, delay_minutes=2, message="patched") is None
    assert host.ran == [("shutdown", "-r", "+2", "patched")]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (CommandResult((), 1, "", "Failed to connect to bus"), "shutdown -r +2 patched: Failed to connect to bus"),
        (CommandTimeout(["shutdown"], 60), "no end after 60 s"),
        (CommandMissing("shutdown: not found"), "there is no program shutdown; install systemd-sysv, systemd or"),
    ],
)
def test_a_failed_request_says_so_and_that_the_reboot_stays_pending(answer, words):
    with pytest.raises(SsmpatchError) as caught:
        reboot.request_reboot(AnsweringHost(answer), delay_minutes=2, message="patched")
    assert str(caught.value).startswith("cannot reboot: ")
    assert words in str(caught.value)
    assert str(caught.value).endswith("; the reboot stays pending")


# --- flag files ----------------------------------------------------------------------------------


def test_without_flags_nothing_is_hinted(tmp_path):
    assert reboot.flag_hints(tmp_path) == ()


def test_the_flags_of_debian_and_suse_below_a_root(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/reboot-required").write_text("*** System restart required ***\n")
    assert reboot.flag_hints(tmp_path) == ("/run/reboot-required",)
    (tmp_path / "run/reboot-required.pkgs").write_text("linux-image-6.1.0-21-amd64\nlinux-base\nlinux-base\n")
    (tmp_path / "run/reboot-needed").touch()
    assert reboot.flag_hints(tmp_path) == (
        "/run/reboot-required (linux-image-6.1.0-21-amd64, linux-base)",
        "/run/reboot-needed",
    )


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/hostname")])
def test_an_odd_list_of_packages_is_neither_followed_nor_waited_for(tmp_path, make):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/reboot-required").touch()
    make(tmp_path / "run/reboot-required.pkgs")
    assert reboot.flag_hints(tmp_path) == ("/run/reboot-required",)

# SPDX-License-Identifier: Apache-2.0
"""Whether to reboot, when, and how."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .config import RebootSettings
from .errors import InvalidInput, SsmpatchError
from .host import CommandMissing, CommandTimeout, Host
from .model import Boot
from .windows import is_open, next_open
from .wording import amount, some_of

REBOOT_IF_NEEDED = "RebootIfNeeded"
NO_REBOOT = "NoReboot"
REBOOT_IF_REQUIRED = "RebootIfRequired"

NONE = "none"
REBOOT = "reboot"
DEFERRED = "deferred"
EXHAUSTED = "exhausted"

MAX_DELAY_MINUTES = 7 * 24 * 60
# How late a requested reboot may be: services may be slow to stop.
_GRACE_SECONDS = 600
_SHOWN = 10
_MAX_FLAG_BYTES = 65536


@dataclass(frozen=True, slots=True)
class RebootRequests:
    """How often a reboot was requested within one boot, when last (epoch seconds), and why the system asked for it.

    ``problem`` says why the reboot that is due could not be requested.
    """

    attempts: int = 0
    requested_at: float = 0.0
    boot_id: str = ""
    hints: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RebootDecision:
    """The policy's decision: ``action`` is none, reboot, deferred or exhausted; ``due`` is the reboot's epoch seconds.

    ``requested`` means that a reboot has been requested already and is under way.
    """

    action: str
    reason: str
    due: float | None = None
    requested: bool = False


def same_boot(boot: Boot, *, recorded_id: str, recorded_at: float) -> bool:
    """Return whether something was recorded in this boot.

    The boot's id decides, whatever the clock says. Where there is no id, a boot that began after ``recorded_at`` is
    another one; where the begin of the boot is unknown too, the answer is that there was no boot since.
    """
    if recorded_id and boot.id:
        return recorded_id == boot.id
    return boot.time is None or boot.time < recorded_at


def one_more(requests: RebootRequests, *, now: float, boot: Boot, hints: Sequence[str] = ()) -> RebootRequests:
    """Return the record of requests with one more; requests of an earlier boot are not counted."""
    earlier = requests.attempts if _in_this_boot(requests, boot) else 0
    return RebootRequests(earlier + 1, now, boot.id, tuple(hints))


def without_cancelled(requests: RebootRequests, host: Host, *, delay: int) -> RebootRequests:
    """Return the requests without the last one where its time, ``delay`` minutes after it, was cancelled.

    A cancelled reboot is not under way and is no attempt. Rule: ``shutdown -c`` removes systemd's plan.
    """
    begun = requests.requested_at <= host.now() < requests.requested_at + delay * 60
    if not (begun and _in_this_boot(requests, host.this_boot()) and host.shutdown_planned() is False):
        return requests
    return replace(requests, attempts=max(requests.attempts - 1, 0), requested_at=0.0)


def requests_of(form: Mapping[str, Any]) -> RebootRequests:
    """Return the requests of their stored form."""
    return RebootRequests(**{**form, "hints": tuple(form["hints"])})


def remembered(requests: RebootRequests, hints: Collection[str], *, boot: Boot) -> RebootRequests:
    """Return the requests that still count: those of this boot, else those whose ``hints`` the boot has not cleared."""
    if not requests.attempts or _in_this_boot(requests, boot):
        return requests
    left = tuple(hint for hint in requests.hints if hint in hints)
    return replace(requests, hints=left, problem="") if left else RebootRequests()


def decide(
    policy: RebootSettings,
    *,
    changed: bool,
    pending: Collection[str],
    hints: Sequence[str],
    requests: RebootRequests,
    now: float,
    boot: Boot,
    root: Path,
) -> RebootDecision:
    """Return what the reboot policy says.

    ``RebootIfNeeded`` reboots when this operation installed something or something is pending; ``RebootIfRequired``
    only when the system itself asks for it; ``NoReboot`` never. The time of the reboot, after the policy's delay, has
    to be in a window. While a requested reboot is under way, or after ``max_attempts`` in one boot, none is requested.
    A hint that a requested reboot has not cleared asks for no other one until something is installed.

    Args:
        changed: this operation installed something.
        pending: titles of the packages that wait for a reboot.
        hints: why the system asks for a reboot; empty when it does not.
        requests: the requests made so far.
        root: the root that was patched; only the running system, ``/``, is rebooted.
    """
    left = set() if changed or _in_this_boot(requests, boot) else set(requests.hints)
    cause = _cause(policy.option, changed, pending, [hint for hint in hints if hint not in left])
    if not cause and policy.option == REBOOT_IF_REQUIRED and hints:
        what = "the system asks for a reboot, and the one that was requested for it has not changed that"
        return RebootDecision(EXHAUSTED, f"{what}: {'; '.join(hints)}; find out what sets it, or reboot by hand")
    if not cause:
        return RebootDecision(NONE, "nothing asks for a reboot")
    if root.resolve() != Path("/"):
        return RebootDecision(NONE, f"{root} is not the running system; {cause}")
    if policy.option == NO_REBOOT:
        return RebootDecision(NONE, f"reboot_option is NoReboot; {cause}")
    if requests.attempts and _in_this_boot(requests, boot):
        due = requests.requested_at + policy.delay * 60
        if requests.requested_at <= now < due + _GRACE_SECONDS:
            return RebootDecision(DEFERRED, f"a reboot is under way; {cause}", due, requested=True)
        if requests.attempts >= policy.max_attempts:
            what = f"{requests.attempts} reboots were requested and the machine did not boot, do it by hand"
            return RebootDecision(EXHAUSTED, f"{what}; {cause}")
    at = now + policy.delay * 60
    if is_open(policy.windows, at):
        return RebootDecision(REBOOT, cause, at)
    return RebootDecision(DEFERRED, f"outside of the reboot windows; {cause}", next_open(policy.windows, at))


def reboot_command(delay_minutes: int, message: str) -> tuple[str, ...]:
    """Return the argv that reboots in ``delay_minutes``; users who are logged in see the one-line message.

    Raises:
        InvalidInput: the delay is out of range.
    """
    if not 0 <= delay_minutes <= MAX_DELAY_MINUTES:
        raise InvalidInput(f"reboot.delay: {delay_minutes} is not allowed; use 0 to {MAX_DELAY_MINUTES} minutes")
    # A leading dash would make the message an option.
    text = " ".join("".join(char if char.isprintable() else " " for char in message).split()).lstrip("-")
    return ("shutdown", "-r", f"+{delay_minutes}", *((text,) if text else ()))


def request_reboot(host: Host, *, delay_minutes: int, message: str) -> None:
    """Ask the system to reboot in ``delay_minutes``.

    Raises:
        SsmpatchError: the system cannot or will not reboot; the reboot stays pending.
    """
    command = reboot_command(delay_minutes, message)
    try:
        result = host.run(command, timeout=60)
    except CommandMissing as exc:
        remedy = "install systemd-sysv, systemd or sysvinit, or reboot by hand"
        raise SsmpatchError(f"cannot reboot: there is no program shutdown; {remedy}; the reboot stays pending") from exc
    except CommandTimeout as exc:
        raise SsmpatchError(f"cannot reboot: {exc}; the reboot stays pending") from exc
    if result.code:
        raise SsmpatchError(f"cannot reboot: {' '.join(command)}: {result.words}; the reboot stays pending")


def flag_hints(root: Path) -> tuple[str, ...]:
    """Return why the system below ``root`` asks for a reboot, by the flag files of Debian, Ubuntu and SUSE."""
    hints = []
    if os.path.lexists(root / "run/reboot-required"):
        packages = list(dict.fromkeys(_flag_words(root / "run/reboot-required.pkgs")))
        hints.append("/run/reboot-required" + (f" ({some_of(packages, _SHOWN)})" if packages else ""))
    if os.path.lexists(root / "run/reboot-needed"):
        hints.append("/run/reboot-needed")
    return tuple(hints)


def _in_this_boot(requests: RebootRequests, boot: Boot) -> bool:
    return same_boot(boot, recorded_id=requests.boot_id, recorded_at=requests.requested_at)


def _cause(option: str, changed: bool, pending: Collection[str], hints: Sequence[str]) -> str:
    if option == REBOOT_IF_REQUIRED:
        return f"the system asks for it: {'; '.join(hints)}" if hints else ""
    if pending:
        return f"{amount(len(pending), 'installed package', 'wait')} for it: {some_of(sorted(pending), _SHOWN)}"
    return "packages were installed" if changed else ""


def _flag_words(path: Path) -> list[str]:
    try:
        # A link could lead out of the root; without O_NONBLOCK a FIFO would wait for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as stream:
            return stream.read(_MAX_FLAG_BYTES).decode(errors="replace").split()
    except OSError:
        return []

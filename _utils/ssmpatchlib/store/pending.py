# SPDX-License-Identifier: Apache-2.0
"""The packages that wait for a reboot: our own record, judged by boot id, and the AWS agent's, by boot time."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from .. import files
from ..fields import check_fields, is_requests, is_text, is_text_list, is_time
from ..model import INSTALLED_PENDING_REBOOT, Boot
from ..paths import Place
from ..reboot import RebootRequests, requests_of, same_boot
from .states import PatchStates

VERSION = 1


@dataclass(frozen=True, slots=True)
class PendingReboot:
    """Packages that were installed in the boot ``boot_id``, from ``since`` on, and wait for the next boot.

    ``titles`` are ``name.arch:version``; ``requests`` are the reboots requested for them.
    """

    titles: tuple[str, ...]
    since: float
    boot_id: str
    requests: RebootRequests = RebootRequests()


def load_pending(place: Place) -> tuple[PendingReboot | None, tuple[str, ...]]:
    """Return the record, None when there is none, and warnings; a damaged record is set aside."""
    document, warnings = files.read_json(place.file("pending"), shape=_problem, now=place.now)
    if document is None:
        return None, warnings
    requests = requests_of(document["requests"])
    return PendingReboot(tuple(document["titles"]), document["since"], document["boot_id"], requests), warnings


def save_pending(record: PendingReboot | None, place: Place) -> None:
    """Replace the record; None, for nothing that waits, deletes it.

    Raises:
        Unwritable: the file cannot be written or deleted.
    """
    if record is None:
        files.remove(place.file("pending"))
    else:
        files.write_json(place.file("pending"), {"version": VERSION, **dataclasses.asdict(record)})


def add_pending(record: PendingReboot | None, titles: Collection[str], *, now: float, boot: Boot) -> PendingReboot:
    """Return the record with ``titles`` added; titles that an earlier boot installed are dropped."""
    if record is None or not _is_of_this_boot(record, boot):
        return PendingReboot(tuple(sorted(titles)), now, boot.id)
    return dataclasses.replace(record, titles=tuple(sorted({*record.titles, *titles})))


def still_pending(
    record: PendingReboot | None,
    states: PatchStates,
    *,
    installed: Collection[str],
    boot: Boot,
) -> tuple[str, ...]:
    """Return the titles that wait for a reboot, sorted.

    Titles of our record wait if it is of this boot, by the boot's id, whatever the clock says. Titles that only the AWS
    agent's file calls InstalledPendingReboot wait if the boot began before the last install with NoReboot (the agent's
    own rule).

    Args:
        installed: the titles installed now; other titles do not wait.
        boot: the running boot; where its begin is unknown, all titles of the agent's file wait.
    """
    ours = set(record.titles) if record else set()
    waiting = set(ours) if record and _is_of_this_boot(record, boot) else set()
    if states.last_no_reboot and (boot.time is None or boot.time < states.last_no_reboot):
        theirs = (title for title, patch in states.patches.items() if patch.state == INSTALLED_PENDING_REBOOT)
        waiting.update(title for title in theirs if title not in ours)
    return tuple(sorted(waiting.intersection(installed)))


def _is_of_this_boot(record: PendingReboot, boot: Boot) -> bool:
    return same_boot(boot, recorded_id=record.boot_id, recorded_at=record.since)


def _problem(document: Any) -> str:
    return check_fields(document, VERSION, _FIELDS)


_FIELDS = {"titles": is_text_list, "since": is_time, "boot_id": is_text, "requests": is_requests}

# SPDX-License-Identifier: Apache-2.0
"""What the runner lends to the fleet room: Salt's publisher, its job cache, its event bus and the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Call:
    """Functions to run in one job, with the positional arguments of each (keyword arguments as Salt packs them)."""

    functions: tuple[str, ...]
    args: tuple[tuple[Any, ...], ...]


def keywords(**values: Any) -> tuple[Any, ...]:
    """The arguments of a function that takes keyword arguments only."""
    return ({"__kwarg__": True, **values},) if values else ()


@dataclass(frozen=True, slots=True)
class Salt:
    """The outside world.

    ``expand(tgt, tgt_type)`` returns the ids of the accepted minions that match. ``publish(job, ids, call)`` runs a
    call under the job id that ``new_job()`` made. ``returns(job)`` has what minions returned so far, by id.
    ``fire(tag, data)`` sends an event on the master's bus. ``grains(ids)`` and ``pillars(ids)`` have what the master
    keeps of minions, by id. ``tell(line)`` shows people how far the work is.
    """

    expand: Callable[[str | Sequence[str], str], list[str]]
    new_job: Callable[[], str]
    publish: Callable[[str, Sequence[str], Call], None]
    returns: Callable[[str], Mapping[str, Any]]
    fire: Callable[[str, Mapping[str, Any]], None]
    now: Callable[[], float]
    sleep: Callable[[float], None]
    grains: Callable[[Sequence[str]], Mapping[str, Any]]
    pillars: Callable[[Sequence[str]], Mapping[str, Any]]
    tell: Callable[[str], None]


def ask(
    salt: Salt, minions: Sequence[str], call: Call, *, timeout: float, poll: float = 1.0
) -> Iterator[tuple[str, Any]]:
    """Publish a call and yield ``(minion, return)`` for every minion that answers within ``timeout`` seconds.

    Large fleets are asked in jobs of 500 minions, whose returns are read job by job: never all of them at once.
    """
    jobs = []
    for start in range(0, len(minions), CHUNK):
        some = minions[start : start + CHUNK]
        job = salt.new_job()
        salt.publish(job, some, call)
        jobs.append((job, frozenset(some)))
    deadline = salt.now() + timeout
    for job, wanted in jobs:
        pause = min(poll, 0.2)
        while True:
            late = salt.now() >= deadline
            returned = salt.returns(job)
            if late or wanted <= returned.keys():
                break
            salt.sleep(pause)
            pause = min(poll, pause * 1.5)
        yield from ((name, returned[name]) for name in sorted(wanted & returned.keys()))

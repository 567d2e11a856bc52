# SPDX-License-Identifier: Apache-2.0
"""Asks yum's own solver what it would do with some targets, or which do not go together, without acting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...errors import SsmpatchError
from ...model import Offer, Target
from ...names import is_rpm
from ...versions.rpm import compare_evr
from ..answers import Clash, Sizes, Solution, Step
from ..rpmmd.keys import announced
from . import answer
from .answer import Reply, Row
from .command import REFUSE, YumCommand

#: Options that keep yum to the targets and what they need, whatever the system's configuration says.
SAFE_OPTIONS = (
    "--setopt=obsoletes=1",
    "--setopt=clean_requirements_on_remove=0",
    "--setopt=autosavets=0",
    "--setopt=*.skip_if_unavailable=1",
)


def nevra(target: Target) -> str:
    """Return a target as ``name-epoch:version-release.arch``, for which yum finds no other package."""
    return f"{target.name}-{target.version}.{target.arch}"


def install_arguments(targets: Iterable[Target], hidden: Iterable[Offer]) -> list[str]:
    """Return the arguments that install exactly these versions, with ``hidden`` excluded."""
    return [*SAFE_OPTIONS, *_excluded(hidden), "install", "--", *map(nevra, targets)]


def _excluded(hidden: Iterable[Offer]) -> Iterable[str]:
    """Yield the options that hide offers; what yum calls a package and rpm could not have is hidden by none."""
    return (f"--exclude={offer}" for offer in hidden if is_rpm(offer.name, offer.version, offer.arch))


def solve(command: YumCommand, targets: Sequence[Target], hidden: Iterable[Offer]) -> Solution:
    """Return what yum would do to bring in some targets without what is hidden, or why it cannot.

    Raises:
        Busy: another program held yum's lock for ``lock_timeout`` seconds.
        SsmpatchError: yum cannot be asked (not root, unreadable configuration).
    """
    if not command.context.host.is_root():
        # yum would say so itself, but would leave a cache of this user behind.
        raise SsmpatchError("plan: yum says only to root what an installation would do; plan as root")
    result = command.run("-C", *REFUSE, *install_arguments(targets, hidden))
    text = f"{result.stdout}\n{result.stderr}"
    reply = answer.read_reply(text)
    if not (reply.rows or reply.problems or reply.unmatched) and "Nothing to do" not in text:
        raise SsmpatchError(f"yum cannot say what an installation would do: {result.words}")
    return Solution(
        steps=tuple(_steps(reply.rows)),
        words="; ".join(dict.fromkeys(problem.words for problem in reply.problems)),
        clashes=tuple(_clashes(reply, targets)),
        sizes=lambda: Sizes(reply.download_size, None),
        warnings=announced(command.context, command.read_config().repositories, {row.origin for row in reply.rows}),
    )


def _steps(rows: Sequence[Row]) -> Iterator[Step]:
    installed = {row.id for row in rows if row.action == answer.INSTALL}
    for row in rows:
        if row.action not in (answer.REMOVE, answer.SKIP):
            words = f"would downgrade {row.id} to {row.evr}" if row.action == answer.DOWNGRADE else ""
            yield Step(row.name, row.arch, row.evr, replaces=row.replaced, objection=words)
        elif row.action == answer.REMOVE and row.id not in installed:
            # Otherwise the removal makes room for a newer version of an install-only package.
            yield Step(row.name, row.arch, None, old=row.evr)


def _clashes(reply: Reply, targets: Sequence[Target]) -> Iterable[Clash]:
    ids = {(target.id, target.version) for target in targets}
    for problem in reply.problems:
        yield Clash(frozenset(id_ for id_, evr in problem.packages if (id_, evr) in ids), problem.words)
    if not reply.problems:
        there = {row.id: row.evr for row in reply.rows if row.action in (answer.INSTALL, answer.UPDATE)}
        for target in targets:
            if target.id not in there or compare_evr(there[target.id], target.version) < 0:
                yield Clash(frozenset({target.id}), f"yum finds no {nevra(target)}")

# SPDX-License-Identifier: Apache-2.0
"""Asks dnf's own solver what it would do with some targets, and which of them it leaves out, without acting."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...errors import SsmpatchError
from ...model import Offer, Target
from ...names import is_rpm, operands
from ...versions.rpm import compare_evr
from ..answers import Sizes, Solution, Step
from . import answer
from .answer import Reply, Row, short_nevra
from .command import DnfCommand

#: Options that keep dnf to the targets and what they need, whatever the system's configuration says.
SAFE_OPTIONS = (
    "--setopt=best=0",
    "--setopt=strict=0",
    "--setopt=obsoletes=1",
    "--setopt=install_weak_deps=0",
    "--setopt=clean_requirements_on_remove=0",
    "--setopt=*.skip_if_unavailable=1",
)
#: An empty list; dnf 4 takes an empty value for a file's name.
_UNPROTECTED = "--setopt=protected_packages=,"
_BEST = "--setopt=best=1"
_NEVER = re.compile(r"nothing provides|No match for argument|All matches were filtered out|matches only")
_CLASH = re.compile(r"conflicts with|obsolete|cannot install both|problem with installed")
#: So many problems are told of a target that none of them names.
_FEW_PROBLEMS = 3
_LIMIT = 900


def nevra(target: Target) -> str:
    """Return a target as ``name-epoch:version-release.arch``, for which dnf finds no other package."""
    return f"{target.name}-{target.version}.{target.arch}"


def install_arguments(
    generation: int, targets: Iterable[Target], hidden: Iterable[Offer], *, insist: bool = False
) -> list[str]:
    """Return the arguments that bring in exactly these versions, with ``hidden`` excluded.

    ``insist`` is for what dnf otherwise leaves out in silence: dnf 4 is asked with ``best``, by which it refuses
    everything where it cannot do all, and dnf 5 to install what is an update, which keeps the marks of packages.

    The command is ``upgrade``, because ``install`` would mark dependencies as wanted by the user, which keeps them for
    ever. ``upgrade`` also takes kernels, packages that obsolete installed ones and, with dnf 4, other architectures.
    """
    wanted = list(targets)
    options = [
        *SAFE_OPTIONS,
        *([_BEST] if insist and generation == 4 else []),
        *(f"--exclude={offer}" for offer in hidden if is_rpm(offer.name, offer.version, offer.arch)),
    ]
    changing = [t for t in wanted if t.replaces.rpartition(".")[0] == t.name or (insist and not t.replaces)]
    if generation == 4 or not changing:
        return [
            *options,
            *(["--setopt=skip_unavailable=1"] if generation == 5 else []),
            "upgrade",
            "--",
            *map(nevra, wanted),
        ]
    staying = [nevra(target) for target in wanted if target not in changing]
    upgrades = ["--action=upgrade", *operands(staying)] if staying else []
    # Each action has its own operands, so that nothing can stand before all of them.
    return [*options, "do", "--skip-unavailable", *upgrades, "--action=install", *operands(map(nevra, changing))]


def ask_dnf(
    command: DnfCommand,
    targets: Sequence[Target],
    hidden: Iterable[Offer],
    *,
    unprotected: bool = False,
    insist: bool = False,
) -> Reply:
    """Return what dnf would do with some targets, with ``hidden`` excluded; it ends without doing it.

    With ``unprotected`` dnf also says what would replace protected packages, for which it else refuses everything.
    ``insist`` is that of ``install_arguments``.

    Raises:
        SsmpatchError: dnf cannot be asked.
    """
    if command.generation == 4 and not command.context.host.is_root():
        # dnf would say so itself, but would leave a cache of this user behind.
        raise SsmpatchError("plan: dnf 4 says only to root what an installation would do; plan as root")
    arguments = install_arguments(command.generation, targets, hidden, insist=insist)
    if unprotected:
        arguments = [_UNPROTECTED, *arguments]
    command.wait_for_system()
    result = command.run("-C", "--assumeno", *arguments, timeout=_LIMIT)
    reply = answer.read_reply(result.stdout, result.stderr)
    if result.code and not (reply.rows or reply.problems or reply.unmatched):
        raise SsmpatchError(f"plan: dnf cannot say what an installation would do: {result.words}")
    return reply


def solution_of(
    reply: Reply, targets: Sequence[Target], installed: Mapping[str, str], protected: Collection[str] = ()
) -> Solution:
    """Return dnf's answer as a solution; targets that can never come in are left out by dnf itself, with its reason.

    Those that something else keeps out, perhaps another target, are blamed: they are tried again.

    What would take the place of a name in ``protected`` is objected to.
    """
    rotations = answer.rotations(reply.rows)
    incoming = {row.id for row in _incoming(reply)}
    lost = lost_targets(reply, targets)
    why = {target.id: _why_lost(target, reply) for target in lost}
    open_ = {target.id: why[target.id] for target in lost if not _is_certain(_own_words(target, reply))}
    return Solution(
        steps=tuple(
            _step(row, installed, protected, incoming)
            for row in reply.rows
            if row.action != answer.SKIP and row not in rotations
        ),
        words="; ".join(dict.fromkeys(open_.values())),
        left_out={id_: words for id_, words in why.items() if id_ not in open_},
        blame=open_,
        sizes=lambda: Sizes(reply.download_size or 0, None),
        warnings=tuple(
            f"dnf's installonly_limit: {row.id} {row.evr} makes room for the newer version" for row in rotations
        ),
    )


def lost_targets(reply: Reply, targets: Iterable[Target]) -> list[Target]:
    """Return the targets that dnf leaves out."""
    incoming = {row.id: row.evr for row in _incoming(reply)}
    return [t for t in targets if t.id not in incoming or compare_evr(incoming[t.id], t.version) < 0]


def leaves_out_in_silence(reply: Reply, targets: Sequence[Target]) -> bool:
    """Return whether dnf leaves out targets of which it names none.

    dnf 4 without ``best`` does so where the newest version of a dependency cannot come in, although an older one can;
    dnf 5 where another update replaces the installed version of a target.
    """
    lost = lost_targets(reply, targets)
    return bool(lost) and not any(_own_words(target, reply) for target in lost)


@dataclass(frozen=True, slots=True)
class Insisted:
    """A question asked again where dnf left out targets in silence: what was ``asked`` for all ``planned``."""

    planned: frozenset[Target]
    asked: tuple[Target, ...]

    def among(self, targets: Iterable[Target]) -> list[Target]:
        """Return what is asked for some of the planned targets."""
        wanted = set(targets)
        return [target for target in self.asked if target in wanted]


def insisted(reply: Reply, targets: Sequence[Target]) -> Insisted:
    """Return the question for targets of which dnf leaves out some in silence.

    It has none in whose place dnf takes a newer version, which with ``best`` it would refuse to do.
    """
    incoming = {row.id: row.evr for row in _incoming(reply)}
    asked = (t for t in targets if compare_evr(incoming.get(t.id, t.version), t.version) <= 0)
    return Insisted(frozenset(targets), tuple(asked))


def _incoming(reply: Reply) -> Iterator[Row]:
    return (row for row in reply.rows if row.action not in (answer.SKIP, answer.REMOVE))


def _step(row: Row, installed: Mapping[str, str], protected: Collection[str], incoming: Collection[str]) -> Step:
    if row.action == answer.REMOVE:
        return Step(row.name, row.arch, None, old=row.evr)
    replaces = [words.partition(" ")[0] for words in row.replaced]
    if row.action == answer.UPGRADE and row.id not in installed:
        replaces += [id_ for id_ in installed if id_.rpartition(".")[0] == row.name]
    # What is updated beside a package that obsoletes its installed version stays.
    replaces = [id_ for id_ in replaces if id_ not in incoming]
    lost = next((id_ for id_ in replaces if id_.rpartition(".")[0] in protected), "")
    words = f"would replace {lost}, which is protected (protected_packages)" if lost else ""
    if row.action == answer.DOWNGRADE:
        words = f"would downgrade {row.id} to {row.evr}"
    return Step(row.name, row.arch, row.evr, replaces=tuple(replaces), objection=words)


def _is_certain(words: str) -> bool:
    """Return whether a target can never come in, whatever else is asked for."""
    return _NEVER.search(words) is not None and _CLASH.search(words) is None


def _own_words(target: Target, reply: Reply) -> str:
    """Return dnf's words that name a target, ``""`` without any."""
    named = short_nevra(target.name, target.version, target.arch)
    return reply.unmatched.get(nevra(target)) or reply.problems_about(named)


def _why_lost(target: Target, reply: Reply) -> str:
    words = _own_words(target, reply) or _words_of_heir(target, reply)
    if not words and len(reply.problems) <= _FEW_PROBLEMS:
        words = "; ".join(reply.problems)
    return words or "dnf left it out without a reason of its own"


def _words_of_heir(target: Target, reply: Reply) -> str:
    """Return words about what takes the place that a target would take, ``""`` where nothing does."""
    heirs = (row for row in _incoming(reply) for words in row.replaced if words.partition(" ")[0] == target.replaces)
    heir = next(heirs, None)
    return f"{short_nevra(heir.name, heir.evr, heir.arch)} takes the place of {target.replaces}" if heir else ""

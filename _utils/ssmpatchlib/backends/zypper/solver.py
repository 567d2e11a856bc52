# SPDX-License-Identifier: Apache-2.0
"""Asks zypper's own solver what it would do with some targets, or which do not go together, without acting."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ...errors import SsmpatchError
from ...model import Offer, Target
from ...names import is_rpm
from ...versions.rpm import compare_evr
from ..answers import Clash, Sizes, Solution, Step
from . import answer, solverlog
from .answer import Problem, Reply, Row, edition, nevra_of
from .clashes import clashes_of
from .command import INFORMATIVE, ZypperCommand
from .inventory import find_impossible

#: Options of every installation: exactly these versions and what they need, no recommended packages, no force.
INSTALL_OPTIONS = ("--name", "--no-recommends", "--no-force-resolution", "--auto-agree-with-licenses")
_BROUGHT_IN = ("install", "upgrade", "upgrade-change-arch")

_SUBJECT = re.compile(r"^(?:the to be installed |the installed )?(?P<nevra>\S+) (?:requires|conflicts|obsoletes)\b")
_NEEDED_BY = re.compile(r"needed by (?:the to be installed |the installed )?(?P<nevra>\S+)")


def install_arguments(targets: Iterable[Target]) -> list[str]:
    """Return the arguments that install exactly these versions."""
    return ["install", *INSTALL_OPTIONS, "--", *map(capability, targets)]


def capability(target: Target) -> str:
    """Return a package in full as zypper's arguments name it, ``name.arch=[epoch:]version-release``."""
    return f"{target.id}={edition(target.version)}"


def nevra(target: Target) -> str:
    """Return a package in full as zypper's messages name it."""
    return nevra_of(target.name, target.version, target.arch)


def lock_records(hidden: Iterable[Offer]) -> list[str]:
    """Return the locks, in the form of /etc/zypp/locks, that hide packages in one version."""
    return [
        f"type: package\nversion: == {edition(offer.version)}\nmatch_type: exact\ncase_sensitive: on\n"
        f"solvable_name: {offer.name}\n\n"
        for offer in hidden
        if is_rpm(offer.name, offer.version, offer.arch)
    ]


@dataclass(slots=True)
class Solver:
    """Asks zypper; when it blames packages that are no targets, finds out once which offers are impossible."""

    command: ZypperCommand
    impossible: dict[tuple[str, str], str] | None = None

    def solve(
        self, targets: Sequence[Target], hidden: Iterable[Offer], installed: Mapping[str, Collection[str]]
    ) -> Solution:
        """Return what zypper would do to bring in some targets without what is hidden, or why it cannot.

        Args:
            installed: the installed versions by ``name.arch``.

        Raises:
            Busy: another program held libzypp's lock for ``lock_timeout`` seconds.
            SsmpatchError: zypper cannot be asked (damaged database, unreadable configuration).
        """
        siblings = _Siblings(installed)
        left_out = {target.id: words for target in targets if (words := siblings.lost(target.name, target.arch))}
        if left_out:
            return Solution(left_out=left_out, runs=0)
        reply = self._ask(targets, hidden)
        if not reply.summarised:
            return self._refusal(reply, targets, installed)
        there = {(row.id, row.evr) for row in reply.rows if row.action in _BROUGHT_IN}
        lost = [target for target in targets if (target.id, target.version) not in there]
        return Solution(
            steps=tuple(_steps(reply.rows, siblings, vendor_change=self.command.config.vendor_change)),
            clashes=tuple(Clash(frozenset({target.id}), _why_lost(target, reply)) for target in lost),
            sizes=lambda: Sizes(reply.download_size or 0, reply.disk_size or 0),
            warnings=tuple(_rotations(reply.rows)),
            removes_replaced=True,
        )

    def _ask(self, targets: Sequence[Target], hidden: Iterable[Offer]) -> Reply:
        log = solverlog.begin(self.command.context.work_dir)
        command = self.command.hiding(lock_records(hidden)).logging(log)
        arguments = install_arguments(targets)
        arguments[1:1] = ["--dry-run", "--details", *command.of_read_repositories]
        result = command.run(*arguments, options=("--no-refresh",))
        reply = answer.read_reply(result.stdout)
        if reply.problems:
            reply = replace(reply, problems=solverlog.read_log(log, known=reply.problems) or reply.problems)
        understood = reply.summarised or reply.problems or any(not_found(t, reply) for t in targets)
        if not understood or (reply.summarised and result.code not in INFORMATIVE):
            words = "; ".join(reply.errors) or result.words
            raise SsmpatchError(f"zypper cannot say what an installation would do: {words}")
        return reply

    def _refusal(self, reply: Reply, targets: Sequence[Target], installed: Mapping[str, Collection[str]]) -> Solution:
        """Return a solution with the clashes of targets in the solver's problems, and with culprits to be hidden."""
        clashes = [Clash(frozenset({t.id}), words) for t in targets if (words := not_found(t, reply))]
        culprits: dict[Offer, str] = {}
        for problem in reply.problems:
            found = list(clashes_of(problem, targets, problem.words))
            clashes.extend(found)
            culprit = None if found else _culprit(problem)
            if culprit and culprit.version not in installed.get(culprit.id, ()):
                culprits[culprit] = problem.words
        if culprits:
            if self.impossible is None:
                self.impossible = find_impossible(self.command.context, self.command.config)
            known = [(t, self.impossible[(t.id, t.version)]) for t in targets if (t.id, t.version) in self.impossible]
            clashes += [Clash(frozenset({target.id}), words) for target, words in known]
        words = "; ".join(dict.fromkeys([problem.words for problem in reply.problems] or reply.errors))
        return Solution(words=words, clashes=tuple(clashes), culprits=culprits)


@dataclass(frozen=True, slots=True)
class _Siblings:
    """The installed packages; zypper replaces one by a package of another architecture without saying so."""

    installed: Mapping[str, Collection[str]]

    def lost(self, name: str, arch: str) -> str:
        """Return why a package must not come in, ``""`` when it replaces none of another architecture."""
        if arch == "noarch":
            return ""
        others = (id_ for id_ in self.installed if id_.rpartition(".")[0] == name)
        lost = next((id_ for id_ in others if id_ not in (f"{name}.{arch}", f"{name}.noarch")), "")
        remedy = "zypper keeps only one architecture of a package; remove the one that is not needed"
        return f"would remove {lost}: {remedy}" if lost else ""


def _steps(rows: Sequence[Row], siblings: _Siblings, *, vendor_change: bool) -> Iterator[Step]:
    strangers = set() if vendor_change else {row.id for row in rows if row.action == "change-vendor"}
    incoming = {row.id for row in rows if row.action != "remove"}
    for row in rows:
        if row.action == "remove":
            if row.kind != "patch" and row.id not in incoming:
                yield Step(row.name, row.arch, None, old=row.evr)
        elif row.kind == "package" and (row.action != "change-vendor" or row.id in strangers):
            old_id = f"{row.name}.{row.old_arch}"
            replaces = (old_id,) if row.old_arch not in ("", row.arch) else ()
            words = _against(row, strangers) or siblings.lost(row.name, row.arch)
            yield Step(row.name, row.arch, row.evr, replaces=replaces, objection=words)
        elif words := _against(row, strangers):
            # A product or a pattern: nothing but what must not happen to it matters.
            yield Step(row.name, row.arch, row.evr, objection=words)


def _against(row: Row, strangers: Collection[str]) -> str:
    if row.action.startswith("downgrade") or (row.old and compare_evr(row.evr, row.old) < 0):
        return f"would downgrade {row.id} from {row.old} to {row.evr}"
    return f"would change the vendor of {row.id}" if row.id in strangers else ""


def _culprit(problem: Problem) -> Offer | None:
    """Return the package that a problem is about."""
    found = _NEEDED_BY.search(problem.words) or _SUBJECT.match(problem.words)
    split = answer.split_nevra(found["nevra"].rstrip(",;")) if found else None
    return Offer(*split) if split else None


def not_found(target: Target, reply: Reply) -> str:
    """Return zypper's words about a package that no repository has in this version, ``""`` without any."""
    wanted = f"'{capability(target)}'"
    return next((words for words in reply.errors if wanted in words), "")


def _why_lost(target: Target, reply: Reply) -> str:
    words = [info for info in reply.infos if nevra(target) in info or f"'{target.id} =" in info]
    return "; ".join(words) or f"zypper left {nevra(target)} out without a reason"


def _rotations(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a warning for each further installed version of a package, such as an old kernel, that zypper removes."""
    incoming = {row.id: row for row in rows if row.action != "remove"}
    for row in rows:
        if row.action == "remove" and row.id in incoming:
            new = edition(incoming[row.id].evr)
            yield f"{row.id} {edition(row.evr)} is removed too when zypper installs {new}: it keeps one version of it"

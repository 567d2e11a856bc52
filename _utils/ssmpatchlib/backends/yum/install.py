# SPDX-License-Identifier: Apache-2.0
"""Runs yum to install; reads which packages failed, and which updates an interrupted run had begun."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...host import CommandResult
from ...model import Offer, Target
from .. import detached
from ..answers import InstallRun, Reading, Watch
from ..output import last_lines, open_log
from ..rpm.installed import Database
from ..rpm.repair import Update
from ..rpmmd.keys import import_notes
from . import answer
from .command import AGREE, YumCommand
from .solver import install_arguments, nevra

#: The file with yum's output, below the work directory.
LOG = "yum-output.log"
PID_FILES = ("var/run/yum.pid",)
_RUN_LIMIT = 6 * 3600

_STEP = re.compile(
    r"^  (?:Updating|Installing|Cleanup|Erasing) +: \S.*?(?P<done>[0-9]{1,9})/(?P<all>[0-9]{1,9})\s*$", re.M
)
_SCRIPT = re.compile(r"^(?:Non-fatal (?P<script>POST\w+) scriptlet failure in rpm package (?P<name>\S+))", re.M)
_ENDED = re.compile(r"^(?:Complete!|Error: |Error Summary|Exiting on user)", re.M)
_TELLING = re.compile(r"error|fail|conflict|cannot|was supposed to be|is not signed|\[Errno", re.I)


def install(
    command: YumCommand, database: Database, targets: Sequence[Target], *, hidden: Sequence[Offer], watch: Watch
) -> InstallRun:
    """Run yum once to bring in some targets, with ``hidden`` excluded.

    Raises:
        Busy: another program held yum's lock for ``lock_timeout`` seconds.
    """
    context, log = command.context, command.context.work_dir / LOG
    open_log(log, now=context.host.now())
    report = watch.follow(log, read_step)
    arguments = install_arguments(targets, hidden)
    argv = command.argv(*AGREE, "--setopt=*.metadata_expire=never", *arguments)
    result = command.retry_locked(lambda: detached.run(context, argv, timeout=_RUN_LIMIT, output=log, watch=report))
    left = database.missing(targets)
    return InstallRun(
        failures=failure_words(result.stdout, left),
        said=last_words(result),
        warnings=(
            *import_notes(command.read_config().repositories, result.stdout, otherwise="yum"),
            *(
                f"{match['name']}: its {match['script'].lower()} scriptlet failed; the package is installed"
                for match in _SCRIPT.finditer(result.stdout)
            ),
        ),
    )


def unfinished(text: str) -> Iterator[Update]:
    """Yield the updates that the last run of yum had begun, if its output shows that it was interrupted."""
    text = text.rpartition("\nDependencies Resolved")[2]
    if text and not _ENDED.search(text):
        for row in answer.read_reply(text).rows:
            if row.action == answer.UPDATE:
                yield Update(row.name, row.arch, None, row.evr)


def failure_words(text: str, left: Sequence[Target]) -> dict[str, str]:
    """Return the targets that yum or rpm names as failed, with the lines that name them."""
    problems = answer.read_reply(text).problems
    lines = [line.strip() for line in text.splitlines() if _TELLING.search(line)]
    found = {}
    for target in left:
        named = re.escape(answer.envra(target.name, target.version, target.arch))
        full = re.escape(nevra(target))
        names = re.compile(
            rf"(?<![\w.+:-])(?:{named}|{full})(?:\.rpm)?(?![\w+-]|\.\w)|\brpm package {re.escape(target.name)}\b"
        )
        words = [problem.words for problem in problems if (target.id, target.version) in problem.packages]
        words += [line for line in lines if names.search(line)]
        if words:
            found[target.id] = "; ".join(dict.fromkeys(words))
    return found


def last_words(result: CommandResult) -> str:
    """Return what yum said of errors, else the end of what it said, else its exit code."""
    lines = [line.strip() for line in result.stdout.splitlines() if _TELLING.search(line)]
    told = lines or (last_lines(result.stdout) if result.code else [])
    return "; ".join(dict.fromkeys(told)) or f"yum ended with exit code {result.code} without installing it"


def read_step(text: str) -> Reading:
    """Return the progress that yum's output shows."""
    steps = list(_STEP.finditer(text))
    phase = "installing" if steps or "\nRunning transaction\n" in text else "downloading"
    return Reading(phase, int(steps[-1]["done"]), int(steps[-1]["all"])) if steps else Reading(phase)

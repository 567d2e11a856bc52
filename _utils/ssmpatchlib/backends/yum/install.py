# SPDX-License-Identifier: Apache-2.0
"""Carrying a transaction out: yum does the work, this watches, and tries the rest again when something fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from ...files import ensure_directory
from ...host import CommandResult
from ...model import ExecutionResult, Target, Transaction
from ...patching.progress import Step, Watch, watch_batch
from ...patching.space import output_problem, space_problem
from .. import Context, Progress
from ..rpm.installed import Database, is_there, newest
from ..rpm.locks import wait_idle
from ..rpm.repair import finish_updates, repair_database
from ..systemd_scope import scope
from . import answer
from .command import YumCommand
from .solver import install_arguments, nevra

#: What yum printed; below the work directory.
LOG = "yum-output.log"
_RUN_LIMIT = 6 * 3600
_ROUNDS = 4
_PID_FILES = ("var/run/yum.pid",)

_STEP = re.compile(r"^  (?:Updating|Installing|Cleanup|Erasing) +: \S.*?(?P<done>\d+)/(?P<all>\d+)\s*$", re.M)
_SCRIPT = re.compile(r"^(?:Non-fatal (?P<script>POST\w+) scriptlet failure in rpm package (?P<name>\S+))", re.M)
_ENDED = re.compile(r"^(?:Complete!|Error: |Error Summary|Exiting on user)", re.M)
_TELLING = re.compile(r"error|fail|conflict|cannot|was supposed to be|is not signed|\[Errno", re.I)


def execute(
    database: Database,
    command: YumCommand,
    transaction: Transaction,
    *,
    on_progress: Callable[[Progress], None],
    may_start_batch: Callable[[], bool],
) -> ExecutionResult:
    """Install the batches of a transaction one after the other.

    What fails is named with yum's or rpm's own words; the rest is installed. Nothing is removed or downgraded.

    Raises:
        Busy: another program held yum's lock for ``lock_timeout`` seconds.
    """
    context = command.context
    failures = {blocked.target.id: blocked.reason for blocked in transaction.blocked}
    warnings: list[str] = []
    (context.work_dir / LOG).unlink(missing_ok=True)
    before = sorted(database.read())
    problem = space_problem([(command.read_config().cache, transaction.download_size or 0)], output=context.work_dir)
    for number, batch in enumerate(transaction.batches, 1):
        if problem or not may_start_batch():
            reason = problem or "not started: the maintenance window has closed"
            failures.update({target.id: reason for target in batch})
            continue
        watch = watch_batch(
            context, LOG, read=read_step, transaction=transaction, number=number, on_progress=on_progress
        )
        failures.update(_install_batch(database, command, batch, transaction.hidden, watch, warnings))
    changed = sorted(database.read()) != before
    return ExecutionResult(failures=failures, changed=changed, warnings=tuple(warnings))


def repair(context: Context, database: Database) -> tuple[str, ...]:
    """Wait for what still runs, rebuild a database that cannot be read, erase what an update had not erased yet.

    Raises:
        Busy: another program worked on this system for ``lock_timeout`` seconds.
        SsmpatchError: the rpm database is damaged and could not be repaired.
    """
    wait_idle(context, _PID_FILES)
    return (*repair_database(context, database), *finish_updates(context, database, _interrupted(context, database)))


def _interrupted(context: Context, database: Database) -> Iterable[tuple[str, str, str, str]]:
    """The updates of the last run of yum, when its output has no end."""
    try:
        text = (context.work_dir / LOG).read_text(errors="replace").rpartition("\nDependencies Resolved")[2]
    except OSError:
        return
    if not text or _ENDED.search(text):
        return
    new = {row.id: row.evr for row in answer.read_reply(text).rows if row.action == answer.UPDATE}
    for package in database.read():
        if package.id in new and package.evr != new[package.id]:
            yield package.name, package.arch, package.evr, new[package.id]


def _install_batch(
    database: Database,
    command: YumCommand,
    batch: Sequence[Target],
    hidden: Sequence[str],
    watch: Watch,
    warnings: list[str],
) -> dict[str, str]:
    """Install one batch; after a failure try what is left without what failed, as long as that gets somewhere."""
    failures: dict[str, str] = {}
    remaining, excluded = list(batch), list(hidden)
    for _round in range(_ROUNDS):
        watch.begin(len(remaining))
        if problem := output_problem(command.context.work_dir):
            return {**failures, **{target.id: problem for target in remaining}}
        result = command.retry_locked(lambda: _run(command, remaining, excluded, watch))  # noqa: B023 - called here
        warnings.extend(
            f"{match['name']}: its {match['script'].lower()} scriptlet failed; the package is installed"
            for match in _SCRIPT.finditer(result.stdout)
        )
        present = newest(database.read())
        left = [target for target in remaining if not is_there(target, present)]
        if not left:
            return failures
        words = failure_words(result.stdout, left)
        failures.update(words)
        following = [target for target in left if target.id not in words]
        if not following or (not words and len(left) == len(remaining)):
            failures.update({target.id: _last_words(result) for target in following})
            return failures
        excluded += [nevra(t.name, t.version, t.arch) for t in left if t.id in words]
        remaining = following
    failures.update({target.id: "not installed after several attempts" for target in remaining})
    return failures


def _run(command: YumCommand, targets: Sequence[Target], hidden: Iterable[str], watch: Watch) -> CommandResult:
    context = command.context
    ensure_directory(context.work_dir)
    argv = command.argv("-y", "--setopt=*.metadata_expire=never", *install_arguments(targets, hidden))
    log = context.work_dir / LOG
    return context.host.run([*scope(context), *argv], timeout=_RUN_LIMIT, output=log, watch=watch.report)


def failure_words(text: str, left: Sequence[Target]) -> dict[str, str]:
    """Return the targets that yum or rpm names as failed, with the lines that name them."""
    problems = answer.read_reply(text).problems
    lines = [line.strip() for line in text.splitlines() if _TELLING.search(line)]
    found = {}
    for target in left:
        named = re.escape(answer.envra(target.name, target.version, target.arch))
        full = re.escape(nevra(target.name, target.version, target.arch))
        names = re.compile(
            rf"(?<![\w.+:-])(?:{named}|{full})(?:\.rpm)?(?![\w+-]|\.\w)|\brpm package {re.escape(target.name)}\b"
        )
        words = [problem.words for problem in problems if (target.id, target.version) in problem.packages]
        words += [line for line in lines if names.search(line)]
        if words:
            found[target.id] = "; ".join(dict.fromkeys(words))
    return found


def _last_words(result: CommandResult) -> str:
    lines = [line.strip() for line in result.stdout.splitlines() if _TELLING.search(line)]
    return "; ".join(dict.fromkeys(lines)) or f"yum ended with exit code {result.code} without installing it"


def read_step(text: str) -> Step:
    """How far yum is."""
    steps = list(_STEP.finditer(text))
    phase = "installing" if steps or "\nRunning transaction\n" in text else "downloading"
    return Step(phase, int(steps[-1]["done"]), int(steps[-1]["all"])) if steps else Step(phase)

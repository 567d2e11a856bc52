# SPDX-License-Identifier: Apache-2.0
"""Carrying a transaction out: zypper does the work, this watches, and tries the rest again when something fails.

The plan and the installation are two runs of zypper: it takes answers to its questions from a terminal only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from ...files import ensure_directory
from ...host import CommandResult
from ...model import ExecutionResult, Target, Transaction
from ...patching.progress import Step, Watch, watch_batch
from ...patching.space import output_problem, space_problem
from .. import Context, Progress
from ..rpm.installed import Database, InstalledPackage, is_there, newest
from ..systemd_scope import scope
from . import failures
from .answer import edition
from .command import ON_SIGNAL, REBOOT_NEEDED, RESTART_NEEDED, SCRIPTLET_FAILED, ZypperCommand
from .failures import FETCHING, STEP
from .inventory import find_origins
from .solver import install_arguments, lock_records

LOG = "zypper-output.log"
#: Everything is fetched and checked for file conflicts before the first package is installed.
_DOWNLOAD = ("--download", "in-advance")
_RUN_LIMIT = 6 * 3600
#: zypper ends at the first package that fails; each round goes on without the failed ones.
_ROUNDS = 20

_SCRIPT = re.compile(
    r'^(?:<message type="info">)?(?:warning: )?(?P<words>%\w+\((?P<nevra>\S+)\) scriptlet failed[^<\n]*)', re.M
)


@dataclass(slots=True)
class _Batch:
    """One batch while it is installed: what is left, what must not come in any more, what is installed by now."""

    remaining: list[Target]
    hidden: list[str]
    present: list[InstalledPackage]
    failures: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    stopped: str = ""


def execute(
    context: Context,
    database: Database,
    command: ZypperCommand,
    transaction: Transaction,
    *,
    on_progress: Callable[[Progress], None],
    may_start_batch: Callable[[], bool],
) -> ExecutionResult:
    """Install the batches of a transaction one after the other.

    What fails is named with zypper's or rpm's own words; the rest is installed. Nothing is removed or downgraded.

    Raises:
        Busy: another program held libzypp's lock for ``lock_timeout`` seconds.
    """
    failures = {blocked.target.id: blocked.reason for blocked in transaction.blocked}
    warnings: list[str] = []
    hints: list[str] = []
    (context.work_dir / LOG).unlink(missing_ok=True)
    before = after = sorted(database.read())
    needs = ((command.config.cache, transaction.download_size or 0), (context.root, transaction.disk_size or 0))
    problem = space_problem(needs, output=context.work_dir)
    for number, targets in enumerate(transaction.batches, 1):
        if problem or not may_start_batch():
            reason = problem or "not started: the maintenance window has closed"
            failures.update({target.id: reason for target in targets})
            continue
        watch = watch_batch(
            context, LOG, read=read_step, transaction=transaction, number=number, on_progress=on_progress
        )
        batch = _Batch(list(targets), list(transaction.hidden), after)
        _install_batch(context, database, command, batch, watch)
        failures.update(batch.failures)
        warnings.extend(batch.warnings)
        hints.extend(batch.hints)
        after = batch.present
        problem = batch.stopped
    return ExecutionResult(
        failures=failures,
        changed=after != before,
        warnings=tuple(dict.fromkeys(warnings)),
        reboot_hints=tuple(dict.fromkeys(hints)),
    )


def _install_batch(context: Context, database: Database, command: ZypperCommand, batch: _Batch, watch: Watch) -> None:
    """Install one batch; after a failure try what is left without what failed, as long as that gets somewhere."""
    for _round in range(_ROUNDS):
        watch.begin(len(batch.remaining))
        if problem := output_problem(context.work_dir):
            batch.failures.update({target.id: problem for target in batch.remaining})
            return
        result = command.retry_locked(lambda: _run(context, command, batch, watch))
        _note(result, batch)
        batch.present = sorted(database.read())
        present = newest(batch.present)
        left = [target for target in batch.remaining if not is_there(target, present)]
        done = len(left) < len(batch.remaining)
        batch.remaining = left
        if not left:
            return
        if result.code == ON_SIGNAL or result.code < 0:
            batch.stopped = f"not installed: zypper was stopped by a signal (exit code {result.code})"
            batch.failures.update({target.id: batch.stopped for target in left})
            return
        if result.code == RESTART_NEEDED and done:
            continue
        if not _learn(result, batch, partial(find_origins, context, command.config)) and not done:
            break
        if not batch.remaining:
            return
    batch.failures.update({target.id: failures.last_words(result.stdout, result.code) for target in batch.remaining})


def _run(context: Context, command: ZypperCommand, batch: _Batch, watch: Watch) -> CommandResult:
    ensure_directory(context.work_dir)
    hiding = command.hiding(lock_records(batch.hidden))
    arguments = install_arguments(batch.remaining)
    arguments[1:1] = _DOWNLOAD
    argv = hiding.argv(*arguments, options=("--no-refresh",))
    return context.host.run(
        [*scope(context), *argv],
        env=hiding.env,
        timeout=_RUN_LIMIT,
        output=context.work_dir / LOG,
        watch=watch.report,
    )


def _note(result: CommandResult, batch: _Batch) -> None:
    """Keep what zypper has to say about a reboot and about packages whose scripts failed."""
    if result.code == REBOOT_NEEDED:
        batch.hints.append("zypper says that an installed patch needs a reboot (exit code 102)")
    scripts = list(_SCRIPT.finditer(result.stdout))
    for match in scripts:
        batch.warnings.append(f"{match['nevra']}: {match['words']}; the package is installed")
    if result.code == SCRIPTLET_FAILED and not scripts:
        batch.warnings.append("zypper: a scriptlet of an installed package failed (exit code 107); see its log")


def _learn(result: CommandResult, batch: _Batch, origins: failures.Origins) -> bool:
    """Take the targets that failed out of the batch, and hide them and failed dependencies; False for nothing new."""
    words = failures.failure_words(result.stdout, batch.remaining)
    culprits = [f"{t.name} = {edition(t.version)}" for t in batch.remaining if t.id in words]
    if not words:
        culprits = failures.failed_dependencies(result.stdout)
    if not words and not culprits:
        words, culprits = failures.download_failure(result.stdout, result.code, batch.remaining, origins)
    new = [entry for entry in culprits if entry not in batch.hidden]
    batch.hidden.extend(new)
    batch.failures.update(words)
    batch.remaining = [target for target in batch.remaining if target.id not in words]
    return bool(words or new)


def read_step(text: str) -> Step:
    """How far zypper is."""
    steps, fetched = list(STEP.finditer(text)), list(FETCHING.finditer(text))
    phase, latest = ("installing", steps[-1]) if steps else ("downloading", fetched[-1] if fetched else None)
    if latest is None:
        return Step(phase)
    return Step(phase, int(latest["done"]), int(latest["all"]), f"package {latest['done']} of {latest['all']}")

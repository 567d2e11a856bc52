# SPDX-License-Identifier: Apache-2.0
"""Carrying a transaction out: dnf does the work, this watches, and tries the rest again when something fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ...files import ensure_directory
from ...host import CommandResult
from ...model import ExecutionResult, Target, Transaction
from ...patching.progress import Step, Watch, watch_batch
from ...patching.space import output_problem, space_problem
from .. import Context, Progress
from ..rpm.installed import Database, InstalledPackage, is_there, newest
from ..rpmmd.repofiles import DnfConfig
from ..systemd_scope import scope
from . import answer
from .answer import short_nevra
from .command import DnfCommand
from .solver import install_arguments, nevra
from .waiting import LOG, RUN_LIMIT, Asker, go_on

_ROUNDS = 4

_TELLING = re.compile(
    r"error|fail|conflict|needs .* on the|not signed|cannot|can't|mirror|curl|denied|scriptlet|checksum|key|filtered",
    re.I,
)
_PROGRESS = re.compile(
    r"^\s*(?:Preparing|Upgrading|Installing|Reinstalling|Cleanup|Erasing|Obsoleting|Verifying|Running scriptlet)\s*:"
    r"|^\[[ \d]+/[ \d]+\]|^(?:Upgraded|Installed|Failed|Skipped):|^ \S+ +\S+ +\S+ +\S+ +[\d.]+ *\w*\s*$"
)
_STEP = re.compile(r"(?:\s|^\[)(?P<done>\d+)/(?P<all>\d+)\]?(?:\s|$)", re.M)
_SCRIPT_WARNING = re.compile(
    r"^Error in (?P<script>POST\w+) scriptlet in rpm package (?P<name>\S+)"
    r"|^>>> (?:Non-critical error|Error) in %(?P<script5>post\w*) scriptlet: (?P<name5>\S+)",
    re.M,
)


def execute(
    context: Context,
    database: Database,
    command: DnfCommand,
    config: DnfConfig,
    transaction: Transaction,
    *,
    on_progress: Callable[[Progress], None],
    may_start_batch: Callable[[], bool],
    asker: Asker | None = None,
) -> ExecutionResult:
    """Install the batches of a transaction one after the other.

    What fails is named with dnf's or rpm's own words; the rest is installed. Nothing is removed or downgraded.

    Args:
        asker: may have a dnf waiting that has worked out the first of them.

    Raises:
        Busy: another program held dnf's lock for ``lock_timeout`` seconds.
    """
    failures = {blocked.target.id: blocked.reason for blocked in transaction.blocked}
    warnings: list[str] = []
    if not (asker and asker.is_waiting):
        (context.work_dir / LOG).unlink(missing_ok=True)
    before = after = sorted(database.read())
    problem = space_problem([(config.cache, transaction.download_size or 0)], output=context.work_dir)
    for number, targets in enumerate(transaction.batches, 1):
        if problem or not may_start_batch():
            reason = problem or "not started: the maintenance window has closed"
            failures.update({target.id: reason for target in targets})
            continue
        batch = _Batch(list(targets), list(transaction.hidden), after, asker)
        watch = watch_batch(
            context, LOG, read=read_step, transaction=transaction, number=number, on_progress=on_progress
        )
        _install_batch(context, database, command, batch, watch)
        failures.update(batch.failures)
        warnings.extend(batch.warnings)
        after = batch.present
    return ExecutionResult(failures=failures, changed=after != before, warnings=tuple(dict.fromkeys(warnings)))


@dataclass(slots=True)
class _Batch:
    """A batch while it is installed: what is still to come in, what dnf must not see, what is installed by now."""

    remaining: list[Target]
    hidden: list[str]
    present: list[InstalledPackage]
    asker: Asker | None = None
    failures: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def fail(self, targets: Iterable[Target], words: str) -> None:
        """Note why targets are not installed."""
        self.failures.update({target.id: words for target in targets})


def _install_batch(context: Context, database: Database, command: DnfCommand, batch: _Batch, watch: Watch) -> None:
    """Install one batch; after a failure try what is left without what failed, as long as that gets somewhere."""
    for _round in range(_ROUNDS):
        watch.begin()
        if problem := output_problem(context.work_dir):
            batch.fail(batch.remaining, problem)
            return
        result = command.retry_locked(lambda: _run(context, command, batch, watch))
        batch.warnings.extend(script_warnings(result.stdout))
        batch.present = sorted(database.read())
        present = newest(batch.present)
        left = [target for target in batch.remaining if not is_there(target, present)]
        if not left:
            return
        words = failure_words(result.stdout, left)
        batch.failures.update(words)
        batch.remaining = [target for target in left if target.id not in words]
        if not batch.remaining or not words:
            batch.fail(batch.remaining, _last_words(result))
            return
        batch.hidden.extend(nevra(target) for target in left if target.id in words)
    batch.fail(batch.remaining, "not installed after several attempts")


def _run(context: Context, command: DnfCommand, batch: _Batch, watch: Watch) -> CommandResult:
    waiting = batch.asker.take() if batch.asker else None
    if waiting is not None:
        return go_on(waiting, watch.report)
    command.wait_for_system()
    log = context.work_dir / LOG
    ensure_directory(context.work_dir)
    arguments = install_arguments(command.generation, batch.remaining, batch.hidden)
    argv = command.argv("-y", "--setopt=assumeno=0", "--setopt=*.metadata_expire=-1", *arguments)
    return context.host.run([*scope(context), *argv], timeout=RUN_LIMIT, output=log, watch=watch.report)


def read_step(text: str) -> Step:
    """How far dnf is."""
    start = text.find("\nRunning transaction\n")
    if start == -1:
        return Step("downloading")
    steps = _STEP.findall(text[start:])
    return Step("installing", int(steps[-1][0]), int(steps[-1][1])) if steps else Step("installing")


def failure_words(text: str, left: Sequence[Target]) -> dict[str, str]:
    """Return the targets that dnf or rpm names as failed, with the lines that name them."""
    problems = answer.read_reply(text, "")
    lines = [line.strip() for line in text.splitlines() if _TELLING.search(line) and not _PROGRESS.match(line)]
    found = {}
    for target in left:
        short = short_nevra(target.name, target.version, target.arch)
        names = re.compile(
            rf"(?<![\w.+-])(?:{re.escape(short)}|{re.escape(nevra(target))})(?![\w+-])"
            rf"|\brpm package {re.escape(target.name)}$"
        )
        words = [problems.problems_about(short), problems.unmatched.get(nevra(target), "")]
        words += [_with_cause(line, text) for line in lines if names.search(line)]
        told = "; ".join(dict.fromkeys(filter(None, words)))
        if told:
            found[target.id] = told
    return found


def _with_cause(line: str, text: str) -> str:
    """A line of dnf 5 about a scriptlet, with the words of rpm that follow it."""
    if not line.startswith(">>> "):
        return line
    after = text.partition(line)[2].lstrip("\n").partition("\n")[0].strip()
    told = line.removeprefix(">>> ")
    return f"{told}: {after.removeprefix('>>> ')}" if after.startswith(">>> [RPM]") else told


def script_warnings(text: str) -> Iterable[str]:
    """Packages that are installed although a scriptlet that runs after that failed."""
    for match in _SCRIPT_WARNING.finditer(text):
        name, script = match["name"] or match["name5"], match["script"] or match["script5"]
        yield f"{name}: its {script.lower()} scriptlet failed; the package is installed, see dnf's log"


def _last_words(result: CommandResult) -> str:
    errors = [
        line.strip() for line in result.stdout.splitlines() if re.match(r"(?i)error|transaction failed|  - ", line)
    ]
    return "; ".join(dict.fromkeys(errors)) or f"dnf ended with exit code {result.code} without installing it"

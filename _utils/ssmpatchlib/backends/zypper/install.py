# SPDX-License-Identifier: Apache-2.0
"""Runs zypper to install, and reads which updates an interrupted run had begun.

Plan and installation are two runs, because zypper takes answers to its questions only from a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from ...host import CommandResult
from ...model import Offer, Target
from .. import detached
from ..answers import InstallRun, Reading, Watch
from ..output import open_log
from ..rpm.installed import Database
from ..rpm.repair import Update
from . import answer, failures, keys
from .command import ON_SIGNAL, REBOOT_NEEDED, SCRIPTLET_FAILED, ZypperCommand
from .failures import FETCHING, STEP
from .inventory import find_origins
from .solver import install_arguments, lock_records

LOG = "zypper-output.log"
PID_FILES = ("run/zypp.pid", "var/run/zypp.pid")
#: Options to fetch everything and check it for file conflicts before the first package is installed.
_DOWNLOAD = ("--download", "in-advance")
_RUN_LIMIT = 6 * 3600

_SCRIPT = re.compile(
    r'^(?:<message type="info">)?(?:warning: )?(?P<words>%\w+\((?P<nevra>\S+)\) scriptlet failed[^<\n]*)', re.M
)


def install(
    command: ZypperCommand, database: Database, targets: Sequence[Target], *, hidden: Sequence[Offer], watch: Watch
) -> InstallRun:
    """Run zypper once to bring in some targets, with ``hidden`` locked, and again after an import of signing keys.

    Raises:
        Busy: another program held libzypp's lock for ``lock_timeout`` seconds.
    """
    context, log = command.context, command.context.work_dir / LOG
    open_log(log, now=context.host.now())
    hiding = command.hiding(lock_records(hidden))
    arguments = install_arguments(targets)
    arguments[1:1] = [*_DOWNLOAD, *command.of_read_repositories]
    argv = hiding.argv(*arguments, options=("--no-refresh",))
    report = watch.follow(log, read_step)
    run = partial(detached.run, context, argv, env=hiding.env, timeout=_RUN_LIMIT, output=log, watch=report)
    result = command.retry_locked(run)
    notes: tuple[str, ...] = ()
    if answer.KEY in result.stdout:
        result, notes = keys.import_and_repeat(command, result, lambda: command.retry_locked(run))
    left = database.missing(targets)
    words, culprits = _failed(command, result, left)
    signal = result.code == ON_SIGNAL or result.code < 0
    reboot = "zypper says that an installed patch needs a reboot (exit code 102)"
    return InstallRun(
        failures={} if signal else words,
        said=failures.last_words(result.stdout, result.code),
        culprits=tuple(culprits),
        warnings=(*notes, *_asked_keys(command, result), *_script_warnings(result)),
        reboot_hints=(reboot,) if result.code == REBOOT_NEEDED else (),
        stopped=f"not installed: zypper was stopped by a signal (exit code {result.code})" if signal else "",
    )


def _failed(
    command: ZypperCommand, result: CommandResult, left: Sequence[Target]
) -> tuple[dict[str, str], list[Offer]]:
    """Return the targets that failed, with words, and the dependencies that failed."""
    words = failures.failure_words(result.stdout, left)
    if words:
        return words, []
    if culprits := failures.failed_dependencies(result.stdout):
        return {}, culprits
    origins = partial(find_origins, command.context, command.config)
    return failures.download_failure(result.stdout, result.code, left, origins)


def _asked_keys(command: ZypperCommand, result: CommandResult) -> Iterator[str]:
    """Yield a warning for each repository with a key that zypper asked for in vain."""
    if answer.KEY in result.stdout:
        for alias, words in keys.asked_words(command.config, result.stdout).items():
            yield f"{alias}: {words}"


def _script_warnings(result: CommandResult) -> Iterator[str]:
    """Yield a warning for each package that is installed although a script of it failed."""
    scripts = list(_SCRIPT.finditer(result.stdout))
    for match in scripts:
        yield f"{match['nevra']}: {match['words']}; the package is installed"
    if result.code == SCRIPTLET_FAILED and not scripts:
        yield "zypper: a scriptlet of an installed package failed (exit code 107); see its log"


def unfinished(text: str) -> Iterator[Update]:
    """Yield the updates that the last run of zypper had begun, if its output shows that it was interrupted."""
    text = text.rpartition("<?xml version")[2]
    if text and "</stream>" not in text:
        for row in answer.read_reply(text).rows:
            if row.action == "upgrade" and row.old:
                yield Update(row.name, row.arch, row.old, row.evr)


def read_step(text: str) -> Reading:
    """Return the progress that zypper's output shows."""
    steps, fetched = list(STEP.finditer(text)), list(FETCHING.finditer(text))
    phase, latest = ("installing", steps[-1]) if steps else ("downloading", fetched[-1] if fetched else None)
    if latest is None:
        return Reading(phase)
    return Reading(phase, int(latest["done"]), int(latest["all"]), f"package {latest['done']} of {latest['all']}")

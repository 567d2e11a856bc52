# SPDX-License-Identifier: Apache-2.0
"""Carrying an apt transaction out batch by batch: apt-get does the work, this watches and isolates what fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ...errors import Busy
from ...host import CommandResult
from ...model import ExecutionResult, Target, Transaction
from ...patching.progress import Step, Watch
from .. import Progress
from .config import SAFE_OPTIONS
from .failures import failure_words, last_words
from .install import CONFFILE_OPTIONS, Installer, configure
from .locks import retry_locked
from .solver import install_words

_MARGIN = 64 << 20
_LOG_ROOM = 1 << 20


def execute(
    installer: Installer,
    transaction: Transaction,
    *,
    on_progress: Callable[[Progress], None],
    may_start_batch: Callable[[], bool],
) -> ExecutionResult:
    """Install the batches of a transaction one after the other.

    What fails is named with apt's or dpkg's own words; the rest is installed. Nothing is removed or downgraded.
    """
    failures = {blocked.target.id: blocked.reason for blocked in transaction.blocked}
    installer.open_log()
    problem = _space_problem(installer, transaction)
    before = installer.installed_versions()
    for number, batch in enumerate(transaction.batches, 1):
        if problem or not may_start_batch():
            reason = problem or "not started: the maintenance window has closed"
            failures.update({target.id: reason for target in batch})
            continue
        failures.update(_install_batch(installer, batch, number, len(transaction.batches), on_progress))
    return ExecutionResult(failures=failures, changed=installer.installed_versions() != before)


def _install_batch(
    installer: Installer,
    batch: Sequence[Target],
    number: int,
    batches: int,
    on_progress: Callable[[Progress], None],
) -> dict[str, str]:
    """Install one batch; after a failure go on without what failed, and where nobody is blamed, with each half."""
    failures: dict[str, str] = {}
    queue = [list(batch)]
    while queue:
        targets = queue.pop(0)
        try:
            result = _run_install(installer, targets, number, batches, on_progress)
            more = configure(installer).stdout if result.code and installer.broken_packages() else ""
        except Busy as exc:
            failures.update({t.id: str(exc) for group in (targets, *queue) for t in group})
            break
        left = _not_installed(installer, targets) if result.code else []
        words = failure_words(result.stdout + more, left, installer.broken_packages())
        failures.update(words)
        following = [t for t in left if t.id not in words]
        if words and following:
            queue.insert(0, following)
        elif len(following) > 1:
            middle = len(following) // 2
            queue[:0] = [following[:middle], following[middle:]]
        else:
            said = last_words(result.stdout, result.code) + _full(installer.log.parent)
            failures.update({t.id: said for t in following})
    missing = {t.id for t in _not_installed(installer, batch)}
    return {name: words for name, words in failures.items() if name in missing}


def _not_installed(installer: Installer, targets: Sequence[Target]) -> list[Target]:
    done = installer.installed_versions()
    return [t for t in targets if done.get(t.id) != t.version]


def _run_install(
    installer: Installer,
    targets: Sequence[Target],
    number: int,
    batches: int,
    on_progress: Callable[[Progress], None],
) -> CommandResult:
    context, command = installer.context, installer.command
    options = (
        *SAFE_OPTIONS,
        *(f"Dpkg::Options::={option}" for option in CONFFILE_OPTIONS),
        f"DPkg::Lock::Timeout={context.lock_timeout}",
        *(["APT::Get::ReInstall=true"] if _any_present(installer, targets) else []),
    )
    argv = command.argv("apt-get", "-y", "install", *install_words(targets), options=options)
    watch = Watch(
        context.host,
        installer.log,
        read=partial(read_step, count=max(len(targets), 1)),
        numbers=(number, batches),
        count=len(targets),
        on_progress=on_progress,
    )
    watch.begin()
    return retry_locked(context, lambda: installer.run(argv, watch=watch.report))


def _any_present(installer: Installer, targets: Sequence[Target]) -> bool:
    versions = installer.installed_versions()
    return any(versions.get(target.id) == target.version for target in targets)


def read_step(text: str, *, count: int) -> Step:
    """How far apt and dpkg are with ``count`` packages."""
    unpacked, done = text.count("\nUnpacking "), text.count("\nSetting up ")
    phase = "installing" if unpacked or "\nPreparing to unpack" in text else "downloading"
    return Step(phase, unpacked + done, 2 * count, f"{min(done, count)} of {count} packages")


def _full(directory: Path) -> str:
    """Say that what apt and dpkg print cannot be written; then they cannot work."""
    return f"; no space left at {directory} for their output" if _free(directory) < _LOG_ROOM >> 4 else ""


def _space_problem(installer: Installer, transaction: Transaction) -> str:
    """Say what has not enough room for download, unpacked files and output; ``""`` when there is enough."""
    paths = installer.paths
    sizes = ((paths.archives, transaction.download_size or 0), (paths.status.parent, transaction.disk_size or 0))
    needs: dict[int, tuple[Path, int]] = {}
    for path, size in sizes:
        existing = _existing(path)
        device = existing.stat().st_dev
        first, sum_ = needs.get(device, (existing, 0))
        needs[device] = first, sum_ + max(size, 0)
    for place, size in needs.values():
        free = _free(place)
        if size and size + _MARGIN > free:
            needed = f"{size >> 20} MiB and {_MARGIN >> 20} MiB to spare are needed"
            return f"not enough disk space at {place}: {needed}, {free >> 20} MiB are free"
    log = _existing(installer.log)
    if _free(log) < _LOG_ROOM:
        return f"not enough disk space at {log}: {_LOG_ROOM >> 20} MiB are needed for the output of apt and dpkg"
    return ""


def _existing(path: Path) -> Path:
    return next((p for p in (path, *path.parents) if p.exists()), Path("/"))


def _free(path: Path) -> int:
    return shutil.disk_usage(path).free

# SPDX-License-Identifier: Apache-2.0
"""Carrying an apt transaction out: apt-get does the work, this watches, and repairs what an interruption left."""

from __future__ import annotations

import errno
import fcntl
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import Busy
from ...host import CommandResult
from ...model import ExecutionResult, Target, Transaction
from .. import Context, Progress
from .config import SAFE_OPTIONS, AptCommand, AptPaths
from .solver import install_words
from .status import BROKEN, read_status

#: Nothing asks, nothing restarts services in the middle of the run, nothing mails the changelog.
QUIET_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "NEEDRESTART_MODE": "l",
    "NEEDRESTART_SUSPEND": "1",
    "APT_LISTCHANGES_FRONTEND": "none",
    "APT_LISTBUGS_FRONTEND": "none",
    "UCF_FORCE_CONFFOLD": "1",
}
#: A changed configuration file stays as the administrator left it; an unchanged one takes the package's.
CONFFILE_OPTIONS = ("--force-confdef", "--force-confold")
_RUN_LIMIT = 6 * 3600
_MARGIN = 64 << 20
_ROUNDS = 4

_FETCH = re.compile(r"^E: Failed to fetch (?P<uri>\S+)\s+(?P<words>.*)$", re.M)
_DPKG = re.compile(
    r"^dpkg: error processing (?:package|archive) (?P<name>\S+) \([^)]*\):\n(?P<words>(?: .*\n?)+)", re.M
)
_LOCK = re.compile(
    r"could not get lock|unable to acquire the dpkg (?:frontend )?lock|is locked by another process", re.I
)


@dataclass(frozen=True, slots=True)
class Installer:
    """What an installation needs to know of the host."""

    command: AptCommand
    paths: AptPaths
    context: Context

    def installed_versions(self) -> dict[str, str]:
        """Return ``{name.arch: version}`` of the packages that dpkg has and that work."""
        status = read_status(self.paths.status, architecture=self.paths.architecture)
        return {f"{p.name}.{p.arch}": p.version for p in status if p.status not in BROKEN | {"config-files"}}

    def broken_packages(self) -> dict[str, str]:
        """Return ``{name.arch: dpkg state}`` of the packages that are not completely installed."""
        status = read_status(self.paths.status, architecture=self.paths.architecture)
        return {f"{p.name}.{p.arch}": p.status for p in status if p.status in BROKEN}


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
    problem = _space_problem(installer.paths, transaction)
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
    """Install one batch; after a failure try what is left without what failed, as long as that gets somewhere."""
    failures: dict[str, str] = {}
    remaining = list(batch)
    for _round in range(_ROUNDS):
        result = _run_install(installer, remaining, number, batches, on_progress)
        done = installer.installed_versions()
        left = [t for t in remaining if done.get(t.id) != t.version] if result.code else []
        if not left:
            return failures
        words = _failure_words(result, left, installer)
        failures.update(words)
        following = [t for t in left if t.id not in words]
        if not following or len(following) == len(remaining):
            failures.update({t.id: _last_words(result) for t in following})
            return failures
        remaining = following
    failures.update({t.id: "not installed after several attempts" for t in remaining if t.id not in failures})
    return failures


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
    log = context.work_dir / "apt-output.log"
    context.work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    watcher = _Watcher(installer, log, targets, number, batches, on_progress)
    watcher.report()
    return context.host.run(
        [*scope(context), *argv],
        env={**QUIET_ENVIRONMENT, **command.env},
        timeout=_RUN_LIMIT,
        output=log,
        watch=watcher.report,
    )


def _any_present(installer: Installer, targets: Sequence[Target]) -> bool:
    versions = installer.installed_versions()
    return any(versions.get(target.id) == target.version for target in targets)


class _Watcher:
    """Follows apt's output while it runs and turns it into progress."""

    def __init__(
        self,
        installer: Installer,
        log: Path,
        targets: Sequence[Target],
        number: int,
        batches: int,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._host = installer.context.host
        self._log = log
        self._start = log.stat().st_size if log.exists() else 0
        self._began = self._host.now()
        self._count = max(len(targets), 1)
        self._numbers = (number, batches)
        self._send = on_progress
        self._last: tuple[str, int] | None = None

    def report(self) -> None:
        """Send the phase and the share that is done, when either has changed."""
        text = self._new_text()
        unpacked, done = text.count("\nUnpacking "), text.count("\nSetting up ")
        phase = "installing" if unpacked or "\nPreparing to unpack" in text else "downloading"
        state = (phase, unpacked + done)
        if state == self._last:
            return
        self._last = state
        elapsed = self._host.now() - self._began
        share = (unpacked + done) / (2 * self._count)
        expected = elapsed / share if 0 < share <= 1 else None
        detail = f"{min(done, self._count)} of {self._count} packages"
        self._send(Progress(phase, *self._numbers, elapsed=elapsed, expected=expected, detail=detail))

    def _new_text(self) -> str:
        try:
            with open(self._log, "rb") as handle:
                handle.seek(self._start)
                return handle.read().decode(errors="replace")
        except OSError:
            return ""


def scope(context: Context) -> list[str]:
    """Return the prefix that keeps a command alive when the service that started it is stopped or upgraded."""
    if not (context.unit and context.host.has_systemd() and context.host.is_root()):
        return []
    return ["systemd-run", "--scope", "--quiet", "--collect", f"--unit={context.unit}", "--"]


def _failure_words(result: CommandResult, left: Sequence[Target], installer: Installer) -> dict[str, str]:
    """Return the failed targets with the words that apt or dpkg has for each of them."""
    text = result.stdout
    found: dict[str, str] = {}
    for match in _FETCH.finditer(text):
        for target in left:
            if Path(match["uri"]).name.startswith(f"{target.name}_"):
                found[target.id] = f"Failed to fetch {match['uri']}  {match['words']}".strip()
    for match in _DPKG.finditer(text):
        name = Path(match["name"]).name.partition("_")[0] if "/" in match["name"] else match["name"]
        words = " ".join(match["words"].split())
        for target in left:
            if name in (target.name, f"{target.name}:{target.arch}"):
                found[target.id] = f"dpkg: {words}"
    broken = installer.broken_packages()
    for target in left:
        if target.id in broken and target.id not in found:
            found[target.id] = f"dpkg left it {broken[target.id]}"
    return found


def _last_words(result: CommandResult) -> str:
    errors = [line for line in result.stdout.splitlines() if line.startswith("E: ")]
    return "; ".join(dict.fromkeys(errors)) or f"apt-get ended with exit code {result.code}"


def _space_problem(paths: AptPaths, transaction: Transaction) -> str:
    """Say what has not enough room for the download or the unpacked files; ``""`` when there is enough."""
    needs = ((paths.archives, transaction.download_size or 0), (paths.status.parent, transaction.disk_size or 0))
    for path, size in needs:
        existing = next((p for p in (path, *path.parents) if p.exists()), Path("/"))
        free = shutil.disk_usage(existing).free
        if size > 0 and size + _MARGIN > free:
            needed = f"{size >> 20} MiB and {_MARGIN >> 20} MiB to spare are needed"
            return f"not enough disk space at {existing}: {needed}, {free >> 20} MiB are free"
    return ""


def repair(installer: Installer) -> tuple[str, ...]:
    """Complete what an interrupted dpkg left, before anything new is begun.

    Raises:
        Busy: dpkg's lock was held by another program for ``lock_timeout`` seconds.
    """
    wait_idle(installer)
    interrupted = any((installer.paths.status.parent / "updates").glob("[0-9]*"))
    broken = installer.broken_packages()
    if not interrupted and not broken:
        return ()
    argv = ["dpkg", *installer.command.dpkg_root, *CONFFILE_OPTIONS, "--configure", "-a"]
    context = installer.context
    result = retry_locked(
        context,
        lambda: context.host.run(
            [*scope(context), *argv], env={**QUIET_ENVIRONMENT, **installer.command.env}, timeout=_RUN_LIMIT
        ),
    )
    named = ", ".join(f"{name} ({state})" for name, state in sorted(broken.items())) or "its journal"
    if result.code:
        return (f"dpkg was interrupted ({named}); dpkg --configure -a did not repair it: {result.words}",)
    return (f"dpkg was interrupted ({named}); dpkg --configure -a repaired it",)


def wait_idle(installer: Installer) -> None:
    """Wait until no other apt or dpkg works on this system, a child of a killed run of ours included.

    Raises:
        Busy: one still does after ``lock_timeout`` seconds.
    """
    context = installer.context
    path = installer.paths.status.parent / "lock-frontend"
    deadline = context.host.now() + context.lock_timeout
    while _is_locked(path):
        if context.host.now() >= deadline:
            raise Busy(f"{path}: another program has held the package manager's lock for {context.lock_timeout} s")
        context.host.sleep(1)


def _is_locked(path: Path) -> bool:
    try:
        with open(path, "r+b") as handle:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError as exc:
        return exc.errno in (errno.EAGAIN, errno.EACCES)
    return False


def retry_locked(context: Context, run: Callable[[], CommandResult]) -> CommandResult:
    """Run a command that fails at once when another program has the lock, until it gets it or time is up.

    Raises:
        Busy: the lock was held for ``lock_timeout`` seconds; the message has the program's words.
    """
    host = context.host
    deadline = host.now() + context.lock_timeout
    while True:
        result = run()
        if not result.code or not _LOCK.search(result.stdout + result.stderr):
            return result
        if host.now() >= deadline:
            raise Busy(f"the package manager's lock was held for {context.lock_timeout} s: {result.words}")
        host.sleep(2)

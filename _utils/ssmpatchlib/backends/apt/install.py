# SPDX-License-Identifier: Apache-2.0
"""Runs apt and dpkg to change the system, and completes what they left unfinished."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...files import remove
from ...host import CommandResult
from ...model import Offer, Target
from ...wording import amount
from .. import Context, detached
from ..answers import InstallRun, Reading, Watch
from ..locking import retry_locked, wait_idle
from ..output import open_log
from . import marks
from .config import SAFE_OPTIONS, AptCommand, AptPaths, asks_for_recommended, recommends_option
from .failures import last_words, read_failures
from .locks import holder, is_locked
from .solver import install_words, offer_words
from .status import HALF_INSTALLED, HALF_REMOVED, broken_packages, present_versions, read_status, working_versions

#: With these variables nothing asks questions, restarts services during the run or mails the changelog.
QUIET_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "NEEDRESTART_MODE": "l",
    "NEEDRESTART_SUSPEND": "1",
    "APT_LISTCHANGES_FRONTEND": "none",
    "APT_LISTBUGS_FRONTEND": "none",
    "UCF_FORCE_CONFFOLD": "1",
}
#: With these a configuration file that the administrator changed stays; an unchanged one becomes the package's.
CONFFILE_OPTIONS = ("--force-confdef", "--force-confold")
_RUN_LIMIT = 6 * 3600
#: Options of dpkg with which it does nothing and says that all went well.
_NO_ACT = frozenset({"--no-act", "--dry-run", "--simulate"})
#: Values that are no reason why nothing was done: the program, and options for a root and for speed.
_USUAL = re.compile(r"/usr/bin/dpkg|--root=.*|--force-unsafe-io")


@dataclass(frozen=True, slots=True)
class Installer:
    """The values that an installation needs of the host."""

    command: AptCommand
    paths: AptPaths
    context: Context

    @property
    def marks(self) -> Path:
        """Where the marks are remembered while apt works."""
        return self.context.work_dir / marks.FILE

    @property
    def log(self) -> Path:
        """The file that apt and dpkg print into, so that they can outlive the process that started them."""
        return self.context.work_dir / "apt-output.log"

    def run(self, argv: Sequence[str], *, watch: Callable[[], None] | None = None) -> CommandResult:
        """Run a program that changes the system, once the lock is free; everything it prints is in ``stdout``.

        Raises:
            Busy: another program held the lock for ``lock_timeout`` seconds.
        """
        env = {**QUIET_ENVIRONMENT, **self.command.env}
        run = partial(detached.run, self.context, argv, env=env, timeout=_RUN_LIMIT, output=self.log, watch=watch)
        return retry_locked(self.context, run, is_locked=is_locked)

    def installed(self) -> dict[str, str]:
        """Return ``{name.arch: version}`` of the packages that work."""
        return working_versions(self.paths.status, architecture=self.paths.architecture)

    def present(self) -> dict[str, str]:
        """Return ``{name.arch: version}`` of the packages that are there, whether they work or not."""
        return present_versions(read_status(self.paths.status, architecture=self.paths.architecture))

    def broken(self) -> dict[str, str]:
        """Return ``{name.arch: dpkg state}`` of the packages that are not completely installed."""
        return broken_packages(self.paths.status, architecture=self.paths.architecture)


def install(
    installer: Installer, targets: Sequence[Target], watch: Watch, *, needed: Sequence[Offer] = ()
) -> InstallRun:
    """Run apt-get once to bring in some targets, then let dpkg configure what it left unfinished.

    Args:
        needed: dependencies that apt has to be told with their versions; new ones become automatically installed.

    Raises:
        Busy: another program held the lock for ``lock_timeout`` seconds.
        Unwritable: the marks to restore cannot be written down; nothing was installed.
    """
    context, before = installer.context, installer.present()
    options = (
        *SAFE_OPTIONS,
        *recommends_option(asks_for_recommended(installer.paths)),
        *(f"Dpkg::Options::={option}" for option in CONFFILE_OPTIONS),
        f"DPkg::Lock::Timeout={context.lock_timeout}",
        # apt would configure what was being removed too, so that it is there again; dpkg -a leaves it.
        *(["DPkg::ConfigurePending=false"] if HALF_REMOVED in installer.broken().values() else []),
        *(["APT::Get::ReInstall=true"] if any(before.get(t.id) == t.version for t in targets) else []),
    )
    marks.remember(_marks(installer, targets, needed, before), file=installer.marks, now=context.host.now())
    words = (*install_words(targets), *offer_words(needed))
    argv = installer.command.argv("apt-get", "-y", "install", "--", *words, options=options)
    open_log(installer.log, now=context.host.now())
    report = watch.follow(installer.log, partial(read_step, count=max(len(targets), 1)))
    result = installer.run(argv, watch=report)
    said = result.stdout
    if installer.broken():
        said += _configure(installer).stdout
    warnings = _restore_marks(installer)
    after = installer.installed()
    left = [target for target in targets if after.get(target.id) != target.version]
    failures = read_failures(said, left, installer.broken())
    last = last_words(result.stdout, result.code) if result.code or not left else _without_effect(installer)
    return InstallRun(failures.packages, said="; ".join((*failures.others, last)), warnings=warnings)


def _without_effect(installer: Installer) -> str:
    """Return why packages may not be installed although apt-get ended as if they were."""
    dump = installer.command.run("apt-config", "dump", "--format", "%f=%v%n", "DPkg::Options", "Dir::Bin::dpkg").stdout
    values = [line.partition("=")[::2] for line in dump.splitlines()]
    told = [value for _key, value in values if value in _NO_ACT]
    told += [f"{path}: {line}" for path in _dpkg_files(installer.context.root) for line in _no_act_lines(path)]
    others = [f"{key.rstrip(':')} {value}" for key, value in values if value and not _USUAL.fullmatch(value)]
    because = "it did not say why" + (f" (its settings: {', '.join(others)})" if others else "")
    if told:
        because = f"dpkg is told to do nothing ({', '.join(told)})"
    return f"apt-get ended without an error and did not install it: {because}"


def _dpkg_files(root: Path) -> Iterable[Path]:
    with suppress(RuntimeError):
        yield Path("~/.dpkg.cfg").expanduser()
    yield from (root / "etc/dpkg/dpkg.cfg", *sorted((root / "etc/dpkg/dpkg.cfg.d").glob("*")))


def _no_act_lines(path: Path) -> Iterable[str]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    return (line.strip() for line in lines if f"--{line.strip().removeprefix('--')}" in _NO_ACT)


def _marks(
    installer: Installer, targets: Sequence[Target], needed: Sequence[Offer], before: Mapping[str, str]
) -> marks.Marks:
    """Return the marks that packages have and shall keep; dependencies that are new become automatically installed."""
    marked = marks.read_marks(installer.paths.extended_states)
    names = {f"{target.name}:{target.arch}": target.id in before for target in targets}
    names |= {f"{offer.name}:{offer.arch}": offer.id in before for offer in needed}
    new = {f"{offer.name}:{offer.arch}" for offer in needed if offer.id not in before}
    return marks.Marks(
        frozenset(name for name in names if name in marked or name in new),
        frozenset(name for name, present in names.items() if present and name not in marked),
    )


def _restore_marks(installer: Installer) -> tuple[str, ...]:
    """Mark again as before what apt marked otherwise; return what could not be, in words."""
    remembered = marks.remembered(installer.marks, now=installer.context.host.now())
    if not any(remembered):
        return ()
    marked, present = marks.read_marks(installer.paths.extended_states), installer.installed() | installer.broken()
    warnings: list[str] = []
    lost = {"auto": remembered.auto - marked, "manual": remembered.manual & marked}
    for word, names in lost.items():
        if there := sorted(name for name in names if _id(name) in present):
            argv = installer.command.argv("apt-mark", word, "--", *there)
            warnings += marks.failed(installer.run(argv), word, there)
    if not warnings:
        remove(installer.marks)
    return tuple(warnings)


def _id(name: str) -> str:
    """``name.arch`` of ``name:arch``."""
    return ".".join(name.rsplit(":", 1))


def read_step(text: str, *, count: int) -> Reading:
    """Return the progress with ``count`` packages that apt's and dpkg's output shows."""
    unpacked, done = text.count("\nUnpacking "), text.count("\nSetting up ")
    phase = "installing" if unpacked or "\nPreparing to unpack" in text else "downloading"
    return Reading(phase, unpacked + done, 2 * count, f"{min(done, count)} of {amount(count, 'package')}")


def _configure(installer: Installer) -> CommandResult:
    """Let dpkg configure all packages that are unpacked but not configured."""
    return installer.run(["dpkg", *installer.command.dpkg_root, *CONFFILE_OPTIONS, "--configure", "-a"])


def repair(installer: Installer) -> tuple[str, ...]:
    """Complete the packages that an interrupted dpkg left unfinished; return what was done, in words.

    Raises:
        Busy: dpkg's lock was held by another program for ``lock_timeout`` seconds.
    """
    context, directory = installer.context, installer.paths.status.parent
    wait_idle(context, partial(holder, directory))
    interrupted = any((directory / "updates").glob("[0-9]*"))
    broken = installer.broken()
    if not interrupted and not broken:
        return _restore_marks(installer)
    open_log(installer.log, now=context.host.now())
    result = _configure(installer)
    lost = _restore_marks(installer)
    began = f"dpkg was interrupted ({_named(broken) or 'its journal'}); dpkg --configure -a"
    left = installer.broken()
    if not result.code and not left:
        return (f"{began} repaired it", *lost)
    words = [f"left {_named(left)}"] if left else []
    if result.code:
        words.append(f"did not repair it: {result.words}")
    if removed := sorted(name.rpartition(".")[0] for name, state in left.items() if state == HALF_REMOVED):
        words.append(f"{', '.join(removed)} was to be removed (by hand: apt-get remove {' '.join(removed)})")
    if again := sorted(name.rpartition(".")[0] for name, state in left.items() if state in HALF_INSTALLED):
        words.append(
            f"{', '.join(again)} must be installed again, as an install does where a repository has that version "
            f"(by hand: apt-get install --reinstall {' '.join(again)})"
        )
    return (f"{began} {'; '.join(words)}", *lost)


def _named(broken: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({state})" for name, state in sorted(broken.items()))

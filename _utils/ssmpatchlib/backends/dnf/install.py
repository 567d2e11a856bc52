# SPDX-License-Identifier: Apache-2.0
"""Runs dnf to install, and reads which packages failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ...host import CommandResult
from ...model import Offer, Target
from .. import detached
from ..answers import InstallRun, Reading, Watch
from ..output import last_lines, open_log
from ..rpm.installed import Database
from ..rpmmd.keys import import_notes
from ..rpmmd.repofiles import Repository
from . import answer
from .answer import short_nevra
from .command import DnfCommand
from .solver import Insisted, install_arguments, nevra
from .waiting import LOG, RUN_LIMIT, Asker, go_on

#: What dnf 4 says where it has no terminal and no ``-y``.
_REFUSED = "Refusing to automatically import keys"
_TELLING = re.compile(
    r"error|fail|conflict|needs .{1,300} on the|not signed|cannot|can't|mirror|curl|denied|scriptlet|checksum|key"
    r"|filtered",
    re.I,
)
_PROGRESS = re.compile(
    r"^\s*(?:Preparing|Upgrading|Installing|Reinstalling|Cleanup|Erasing|Obsoleting|Verifying|Running scriptlet)\s*:"
    r"|^\[[ \d]+/[ \d]+\]|^(?:Upgraded|Installed|Failed|Skipped):|^ \S+ +\S+ +\S+ +\S+ +[\d.]+(?: *[A-Za-z]+)?\s*$"
    r"|^Downloading Packages:|^.{1,80}\b\d+(?:\.\d+)? +[kMG]?B/s \|"
)
_STEP = re.compile(r"(?:\s|^\[)(?P<done>[0-9]{1,9})/(?P<all>[0-9]{1,9})\]?(?:\s|$)", re.M)
_SCRIPT_WARNING = re.compile(
    r"^Error in (?P<script>POST\w+) scriptlet in rpm package (?P<name>\S+)"
    r"|^>>> (?:Non-critical error|Error) in %(?P<script5>post\w*) scriptlet: (?P<name5>\S+)",
    re.M,
)


def install(
    command: DnfCommand,
    database: Database,
    targets: Sequence[Target],
    *,
    hidden: Sequence[Offer],
    watch: Watch,
    asker: Asker | None,
    repositories: Sequence[Repository] = (),
    insisted: Insisted | None = None,
) -> InstallRun:
    """Let the dnf that waits with just these targets go on, or run a new one, with ``hidden`` excluded.

    ``insisted`` is how dnf has to be asked, since it otherwise leaves out some of the targets in silence; None where
    that is not known to be so, and then it is tried for what is left out.

    A dnf 4 that waited refuses to import a signing key; a new one then imports those that the repositories' own
    configuration names.

    Raises:
        Busy: another program held dnf's lock for ``lock_timeout`` seconds.
    """
    context, log = command.context, command.context.work_dir / LOG
    held = asker is not None and asker.holds(targets, hidden)
    if not held:
        open_log(log, now=context.host.now())
    report = watch.follow(log, read_step)
    asked = insisted.among(targets) if insisted else targets
    arguments = install_arguments(command.generation, asked, hidden, insist=insisted is not None)
    options = ("-y", "--setopt=assumeno=0", "--setopt=*.metadata_expire=-1")

    def run() -> CommandResult:
        if asker and (waiting := asker.take()):
            result = go_on(waiting, report)
            if _REFUSED not in result.stdout:
                return result
        command.wait_for_system()
        argv = command.argv(*options, *arguments)
        return detached.run(context, argv, timeout=RUN_LIMIT, output=log, watch=report)

    result = command.retry_locked(run)
    left = database.missing(targets)
    if left and not insisted and not result.code and not failure_words(result.stdout, left):
        # See leaves_out_in_silence.
        arguments = install_arguments(command.generation, left, hidden, insist=True)
        result = command.retry_locked(run)
        left = database.missing(targets)
    return InstallRun(
        failures=failure_words(result.stdout, left),
        said=last_words(result),
        warnings=(*import_notes(repositories, result.stdout, otherwise="dnf"), *script_warnings(result.stdout)),
    )


def read_step(text: str) -> Reading:
    """Return the progress that dnf's output shows."""
    start = text.find("\nRunning transaction\n")
    if start == -1:
        return Reading("downloading")
    steps = _STEP.findall(text[start:])
    return Reading("installing", int(steps[-1][0]), int(steps[-1][1])) if steps else Reading("installing")


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
    """Return a line of dnf 5 about a scriptlet, with the words of rpm that follow it."""
    if not line.startswith(">>> "):
        return line
    after = text.partition(line)[2].lstrip("\n").partition("\n")[0].strip()
    told = line.removeprefix(">>> ")
    return f"{told}: {after.removeprefix('>>> ')}" if after.startswith(">>> [RPM]") else told


def script_warnings(text: str) -> Iterable[str]:
    """Yield a warning for each package that is installed although a scriptlet that ran after that failed."""
    for match in _SCRIPT_WARNING.finditer(text):
        name, script = match["name"] or match["name5"], match["script"] or match["script5"]
        yield f"{name}: its {script.lower()} scriptlet failed; the package is installed, see dnf's log"


def last_words(result: CommandResult) -> str:
    """Return dnf's errors, else the end of what it said, else its exit code."""
    errors = [
        line.strip() for line in result.stdout.splitlines() if re.match(r"(?i)error|transaction failed|  - ", line)
    ]
    said = "\n".join(line for line in result.stdout.splitlines() if not _PROGRESS.match(line))
    told = errors or (last_lines(said) if result.code else [])
    return "; ".join(dict.fromkeys(told)) or f"dnf ended with exit code {result.code} without installing it"

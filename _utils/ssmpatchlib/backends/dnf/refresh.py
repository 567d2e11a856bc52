# SPDX-License-Identifier: Apache-2.0
"""Brings dnf's metadata up to date without deleting the cache, and names the repositories that failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ...files import remove
from ...host import CommandResult, CommandTimeout
from ...model import UnreadSource
from .. import Context, Refresh
from ..one_by_one import one_by_one
from ..output import last_lines
from ..rpmmd.freshness import record_refresh
from ..rpmmd.half_written import forget_half_written
from ..rpmmd.repofiles import DnfConfig, Repository
from .command import DnfCommand
from .inventory import metadata_copy, repository_age

#: How dnf begins to speak of a signing key; see ``rpmmd.keys``, which a scan loads only for one.
_KEY = "Importing "
_FAILED = re.compile(
    r"Failed to download metadata(?:(?!Failed to download).)*? for repo(?:sitory)?"
    r""" ['"](?P<id>[^'"]+)['"](?:: *)?(?P<words>.*)"""
)
_Stamp = tuple[float, ...] | None
_DETAIL = re.compile(r"^(?:  - |>>> ?)(?P<words>.+)$")
#: A line of dnf 5 with a repository's name, cut off; the lines below it say what went wrong.
_PROGRESS = re.compile(r"^ (?P<name>\S+(?: \S+)*)\s+(?:\?\?\?|[\d ]{3})% \|")
#: Options to ask every repository whether it has changed; dnf 5 asks only expired ones, even with --refresh.
#: What dnf answers where it asks whether to import a key, whatever the system's configuration says.
_AGREE = ("-y", "--setopt=assumeno=0")
_REFUSE = ("--setopt=assumeyes=0", "--setopt=defaultyes=0")
_ASK_ALL = {4: ("--refresh",), 5: ("--setopt=*.metadata_expire=0",)}


def refresh(
    context: Context, command: DnfCommand, read: Callable[[], DnfConfig], *, import_keys: bool = False
) -> Refresh:
    """Run ``dnf makecache`` so that every repository is asked whether its metadata changed.

    A repository that cannot be refreshed does not stop the others; it is returned with dnf's words and the age of the
    copy in use. ``read`` reads the configuration, since a repository's cache may be known only after the refresh.
    With ``import_keys`` dnf may import the keys of repositories whose index must be signed.

    Raises:
        Busy: another program held dnf's lock for ``lock_timeout`` seconds.
        Unwritable: half-written metadata cannot be removed.
    """
    if not context.host.is_root():
        return Refresh(False, "the package index was not refreshed: dnf lets only root write its cache")
    config = read()
    if not config.repositories:
        return Refresh(True)
    _forget_half_written(config)
    before = {repository.id: _stamp(repository) for repository in config.repositories}
    asking = (*_ASK_ALL[command.generation], *(_AGREE if import_keys else _REFUSE))
    result = _make_cache(context, command, read, before, asking)
    text = f"{result.stdout}\n{result.stderr}"
    words = dict(failures(text))
    asks, imports = (_KEY in text and import_keys is told for told in (False, True))
    unread: list[UnreadSource] = []
    current: list[tuple[str, Path]] = []
    for repository in read().repositories:
        stamp = _stamp(repository)
        said = _words_about(repository, words)
        # dnf touches metadata that it finds current, so that untouched ones were not refreshed.
        if said or stamp is None or stamp == before.get(repository.id):
            said = said or last_words(result)
            if asks:
                said = "; ".join(filter(None, (said, _asked_key(repository, text))))
            unread.append(UnreadSource(repository.id, said, repository_age(context, repository)))
        else:
            current.append((repository.id, metadata_copy(repository)))
    record_refresh(context, "dnf", current)
    if result.code and not unread:
        unread.append(UnreadSource("dnf", f"dnf makecache: {result.words}"))
    return Refresh(True, unread=tuple(unread), warnings=_imported_keys(config, text) if imports else ())


def _forget_half_written(config: DnfConfig) -> None:
    """Forget half-written metadata, and what dnf has made of them, which it believes without looking at its end."""
    indexes = {repository.cache / "repodata" / "repomd.xml": repository for repository in config.repositories}
    for repository in map(indexes.__getitem__, forget_half_written(indexes)):
        for directory in (repository.cache.parent, repository.cache / "solv"):
            made = directory.glob("*.solv*")
            for path in [p for p in made if p.name.startswith((f"{repository.id}.solv", f"{repository.id}-"))]:
                remove(path)


def _asked_key(repository: Repository, text: str) -> str:
    from ..rpmmd import keys

    step = f"dnf --disablerepo='*' --enablerepo={repository.id} makecache"
    return keys.asked_for(repository, text, step=step)


def _imported_keys(config: DnfConfig, text: str) -> tuple[str, ...]:
    from ..rpmmd import keys

    return keys.import_notes(config.repositories, text, otherwise="dnf")


def _make_cache(
    context: Context,
    command: DnfCommand,
    read: Callable[[], DnfConfig],
    before: Mapping[str, _Stamp],
    asking: Sequence[str],
) -> CommandResult:
    """Run ``dnf makecache``, and where that did not end, once for each repository that it had not touched by then.

    What is not touched after that either was not read.
    """
    options = ("--setopt=*.skip_if_unavailable=1", *asking)
    try:
        return command.run(*options, "makecache", timeout=context.refresh_timeout, slow=True)
    except CommandTimeout as exc:
        late, said = exc.late, exc.said

    def run(name: str, timeout: float) -> CommandResult:
        return command.run(*options, f"--repo={name}", "makecache", timeout=timeout, slow=True)

    untouched = [repository.id for repository in read().repositories if _stamp(repository) == before.get(repository.id)]
    results = [result for _name, result, _late in one_by_one(context, untouched, run) if result is not None]
    text = "\n".join([said, *(part for result in results for part in (result.stdout, result.stderr))])
    return CommandResult((), -1, text, f"Error: dnf makecache: {late}")


def index_age(context: Context, config: DnfConfig) -> float | None:
    """Return the age of the repository that was found current longest ago; None when one has no metadata."""
    ages = [repository_age(context, repository) for repository in config.repositories]
    known = [age for age in ages if age is not None]
    return max(known, default=0.0) if len(known) == len(ages) else None


def failures(text: str) -> Iterable[tuple[str, str]]:
    """Return dnf's words about repositories that it could not read, by id or by the part of the name dnf 5 shows."""
    details: list[str] = []
    shown = ""
    for line in text.splitlines():
        if failed := _FAILED.search(line):
            words = "; ".join(dict.fromkeys(filter(None, (*details, failed["words"].strip()))))
            yield failed["id"], words or line.strip()
            details, shown = [], ""
        elif detail := _DETAIL.match(line):
            details.append(detail["words"].strip())
        elif progress := _PROGRESS.match(line):
            if shown and details:
                yield shown, "; ".join(details)
            details, shown = [], progress["name"]
    if shown and details:
        yield shown, "; ".join(details)


def _words_about(repository: Repository, words: Mapping[str, str]) -> str:
    if repository.id in words:
        return words[repository.id]
    return next((said for shown, said in words.items() if repository.name.startswith(shown)), "")


def _stamp(repository: Repository) -> _Stamp:
    """Return the times of a repository's metadata files; None when there are none."""
    directory = repository.cache / "repodata"
    try:
        return tuple(sorted(path.stat().st_mtime for path in directory.iterdir())) or None
    except OSError:
        return None


def last_words(result: CommandResult) -> str:
    """Return dnf's errors, else the end of what it said; progress lines say nothing."""
    lines = [line.strip() for text in (result.stderr, result.stdout) for line in text.splitlines()]
    errors = [line for line in lines if line.startswith("Error")]
    told = errors or last_lines(result.stderr) or (last_lines(result.stdout) if result.code else [])
    return "; ".join(dict.fromkeys(filter(None, told))) or "dnf did not refresh its metadata and did not say why"

# SPDX-License-Identifier: Apache-2.0
"""Brings yum's metadata up to date without deleting the cache, and names the repositories that failed."""

from __future__ import annotations

from collections.abc import Sequence

from ...host import CommandResult, CommandTimeout
from ...model import UnreadSource
from .. import Context, Refresh
from ..one_by_one import one_by_one
from ..output import last_lines
from ..rpmmd.freshness import record_refresh
from ..rpmmd.keys import asked_for, import_notes
from ..rpmmd.repofiles import Repository
from . import answer
from .command import AGREE, REFUSE, YumCommand
from .inventory import repository_age, stamp_of

#: A failing repository does not keep the others from being read; only packages and advisories are fetched.
_OPTIONS = ("--setopt=*.skip_if_unavailable=1", "--setopt=*.mdpolicy=group:small")


def refresh(context: Context, command: YumCommand, *, import_keys: bool = False) -> Refresh:
    """Let yum compare its copies with the repositories; return what failed, with yum's words and the copy's age.

    With ``import_keys`` yum may import the keys of repositories whose index must be signed.

    Raises:
        Busy: another program held yum's lock for ``lock_timeout`` seconds.
    """
    if not context.host.is_root():
        return Refresh(False, "the package index was not refreshed: no right to write yum's cache (not root)")
    known = command.read_config().repositories
    if not known:
        return Refresh(True)
    ages = {repository.id: age for repository in known if (age := repository_age(context, repository)) is not None}
    # expire-cache removes the files by whose times the ages are known, so the ages are recorded before.
    record_refresh(context, "yum", [(r.id, r.cache / "repomd.xml") for r in known if r.id in ages], ages=ages)
    # Rule: yum(8): expire-cache makes yum ask again for what it has, makecache fast fetches only what changed.
    command.run("-q", "clean", "expire-cache", timeout=context.refresh_timeout)
    result = _make_cache(context, command, AGREE if import_keys else REFUSE)
    repositories = command.read_config().repositories
    failed = _failed(repositories, result)
    if not result.code or failed:
        record_refresh(context, "yum", [(r.id, stamp_of(r)) for r in repositories if r.id not in failed])
    unread = tuple(UnreadSource(id_, words, ages.get(id_)) for id_, words in failed.items())
    if result.code and not unread:
        unread = (UnreadSource("yum", f"yum makecache: {result.words}"),)
    imported = import_notes(repositories, result.stdout, otherwise="yum") if import_keys else ()
    return Refresh(True, unread=unread, warnings=imported)


def _make_cache(context: Context, command: YumCommand, answers: Sequence[str]) -> CommandResult:
    """Run ``yum makecache``, and where that did not end, once for each repository that it had not touched by then."""
    options = ("-q", *_OPTIONS, *answers)
    try:
        return command.run(*options, "makecache", "fast", timeout=context.refresh_timeout, slow=True)
    except CommandTimeout as exc:
        late, said = exc.late, exc.said

    def run(name: str, timeout: float) -> CommandResult:
        only = ("--disablerepo=*", f"--enablerepo={name}")
        return command.run(*options, *only, "makecache", "fast", timeout=timeout, slow=True)

    untouched = [repository.id for repository in command.read_config().repositories if not _is_touched(repository)]
    results = [result for _name, result, _late in one_by_one(context, untouched, run) if result is not None]
    text = "\n".join([said, *(part for result in results for part in (result.stdout, result.stderr))])
    return CommandResult((), -1, text, f"yum makecache: {late}")


def _failed(repositories: Sequence[Repository], result: CommandResult) -> dict[str, str]:
    """Return the repositories that yum names as failed, and those whose file it did not touch: it skipped them."""
    text = f"{result.stdout}\n{result.stderr}"
    failed = dict(answer.failed_repositories(text))
    unsaid = result.words if result.code else "yum skipped it and did not say why"
    words = "; ".join(answer.download_errors(text)) or "; ".join(last_lines(text)) or unsaid
    skipped = [r for r in repositories if not _is_touched(r)]
    said = {**{r.id: words for r in skipped}, **failed}
    return {r.id: _with_key(r, said[r.id], text) for r in repositories if r.id in said}


def _with_key(repository: Repository, words: str, text: str) -> str:
    step = f"yum --disablerepo='*' --enablerepo={repository.id} makecache"
    return "; ".join(filter(None, (words, asked_for(repository, text, step=step))))


def _is_touched(repository: Repository) -> bool:
    return (repository.cache / "cachecookie").exists()


def index_age(context: Context, command: YumCommand) -> float | None:
    """Return the age of the repository that was found current longest ago; None when one has no metadata."""
    ages = [repository_age(context, repository) for repository in command.read_config().repositories]
    known = [age for age in ages if age is not None]
    return max(known, default=0.0) if len(known) == len(ages) else None

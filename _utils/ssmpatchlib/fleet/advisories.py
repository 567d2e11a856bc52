# SPDX-License-Identifier: Apache-2.0
"""Compiles the exports of advisories to one compact file per release on the file server; a bad one replaces nothing."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..advisories import compact
from ..advisories.compiler import Compiler
from ..advisories.record import MALFORMED, is_cve, time_of
from ..compression import Damaged
from ..config import ADVISORIES_AGE
from ..errors import SsmpatchError
from ..input_errors import refuse
from ..locations import shown
from ..names import one_line
from ..times import aws_time, duration, epoch_of
from ..wording import amount
from . import file_roots_of_base
from .advisory_settings import AdvisorySettings
from .osv_fetch import Reach, at_hand
from .osv_sources import fingerprint, read_document, read_records

_STATE = "advisories.json"
_FORM = 2
_MOST_EXPLOITED = 64 << 20
#: Of a hundred records so many may be malformed before the export counts as damaged, and a few in any case.
_MALFORMED_PERCENT, _MALFORMED_ANYWAY = 5, 10
#: A file with less than this part of the records of the one before it is no replacement.
_LEAST_PART = 0.5
_DAY = 86400
#: In the place of the date since when a vulnerability is known to be exploited, where the list has none.
_NO_DATE = "yes"


class NotCompiled(SsmpatchError):
    """Nothing was compiled; the files that are there are unchanged."""


@dataclass(frozen=True, slots=True)
class _Export:
    """An export that is at hand: where it is from, where it is, a hash of it."""

    location: str
    path: Path
    sha256: str


def compile_exports(
    settings: AdvisorySettings, *, state_dir: Path, reach: Reach, file_roots: Sequence[str], force: bool = False
) -> dict[str, Any]:
    """Compile what the settings name, unless it is what was compiled last.

    Args:
        settings: sources, releases and limits.
        state_dir: where it is kept what was compiled last; transfers need their room there.
        reach: the outside world.
        file_roots: those of the environment ``base``.
        force: replace files even by what has fewer or older records, or many malformed ones.

    Returns:
        What ``ssmpatch.advisories`` documents.

    Raises:
        InvalidInput: no source or no release is named, or there is no place for the files.
        FetchError: a source cannot be fetched.
        NotCompiled: a source is damaged, or it took too long.
        Unwritable: a file or the state cannot be written.
    """
    _require(settings)
    directory = file_roots_of_base.directory_in(
        file_roots,
        settings.directory,
        default="advisories",
        what="advisories",
        remedy="set ssmpatch:advisories:directory in the master configuration to a directory below file_roots:base",
    )
    began = time.monotonic()

    def left() -> float:
        seconds = settings.timeout - (time.monotonic() - began)
        if seconds <= 0:
            raise NotCompiled(
                f"advisories: not done within {settings.timeout} s (ssmpatch:advisories:timeout); the files that are "
                "there are unchanged"
            )
        return seconds

    files.ensure_directory(state_dir)
    with contextlib.ExitStack() as stack:

        def fetched(location: str) -> _Export:
            most = settings.max_size << 20
            path = stack.enter_context(
                at_hand(location, reach=reach, scratch=state_dir, max_bytes=most, timeout=left())
            )
            with _named(location):
                return _Export(shown(location), path, fingerprint(path, meanwhile=left))

        sources = [fetched(location) for location in settings.sources]
        exploited = fetched(settings.exploited) if settings.exploited else None
        digest = _digest(settings, directory, [*sources, *([exploited] if exploited else [])])
        now = reach.host.now()
        known = None if force else files.recall(state_dir / _STATE, lambda data: _if_unchanged(data, digest, directory))
        if known is not None:
            return _aged({**known, "changed": False}, now)
        compiler = Compiler(
            settings.releases, exploited=_exploited(exploited) if exploited else {}, until=aws_time(now + _DAY)
        )
        for source in sources:
            _take(source, compiler, left)
    _require_sound(compiler, force=force)
    result = _written(compiler, directory, file_roots, force=force)
    if not result["problems"]:
        kept = {"form": _FORM, "digest": digest, "result": result}
        files.write_json(state_dir / _STATE, kept)
    return _aged({**result, "changed": True}, now)


def _require(settings: AdvisorySettings) -> None:
    problems = []
    if not settings.sources:
        problems.append("sources: there is none; set ssmpatch:advisories:sources to the locations of OSV exports")
    if not settings.releases:
        problems.append("releases: there is none; set ssmpatch:advisories:releases to names such as DEBIAN-12")
    if problems:
        refuse("advisories", problems)


@contextlib.contextmanager
def _named(location: str) -> Any:
    """Turn damage in an export into an error that names it."""
    try:
        yield
    except Damaged as exc:
        problem = f"{one_line(str(exc), 300)}; fetch it again; the files that are there are unchanged"
        raise NotCompiled(f"advisories: {shown(location)}: {problem}") from exc


def _digest(settings: AdvisorySettings, directory: Path, exports: Sequence[_Export]) -> str:
    """A hash of all that the files depend on."""
    parts = [str(_FORM), str(compact.VERSION), str(directory), bool(settings.exploited), *settings.releases]
    parts += [each.sha256 for each in exports]
    return hashlib.sha256("\0".join(map(str, parts)).encode(errors="surrogateescape")).hexdigest()


def _if_unchanged(data: Any, digest: str, directory: Path) -> dict[str, Any] | None:
    """What was returned when the same was compiled, as long as its files are still there as they were written."""
    if data["form"] != _FORM or data["digest"] != digest:
        return None
    result: dict[str, Any] = data["result"]
    try:
        same = all(fingerprint(_path(directory, name)) == each["sha256"] for name, each in result["releases"].items())
    except Damaged:
        return None
    return result if same else None


def _path(directory: Path, release: str) -> Path:
    return directory / f"{release}{compact.SUFFIX}"


def _exploited(export: _Export) -> dict[str, str]:
    """The CVEs of a list of known exploited vulnerabilities in the form of CISA's, with the date of each, or "yes".

    Raises:
        NotCompiled: it is none.
    """
    with _named(export.location):
        data = read_document(export.path, most=_MOST_EXPLOITED)
    try:
        rows = files.parse_json(data)["vulnerabilities"]
        rows = [row for row in rows if isinstance(row, dict) and is_cve(row.get("cveID"))]
    except (ValueError, LookupError, TypeError):
        rows = []
    found = {row["cveID"]: time_of(f"{row.get('dateAdded')}T00:00:00Z")[:10] or _NO_DATE for row in rows}
    if not found:
        raise NotCompiled(
            f"advisories: {export.location}: no list of known exploited vulnerabilities (JSON with the key "
            "vulnerabilities, each with cveID); the files that are there are unchanged"
        )
    return found


def _take(source: _Export, compiler: Compiler, left: Callable[[], float]) -> None:
    with _named(source.location):
        for piece in read_records(source.path):
            left()
            problem = piece.problem
            if not problem:
                try:
                    data = files.parse_json(piece.data)
                except ValueError:
                    problem = "not JSON"
                else:
                    compiler.add(data)
                    continue
            compiler.drop(MALFORMED, f"{source.location}, {piece.name}: {problem}")


def _require_sound(compiler: Compiler, *, force: bool) -> None:
    malformed, good = compiler.dropped[MALFORMED], sum(compiler.read.values())
    allowed = max(_MALFORMED_ANYWAY, (malformed + good) * _MALFORMED_PERCENT // 100)
    if not good or (malformed > allowed and not force):
        first = "; ".join(compiler.examples.get(MALFORMED, ["there is no record at all"]))
        raise NotCompiled(
            f"advisories: {amount(malformed, 'record', 'are')} malformed, {good:,} are not ({first}); see that the "
            "sources are exports of OSV; the files that are there are unchanged"
        )


def _written(compiler: Compiler, directory: Path, file_roots: Sequence[str], *, force: bool) -> dict[str, Any]:
    """Write the file of each release for which that is right, and say what came in and what did not."""
    releases: dict[str, Any] = {}
    problems = []
    for name in compiler.releases:
        path = _path(directory, name)
        header = compiler.header(name)
        problem = _against(header, None if force else _before(path, name))
        if problem:
            problems.append(f"{name}: {problem}")
            continue
        data = compact.write(header, compiler.lines(name))
        files.ensure_parents(path)
        files.write_bytes(path, data, mode=0o644)
        releases[name] = {
            "location": file_roots_of_base.location_of(path, file_roots),
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "sources": header["sources"],
            "records": header["records"],
            "data_time": header["data_time"],
        }
    return {
        "releases": releases,
        "read": dict(sorted(compiler.read.items())),
        "dropped": dict(sorted(compiler.dropped.items())),
        "examples": {reason: list(each) for reason, each in sorted(compiler.examples.items())},
        "exploited": compiler.exploited,
        "problems": problems,
    }


def _before(path: Path, release: str) -> compact.Feed | None:
    """What the file of a release says of itself that would be replaced; None when there is no whole one."""
    try:
        with open(path, "rb") as handle:
            return compact.read(handle, release=release, sources=())
    except (OSError, compact.Damaged):
        return None


def _against(header: Mapping[str, Any], before: compact.Feed | None) -> str:
    """Why a new file is no replacement for the one that is there; empty when it is."""
    kept = "; the file that is there is unchanged" if before else ""
    if not header["records"]:
        return f"no record of the sources is about it; add its vendor's export to the sources{kept}"
    if before is None:
        return ""
    if header["data_time"] < before.data_time:
        what = (
            f"its newest record is of {header['data_time'] or 'no known time'}, that of the file of {before.data_time}"
        )
        return f"{what}; force=True takes it all the same{kept}"
    number, then = sum(header["records"].values()), sum(before.records.values())
    if number < then * _LEAST_PART:
        return f"{amount(number, 'record')} instead of {then:,}; force=True takes them all the same{kept}"
    return ""


def _aged(result: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The result with the age of each release's data, which grows while nothing changes, and what hosts make of it."""
    releases, warnings = {}, []
    for name, each in result["releases"].items():
        newest = epoch_of(each["data_time"])
        age = None if newest is None else max(0, now - newest)
        releases[name] = {**each, "age": "unknown" if age is None else duration(age)}
        if age is None:
            warnings.append(f"{name}: no record says when it was changed, and hosts believe no data of unknown age")
        elif age > ADVISORIES_AGE:
            warnings.append(
                f"{name}: the newest record is {duration(age)} old, more than hosts believe by default "
                f"({duration(ADVISORIES_AGE)}): for them every CVE is unknown; bring newer exports, or raise "
                "ssmpatch:advisories:max_age on the hosts"
            )
    return {**result, "releases": releases, "warnings": warnings}

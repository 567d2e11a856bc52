# SPDX-License-Identifier: Apache-2.0
"""Every file that is read back, with a hostile value in each place of it and hostile text in its stead."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from ssmpatchlib import api, config, fields, files, report_form
from ssmpatchlib.aws import identity, metadata, outbox
from ssmpatchlib.backends import Context
from ssmpatchlib.backends.apt import again, archive_words, marks, targets
from ssmpatchlib.backends.apt import refresh as apt_refresh
from ssmpatchlib.backends.rpmmd import freshness, published
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.fleet import journal as fleet_journal
from ssmpatchlib.fleet import remediation
from ssmpatchlib.host import Host
from ssmpatchlib.model import Boot
from ssmpatchlib.paths import Place
from ssmpatchlib.store import journal, ledger, lock, notices, pending, reports, states

NOW = 1_795_471_200.0
ROOT = Path("/")
REQUESTS = {"attempts": 0, "requested_at": 0, "boot_id": "", "hints": [], "problem": ""}
INDEX = asdict(targets.IndexTarget("/p", "d", "r", "s", "c", "l", trusted=True, security=True, priority=500))


def place_in(directory: Path) -> Place:
    return Place(directory, ROOT, NOW)


def read_report(directory: Path) -> Any:
    stored, said = reports.load_report(place_in(directory))
    return [said, stored and [report_form.to_plain(stored), report_form.event_data(stored)]]


def read_pending(directory: Path) -> Any:
    record, said = pending.load_pending(place_in(directory))
    found, more = states.read_states(directory, now=NOW)
    return [said, more, pending.still_pending(record, found, installed=["a.amd64:1"], boot=Boot("b", NOW - 60))]


def read_status(directory: Path) -> Any:
    settings = config.load(minion={"state_dir": str(directory), "root": str(ROOT)})
    caller = api.Caller(log=Mock())
    reports.append_history({"id": "next"}, place_in(directory))
    return [api.status(settings, caller=caller), api.history(settings, caller=caller)]


def read_lock(directory: Path) -> Any:
    with open(directory / "lock-system.lock", "rb") as handle:
        return lock._read(handle.fileno())  # noqa: SLF001


def read_targets(directory: Path) -> Any:
    found = targets._load(directory / "apt-targets.json", "k")  # noqa: SLF001
    return found and [[index.defect, index.usable, index.takes("a"), asdict(index)] for index in found.targets]


def read_identity(directory: Path) -> Any:
    try:
        return identity._from_registration([directory / "registration"])  # noqa: SLF001
    except metadata.Unavailable as exc:
        return str(exc)


def context(directory: Path) -> Context:
    return Context(Host(), ROOT, directory)


@dataclass(frozen=True)
class Reader:
    """A file, a document as it stands in it, and what reads it; what that returns can be sent."""

    file: str
    document: Any
    read: Callable[[Path], Any]


READERS = {
    "journal": Reader(
        "journal-system.json",
        {
            "version": 1, "run_id": "r", "operation": "Install", "root": "/", "started": NOW, "boot_id": "b",
            "phase": "installing", "settings": {"x": "y"}, "before": {"a.amd64": "1"}, "failures": {}, "batch": 1,
            "batches": 2, "transaction": {"targets": []}, "reboot": REQUESTS,
        },
        lambda directory: [str(journal.load_open(place_in(directory))), read_status(directory)],
    ),
    "report": Reader(
        "report-system.json",
        {
            "version": 1,
            "saved_at": NOW,
            "report": {
                "compliance": "COMPLIANT", "summary": {"BaselineId": "pb", "MissingCount": "1"},
                "patches": [{
                    "Id": "a.amd64", "Title": "a.amd64:1", "PatchState": "Missing", "PatchSeverity": "",
                    "Classification": "", "Status": "COMPLIANT", "Severity": "", "InstalledTime": "",
                }],
                "baseline": {"id": "x"}, "reboot": {"action": "none"}, "warnings": ["w"], "run": {"id": "r"},
                "held_back": ["a.amd64"],
            },
        },
        read_report,
    ),
    "history": Reader("history-system.jsonl", {"id": "r", "operation": "Scan", "counts": {"a": 1}}, read_status),
    "lock": Reader(
        "lock-system.lock",
        {"pid": 1, "operation": "Scan", "run_id": "r", "phase": "x", "since": NOW, "boot_id": "b"},
        read_lock,
    ),
    "pending": Reader(
        "pending-system.json",
        {"version": 1, "titles": ["a.amd64:1"], "since": NOW, "boot_id": "b", "requests": REQUESTS},
        lambda directory: [read_pending(directory), read_status(directory)],
    ),
    "notices": Reader(
        "notices-system.json",
        {"version": 1, "announced": {"reboot": NOW, "install ssmpatch-install": NOW}},
        lambda directory: notices.load_notices(place_in(directory)),
    ),
    "first seen": Reader(
        "first-seen-system.json",
        {"version": 1, "seen": {"a.amd64:1": NOW - 60}},
        lambda directory: ledger.first_seen(["a.amd64:1"], place_in(directory)),
    ),
    "states": Reader(
        states.STATES_FILE,
        {
            "patchStates": {"a.amd64:1": {"id": "a.amd64", "installedTime": 1, "state": "InstalledPendingReboot"}},
            "lastNoRebootInstallOperationTime": NOW,
        },
        lambda directory: [str(states.read_states(directory, now=NOW)), read_pending(directory)],
    ),
    "upload queue": Reader(
        "upload-queue/inventory-system.json",
        {
            "version": 1, "association_id": "", "baseline_name": "b",
            "summary": {"BaselineId": "pb", "OperationStartTime": "t", "OperationEndTime": "t"},
            "compliance": [{"Id": "a.amd64"}],
        },
        lambda directory: [asdict(each) for each in outbox.waiting(place_in(directory))[0]],
    ),
    "registration": Reader(
        "registration", {"ManagedInstanceID": "mi-0123456789abcdef0", "Region": "eu-central-1"}, read_identity
    ),
    "marks": Reader(
        marks.FILE,
        {"version": 1, "marked": ["a:amd64"], "manual": ["b:amd64"]},
        lambda directory: [sorted(each) for each in marks.remembered(directory / marks.FILE, now=NOW)],
    ),
    "apt's refreshes": Reader(
        "apt-refresh.json",
        {"http://x": NOW, "": NOW},
        lambda directory: apt_refresh._read_record(directory / "apt-refresh.json"),  # noqa: SLF001
    ),
    "apt's indexes": Reader(
        "apt-targets.json",
        {"key": "k", "status_priority": 100, "targets": [{**INDEX, "include": ["a"]}]},
        read_targets,
    ),
    "offered again": Reader(
        "apt-again.json",
        {"again": [["a", "amd64", ["x", "y"]]]},
        lambda directory: str(again.read_again(directory / "apt-again.json")),
    ),
    "archive words": Reader(
        "apt-words.json",
        {"indexes": [1], "known": [["a", "amd64", "1", 7, [["required", "net"]]]]},
        lambda directory: str(archive_words._load(directory / "apt-words.json", [1])),  # noqa: SLF001
    ),
    "rpm refreshes": Reader(
        "dnf-refresh.json",
        {"x": [NOW, NOW]},
        lambda directory: freshness.age(context(directory), "dnf", "x", directory),
    ),
    "advisories that were published": Reader(
        "dnf-advisories.json",
        {"x": NOW},
        lambda directory: published._read(directory / "dnf-advisories.json"),  # noqa: SLF001
    ),
    "remediation": Reader(
        remediation.FILE,
        {
            "version": remediation.VERSION,
            "minions": {"m": {"attempts": [NOW], "job": "1", "failures": 0, "queued": NOW, "until": 0, "reason": ""}},
        },
        lambda directory: str(remediation._load(directory / remediation.FILE, NOW)),  # noqa: SLF001
    ),
    "request to stop a rollout": Reader(
        f"{fleet_journal.DIRECTORY}/x.abort", "enough", lambda directory: fleet_journal.abort_requested(directory, "x")
    ),
}  # fmt: skip

#: What JSON can hold in the place of a value.
VALUES = (
    "null", "true", "0", "-1", "1.5", "1e999", "-1e999", "NaN", "9" * 30, "9" * 400, "9" * 5000, '""', '"x"',
    '"\\ud800"', '"\\u0000"', '"9"', "[]", "[[]]", '["x"]', "{}", '{"x": 1}', "[" * 60 + "]" * 60,
    "[" * 900 + "]" * 900,
)  # fmt: skip
NESTED = b"[" * 200_000
#: What a file can hold.
CONTENTS = (
    b"", b"\n", b"x", b"\0" * 9, b"\xff\xfe", b"\xef\xbb\xbf{}", b'"\xed\xa0\x80"', "{}".encode("utf-16"), b'{"id": "',
    NESTED, b'{"version": 1, "id": ' * 100_000, b'{"a":' + NESTED, b"9" * 5000, b"9" * 400, b"{}{}",
    *(value.encode() for value in VALUES),
)  # fmt: skip


def places(document: Any) -> Iterator[tuple[Any, ...]]:
    """The way to each value and each key of a document; that to a key ends with True."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield key, False
        if isinstance(document, dict):
            yield key, True
        if isinstance(value, (dict, list)):
            yield from ((key, *way) for way in places(value))


def spoilt(document: Any, way: tuple[Any, ...], value: str) -> str:
    """The text of a document with a value, as it is written in JSON, in one place."""
    found = place = copy.deepcopy(document)
    *before, last, is_key = way
    for key in before:
        place = place[key]
    if is_key:
        place["@"] = place.pop(last)
    else:
        place[last] = "@"
    return json.dumps(found).replace('"@"', value)


def hostile(document: Any) -> Iterator[bytes]:
    """Every hostile content of a file."""
    yield from CONTENTS
    for way in places(document) if isinstance(document, (dict, list)) else ():
        values = [value for value in VALUES if value[0] == '"'] if way[-1] else VALUES
        yield from (spoilt(document, way, value).encode() for value in values)


@pytest.mark.parametrize("name", READERS)
def test_hostile_content_is_no_content(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    path = tmp_path / reader.file
    path.parent.mkdir(exist_ok=True)
    for content in hostile(reader.document):
        path.write_bytes(content)
        try:
            found = reader.read(tmp_path)
        except SsmpatchError as exc:
            found = str(exc)
            assert len(found) < 1000
        except Exception as exc:
            raise AssertionError(f"{content[:200]!r} ({len(content)} bytes)") from exc
        assert fields.can_be_sent(found), f"{content[:200]!r}: {found!r:.400}"
        for each in path.parent.glob("*.damaged-*"):
            each.unlink()


@pytest.mark.parametrize("name", READERS)
def test_the_document_that_is_spoilt_is_one_that_is_read(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    path = tmp_path / reader.file
    files.write_json(path, reader.document)
    with_it = reader.read(tmp_path)
    path.unlink()
    try:
        assert with_it != reader.read(tmp_path)
    except (SsmpatchError, OSError):
        return

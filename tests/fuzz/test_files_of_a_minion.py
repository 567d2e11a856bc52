# SPDX-License-Identifier: Apache-2.0
"""The engine's own files, documents and settings with any content: a value, or an error in short words, in time."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ssmpatchlib import config, documents, fetch, osinfo, report_form
from ssmpatchlib.backends import Context
from ssmpatchlib.backends.apt import again, archive_words, marks, targets
from ssmpatchlib.backends.apt import refresh as apt_refresh
from ssmpatchlib.backends.dnf import modules as dnf_modules
from ssmpatchlib.backends.dnf import versionlock
from ssmpatchlib.backends.rpmmd import cache, freshness, published, repofiles, specs
from ssmpatchlib.backends.zypper import config as zypper_config
from ssmpatchlib.backends.zypper import locks as zypper_locks
from ssmpatchlib.baseline import frozen, override, parse
from ssmpatchlib.errors import InvalidInput, SsmpatchError
from ssmpatchlib.host import Host
from ssmpatchlib.masking import masked
from ssmpatchlib.operation import journal_form
from ssmpatchlib.paths import Place
from ssmpatchlib.store import journal, ledger, lock, pending, reports, states
from support.fuzzing import mutated, named, within_budget
from support.generated import Cases

NOW = 1_795_471_200.0
RULE = {"PatchFilterGroup": {"PatchFilters": [{"Key": "PRIORITY", "Values": ["*"]}]}, "ApproveAfterDays": 7}
BASELINE = {
    "Name": "web",
    "OperatingSystem": "DEBIAN",
    "ApprovalRules": {"PatchRules": [RULE]},
    "ApprovedPatches": ["a*"],
    "RejectedPatches": ["b"],
    "Sources": [{"Name": "own", "Products": ["*"], "Configuration": "deb http://u:p@h/x?t=1 stable main"}],
}
FROZEN = frozen.build_frozen(
    operating_system="DEBIAN", product="Debian12", created=NOW, baseline="pb-1", packages={"a.amd64": "1:2-3"}
)
SNAPSHOT = {
    "snapshotId": "x",
    "patchBaseline": {"baselineId": "pb-0123456789abcdef0", "name": "web", "patchGroup": "g"},
}
ROW = {"Id": "a.amd64", "Title": "a.amd64:1", "PatchState": "Missing", "PatchSeverity": "", "Classification": ""}
JOURNAL = {
    "version": 1, "run_id": "r", "operation": "Install", "root": "/", "started": NOW, "boot_id": "b",
    "phase": "installing", "settings": {}, "before": {"a.amd64": "1"}, "failures": {}, "batch": 1, "batches": 2,
    "transaction": {
        "targets": [{"name": "a", "arch": "amd64", "version": "1", "reason": "", "replaces": ""}], "blocked": {},
    },
    "reboot": {"attempts": 0, "requested_at": 0, "boot_id": "", "hints": [], "problem": ""},
}  # fmt: skip
INDEX = asdict(targets.IndexTarget("/p", "d", "r", "s", "c", "l", trusted=True, security=True, priority=500))
SETTINGS = {
    "baseline": BASELINE, "patch_group": "g", "lock_timeout": "10m", "refresh_max_age": 60,
    "reboot": {"option": "RebootIfNeeded", "windows": [{"days": ["tue"], "start": "02:00", "duration": "4h"}]},
    "hooks": {"pre_install": [{"cmd.run": ["true"]}]}, "aws": {"region": "eu-central-1", "instance_id": "mi-0"},
}  # fmt: skip


def text_of(*values: Any) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


def read_documents(text: str) -> None:
    """Every reader of documents; whatever it says is short."""
    for read in (
        lambda: documents.load(text, subject="document"),
        lambda: override.parse_baseline_override(text, operating_system="DEBIAN", location="x"),
        lambda: override.parse_install_override_list(text, location="x"),
        lambda: frozen.parse_frozen(text, origin="x", operating_system="DEBIAN"),
        lambda: parse.parse_baseline(documents.load(text, subject="baseline"), origin="x", operating_system="DEBIAN"),
        lambda: config.load(minion=documents.load(text, subject="pillar")),
    ):
        try:
            read()
        except InvalidInput as exc:
            assert len(str(exc)) < 25_100 and len(exc.problems) <= 400


def read_state(directory: Path) -> None:
    """Every reader of the state directory."""
    place = Place(directory, Path("/"), NOW)
    journal.load_open(place)
    reports.read_history(place, limit=20)
    stored, _ = reports.load_report(place)
    if stored:
        report_form.to_plain(stored)
        report_form.brief(report_form.to_plain(stored))
    record, _ = pending.load_pending(place)
    found, _ = states.read_states(directory, now=NOW)
    pending.still_pending(record, found, installed=["a.amd64:1"], boot=Host().this_boot())
    ledger.first_seen(["a.amd64:1"], place)
    with suppress(SsmpatchError):
        lock.current(directory, Path("/"))
    marks.remembered(directory / marks.FILE, now=NOW)
    freshness.age(Context(Host(), Path("/"), directory), "dnf", "x", directory)
    cache._read(directory / "x.metadata", bytes(32))  # noqa: SLF001
    read_memories(directory)


def read_memories(directory: Path) -> None:
    """Every reader of what package managers' modules keep between two scans."""
    published._read(directory / "dnf-advisories.json")  # noqa: SLF001
    apt_refresh._read_record(directory / "apt-refresh.json")  # noqa: SLF001
    again.read_again(directory / "again.json")
    archive_words._load(directory / "words.json", [1])  # noqa: SLF001
    indexes = targets._load(directory / "targets.json", "k")  # noqa: SLF001
    for index in indexes.targets if indexes else ():
        assert index.takes("a") in (True, False) and isinstance(index.defect, str)


PLACE = Place(Path("/x"), Path("/"), NOW)
STATE_FILES = (
    *(PLACE.file(kind).name for kind in ("journal", "report", "pending", "first-seen", "last")),
    PLACE.file("history", ".jsonl").name, PLACE.file("lock", ".lock").name, states.STATES_FILE, marks.FILE,
    "dnf-refresh.json", "dnf-advisories.json", "apt-refresh.json", "again.json", "words.json", "targets.json",
    "x.metadata",
)  # fmt: skip
REPORT = {
    "version": 1,
    "saved_at": NOW,
    "report": {
        "compliance": "COMPLIANT", "summary": {"BaselineId": "pb", "MissingCount": "1"}, "patches": [ROW],
        "baseline": {}, "reboot": {}, "warnings": ["w"], "run": {},
    },
}  # fmt: skip
STATES = text_of(
    JOURNAL,
    REPORT,
    {"id": "r", "operation": "Scan"},
    {"version": 1, "titles": ["a.amd64:1"], "since": NOW, "boot_id": "b", "requests": JOURNAL["reboot"]},
    {"version": 1, "seen": {"a.amd64:1": NOW}},
    {"patchStates": {"a.amd64:1": {"id": "a.amd64", "installedTime": 1, "state": "Installed"}}},
    {"version": 1, "marked": ["a:amd64"]},
    {"pid": 1, "operation": "Scan", "run_id": "r", "phase": "x", "since": NOW, "boot_id": "b"},
    {"x": [NOW, NOW]},
    {"x": NOW, "": NOW},
    {"again": [["a", "amd64", ["x", "y"]]]},
    {"indexes": [1], "known": [["a", "amd64", "1", 7, [["required", "net"]]]]},
    {"key": "k", "status_priority": 100, "targets": [INDEX]},
)
DOCUMENTS = [
    *text_of([BASELINE], FROZEN, SNAPSHOT, {"patches": [{"id": "a*", "title": "1.10"}]}, SETTINGS, BASELINE),
    b"patches:\n  - id: a.amd64\n    title: 1.10\n  - id: &x b*\n    title: *x\n",
    b"- OperatingSystem: DEBIAN\n  ApprovedPatches: [a, b]\n  ApprovalRules:\n    PatchRules: []\n",
]
JSON_WORDS = (b'"', b"[", b"{", b": ", b"null", b"-1", b"1e400", b"true", b'"root": "/"', b'"\\ud800"', b"\\u0000")


@pytest.mark.cases(250)
def test_documents_and_settings(cases: Cases) -> None:
    for number, random in cases:
        text = mutated(random, DOCUMENTS, JSON_WORDS).decode(errors="replace")
        with named(cases, number, text):
            within_budget(lambda text=text: read_documents(text), len(text), memory=number % 50 == 0)


@pytest.mark.cases(250)
def test_files_of_the_state_directory(cases: Cases, tmp_path: Path) -> None:
    for number, random in cases:
        data = mutated(random, STATES, JSON_WORDS)
        for name in STATE_FILES:
            (tmp_path / name).write_bytes(data if random.random() < 0.7 else mutated(random, STATES, JSON_WORDS))
        with named(cases, number, data):
            within_budget(lambda: read_state(tmp_path), len(data) * len(STATE_FILES), extra=0.2)
        if number % 200 == 0:
            for path in tmp_path.glob("*damaged*"):
                path.unlink()


@pytest.mark.cases(300)
def test_journals_that_are_read_back(cases: Cases) -> None:
    begun = {
        "baseline": {"name": "web"}, "origin": "x", "overridden": False, "override_list": None,
        "reboot_option": "NoReboot", "snapshot_id": "", "patch_group": "",
    }  # fmt: skip
    samples = text_of([begun, JOURNAL["transaction"]])
    for number, random in cases:
        text = mutated(random, samples, JSON_WORDS).decode(errors="replace")
        try:
            settings, transaction = json.loads(text)
        except (ValueError, TypeError, RecursionError):
            continue
        with named(cases, number, text), suppress(ValueError):
            journal_form.read_begun(settings, transaction, operating_system="DEBIAN")


WORDS = ("option", "windows", "start", "x", "Name", "region", "days", "pre_install")
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**5000, 1.5, float("nan"), float("inf"), "", "x", "4h", "02:00", "a" * 5000, "\0", "ä\n", b"x",
    "/", "/x", "s3://u:p@b/k?x=1", "${x}", "{{ x }}", "tue", "2nd tue", "-x", (1, 2), frozenset({1, 2}), Path("/x"),
)  # fmt: skip


def anything(random: Random, depth: int = 0) -> Any:
    """A value as pillar may hold it."""
    if depth < 4 and random.random() < 0.4:
        items = [anything(random, depth + 1) for _ in range(random.randint(0, 4))]
        return items if random.random() < 0.5 else {str(anything(random, 9))[:30]: item for item in items}
    return random.choice(WORDS if depth == 9 else VALUES)


@pytest.mark.cases(400)
def test_settings_of_any_shape(cases: Cases) -> None:
    for number, random in cases:
        given = json.loads(json.dumps(SETTINGS))
        for _ in range(random.randint(1, 4)):
            place: Any = given
            while isinstance(place, dict) and place:
                key = random.choice(sorted(place))
                if not isinstance(place[key], (dict, list)) or random.random() < 0.4:
                    place[key] = anything(random)
                    break
                place = place[key] if isinstance(place[key], dict) else {"": None}
        with named(cases, number, repr(list(given))):
            try:
                config.load(minion=given, pillar=anything(random) if random.random() < 0.3 else None)
            except InvalidInput as exc:
                assert len(str(exc)) < 25_100


CONFIGURATION: dict[str, tuple[str, bytes, Callable[[Path], Any]]] = {
    "os-release": (
        "etc/os-release",
        b'ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\n',
        lambda root: osinfo.detect(root=root),
    ),
    "dnf repositories": (
        "etc/yum.repos.d/x.repo",
        b"[x]\nname=x\nbaseurl=http://u:p@h/$releasever/${basearch:-a}?t=1\nenabled=1\npriority=9\nexcludepkgs=a* b\n",
        lambda root: repofiles.read_config(root, generation=5, machine="x86_64"),
    ),
    "dnf version locks": (
        "etc/dnf/plugins/versionlock.list",
        b"alpha-1:2.0-1.*\n!beta-0:1-1.noarch\n# words\n*\n",
        lambda root: versionlock.read_locks(root, generation=4, universe=specs.Universe([])),
    ),
    "dnf modules": (
        "etc/dnf/modules.d/x.module",
        b"[mod]\nname=mod\nstream=1.10\nstate=enabled\nprofiles=\n",
        lambda root: dnf_modules.read_state(root, generation=4, machine="x86_64"),
    ),
    "zypper repositories": (
        "etc/zypp/repos.d/x.repo",
        b"[x]\nname=x\nbaseurl=http://h/?proxy=http://u:p@h\nenabled=1\npriority=98\ntype=rpm-md\n",
        zypper_config.read_config,
    ),
    "zypper locks": (
        "etc/zypp/locks",
        b"type: package\nmatch_type: regex\nsolvable_name: (a+)+b\nversion: > 1:2-3\n\nsolvable_name: beta\n\n",
        lambda root: zypper_locks.read_locks(root / "etc/zypp/locks"),
    ),
}
INI_WORDS = (b"[main]\n", b"[", b"]\n", b"=", b"enabled=0\n", b"[../../x]\nname=x\n", b"$", b"${", b"priority=", b"\n ")


@pytest.mark.cases(150)
@pytest.mark.parametrize("kind", CONFIGURATION)
def test_configuration_of_the_system(kind: str, cases: Cases, tmp_path: Path) -> None:
    file, content, read = CONFIGURATION[kind]
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    for number, random in cases:
        # The administrator's own files may be slow to read when they are endless, but they are none of a stranger's.
        data = mutated(random, [content], INI_WORDS)[:3000]
        path.write_bytes(data)
        with named(cases, number, data), suppress(SsmpatchError):
            within_budget(lambda: read(tmp_path), len(data), extra=0.2)


@pytest.mark.cases(500)
def test_locations_are_refused_in_short_and_without_secrets(cases: Cases) -> None:
    samples = [b"https://user:secret@host/x?token=secret", b"file:///x", b"/etc/shadow", b"salt://x", b"s3://b/k"]
    reader = fetch.Fetcher()
    for number, random in cases:
        text = mutated(random, samples).decode(errors="replace")[:2000]
        if text.startswith("https://"):
            continue
        with named(cases, number, text):
            try:
                reader.text(text, max_bytes=10, timeout=1)
            except SsmpatchError as exc:
                assert len(str(exc)) < 5000 and masked(str(exc)) == str(exc)

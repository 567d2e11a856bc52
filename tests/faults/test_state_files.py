# SPDX-License-Identifier: Apache-2.0
"""Files in the state directory that are spoiled, foreign or something else: said, set aside, never in the way."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.errors import NoReport, SsmpatchError
from support.faults.children import built, expect_killed, start
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import Manager, Update
from support.store import SPOILERS

pytestmark = pytest.mark.root

CALLER = quiet_surface()


def instead(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Put something else where the file is."""

    def spoil(path: Path) -> None:
        path.unlink(missing_ok=True)
        make(path)

    return spoil


DAMAGES: dict[str, Callable[[Path], object]] = {
    **{name: SPOILERS[name] for name in ("empty", "truncated", "binary", "other json")},
    "directory": instead(lambda path: (path.mkdir(), (path / "inside").write_text("kept"))),
    "fifo": instead(os.mkfifo),
    "link to itself": instead(lambda path: path.symlink_to(path.name)),
    "device": instead(lambda path: path.symlink_to("/dev/zero")),
}
#: The files that are read back, and where.
FILES = {
    "journal": "state/journal-*.json",
    "pending reboot": "state/pending-*.json",
    "report": "state/report-*.json",
    "history": "state/history-*.jsonl",
    "first seen": "state/first-seen-*.json",
    "patch states": "aws/patch-states-configuration.json",
}
#: Files that are only written.
OTHERS = {
    "inventory": "aws/patch-inventory-from-last-operation.json",
    "outline": "state/last-*.json",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A host with copies of its files of its own."""

    base: Path
    settings: config.Settings

    def find(self, pattern: str) -> Path:
        """The file that a pattern means."""
        (path,) = self.base.glob(pattern)
        return path

    def call(self, name: str, **arguments: Any) -> Any:
        """Run an operation."""
        return getattr(api, name)(self.settings, caller=CALLER, host=FaultHost(), **arguments)


@pytest.fixture(scope="module")
def template(any_manager: Manager, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The files of a host and its settings: killed after an install with NoReboot, before its journal was closed."""
    base = tmp_path_factory.mktemp("state-files")
    _, settings = built(any_manager, base, Update("alpha"))
    settings |= {
        "approval_delay": "first_seen",
        "reboot": {"option": "NoReboot"},
        "state_dir": str(base / "state"),
        "aws_dir": str(base / "aws"),
    }
    expect_killed(start("install", settings, kill={"phase": "closed", "before": True}))
    return base, settings


@pytest.fixture
def place(template: tuple[Path, dict[str, Any]], tmp_path: Path) -> Place:
    """Such a host."""
    base, settings = template
    for name in ("state", "aws"):
        shutil.copytree(base / name, tmp_path / name)
    changed = {**settings, "state_dir": str(tmp_path / "state"), "aws_dir": str(tmp_path / "aws")}
    return Place(tmp_path, config.load(minion=changed))


def said_by(place: Place) -> list[str]:
    """Run everything that reads files, and return all warnings."""
    said = list(place.call("status")["warnings"])
    place.call("history")
    try:
        said += place.call("report")["warnings"]
    except NoReport as exc:
        said.append(str(exc))
    resumed = place.call("resume")
    said += [*resumed["warnings"], *(resumed["report"] or {"warnings": []})["warnings"]]
    for name in ("scan", "install"):
        said += place.call(name)["warnings"]
    return said


def assert_sound(place: Place) -> None:
    """Everything works and has nothing to say."""
    scan = place.call("scan")
    assert set(scan["warnings"]) == set(place.settings.warnings)
    assert place.call("report")["run"] == scan["run"]
    assert place.call("history", limit=1)[0]["id"] == scan["run"]["id"]
    status = place.call("status")
    assert (status["running"], status["journal"], status["warnings"]) == (None, None, [])


def assert_set_aside(path: Path, said: list[str]) -> None:
    """Somebody said so, and what was there still is."""
    assert any(path.name in text and "damaged" in text for text in said), said
    assert list(path.parent.glob(f"{path.name}.damaged-*")), "the damaged file is lost"


# All of them are read in the same way; what is particular is what is made of what was read.
EVERY_WAY = ("journal", "history")
FEW_WAYS = ("truncated", "other json", "directory")
DAMAGED = [(kind, damage) for kind in FILES for damage in (DAMAGES if kind in EVERY_WAY else FEW_WAYS)]
# An empty history is a history.
DAMAGED.remove(("history", "empty"))


@pytest.mark.parametrize(("kind", "damage"), DAMAGED)
def test_a_damaged_file_is_set_aside_and_named(place: Place, kind: str, damage: str) -> None:
    path = place.find(FILES[kind])
    DAMAGES[damage](path)
    assert_set_aside(path, said_by(place))
    assert_sound(place)


@pytest.mark.parametrize("damage", ["truncated", "directory", "fifo", "link to itself"])
@pytest.mark.parametrize("kind", OTHERS)
def test_a_damaged_file_that_nobody_reads_is_replaced(place: Place, kind: str, damage: str) -> None:
    path = place.find(OTHERS[kind])
    DAMAGES[damage](path)
    said_by(place)
    assert_sound(place)
    assert path.is_file() and not path.is_symlink()
    assert damage != "directory" or (next(path.parent.glob(f"{path.name}.damaged-*")) / "inside").exists()


@pytest.mark.parametrize("damage", ["empty", "binary", "fifo"])
def test_a_lock_file_holds_by_its_lock_not_by_its_content(place: Place, damage: str) -> None:
    DAMAGES[damage](place.find("state/lock-*.lock"))
    said_by(place)
    assert_sound(place)


@pytest.mark.parametrize("damage", ["directory", "link to itself", "device"])
def test_what_cannot_be_locked_is_named(place: Place, damage: str) -> None:
    path = place.find("state/lock-*.lock")
    DAMAGES[damage](path)
    for name in ("install", "resume"):
        with pytest.raises(SsmpatchError, match=rf"{path.name}: could not be written: .*move away the"):
            place.call(name)
    scan = place.call("scan")
    assert any("running without a lock" in text and path.name in text for text in scan["warnings"])
    path.rename(path.with_name("moved"))
    place.call("resume")
    assert_sound(place)


def spoil_journal(key: str, value: Any) -> Callable[[dict[str, Any]], object]:
    """Put a value into the journal, as an older or newer version of the engine, or somebody else, might have."""

    def spoil(document: dict[str, Any]) -> None:
        *way, last = key.split(".")
        for part in way:
            document = document[part]
        document[last] = value

    return spoil


FOREIGN_JOURNALS = {
    "no settings": ("settings", {}),
    "no transaction": ("transaction", {}),
    "a baseline of text": ("settings.baseline", "default"),
    "a baseline that is refused": ("settings.baseline", {"approvalRules": 3}),
    "no such reboot option": ("settings.reboot_option", "Never"),
    "numbers for text": ("settings.snapshot_id", 7),
    "an override list of numbers": ("settings.override_list", {"location": "x", "entries": [1]}),
    "targets of numbers": ("transaction.targets", [1]),
    "targets without a version": ("transaction.targets", [{"name": "alpha", "arch": "amd64"}]),
    "targets with more": ("transaction.targets", [{"name": "a", "arch": "b", "version": "1", "more": "x"}]),
    "reasons that are no text": ("transaction.blocked", {"alpha.amd64": None}),
    "another phase": ("phase", "meditating"),
    "another root": ("root", "/elsewhere"),
}


@pytest.mark.parametrize(
    ("name", "call"),
    [*((name, "resume") for name in FOREIGN_JOURNALS), ("no settings", "scan"), ("no settings", "install")],
)
def test_a_journal_that_cannot_be_understood_blocks_nothing(place: Place, name: str, call: str) -> None:
    path = place.find(FILES["journal"])
    document = json.loads(path.read_text())
    spoil_journal(*FOREIGN_JOURNALS[name])(document)
    path.write_text(json.dumps(document))
    assert_set_aside(path, place.call(call)["warnings"])
    assert_sound(place)


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"compliance": "COMPLIANT"},
        {"compliance": "COMPLIANT", "summary": {}, "baseline": {}, "reboot": {}, "run": {}, "warnings": []},
        {"compliance": 1, "summary": {}, "baseline": {}, "reboot": {}, "run": {}, "warnings": [], "patches": []},
        {
            "compliance": "COMPLIANT",
            "summary": {},
            "baseline": {},
            "reboot": {},
            "run": {},
            "warnings": [],
            "patches": [{"Id": "alpha.amd64"}],
        },
    ],
)
def test_a_report_of_another_shape_is_no_report(place: Place, report: dict[str, Any]) -> None:
    path = place.find(FILES["report"])
    path.write_text(json.dumps({"version": 1, "saved_at": 1_700_000_000, "report": report}))
    with pytest.raises(NoReport, match="damaged") as caught:
        place.call("report")
    assert_set_aside(path, [str(caught.value)])
    place.call("resume")
    assert_sound(place)

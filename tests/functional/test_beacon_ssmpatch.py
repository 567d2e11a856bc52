# SPDX-License-Identifier: Apache-2.0
"""The beacon, loaded and called by Salt's own beacon machinery: transitions only, from what is stored."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import salt.beacons
import salt.config
import salt.loader

from ssmpatchlib.paths import Place, state_file
from ssmpatchlib.report import BaselinePart, PatchRow, RebootPart, Report, RunPart, Summary
from ssmpatchlib.store import reports

Look = Callable[[], list[str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root that the minion judges."""
    path = tmp_path / "a root"
    (path / "var/lib/ssmpatch").mkdir(parents=True)
    return path


def make(repo: Path, root: Path, options: list[Any], **opts: Any) -> Callable[[], list[dict[str, Any]]]:
    """What Salt's beacon loop would send, look by look."""
    config = salt.config.minion_config(None)
    work = root.parent / "minion"
    config.update(
        id="web-1",
        root_dir=str(work),
        cachedir=str(work / "cache"),
        beacons_dirs=[str(repo / "_beacons")],
        beacons={"ssmpatch": options},
        **{"ssmpatch": {"root": str(root)}, **opts},
    )
    runner = salt.beacons.Beacon(config, salt.loader.minion_mods(config))
    return lambda: list(runner.process(runner._get_beacons(), {}) or [])


@pytest.fixture
def look(repo: Path, root: Path) -> Look:
    """The tags that are sent at a look."""
    process = make(repo, root, [{"interval": 1}])
    process()  # Salt skips the first round of an interval
    return lambda: [event["tag"].rpartition("/")[2] for event in process()]


def path_of(root: Path) -> Path:
    return state_file(root / "var/lib/ssmpatch", "last", root)


def store(root: Path, compliance: str, missing: tuple[str, ...] = (), pending: tuple[str, ...] = ()) -> None:
    """Store a report the way operations do."""
    report = make_report(compliance, missing, pending)
    reports.save_report(report, Place(root / "var/lib/ssmpatch", root, 1_800_000_000))


def make_report(compliance: str, missing: tuple[str, ...], pending: tuple[str, ...] = ()) -> Report:
    states = {**dict.fromkeys(missing, "Missing"), **dict.fromkeys(pending, "InstalledPendingReboot")}
    summary = Summary("", "", "", "", {"MissingCount": len(missing)}, "Scan", "", "", "NoReboot")
    rows = (PatchRow(name, f"{name}:1", state, "NON_COMPLIANT", "", "", "", "") for name, state in states.items())
    return Report(compliance, summary, tuple(rows), BaselinePart(), RebootPart(), (), RunPart("run-1"))


def test_it_fires_on_transitions_only(root: Path, look: Look) -> None:
    assert look() == []
    store(root, "COMPLIANT")
    assert look() == look() == []
    store(root, "NON_COMPLIANT", ("a.amd64",))
    assert look() == ["noncompliant"] and look() == []
    store(root, "NON_COMPLIANT", ("a.amd64",))
    assert look() == []
    store(root, "NON_COMPLIANT", ("b.amd64",))
    assert look() == ["noncompliant"]
    store(root, "COMPLIANT")
    assert look() == ["compliant"] and look() == []


def test_waiting_for_a_reboot_is_an_event_of_its_own(root: Path, look: Look) -> None:
    store(root, "NON_COMPLIANT", ("a.amd64",))
    assert look() == ["noncompliant"]
    store(root, "NON_COMPLIANT", (), ("a.amd64",))
    assert look() == ["reboot_pending"] and look() == []
    store(root, "NON_COMPLIANT", ("c.amd64",), ("a.amd64", "b.amd64"))
    assert look() == ["noncompliant"]
    store(root, "COMPLIANT")
    assert look() == ["compliant"]


def test_the_first_look_tells_what_is_wrong_but_not_what_is_right(repo: Path, root: Path) -> None:
    store(root, "NON_COMPLIANT", ("a.amd64",), ("b.amd64",))
    process = make(repo, root, [{}])
    (bad, waiting) = process()
    assert bad["tag"] == "salt/beacon/web-1/ssmpatch/noncompliant"
    assert bad["data"] == {
        "id": "web-1",
        "compliance": "NON_COMPLIANT",
        "run_id": "run-1",
        "operation": "Scan",
        "time": 1_800_000_000,
        "counts": {"MissingCount": "1"},
        "noncompliant": ["a.amd64", "b.amd64"],
        "reboot_pending": ["b.amd64"],
    }
    assert waiting["tag"].endswith("/reboot_pending")
    store(root, "COMPLIANT")
    assert make(repo, root, [{}])() == []


def test_what_the_frozen_set_holds_back_is_named(repo: Path, root: Path) -> None:
    report = make_report("NON_COMPLIANT", ("a.amd64", "b.amd64"))
    report = dataclasses.replace(report, held_back=("a.amd64",), frozen_compliance="NON_COMPLIANT")
    reports.save_report(report, Place(root / "var/lib/ssmpatch", root, 1_800_000_000))
    (event,) = make(repo, root, [{}])()
    assert (event["data"]["noncompliant"], event["data"]["held_back"]) == (["a.amd64", "b.amd64"], ["a.amd64"])


def test_unknown_is_neither_and_the_way_back_is_told(root: Path, look: Look) -> None:
    store(root, "COMPLIANT")
    look()
    store(root, "UNKNOWN")
    assert look() == []
    store(root, "COMPLIANT")
    assert look() == ["compliant"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"compliance": 1, "noncompliant": [], "reboot_pending": []}', "\x00"]
)
def test_what_cannot_be_read_is_no_event_and_no_error(
    root: Path, look: Look, text: str, request: pytest.FixtureRequest
) -> None:
    # Salt keeps early log lines and prints them when pytest's streams are closed already.
    logging.disable(logging.CRITICAL)
    request.addfinalizer(lambda: logging.disable(logging.NOTSET))
    store(root, "NON_COMPLIANT", ("a.amd64",))
    assert look() == ["noncompliant"]
    whole = path_of(root).read_text()
    path_of(root).write_text(text)
    assert look() == []
    path_of(root).write_text(whole)
    assert look() == []


def test_state_that_is_gone_is_forgotten(root: Path, look: Look) -> None:
    store(root, "NON_COMPLIANT", ("a.amd64",))
    assert look() == ["noncompliant"]
    path_of(root).unlink()
    assert look() == []
    store(root, "NON_COMPLIANT", ("a.amd64",))
    assert look() == ["noncompliant"]


def test_where_the_state_is(repo: Path, root: Path, tmp_path: Path) -> None:
    """The beacon, then pillar, then minion configuration; the file is the one that the engine writes."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = Place(elsewhere, root, 1.0)
    reports.save_report(make_report("NON_COMPLIANT", ("a.amd64",)), place)
    assert len(make(repo, root, [{"root": str(root)}, {"state_dir": str(elsewhere)}], ssmpatch={})()) == 1
    pillar = {"ssmpatch": {"root": str(root), "state_dir": str(elsewhere)}}
    assert len(make(repo, root, [{}], ssmpatch={}, pillar=pillar)()) == 1
    assert len(make(repo, root, [{}], ssmpatch={"root": str(root), "state_dir": str(elsewhere)})()) == 1
    assert make(repo, root, [{}])() == []


def test_the_root_itself_is_called_system(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "last-system.json").write_text(
        json.dumps({"compliance": "NON_COMPLIANT", "noncompliant": ["a.amd64"], "reboot_pending": []})
    )
    assert len(make(repo, tmp_path / "x", [{"state_dir": str(tmp_path)}], ssmpatch={})()) == 1


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ([{"interval": 60}], ""),
        ([], ""),
        ([{"root": "/srv/image"}, {"state_dir": "/srv/state"}, {"disable_during_state_run": True}], ""),
        ([{"intervall": 60}], "unknown option intervall; known are root, state_dir (did you mean interval?)"),
        ([{"root": "relative"}], "root: 'relative' is not allowed; use an absolute path"),
        ([{"state_dir": 5}], "state_dir: 5 is not allowed"),
        (["interval"], "has to be a list of mappings"),
        ("interval", "has to be a list of mappings"),
    ],
)
def test_validate(repo: Path, tmp_path: Path, config: Any, said: str) -> None:
    options = salt.config.minion_config(None)
    options.update(beacons_dirs=[str(repo / "_beacons")], cachedir=str(tmp_path))
    loaded = salt.loader.beacons(options, {})
    valid, words = loaded["ssmpatch.validate"](config)
    assert valid is (not said) and said in words

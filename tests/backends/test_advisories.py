# SPDX-License-Identifier: Apache-2.0
"""Advisories that a repository lacks or words in its own way: what cannot be found missing is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import dnf_root, suse_root
from support.operations import EVERYTHING, SECURITY, rows
from support.rpm_repo import package, write_repository

pytestmark = pytest.mark.root

OLD, NEW = "foo-1-1.x86_64", "foo-2-1.x86_64"
MANAGERS = [
    pytest.param(dnf_root, id="dnf", marks=pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")),
    pytest.param(suse_root, id="zypper", marks=pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper")),
]
Build = Callable[..., Path]


@pytest.fixture(params=MANAGERS)
def kind(request: pytest.FixtureRequest) -> Any:
    """The package manager's roots."""
    return request.param


def advised(kind: Any, *packages: str) -> dict[str, Any]:
    """An advisory for some packages."""
    name = "advisory" if kind is dnf_root else "patch"
    found: dict[str, Any] = getattr(kind, name)("UPD-1", *packages)
    return found


def publish(root: Path, *packages: str, advisories: Any = (), id_: str = "updates", **more: Any) -> None:
    """Publish a repository anew."""
    directory = root / "repos" / id_
    shutil.rmtree(directory)
    write_repository(
        directory,
        {"id": id_, "packages": [package(p) for p in packages], "advisories": list(advisories), **more},
        work=root / "tmp",
    )


def about(report: dict[str, Any], words: str) -> list[str]:
    """The warnings that have these words."""
    return [warning for warning in report["warnings"] if words in warning]


@pytest.mark.parametrize("baseline", [SECURITY, EVERYTHING], ids=["by-classification", "everything"])
def test_no_repository_has_advisories(kind: Any, tmp_path: Path, baseline: dict[str, Any]) -> None:
    root = kind.build(tmp_path / "root", installed=[OLD], packages=[NEW], advisories=[])

    report = kind.scan(root, baseline=baseline)

    assert bool(about(report, "no enabled repository publishes advisories")) is (baseline is SECURITY)


def test_advisories_without_a_type_tell_no_fixes(kind: Any, tmp_path: Path) -> None:
    untyped = {key: value for key, value in advised(kind, NEW).items() if key != "type"}
    root = kind.build(tmp_path / "root", installed=[OLD], packages=[NEW], advisories=[untyped])
    assert about(kind.scan(root, baseline=SECURITY), "no enabled repository publishes advisories with a type")

    publish(root, NEW, advisories=[advised(kind, OLD)])
    assert kind.scan(root, baseline=SECURITY)["compliance"] == "COMPLIANT"
    publish(root, NEW, advisories=[untyped])
    assert kind.scan(root, baseline=SECURITY)["compliance"] == "UNKNOWN"


def test_rocky_writes_severities_as_their_enumeration_does(kind: Any, tmp_path: Path) -> None:
    moderate = {**advised(kind, NEW), "severity": "SEVERITY_MODERATE"}
    root = kind.build(tmp_path / "root", installed=[OLD], packages=[NEW], advisories=[moderate])
    filters = [{"key": "SEVERITY", "values": ["Moderate"]}]
    baseline = {"approvalRules": {"rules": [{"filterGroup": {"filters": filters}, "approveAfterDays": 0}]}}

    assert rows(kind.scan(root, baseline=baseline))["foo.x86_64"]["PatchState"] == "Missing"


def test_a_severity_that_nobody_knows_is_said_once(kind: Any, tmp_path: Path) -> None:
    strange = [
        {**advised(kind, NEW), "id": f"UPD-{number}", "severity": word}
        for number, word in enumerate(("Wichtig", "Wichtig", "Dringend", "Low"))
    ]
    root = kind.build(tmp_path / "root", installed=[OLD], packages=[NEW], advisories=strange)

    (words,) = about(kind.scan(root, baseline=SECURITY), "severities")

    assert words.startswith("updates: updateinfo: unknown severities of advisories: 'Wichtig' (2), 'Dringend' (1);")


def test_one_repository_with_advisories_is_enough(kind: Any, tmp_path: Path) -> None:
    more = {"id": "more", "packages": [package("bar-1-1.x86_64")]}
    root = kind.build(
        tmp_path / "root", installed=[OLD], packages=[NEW], advisories=[advised(kind, NEW)], repositories=[more]
    )
    assert not about(kind.scan(root, baseline=SECURITY), "advisories")


@pytest.mark.parametrize("emptied", [False, True], ids=["without", "empty"])
def test_a_repository_that_lost_its_advisories_is_no_proof(kind: Any, tmp_path: Path, emptied: bool) -> None:
    root = kind.build(tmp_path / "root", installed=[NEW], packages=[NEW], advisories=[advised(kind, NEW)])
    assert kind.scan(root, baseline=SECURITY)["compliance"] == "COMPLIANT"

    publish(root, NEW, "foo-3-1.x86_64", empty_updateinfo=emptied)
    report = kind.scan(root, baseline=SECURITY)
    assert report["compliance"] == "UNKNOWN"
    assert about(report, "updates: could not be read: its advisories, last seen on ")
    assert kind.scan(root, baseline=SECURITY)["compliance"] == "UNKNOWN"

    assert kind.scan(root, baseline=EVERYTHING)["compliance"] == "NON_COMPLIANT"
    publish(root, NEW, advisories=[advised(kind, NEW)])
    assert kind.scan(root, baseline=SECURITY)["compliance"] == "COMPLIANT"


def test_a_repository_that_lost_its_advisories_with_its_place_is_no_proof(kind: Any, tmp_path: Path) -> None:
    root = kind.build(tmp_path / "root", installed=[NEW], packages=[NEW], advisories=[advised(kind, NEW)])
    assert kind.scan(root, baseline=SECURITY)["compliance"] == "COMPLIANT"
    publish(root, NEW, "foo-3-1.x86_64")
    (root / "repos/updates").rename(root / "repos/mirror")
    (file,) = root.glob("etc/**/updates.repo")
    file.write_text(file.read_text().replace("/repos/updates", "/repos/mirror"))

    assert kind.scan(root, baseline=SECURITY)["compliance"] == "UNKNOWN"


def test_the_record_can_be_removed(kind: Any, tmp_path: Path) -> None:
    root = kind.build(tmp_path / "root", installed=[NEW], packages=[NEW], advisories=[advised(kind, NEW)])
    kind.scan(root, baseline=SECURITY)
    publish(root, NEW)
    (words,) = about(kind.scan(root, baseline=SECURITY), "its advisories, last seen")

    Path(words.partition("remove ")[2].split()[0].rstrip(";,)")).unlink()

    assert kind.scan(root, baseline=SECURITY)["compliance"] == "COMPLIANT"

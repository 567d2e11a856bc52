# SPDX-License-Identifier: Apache-2.0
"""What the repositories' advisories say of a vulnerability, also of what is not installed or no longer on offer."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api
from ssmpatchlib.backends import PackageManager
from ssmpatchlib.host import Host
from ssmpatchlib.model import Published
from ssmpatchlib.operation import session
from support import dnf_root, suse_root, vectors, yum_root
from support.dnf_root import advisory
from support.operations import EVERYTHING
from support.rpm_repo import package, write_repository

pytestmark = pytest.mark.root

MANAGERS = [
    pytest.param(dnf_root, id="dnf", marks=pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")),
    pytest.param(suse_root, id="zypper", marks=pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper")),
]
needs_dnf = pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")
NAMED = {"references": [{"type": "cve", "id": "CVE-2024-1"}, {"type": "cve", "id": "CVE-2024-10"}]}


@pytest.fixture(params=MANAGERS)
def kind(request: pytest.FixtureRequest) -> Any:
    """The package manager's roots."""
    return request.param


def advised(kind: Any, id_: str, *packages: str, **more: Any) -> dict[str, Any]:
    """An advisory that names CVE-2024-1."""
    found: dict[str, Any] = getattr(kind, "advisory" if kind is dnf_root else "patch")(id_, *packages, **NAMED, **more)
    return found


def opened(kind: Any, root: Path) -> PackageManager:
    return session.open_session(kind.settings(root), host=Host(), caller=api.Caller()).backend


def told(found: Collection[Published]) -> set[tuple[str, str, str]]:
    return {(each.id, each.version, each.advisory.id) for each in found}


def test_every_package_of_an_advisory_is_told_as_the_index_was_read_last(kind: Any, tmp_path: Path) -> None:
    packages = ["foo-2-1.x86_64", "foo-3-1.x86_64", "other-5-1.x86_64", "gone-1:4-1.noarch", "foo-2-1.src"]
    advisories = [
        advised(kind, "UPD-1", *packages, severity="Critical"),
        advised(kind, "UPD-2", "foo-4-1.x86_64", status="retracted"),
        {**advised(kind, "UPD-3", "foo-2-1.x86_64"), "references": [{"type": "cve", "id": "CVE-2024-100"}]},
        {**advised(kind, "", "foo-2-1.x86_64"), "references": []},
    ]
    on_offer = ["foo-3-1.x86_64", "foo-4-1.x86_64", "other-5-1.x86_64"]
    root = kind.build(tmp_path / "root", installed=["foo-3-1.x86_64"], packages=on_offer, advisories=advisories)
    assert opened(kind, root).published(["CVE-2024-1"]) == ()
    kind.scan(root)
    every = {
        ("foo.x86_64", "0:2-1", "UPD-1"),
        ("foo.x86_64", "0:3-1", "UPD-1"),
        ("other.x86_64", "0:5-1", "UPD-1"),
        ("gone.noarch", "1:4-1", "UPD-1"),
    }
    manager = opened(kind, root)
    for ids in (["CVE-2024-1"], ["cve-2024-10", "nothing"], ["upd-1"], ["UPD-1", "CVE-2024-1"]):
        found = manager.published(ids)
        assert len(found) == len(every) and told(found) == every
    (said,) = {each.advisory.id: each.advisory for each in found}.values()
    assert (said.cves, said.severity, said.classification.lower()) == (
        ("CVE-2024-1", "CVE-2024-10"),
        "Critical",
        "security",
    )
    assert said.released == dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)
    assert told(manager.published(["CVE-2024-100"])) == {("foo.x86_64", "0:2-1", "UPD-3")}
    assert (
        manager.published(["UPD-2"])
        == manager.published(["CVE-2024"])
        == manager.published([""])
        == manager.published([])
        == ()
    )


def test_the_stored_metadata_say_the_same_as_the_repositorys(kind: Any, tmp_path: Path) -> None:
    root = kind.build(
        tmp_path / "root",
        installed=["foo-1-1.x86_64"],
        packages=["foo-2-1.x86_64"],
        advisories=[advised(kind, "UPD-1", "foo-2-1.x86_64", "foo-1-1.x86_64")],
    )
    kind.scan(root)
    stored = opened(kind, root).published(["CVE-2024-1"])
    copies = list(root.glob("var/lib/ssmpatch/**/*.metadata"))
    for copy in copies:
        copy.unlink()
    assert copies and opened(kind, root).published(["CVE-2024-1"]) == stored and len(stored) == 2


def test_only_enabled_repositories_count_and_what_two_have_is_told_once(kind: Any, tmp_path: Path) -> None:
    same = advised(kind, "UPD-1", "foo-2-1.x86_64")
    more = {"packages": [package("foo-2-1.x86_64")], "advisories": [same]}
    disabled = {"packages": [package("foo-9-1.x86_64")], "advisories": [advised(kind, "UPD-9", "foo-9-1.x86_64")]}
    root = kind.build(
        tmp_path / "root",
        installed=["foo-1-1.x86_64"],
        packages=["foo-2-1.x86_64"],
        advisories=[same],
        repositories=[{"id": "more", **more}, {"id": "disabled", "enabled": False, **disabled}],
    )
    kind.scan(root)
    found = opened(kind, root).published(["CVE-2024-1"])
    assert [*told(found)] == [("foo.x86_64", "0:2-1", "UPD-1")] and len(found) == 1


def test_an_index_that_was_not_refreshed_is_read_as_it_is(kind: Any, tmp_path: Path) -> None:
    first = advised(kind, "UPD-1", "foo-2-1.x86_64")
    root = kind.build(tmp_path / "root", installed=["foo-1-1.x86_64"], packages=["foo-2-1.x86_64"], advisories=[first])
    kind.scan(root)
    shutil.rmtree(root / "repos/updates")
    assert told(opened(kind, root).published(["CVE-2024-1"])) == {("foo.x86_64", "0:2-1", "UPD-1")}
    write_repository(
        root / "repos/updates",
        {
            "id": "updates",
            "packages": [package("foo-3-1.x86_64")],
            "advisories": [first, advised(kind, "UPD-2", "foo-3-1.x86_64")],
        },
        work=root / "tmp",
    )
    assert len(opened(kind, root).published(["CVE-2024-1"])) == 1
    kind.scan(root)
    assert {each.version for each in opened(kind, root).published(["CVE-2024-1"])} == {"0:2-1", "0:3-1"}


@needs_dnf
def test_of_modules_only_the_active_streams_count(tmp_path: Path) -> None:
    builds = [
        {"name": "foo", "stream": stream, "context": f"cc0{stream}", "artifacts": [f"foo-{stream}.1-1.x86_64"]}
        for stream in ("1", "2")
    ]
    collections = [
        {"module": each, "packages": [*each["artifacts"], f"foo-{each['stream']}.0-1.x86_64"]} for each in builds
    ]
    plain = {"module": None, "packages": ["bar-2-1.x86_64"]}
    hotfixes = [{"module": builds[0], "packages": ["hot-1-1.x86_64"]}]
    named = advisory("UPD-1", collections=[*collections, plain], **NAMED)
    root = dnf_root.build(
        tmp_path / "root",
        installed=["foo-2.0-1.x86_64"],
        packages=["foo-1.1-1.x86_64", "foo-2.1-1.x86_64", "bar-2-1.x86_64"],
        advisories=[named],
        updates={"modules": builds},
        repositories=[
            {
                "id": "hot",
                "packages": [package("hot-1-1.x86_64")],
                "module_hotfixes": 1,
                "advisories": [advisory("UPD-2", collections=hotfixes, **NAMED)],
            }
        ],
        enabled_modules={"foo": {"stream": "2"}},
    )
    dnf_root.scan(root)
    found = told(opened(dnf_root, root).published(["CVE-2024-1"]))
    active = {("foo.x86_64", version, "UPD-1") for version in ("0:2.0-1", "0:2.1-1")}
    assert found == active | {("bar.x86_64", "0:2-1", "UPD-1"), ("hot.x86_64", "0:1-1", "UPD-2")}


@pytest.mark.skipif(not shutil.which("sqliterepo_c"), reason="needs createrepo_c")
@pytest.mark.parametrize("database", [True, False], ids=["sqlite", "xml"])
def test_yum(tmp_path: Path, database: bool) -> None:
    case = {
        "os": {"operating_system": "AMAZON_LINUX_2", "product": "AmazonLinux2", "releasever": "2"},
        "now": "2026-01-01T00:00:00Z",
        "baseline": EVERYTHING,
        "reboot_option": "NoReboot",
        "installed": [package("foo-1-1.x86_64")],
        "repositories": [
            {
                "id": "updates",
                "packages": [package("foo-3-1.x86_64")],
                "advisories": [advisory("ALAS2-1", "foo-2-1.x86_64", "bar-1-1.x86_64", **NAMED)],
            }
        ],
    }
    root = yum_root.build(case, tmp_path / "root", database=database)
    settings, host = vectors.settings(case, root, package_manager="yum"), yum_root.YumHost(case, root)
    api.scan(settings, caller=api.Caller(), host=host, upload="never")
    manager = session.open_session(settings, host=host, caller=api.Caller()).backend
    found = {("foo.x86_64", "0:2-1", "ALAS2-1"), ("bar.x86_64", "0:1-1", "ALAS2-1")}
    assert told(manager.published(["cve-2024-10"])) == told(manager.published(["alas2-1"])) == found

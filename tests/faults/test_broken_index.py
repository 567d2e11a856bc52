# SPDX-License-Identifier: Apache-2.0
"""A power cut in the middle of an install leaves package indexes half-written: the resumed report is true all the same.

yum's copies are played, so that it has no part in this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.errors import Busy
from support.faults.children import built, expect_killed, run, start
from support.faults.driver import FaultHost
from support.faults.locks import hold
from support.faults.managers import MANAGERS, NEW, OLD, REPOSITORIES, Manager, Update, or_skip
from support.faults.served import Server, served

pytestmark = pytest.mark.root

# The last one comes in a batch of its own, which the killed run does not reach.
UPDATES = (Update("alpha"), Update("salt-minion"))
SOURCES = {
    "apt": "etc/apt/sources.list",
    "dnf": "etc/yum.repos.d/updates.repo",
    "zypper": "etc/zypp/repos.d/updates.repo",
}
COPIES = {"apt": "var/lib/apt/lists", "dnf": "var/cache/dnf", "zypper": "var/cache/zypp"}
COMPARED = ("Title", "Severity", "Classification", "available_version", "installed_version")


def entries(root: Path, name: str) -> list[Path]:
    """Return the files of the copies of indexes, small notes of the package manager's own left out."""
    found = [path for path in sorted((root / COPIES[name]).rglob("*")) if path.is_file() and path.stat().st_size]
    return [path for path in found if path.name not in ("lock", "cookie", "expired_repos.json")]


def empty_everything(root: Path, name: str) -> None:
    for path in entries(root, name):
        path.write_bytes(b"")


def empty_what_is_signed(root: Path, name: str) -> None:
    """Empty the files by which all others are checked."""
    for path in entries(root, name):
        if path.name.endswith(("Release", "repomd.xml")):
            path.write_bytes(b"")


def cut_everything_else(root: Path, name: str) -> None:
    for path in entries(root, name):
        if not path.name.endswith(("Release", "repomd.xml")):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = (empty_everything, empty_what_is_signed, cut_everything_else)
Damage = Callable[[Path, str], None]


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as found:
        yield found


@pytest.fixture(params=sorted(SOURCES))
def manager(request: pytest.FixtureRequest) -> Manager:
    return or_skip(MANAGERS[request.param])


def on_the_server(manager: Manager, path: Path, server: Server) -> tuple[Path, dict[str, Any]]:
    """Build a host whose repository is on the server."""
    root, settings = built(manager, path, *UPDATES)
    server.directory = root / REPOSITORIES
    sources = root / SOURCES[manager.name]
    text = sources.read_text()
    for local in (f"file://{root}/{REPOSITORIES}", f"file:{root}/{REPOSITORIES}"):
        text = text.replace(local, server.url)
    sources.write_text(text)
    if manager.name == "apt":
        conf = root / "etc/apt/apt.conf"
        conf.write_text(f'{conf.read_text()}Dir::Bin::Methods::http "/usr/lib/apt/methods/http";\n')
    return root, settings


def interrupted(manager: Manager, path: Path, server: Server) -> tuple[Path, dict[str, Any]]:
    """Build such a host; end its install after the first of two batches."""
    root, settings = on_the_server(manager, path, server)
    expect_killed(start("install", settings, kill={"phase": "installing", "batch": 2}))
    assert manager.versions(root) == {"alpha": NEW, "salt-minion": OLD}
    return root, settings


def rows(report: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return of each row all that is true of a host; what was tried and did not come in is Missing to a scan."""
    return {
        row["Id"]: (
            row["PatchState"].replace("Failed", "Missing"),
            *(
                str(row[key])
                for key in ("Title", "Severity", "Classification", "available_version", "installed_version")
            ),
        )
        for row in report["patches"]
    }


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda each: each.__name__)
def test_after_the_boot_the_index_is_read_anew(
    manager: Manager, tmp_path: Path, server: Server, damage: Damage
) -> None:
    root, settings = interrupted(manager, tmp_path, server)
    damage(root, manager.name)
    host = FaultHost()
    host.boot("boot-2")
    resumed = run("resume", {**settings, "refresh_max_age": "7d"}, host=host)["report"]
    states = {row["Id"].partition(".")[0]: row["PatchState"] for row in resumed["patches"]}
    assert states == {"alpha": "Installed", "salt-minion": "Failed"}
    assert resumed["compliance"] == "NON_COMPLIANT"
    assert not [text for text in resumed["warnings"] if "damaged" in text]
    assert rows(resumed) == rows(run("scan", settings, host=host, arguments={"refresh": True}))
    assert run("install", settings, host=host)["compliance"] == "COMPLIANT"


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda each: each.__name__)
def test_without_a_boot_an_unreadable_index_is_read_anew_too(
    manager: Manager, tmp_path: Path, server: Server, damage: Damage
) -> None:
    root, settings = interrupted(manager, tmp_path, server)
    damage(root, manager.name)
    resumed = run("resume", settings)["report"]
    assert rows(resumed) == rows(run("scan", settings))


def test_what_was_not_reached_stays_failed_while_the_repository_is_away(
    manager: Manager, tmp_path: Path, server: Server
) -> None:
    root, settings = interrupted(manager, tmp_path, server)
    empty_everything(root, manager.name)
    server.refuse()
    host = FaultHost()
    host.boot("boot-2")
    resumed = run("resume", settings, host=host)["report"]
    row = {row["Id"].partition(".")[0]: row for row in resumed["patches"]}["salt-minion"]
    assert (row["PatchState"], row["available_version"]) == ("Failed", manager.full(NEW))
    assert row["Title"].endswith(f":{manager.full(NEW)}")
    assert "interrupted in phase" in row["reason"] and "security update" not in row["reason"]
    assert resumed["summary"]["FailedCount"] == "1"
    assert resumed["compliance"] == "NON_COMPLIANT"
    assert any(server.url in text or "updates" in text for text in resumed["warnings"]), resumed["warnings"]
    server.open()
    assert run("install", settings, host=host)["compliance"] == "COMPLIANT"


def test_a_newer_version_than_the_one_that_was_wanted_has_not_failed(
    manager: Manager, tmp_path: Path, server: Server
) -> None:
    root, settings = interrupted(manager, tmp_path, server)
    (journal,) = (root / "var/lib/ssmpatch").glob("journal-*.json")
    older = journal.read_text().replace(f'"version": "{manager.full(NEW)}"', f'"version": "{manager.full("1.5")}"')
    assert older != journal.read_text()
    journal.write_text(older)
    resumed = run("resume", settings)["report"]
    states = {row["Id"].partition(".")[0]: row["PatchState"] for row in resumed["patches"]}
    assert states == {"alpha": "Installed", "salt-minion": "Failed"}


def test_apts_whole_copies_outlive_a_repository_that_is_away(tmp_path: Path, server: Server) -> None:
    """``apt-ftparchive release . >Release`` lists the file that it is about to write, with another size."""
    manager = or_skip(MANAGERS["apt"])
    root, settings = on_the_server(manager, tmp_path, server)
    (release,) = server.directory.rglob("Release")
    release.write_text(f"{release.read_text()} {'0' * 64} 38 Release\n")
    first = run("scan", settings, arguments={"refresh": True})
    kept = {path: path.stat().st_ino for path in entries(root, "apt")}
    assert {path.name.rpartition("_")[2] for path in kept} == {"Release", "Packages"}
    assert rows(run("scan", settings, arguments={"refresh": True})) == rows(first)
    server.refuse()
    assert rows(run("scan", settings, arguments={"refresh": True})) == rows(first)
    assert {path: path.stat().st_ino for path in entries(root, "apt")} == kept


def test_apts_copies_stay_while_another_program_updates_them(tmp_path: Path, server: Server) -> None:
    """It puts a repository's files in place one after the other, so that they do not fit in between."""
    manager = or_skip(MANAGERS["apt"])
    root, settings = on_the_server(manager, tmp_path, server)
    run("scan", settings, arguments={"refresh": True})
    cut_everything_else(root, "apt")
    lists = root / COPIES["apt"]
    left = sorted(lists.iterdir())
    with hold(lists / "lock"), pytest.raises(Busy, match="lists/lock"):
        run("scan", {**settings, "lock_timeout": 1}, arguments={"refresh": True})
    assert sorted(lists.iterdir()) == left
    assert run("scan", settings, arguments={"refresh": True})["compliance"] == "NON_COMPLIANT"


@pytest.mark.parametrize("kept", [0, 150])
def test_apts_copy_full_of_zeros_is_not_believed_and_fetched_anew(tmp_path: Path, server: Server, kept: int) -> None:
    manager = or_skip(MANAGERS["apt"])
    _root, settings = on_the_server(manager, tmp_path, server)
    first = run("scan", settings, arguments={"refresh": True})
    (copy,) = (path for path in entries(tmp_path / "root", "apt") if path.name.endswith("_Packages"))
    data = copy.read_bytes()
    copy.write_bytes(data[:kept] + bytes(len(data) - kept))
    doubtful = run("scan", settings, arguments={"refresh": False})
    assert doubtful["summary"]["MissingCount"] == "0" and doubtful["compliance"] == "UNKNOWN"
    assert rows(run("scan", settings, arguments={"refresh": True})) == rows(first)

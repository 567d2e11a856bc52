# SPDX-License-Identifier: Apache-2.0
"""A refresh that fails names the repository, keeps its age, and fails for nothing but a repository."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.backends.apt.update_output import read_outcome
from support import apt_root
from support.faults.debs import ARCHITECTURE, Deb, build_repository
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, NEW, OLD, REPOSITORIES, build_apt
from support.faults.served import Server, served

pytestmark = pytest.mark.root

REAL_HTTP = 'Dir::Bin::Methods::http "/usr/lib/apt/methods/http";'
DAY = 86400


def scan(root: Path, *, ahead: float = 0, conf: str = "", **more: Any) -> dict[str, Any]:
    if conf:
        (root / "etc/apt/apt.conf.d/more").write_text(f"{conf}\n")
        text = (root / "etc/apt/apt.conf").read_text()
        (root / "etc/apt/apt.conf").write_text(f"{text}{conf}\n")
    settings = config.load(minion={**APT.settings(root), **more})
    return api.scan(settings, caller=quiet_surface(), host=FaultHost(ahead=ahead))


def make(root: Path, **more: Any) -> None:
    build_apt(root, installed=[Deb("foo", OLD)], offered=[Deb("foo", OLD)], **more)


def publish(root: Path, version: str) -> None:
    shutil.rmtree(root / REPOSITORIES / "security")
    build_repository(root / REPOSITORIES / "security", [Deb("foo", version)])


@pytest.mark.parametrize("hook", ["Pre-Invoke", "Post-Invoke", "Post-Invoke-Success"])
@pytest.mark.parametrize("command", ["exit 3", "/no/such/program"])
def test_a_hook_that_fails_is_a_warning(tmp_path: Path, hook: str, command: str) -> None:
    root = tmp_path / "root"
    make(root)
    assert scan(root)["compliance"] == "COMPLIANT"
    publish(root, NEW)
    report = scan(root, conf=f'APT::Update::{hook}:: "{command}";')
    assert [row["Id"] for row in report["patches"]] == [f"foo.{ARCHITECTURE}"], "the index is that of now"
    (warning,) = report["warnings"]
    assert f"APT::Update::{hook}" in warning and command in warning and "read all the same" in warning
    publish(root, OLD)
    assert scan(root)["compliance"] == "COMPLIANT"


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("says", ["E: no index of files", "E: Failed to fetch the firmware"])
def test_what_a_hook_prints_is_no_message_of_apt(tmp_path: Path, says: str, code: int) -> None:
    root = tmp_path / "root"
    make(root)
    report = scan(root, conf=f'APT::Update::Post-Invoke-Success:: "echo {says} >&2; exit {code}";')
    assert report["compliance"] == "COMPLIANT"
    assert len(report["warnings"]) == (1 if code else 0), report["warnings"]


def test_a_hook_that_fails_hides_no_repository_that_fails(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make(root)
    shutil.rmtree(root / REPOSITORIES / "security")
    report = scan(root, conf='APT::Update::Post-Invoke:: "exit 3";')
    assert report["compliance"] == "UNKNOWN"
    assert any("stable-security" in text and "Failed to fetch" in text for text in report["warnings"])


@pytest.mark.parametrize("gone", ["var/lib/apt/lists", "var/lib/apt/lists/partial", "var/lib/apt", "var/cache/apt"])
@pytest.mark.parametrize("max_age", [0, DAY])
def test_directories_that_were_removed_are_made_again(tmp_path: Path, gone: str, max_age: int) -> None:
    root = tmp_path / "root"
    make(root)
    assert scan(root)["compliance"] == "COMPLIANT"
    publish(root, NEW)
    shutil.rmtree(root / gone)
    # What is young enough by its last refresh is read again all the same once it is gone.
    report = scan(root, refresh_max_age=max_age)
    assert (report["compliance"], report["warnings"]) == ("NON_COMPLIANT", [])
    settings = config.load(minion=APT.settings(root))
    assert api.install(settings, caller=quiet_surface(), host=FaultHost())["compliance"] == "COMPLIANT"


@pytest.mark.parametrize("release", ["stable-security", "/stable-.*/"])
@pytest.mark.parametrize("lists", ["removed", "never there"])
def test_a_default_release_needs_no_lists_to_be_refreshed(tmp_path: Path, release: str, lists: str) -> None:
    root = tmp_path / "root"
    make(root)
    publish(root, NEW)
    if lists == "removed":
        assert scan(root)["compliance"] == "NON_COMPLIANT"
        shutil.rmtree(root / "var/lib/apt/lists")
    report = scan(root, conf=f'APT::Default-Release "{release}";')
    assert (report["compliance"], report["warnings"]) == ("NON_COMPLIANT", [])


def test_a_default_release_that_the_sources_do_not_have_is_unknown(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make(root)
    report = scan(root, conf='APT::Default-Release "bulleye";')
    assert report["compliance"] == "UNKNOWN"
    (warning,) = report["warnings"]
    assert "'bulleye' is invalid for APT::Default-Release" in warning and "mend" in warning


@pytest.fixture
def web() -> Iterator[Server]:
    with served() as server:
        yield server


def _credentials(root: Path, web: Server) -> str:
    return f"http://user:secret%40word@127.0.0.1:{web.port}/security stable-security main"


def _mirror(root: Path, web: Server) -> str:
    (root / "mirrors").write_text(f"{web.url}/security\n")
    return f"mirror+file:{root}/mirrors stable-security main"


def _redirect(root: Path, web: Server) -> str:
    return f"{web.url}/moved/security stable-security main"


def _flat(root: Path, web: Server) -> str:
    return f"{web.url}/security/dists/stable-security/main/binary-{ARCHITECTURE}/ ./"


def _flat_below(root: Path, web: Server) -> str:
    return f"{web.url}/security/dists stable-security/main/binary-{ARCHITECTURE}/"


SOURCES: dict[str, tuple[Callable[[Path, Server], str], str]] = {
    "credentials": (_credentials, "127.0.0.1"),
    "mirror": (_mirror, "mirror+file"),
    "redirection": (_redirect, "/moved/security"),
    "flat": (_flat, "/binary-"),
    "flat below": (_flat_below, "/security/dists"),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_repository_that_fails_is_named_and_not_fresh(tmp_path: Path, web: Server, kind: str) -> None:
    root = tmp_path / "root"
    make(root, apt_conf=[REAL_HTTP])
    web.directory = root / REPOSITORIES
    source, named = SOURCES[kind]
    other = build_repository(root / REPOSITORIES / "other", [Deb("foo", OLD)])
    (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] {source(root, web)}\n{other}\n")
    assert scan(root)["compliance"] == "COMPLIANT"
    web.refuse()
    for days in (10, 11):
        report = scan(root, ahead=days * DAY)
        assert report["compliance"] == "UNKNOWN"
        (warning,) = report["warnings"]
        assert named in warning and f"{days} days ago" in warning, "the copy is as old as it is"


#: As apt-get prints them. A mirror's own address, and that of a redirection, is no repository's.
REPOSITORIES_OF_OUTPUT = (
    ("http://a.example/debian stable", "a.example_debian_dists_stable_"),
    ("http://a.example/debian stable-updates", "a.example_debian_dists_stable-updates_"),
    ("mirror+file:/etc/apt/mirrors stable", "_etc_apt_mirrors_dists_stable_"),
    ("http://u:p@b.example/x stable", "b.example_x_dists_stable_"),
    ("http://c.example/flat .", "c.example_flat_._"),
    ("http://d.example/r stable", "d.example_r_dists_stable_"),
)
A, A_UPDATES, MIRROR, B, FLAT, REDIRECTED = (name for name, _ in REPOSITORIES_OF_OUTPUT)
GOOD = "Hit:1 http://a.example/debian stable InRelease\nGet:2 http://b.example/x stable InRelease [100 B]\n"


@pytest.mark.parametrize("error", ["E", "Error"])
@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("E: Failed to fetch http://a.example/debian/dists/stable/InRelease  404  Not Found", [A]),
        ("E: Failed to fetch http://a.example/debian/dists/stable-updates/InRelease  404  Not Found", [A_UPDATES]),
        ("E: The repository 'http://a.example/debian stable-updates Release' is not signed.", [A_UPDATES]),
        ("E: The repository 'http://a.example/debian stable Release' does not have a Release file.", [A]),
        ("E: Release file for http://a.example/debian/dists/stable-updates/InRelease is expired", [A_UPDATES]),
        ("E: GPG error: http://b.example/x stable InRelease: NO_PUBKEY 1", [B]),
        ("E: Failed to fetch http://b.example/x/dists/stable/main/binary-amd64/Packages  404  Not Found", [B]),
        ("E: Failed to fetch http://c.example/flat/./Packages  404  Not Found", [FLAT]),
        ("E: The repository 'http://c.example/flat ./ Release' does not have a Release file.", [FLAT]),
        (
            "Err:3 http://d.example/r stable/main amd64 Packages\n  404  Not Found\n"
            "E: Failed to fetch http://cdn.example/z/dists/stable/main/binary-amd64/Packages  404  Not Found",
            [REDIRECTED],
        ),
        (
            "Get:3 http://d.example/r stable InRelease [1 B]\nErr:3 http://m.example/z stable InRelease\n"
            "E: Failed to fetch http://m.example/z/dists/stable/InRelease  404  Not Found",
            [MIRROR],
        ),
        ("E: Failed to fetch http://m.example/z/dists/unstable/InRelease  404  Not Found", []),
        ("E: Could not resolve 'nothing'", []),
    ],
)
def test_what_apt_names_is_the_repository(output: str, names: list[str], error: str) -> None:
    text = GOOD + output.replace("E: ", f"{error}: ") + f"\n{error}: Some index files failed to download.\n"
    outcome = read_outcome(text, REPOSITORIES_OF_OUTPUT)
    (failure, *_) = outcome.failures
    assert (list(failure.repositories), failure.error) == (names, True)
    assert A in outcome.read or A in names


def test_the_newer_form_of_messages_is_not_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make(root, apt_conf=['APT::Output-Version "30";'])
    env = apt_root.environment(str(root))
    dump = subprocess.run(["apt-config", "dump"], env=env, capture_output=True, text=True, check=True, timeout=60)
    assert 'APT::Output-Version "30"' in dump.stdout
    publish(root, NEW)
    settings = config.load(minion=APT.settings(root))
    assert api.install(settings, caller=quiet_surface(), host=FaultHost())["compliance"] == "COMPLIANT"

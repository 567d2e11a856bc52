# SPDX-License-Identifier: Apache-2.0
"""To which packages files belong, by dpkg's and rpm's own account."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.backends import PackageManager
from ssmpatchlib.backends.rpm.owners import find_owners
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.host import Host
from ssmpatchlib.operation import session
from support import rpm_root
from support.faults.debs import ARCHITECTURE, Deb, install_debs
from support.faults.managers import APT, build_apt
from support.operations import RecordingHost
from support.rpm_build import Spec, build_rpm
from support.rpm_repo import run

pytestmark = pytest.mark.root
needs_rpm = pytest.mark.skipif(not shutil.which("rpmbuild"), reason="needs rpmbuild")
LIBRARY = "usr/lib/some-gnu/libold.so.1"


def apt(root: Path, host: Host | None = None) -> PackageManager:
    settings = config.load(minion=APT.settings(root))
    return session.open_session(settings, host=host or Host(), caller=api.Caller()).backend


def dpkg_divert(root: Path, *arguments: str) -> None:
    subprocess.run(["dpkg-divert", f"--root={root}", "--no-rename", *arguments], check=True, capture_output=True)


def test_dpkg_knows_files_of_merged_directories_by_either_name(tmp_path: Path) -> None:
    root = tmp_path / "root"
    old = Deb("libold", "1", files={LIBRARY.removeprefix("usr/"): "1", "sbin/old": "1"}, fields={"Multi-Arch": "same"})
    new = Deb("libnew", "1", files={"usr/lib/some-gnu/libnew.so.1": "1"}, fields={"Architecture": "all"})
    build_apt(root, installed=[], offered=[Deb("any", "1")])
    (root / "usr/sbin").mkdir(parents=True)
    (root / "lib").rename(root / "usr/lib")
    for name in ("lib", "sbin"):
        (root / name).symlink_to(f"usr/{name}")
    install_debs(root, [old, new], tmp_path / "debs")
    wanted = {f"/{LIBRARY}": "libold", f"/{LIBRARY.removeprefix('usr/')}": "libold", "/usr/sbin/old": "libold"}
    wanted |= {"/usr/lib/some-gnu/libnew.so.1": "libnew", "/lib/some-gnu/libnew.so.1": "libnew"}
    nobodys = ["/usr/lib/some-gnu/libnobody.so", "/usr/bin/old", "/usr/old"]
    assert apt(root).owners([*wanted, *nobodys]) == {path: f"{name}.{ARCHITECTURE}" for path, name in wanted.items()}


def test_dpkg_keeps_directories_apart_that_are_not_merged(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("libold", "1", files={"lib/libold.so": "1"})], offered=[Deb("any", "1")])
    (root / "usr/lib").mkdir(parents=True)
    assert apt(root).owners(["/usr/lib/libold.so", "/lib/libold.so"]) == {"/lib/libold.so": f"libold.{ARCHITECTURE}"}


def test_dpkg_takes_no_path_for_a_pattern(tmp_path: Path) -> None:
    root = tmp_path / "root"
    odd = ["usr/bin/[", "usr/share/o*d/a", "usr/share/back\\slash", "usr/share/qu?stion", "usr/share/a: /b", "usr/-x"]
    build_apt(root, installed=[Deb("odd", "1", files=dict.fromkeys(odd, "1"))], offered=[Deb("any", "1")])
    paths = [f"/{name}" for name in odd]
    patterns = ["/usr/bin/?", "/usr/share/o*", "/usr/share/*/version", "/usr/bin/[[]", "/usr/share/back\\\\slash"]
    assert apt(root).owners([*paths, *patterns]) == dict.fromkeys(paths, f"odd.{ARCHITECTURE}")


def test_a_file_that_dpkg_keeps_elsewhere_belongs_to_who_brought_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[], offered=[Deb("any", "1")])
    (root / "bin").mkdir()
    dpkg_divert(root, "--package", "dash", "--divert", "/bin/sh.distrib", "--add", "/bin/sh")
    dpkg_divert(root, "--local", "--divert", "/bin/ls.mine", "--add", "/bin/ls")
    bash, dash = Deb("bash", "1", files={"bin/sh": "bash"}), Deb("dash", "1", files={"bin/sh": "dash"})
    install_debs(root, [bash, dash, Deb("coreutils", "1", files={"bin/ls": "1"})], tmp_path / "debs")
    assert [(root / name).read_text() for name in ("bin/sh", "bin/sh.distrib", "bin/ls.mine")] == ["dash", "bash", "1"]
    owners = {"/bin/sh": "dash", "/bin/sh.distrib": "bash", "/bin/ls.mine": "coreutils"}
    for paths in ([*owners, "/bin/ls"], [*owners][::-1]):
        assert apt(root).owners(paths) == {path: f"{name}.{ARCHITECTURE}" for path, name in owners.items()}
    assert apt(root).owners(["/bin/sh.distrib"]) == {"/bin/sh.distrib": f"bash.{ARCHITECTURE}"}
    assert apt(root).owners(["/bin/ls"]) == {}


def test_a_package_of_which_only_its_configuration_is_left_owns_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    left = Deb("left", "1", conffiles={"etc/left.conf": "1"})
    build_apt(root, installed=[left, Deb("stays", "1")], offered=[Deb("any", "1")])
    assert apt(root).owners(["/etc/left.conf"]) == {"/etc/left.conf": f"left.{ARCHITECTURE}"}
    subprocess.run(["dpkg", f"--root={root}", "--remove", "left"], check=True, capture_output=True)
    assert apt(root).owners(["/etc/left.conf"]) == {}


def test_dpkg_is_asked_about_many_files_in_few_runs(tmp_path: Path) -> None:
    root = tmp_path / "root"
    names = [f"usr/share/many/{number}" for number in range(450)]
    build_apt(root, installed=[Deb("many", "1", files=dict.fromkeys(names, ""))], offered=[Deb("any", "1")])
    host = RecordingHost()
    found = apt(root, host).owners([f"/{name}" for name in names])
    assert found == {f"/{name}": f"many.{ARCHITECTURE}" for name in names}
    asked = [argv for argv in host.commands if argv[0] == "dpkg-query"]
    assert len(asked) == 3 and all(argv[2] == "--" for argv in asked)


def test_a_broken_dpkg_database_is_an_error(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("alpha", "1")], offered=[Deb("any", "1")])
    manager = apt(root)
    (root / "var/lib/dpkg/info/alpha.list").write_bytes(b"no path at all\n\n\0")
    with pytest.raises(SsmpatchError, match="dpkg-query --search: "):
        manager.owners(["/usr/share/alpha/version"])


@pytest.fixture(scope="module")
def rpm_files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Packages of which two share a file, and one has its library behind a link."""
    work = tmp_path_factory.mktemp("work")
    shared = {"/usr/share/shared/file": "same"}
    many = {f"/usr/share/many/{number}": "" for number in range(450)}
    specs = [
        Spec("libold", files={"/lib64/libold.so": "1", "/usr/bin/[": "1", "/usr/bin/a*": "1"}),
        Spec("libnew", files={"/usr/lib64/libnew.so": "1"}),
        *(Spec(name, files=shared) for name in ("one", "two")),
        Spec("many", files=many),
    ]
    return [str(build_rpm(work / "rpms", spec, work=work)) for spec in specs]


@pytest.fixture
def rpm_system(tmp_path: Path, rpm_files: list[str]) -> Path:
    """A root in which they are installed, and the link is there."""
    root = tmp_path / "root"
    for name in ("var/lib/rpm", "root", "usr/lib64"):
        (root / name).mkdir(parents=True)
    (root / "lib64").symlink_to("usr/lib64")
    rpm_root.make_database(root)
    run([*rpm_root.rpm(root), "-i", "--nosignature", "--nodeps", *rpm_files])
    return root


@needs_rpm
def test_rpm_resolves_links_and_files_of_several_packages(rpm_system: Path) -> None:
    wanted = {
        "/usr/lib64/libold.so": "libold",
        "/lib64/libold.so": "libold",
        "/lib64/libnew.so": "libnew",
        "/usr/share/libnew/version": "libnew",
        "/usr/bin/[": "libold",
        "/usr/bin/a*": "libold",
    }
    (rpm_system / "usr/nobodys").touch()
    (rpm_system / "lib64/libnew.so").unlink()
    nobodys = ["/usr/nobodys", "/usr/missing: No such file", "/usr/bin/*", "/usr/bin/[[]"]
    host = RecordingHost()
    found = find_owners(host, rpm_system, [*nobodys[:2], *wanted, "/usr/share/shared/file", *nobodys[2:]])
    assert found.pop("/usr/share/shared/file") in ("one.noarch", "two.noarch")
    assert found == {path: f"{name}.noarch" for path, name in wanted.items()}
    assert 1 < len(host.commands) <= 8


@needs_rpm
def test_rpm_is_asked_about_many_files_in_few_runs(rpm_system: Path) -> None:
    host = RecordingHost()
    names = [f"/usr/share/many/{number}" for number in range(450)]
    assert find_owners(host, rpm_system, names) == dict.fromkeys(names, "many.noarch")
    assert len(host.commands) == 3 and all("--" in argv for argv in host.commands)


@needs_rpm
@pytest.mark.parametrize("spoil", [b"", b"no database" * 1000], ids=["empty", "other"])
def test_a_broken_rpm_database_is_an_error(rpm_system: Path, spoil: bytes) -> None:
    for path in (rpm_system / "var/lib/rpm").iterdir():
        path.unlink() if path.name != "rpmdb.sqlite" else path.write_bytes(spoil)
    if not spoil:
        (rpm_system / "var/lib/rpm/rpmdb.sqlite").unlink()
    with pytest.raises(SsmpatchError, match="rpm"):
        find_owners(Host(), rpm_system, ["/usr/bin/["])


@needs_rpm
def test_no_files_are_asked_about_without_a_run(rpm_system: Path) -> None:
    host = RecordingHost()
    assert find_owners(host, rpm_system, ["relative", "/a/../b", "//x", "/a/", "/a//b", "/" + "a" * 1001]) == {}
    assert host.commands == []


def test_a_root_without_a_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SsmpatchError, match="no rpm database"):
        find_owners(Host(), tmp_path, ["/usr/bin/x"])

# SPDX-License-Identifier: Apache-2.0
"""Repositories of rpms that are gone, half-written or not trusted: named, with their copy's age, never COMPLIANT.

yum's refresh is played: its stand-in copies what it finds, so that yum takes part in what the engine itself detects.
"""

from __future__ import annotations

import gzip
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.host import CommandResult
from support import rpm_build, rpm_repo
from support.faults.children import PATIENCE, run
from support.faults.debs import Signer
from support.faults.driver import FaultHost
from support.faults.managers import NEW, REPOSITORIES, Manager, Update
from support.faults.rpm_systems import SYSTEMS
from support.faults.served import Server, served

pytestmark = pytest.mark.root

DAY = 86400


class ImpatientHost(FaultHost):
    """A host that soon ends a zypper that waits for a server: it does so as long as it is let."""

    def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
        if "refresh" in argv:
            more["timeout"] = min(more["timeout"], 4)
        return super().run(argv, **more)


@dataclass(frozen=True, slots=True)
class Hosts:
    """Hosts of all kinds, each at the same place, as copies of one that is made once."""

    base: Path
    server: Server
    signer: Callable[[], Signer]
    made: set[Path] = field(default_factory=set)

    @property
    def root(self) -> Path:
        return self.base / "root"

    @property
    def extra(self) -> Path:
        """The repository that is broken."""
        return self.root / REPOSITORIES / "extra"

    def put(self, manager: Manager, location: str, *, seen: bool) -> dict[str, Any]:
        """Put a host there, whose ``extra`` is at one of LOCATIONS, and return its settings.

        alpha, of ``extra``, and beta, of a repository that is good, are installed. Not ``seen``: no repository was ever
        read, and beta has an update. Otherwise all was found current, and beta updated, three days ago.
        """
        settings = manager.settings(self.root)
        self.server.directory = self.root / REPOSITORIES
        self.server.open()
        new = self.base / f"{manager.name} {LOCATIONS.index(location)} {'seen' if seen else 'new'}"
        if new not in self.made:
            if seen:
                self.put(manager, location, seen=False)
                if location == SIGNED:
                    self._trust(manager)
                report = run("install", settings, host=FaultHost(ahead=-3 * DAY))
                assert report["compliance"] == "COMPLIANT", report["warnings"]
            else:
                shutil.rmtree(self.root, ignore_errors=True)
                self._build(manager, location)
            shutil.copytree(self.root, new, symlinks=True)
            self.made.add(new)
        shutil.rmtree(self.root)
        shutil.copytree(new, self.root, symlinks=True)
        return settings

    def configure(self, manager: Manager, location: str, *more: str) -> None:
        """Write the file of ``extra``."""
        key = self.signer().armoured if location == SIGNED else ""
        text = location.format(files=f"file://{self.root}/{REPOSITORIES}", http=self.server.url, key=key)
        SYSTEMS[manager.name].add_repository(self.root, "extra", text, *more)

    def publish(self, *, signed: bool = True) -> None:
        """Publish a newer version in ``extra``; not ``signed``, the signature of the older one stays."""
        ignored = None if signed else shutil.ignore_patterns("*.asc")
        shutil.copytree(self.root / "srv/next", self.extra, dirs_exist_ok=True, ignore=ignored)

    @property
    def index(self) -> Path:
        return self.extra / "repodata/repomd.xml"

    @property
    def signature(self) -> Path:
        return self.extra / "repodata/repomd.xml.asc"

    @property
    def mirrors(self) -> Path:
        return self.root / REPOSITORIES / "mirrors"

    @property
    def metalink(self) -> Path:
        return self.root / REPOSITORIES / "metalink"

    def file(self, type_: str) -> Path:
        """A file of ``extra``'s metadata."""
        found = re.search(rf'<data type="{type_}">.*?href="([^"]+)"', self.index.read_text(), re.S)
        assert found is not None
        return self.extra / found.group(1)

    def _build(self, manager: Manager, location: str) -> None:
        manager.build(self.root, [Update("beta")])
        work = self.base / "build"
        alpha = rpm_build.Spec("alpha", NEW, tags=("Provides: /bin/sh",))
        for place, version in ((self.extra, NEW), (self.root / "srv/next", "3.0")):
            spec = rpm_build.Spec("alpha", version, tags=alpha.tags)
            advisory = {"id": f"RHSA-{version}", "type": "security", "packages": [spec.nevra], "severity": "Important"}
            rpm_build.build_repository(place, [spec], advisories=[advisory], work=work)
        rpm = ["rpm", "--root", str(self.root), "--dbpath", "/var/lib/rpm", "-i", "--nosignature"]
        rpm_repo.run([*rpm, str(self.extra / f"{alpha.nevra}.rpm")])
        # dnf gives a server that hangs up soon; it would take minutes.
        self.configure(manager, location, "timeout=1", "retries=1")
        self._write_mirrors()
        if location == SIGNED:
            for place in (self.extra, self.root / "srv/next"):
                self.signer().sign_beside(place / "repodata/repomd.xml")

    def _trust(self, manager: Manager) -> None:
        """Do what the administrator of a host does once, so that a key is trusted."""
        key = str(self.signer().armoured)
        rpm_repo.run(["rpm", "--root", str(self.root), "--dbpath", "/var/lib/rpm", "--import", key])
        if manager.name == "dnf":
            repositories = f"--setopt=reposdir={self.root}/etc/yum.repos.d"
            rpm_repo.run(["dnf", "-y", f"--installroot={self.root}", repositories, "--releasever=8", "makecache"])

    def _write_mirrors(self) -> None:
        self.mirrors.write_text(f"{self.server.url}/extra/\n")
        self.metalink.write_text(
            '<?xml version="1.0" encoding="utf-8"?>\n<metalink version="3.0" xmlns="http://www.metalinker.org/">\n'
            '<files><file name="repomd.xml"><resources maxconnections="1">\n<url protocol="http" type="http" '
            f'preference="100">{self.server.url}/extra/repodata/repomd.xml</url>\n</resources></file></files></metalink>\n'
        )


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Hosts]:
    """Hosts, and the server of their repositories."""
    with served() as server:
        yield Hosts(tmp_path_factory.mktemp("hosts"), server, lambda: request.getfixturevalue("key"))


FILES, HTTP = "baseurl={files}/extra", "baseurl={http}/extra"
MIRRORS, METALINK = "mirrorlist={http}/mirrors", "metalink={http}/metalink"
SIGNED = "baseurl={files}/extra\nrepo_gpgcheck=1\ngpgkey=file://{key}"
LOCATIONS = (FILES, HTTP, MIRRORS, METALINK, SIGNED)


@dataclass(frozen=True, slots=True)
class Way:
    """A way to break ``extra``: where it is, what is done to it.

    It is tried with the package managers ``new`` before ``extra`` was ever read, with those ``seen`` after it was, of
    which those ``lost`` keep no copy.
    """

    do: Callable[[Hosts, Manager], object]
    location: str = FILES
    new: tuple[str, ...] = ("dnf", "zypper")
    seen: tuple[str, ...] = ("dnf", "zypper")
    lost: tuple[str, ...] = ()


def change_file(type_: str, change: Callable[[Path], object]) -> Way:
    """A newer version is published, but for one of its files."""
    return Way(lambda hosts, _: (hosts.publish(), change(hosts.file(type_))), new=("dnf", "yum", "zypper"))


def change_index(change: Callable[[Path], object], **more: Any) -> Way:
    """A newer version is published, but for its index."""
    return Way(lambda hosts, _: (hosts.publish(), change(hosts.index)), new=("dnf", "yum", "zypper"), **more)


def halve(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def replace(path: Path) -> None:
    """The file is whole, but it is another one."""
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"3.0", b"1.0")))


ALL = ("dnf", "yum", "zypper")
WAYS = {
    "gone": Way(lambda hosts, _: shutil.rmtree(hosts.extra), new=ALL, seen=ALL),
    "gone, may be skipped": Way(
        lambda hosts, manager: (shutil.rmtree(hosts.extra), hosts.configure(manager, FILES, "skip_if_unavailable=1")),
        new=("dnf", "yum"),
        seen=("dnf", "yum"),
    ),
    "connection refused": Way(lambda hosts, _: hosts.server.refuse(), HTTP),
    "not found": Way(lambda hosts, _: setattr(hosts.server, "mode", "lose"), HTTP),
    # zypper asks for what it never read again when it plans an install, and waits there too.
    "hangs": Way(lambda hosts, _: setattr(hosts.server, "mode", "hang"), HTTP, new=("dnf",)),
    # What zypper took without a signature once it goes on taking so, and dnf throws it away.
    "never signed": Way(
        lambda hosts, manager: (hosts.publish(), hosts.configure(manager, FILES, "repo_gpgcheck=1")),
        seen=("dnf",),
        lost=("dnf",),
    ),
    "signature gone": Way(lambda hosts, _: (hosts.publish(), hosts.signature.unlink()), SIGNED, new=()),
    "signature of another index": Way(lambda hosts, _: hosts.publish(signed=False), SIGNED, new=()),
    # zypper remembers the mirrors, and asks one of them.
    "mirror list not found": Way(lambda hosts, _: hosts.mirrors.unlink(), MIRRORS, seen=("dnf",)),
    "mirrors not found": Way(lambda hosts, _: setattr(hosts.server, "mode", "lose"), MIRRORS),
    "metalink garbage": Way(
        lambda hosts, _: hosts.metalink.write_text("<html>log in first</html>"), METALINK, new=("dnf",), seen=("dnf",)
    ),
    "index half-written": change_index(halve),
    "index empty": change_index(lambda path: path.write_bytes(b"")),
    # zypper takes it for an index of nothing.
    "index garbage": change_index(lambda path: path.write_text("<html>log in first</html>"), lost=("zypper",)),
    **{
        f"{type_} {word}": change_file(type_, change)
        for type_ in ("primary", "updateinfo")
        for word, change in {"missing": Path.unlink, "truncated": halve, "of another index": replace}.items()
    },
}


def said_of_extra(report: dict[str, Any]) -> list[str]:
    found = [text for text in report["warnings"] if text.startswith("extra: could not be read: ")]
    assert found, report["warnings"]
    return found


@pytest.mark.parametrize(
    ("manager", "name"), [(manager, name) for name, way in WAYS.items() for manager in way.new], indirect=["manager"]
)
def test_a_good_repository_beside_one_that_was_never_read_counts(hosts: Hosts, manager: Manager, name: str) -> None:
    settings = hosts.put(manager, WAYS[name].location, seen=False)
    WAYS[name].do(hosts, manager)
    began = time.monotonic()
    report = run("scan", settings)
    assert time.monotonic() - began < PATIENCE
    assert "beta.noarch" in {row["Id"] for row in report["patches"] if row["PatchState"] == "Missing"}
    said_of_extra(report)
    install = run("install", settings)
    assert (install["compliance"], manager.versions(hosts.root)["beta"]) == ("UNKNOWN", NEW)
    said_of_extra(install)
    assert manager.problems(hosts.root) == ""


@pytest.mark.parametrize(
    ("manager", "name"), [(manager, name) for name, way in WAYS.items() for manager in way.seen], indirect=["manager"]
)
def test_a_repository_that_was_good_three_days_ago(hosts: Hosts, manager: Manager, name: str) -> None:
    settings = hosts.put(manager, WAYS[name].location, seen=True)
    WAYS[name].do(hosts, manager)
    report = run("scan", settings, host=ImpatientHost())
    assert report["compliance"] == "UNKNOWN", report["warnings"]
    kept = manager.name not in WAYS[name].lost
    used = [text.partition("; a copy from ")[2] for text in said_of_extra(report)]
    assert used == ["3 days ago was used" if kept else ""], report["warnings"]
    # Without a refresh nobody knows better than the last time: old is what it says.
    again = run("scan", settings, arguments={"refresh": False})
    assert again["compliance"] == "UNKNOWN"
    assert any("3 days old" in text for text in again["warnings"]) == kept, again["warnings"]
    assert kept or said_of_extra(again)

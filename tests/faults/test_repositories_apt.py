# SPDX-License-Identifier: Apache-2.0
"""Repositories of debs that are gone, half-written or not trusted: named, with their copy's age, never COMPLIANT."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.host import CommandResult
from support import apt_root
from support.faults.debs import ARCHITECTURE, Deb, Signer, write_release
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, NEW, OLD, REPOSITORIES, build_apt

pytestmark = pytest.mark.root

CALLER = quiet_surface()
DAY = 86400


def scan(root: Path, host: FaultHost | None = None, **arguments: Any) -> dict[str, Any]:
    settings = config.load(minion=APT.settings(root))
    return api.scan(settings, caller=CALLER, host=host or FaultHost(), **arguments)


NAME = "http://repositories.example/security stable-security"


@dataclass(frozen=True, slots=True)
class Signed:
    """A root whose only repository is signed and far away."""

    root: Path
    key: Signer

    @property
    def dist(self) -> Path:
        return self.root / "srv/http/repositories.example/security/dists/stable-security"

    @property
    def index(self) -> Path:
        return self.dist / f"main/binary-{ARCHITECTURE}/Packages"

    @property
    def inrelease(self) -> Path:
        return self.dist / "InRelease"

    def publish(self, version: str, *, release: bool = True, signed: bool = True, more: str = "") -> None:
        """Publish a newer version of alpha, as far as it is not forgotten."""
        self.index.write_text(re.sub("^Version: .*$", f"Version: {version}", self.index.read_text(), flags=re.M))
        if release:
            write_release(self.dist, more=more)
        if release and signed:
            self.key.sign(self.dist)


@pytest.fixture
def signed(tmp_path: Path, key: Signer) -> Signed:
    """Such a root, with alpha on offer in the version that is installed."""
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("alpha", NEW)], offered=[Deb("alpha", NEW)])
    place = root / "srv/http/repositories.example/security"
    place.parent.mkdir()
    (root / REPOSITORIES / "security").rename(place)
    (root / "etc/apt/sources.list").write_text(
        f"deb [signed-by={key.keyring}] http://repositories.example/security stable-security main\n"
    )
    found = Signed(root, key)
    key.sign(found.dist)
    return found


def halve(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def expire(signed: Signed) -> None:
    signed.publish("3.0", more="Valid-Until: Sun, 02 Jan 2022 00:00:00 UTC\n")
    with (signed.root / "etc/apt/apt.conf").open("a") as handle:
        handle.write('Acquire::Check-Valid-Until "true";\nAcquire::Check-Date "true";\n')


def forge(signed: Signed) -> None:
    """Somebody else changes what is signed."""
    signed.publish("3.0")
    signed.inrelease.write_text(signed.inrelease.read_text().replace("Label: Debian", "Label: Nobian"))


BROKEN: dict[str, Callable[[Signed], object]] = {
    "release is older than the index": lambda signed: (signed.publish("3.0"), signed.publish("4.0", release=False)),
    "index truncated": lambda signed: (signed.publish("3.0"), halve(signed.index)),
    "index empty": lambda signed: (signed.publish("3.0"), signed.index.write_text("")),
    "index gone": lambda signed: (signed.publish("3.0"), signed.index.unlink()),
    "release truncated": lambda signed: (signed.publish("3.0"), halve(signed.inrelease)),
    "release empty": lambda signed: signed.inrelease.write_text(""),
    "release gone": lambda signed: (signed.inrelease.unlink(), (signed.dist / "Release").unlink()),
    "signature gone": lambda signed: signed.inrelease.unlink(),
    "release is a login page": lambda signed: signed.inrelease.write_text("<html>log in first</html>"),
    "release expired": expire,
    "release forged": forge,
    "everything gone": lambda signed: shutil.rmtree(signed.dist),
}


@pytest.mark.parametrize("way", BROKEN)
def test_a_broken_apt_repository(signed: Signed, way: str) -> None:
    assert scan(signed.root, host=FaultHost(ahead=-3 * DAY))["compliance"] == "COMPLIANT"
    BROKEN[way](signed)
    report = scan(signed.root)
    assert report["compliance"] == "UNKNOWN"
    named = [text for text in report["warnings"] if text.startswith(NAME)]
    assert any("a copy from 3 days ago was used" in text for text in named), report["warnings"]
    # Without a refresh nobody knows better than the last time: old is what it says.
    again = scan(signed.root, refresh=False)
    assert again["compliance"] == "UNKNOWN"
    assert any("3 days old" in text for text in again["warnings"]), again["warnings"]


def test_a_broken_apt_repository_hides_no_missing_update(signed: Signed) -> None:
    signed.publish("3.0")
    assert scan(signed.root)["compliance"] == "NON_COMPLIANT"
    shutil.rmtree(signed.dist)
    report = scan(signed.root)
    assert (report["compliance"], report["summary"]["MissingCount"]) == ("NON_COMPLIANT", "1")
    assert any(text.startswith(NAME) for text in report["warnings"])


def test_a_repository_that_was_never_reached_is_named(signed: Signed) -> None:
    shutil.rmtree(signed.dist)
    for refresh in (False, True, False):
        report = scan(signed.root, refresh=refresh)
        assert report["compliance"] == "UNKNOWN"
        assert any(text.startswith(NAME) for text in report["warnings"]), report["warnings"]


def test_a_copy_that_others_fetched_has_an_age_too(signed: Signed) -> None:
    subprocess.run(
        ["apt-get", "update", "-q"],
        env=apt_root.environment(str(signed.root)),
        check=True,
        capture_output=True,
        timeout=60,
    )
    shutil.rmtree(signed.dist)
    report = scan(signed.root, host=FaultHost(ahead=5 * DAY))
    assert any("a copy from 5 days ago was used" in text for text in report["warnings"]), report["warnings"]


def test_a_good_repository_beside_a_broken_one_still_counts(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("alpha", OLD)], offered=[Deb("alpha", NEW)])
    (root / "etc/apt/sources.list.d/dead.list").write_text("deb [trusted=yes] file:/nowhere stable main\n")
    report = scan(root)
    assert (report["compliance"], report["summary"]["MissingCount"]) == ("NON_COMPLIANT", "1")
    assert any("file:/nowhere stable" in text for text in report["warnings"])
    settings = config.load(minion=APT.settings(root))
    install = api.install(settings, caller=CALLER, host=FaultHost())
    assert (install["compliance"], APT.versions(root)) == ("UNKNOWN", {"alpha": NEW})


def test_an_unsigned_repository_is_not_trusted(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("alpha", OLD)], offered=[], untrusted=[Deb("alpha", NEW)])
    report = scan(root)
    assert (report["compliance"], report["summary"]["MissingCount"]) == ("UNKNOWN", "0")
    assert any("untrusted stable-security" in text and "not trusted" in text for text in report["warnings"])


def test_a_repository_that_apt_refuses_is_not_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("alpha", OLD)], offered=[Deb("alpha", NEW)])
    sources = root / "etc/apt/sources.list"
    sources.write_text(sources.read_text().replace("[trusted=yes] ", ""))
    report = scan(root)
    assert (report["compliance"], report["summary"]["MissingCount"]) == ("UNKNOWN", "0")
    assert any("is not signed" in text or "not trusted" in text for text in report["warnings"])


def test_sources_that_apt_cannot_read_are_an_error_in_its_words(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("alpha", OLD)], offered=[Deb("alpha", NEW)])
    (root / "etc/apt/sources.list.d/bad.list").write_text("deb this is not\n")
    with pytest.raises(SsmpatchError, match=r"bad\.list"):
        scan(root)


def test_no_repository_at_all_is_not_compliant(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("alpha", OLD)], offered=[])
    (root / "etc/apt/sources.list").write_text("")
    report = scan(root)
    assert report["compliance"] == "UNKNOWN"
    assert any("no repository is enabled" in text for text in report["warnings"])


def lists(root: Path) -> list[Path]:
    return sorted((root / "var/lib/apt/lists").glob("*Packages*"))


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("damage", ["gone", "empty", "truncated"])
def test_an_index_on_this_host_that_is_damaged(signed: Signed, damage: str, compressed: bool) -> None:
    if compressed:
        with (signed.root / "etc/apt/apt.conf").open("a") as handle:
            handle.write('Acquire::GzipIndexes "true";\n')
    assert scan(signed.root)["compliance"] == "COMPLIANT"
    (index,) = lists(signed.root)
    assert index.name.endswith("Packages") != compressed
    if damage == "gone":
        index.unlink()
    elif damage == "empty":
        index.write_bytes(b"")
    else:
        halve(index)
    report = scan(signed.root, refresh=False)
    assert report["compliance"] == "UNKNOWN", report["warnings"]
    assert any(text.startswith(NAME) for text in report["warnings"]), report["warnings"]


class ThievingHost(FaultHost):
    """A host on which the indexes vanish after a program has run."""

    def __init__(self, root: Path, after: str) -> None:
        super().__init__()
        self._root = root
        self._after = after

    def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
        result = super().run(argv, **more)
        if self._after in argv:
            for path in lists(self._root):
                path.unlink()
        return result


@pytest.mark.parametrize(
    ("call", "after"),
    [
        *(("scan", after) for after in ("update", "indextargets", "apt-config")),
        *(("plan", after) for after in ("indextargets", "-s")),
        *(("install", after) for after in ("update", "-s")),
    ],
)
def test_an_index_that_vanishes_under_our_feet(signed: Signed, call: str, after: str) -> None:
    signed.publish("3.0")
    scan(signed.root)
    # Another Release file: what apt said before does not hold any more.
    os.utime(next((signed.root / "var/lib/apt/lists").glob("*Release")), (0, 0))
    settings = config.load(minion=APT.settings(signed.root))
    host = ThievingHost(signed.root, after)
    try:
        result = getattr(api, call)(settings, caller=CALLER, host=host, refresh=after == "update")
    except SsmpatchError as exc:
        assert call != "scan" and "Packages" in str(exc)
    else:
        assert result.get("compliance") != "COMPLIANT"
        # Only where what was read was read before is there nothing to say.
        assert after == "-s" or any(text.startswith(NAME) for text in result["warnings"]), result["warnings"]
    assert APT.problems(signed.root) == ""
    assert APT.versions(signed.root) == {"alpha": NEW}

# SPDX-License-Identifier: Apache-2.0
"""A host is called safe only by data that are there, are of its release, are new enough, and are about what it has."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import osv
from support.kept_advisories import opened, seal
from support.loader_minion import LoaderMinion, case, package

MakeMinion = Callable[..., LoaderMinion]
pytestmark = pytest.mark.root

OPEN, FIXED, ELSEWHERE = "CVE-2026-1001", "CVE-2026-1002", "CVE-2026-1003"
ALL = [OPEN, FIXED, ELSEWHERE]


def ago(days: float) -> str:
    return (dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_feed(directory: Path, *, days: float = 1, fixed: str = "2.0") -> dict[str, Any]:
    said = [
        osv.debian_cve(OPEN, "openssl", fixed, modified=ago(days)),
        osv.debian_cve(FIXED, "openssl", "0.9", modified=ago(days)),
        osv.debian_cve(ELSEWHERE, "nothing-here", "5", modified=ago(days)),
    ]
    directory.mkdir(exist_ok=True)
    (directory / "DEBIAN-12.jsonl.gz").write_bytes(osv.compiled("DEBIAN-12", said, until=ago(0)))
    return {"location": str(directory)}


def system(*more: dict[str, Any]) -> dict[str, Any]:
    archive = {"id": "main", "origin": "Debian", "label": "Debian", "suite": "oldstable", "codename": "bookworm"}
    found = case([package("libssl3", "1.0", source="openssl")], [package("other", "2.0")])
    found["repositories"].append({**archive, "packages": list(more)})
    return found


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {row["cve"]: row["state"] for row in answer["cves"]}


def kept(minion: LoaderMinion, name: str = "advisories.json") -> Path:
    (found,) = minion.root.rglob(name)
    return found


@pytest.fixture
def minion(make_minion: MakeMinion, tmp_path: Path) -> LoaderMinion:
    """A host that was scanned, whose feed has one CVE of each kind."""
    made = make_minion(system(), advisories=write_feed(tmp_path / "advisories"))
    made("scan")
    assert states(made("cve", ALL, stored=True)) == {OPEN: "fix kept out", FIXED: "fixed", ELSEWHERE: "not affected"}
    return made


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def of_another_release(path: Path) -> None:
    seal({**opened(path), "release": "DEBIAN-11"}, path)


@pytest.mark.parametrize("damage", [remove, cut, of_another_release])
def test_where_what_the_scan_kept_is_lost_the_host_is_looked_at(
    minion: LoaderMinion, damage: Callable[[Path], None]
) -> None:
    damage(kept(minion))
    status = minion.root / "var/lib/dpkg/status"
    status.write_text(status.read_text().replace("Version: 1.0", "Version: 0.8"))
    assert states(minion("cve", ALL, stored=True)) == {
        OPEN: "fix kept out",
        FIXED: "fix kept out",
        ELSEWHERE: "not affected",
    }


def test_a_feed_that_is_too_old_or_gone_calls_nothing_safe(minion: LoaderMinion, tmp_path: Path) -> None:
    write_feed(tmp_path / "advisories", days=100)
    for stored in (True, False):
        found = states(minion("cve", ALL, stored=stored))
        assert (found[FIXED], found[ELSEWHERE]) == ("unknown", "unknown")
    (tmp_path / "advisories/DEBIAN-12.jsonl.gz").unlink()
    for stored in (True, False):
        found = states(minion("cve", ALL, stored=stored))
        assert (found[FIXED], found[ELSEWHERE]) == ("unknown", "unknown")


def test_a_host_whose_feed_is_no_longer_configured_calls_nothing_safe(minion: LoaderMinion) -> None:
    without = LoaderMinion(minion.loaders, minion.root, {}, {})
    answer = without("cve", ALL, stored=True)
    assert states(answer) == {OPEN: "fix kept out", FIXED: "unknown", ELSEWHERE: "unknown"}
    assert "none are configured" in answer["cves"][-1]["reason"]


def test_what_is_installed_now_counts_where_nothing_can_be_kept(
    minion: LoaderMinion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may not write in the state directory does not get the answer of an earlier host."""
    engine = sys.modules["ssmpatchlib.files"]

    def refuse(path: Path, *args: Any, **more: Any) -> None:
        raise engine.Unwritable(path, PermissionError(13, "no"))

    status = minion.root / "var/lib/dpkg/status"
    status.write_text(status.read_text().replace("Version: 1.0", "Version: 0.8"))
    monkeypatch.setattr(engine, "write_json", refuse)
    assert states(minion("cve", [FIXED])) == {FIXED: "fix kept out"}
    status.write_text(status.read_text().replace("Package: libssl3", "Package: libz").replace("openssl", "zlib"))
    assert states(minion("cve", [FIXED])) == {FIXED: "not affected"}


def test_a_feed_is_read_once_where_every_archive_has_to_be(
    make_minion: MakeMinion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fix is outside of the security archive; scans and questions in between do not read the feed again."""
    setting = write_feed(tmp_path / "advisories", fixed="1.5")
    minion = make_minion(system(package("libssl3", "1.5", source="openssl")), advisories=setting)
    assert [group["available"] for group in minion("scan")["cves"]["open"]] == ["libssl3.amd64:1.5"]
    minion("cve")
    compact = sys.modules["ssmpatchlib.advisories.compact"]

    def refuse(*args: Any, **more: Any) -> None:
        raise AssertionError("the feed was read again")

    with monkeypatch.context() as patched:
        patched.setattr(compact, "read", refuse)
        for _ in range(2):
            assert minion("scan")["cves"]["counts"]["fixable"] == 1
            assert [row["available"] for row in minion("cve")["cves"]] == ["libssl3.amd64:1.5"]
    write_feed(tmp_path / "advisories", fixed="9")
    assert minion("scan")["cves"]["counts"]["fixable"] == 0

# SPDX-License-Identifier: Apache-2.0
"""Compiling exports on the master: what is written where, what is kept when an export is bad, what is said."""

from __future__ import annotations

import dataclasses
import http.server
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.advisories import compact, record
from ssmpatchlib.errors import InvalidInput, SsmpatchError
from ssmpatchlib.fleet import advisories, settings
from ssmpatchlib.fleet.advisories import NotCompiled
from ssmpatchlib.fleet.advisory_settings import AdvisorySettings
from ssmpatchlib.fleet.osv_fetch import Reach
from ssmpatchlib.host import Host
from ssmpatchlib.locations import FetchError
from support import osv
from support.https import https_server

NOW = 1795156200.0  # 2026-11-20T06:30:00Z
KEV = {
    "title": "CISA Catalog of Known Exploited Vulnerabilities",
    "dateReleased": "2026-11-19T18:00:00.123Z",
    "count": 2,
    "vulnerabilities": [
        {"cveID": "CVE-2023-4911", "dateAdded": "2023-11-21", "dueDate": "2023-12-12"},
        {"cveID": "CVE-2024-6387", "dateAdded": None},
        {"cveID": 7},
        "x",
    ],
}


class Clock(Host):
    """A host whose time stands still."""

    def now(self) -> float:
        return NOW


@dataclasses.dataclass
class Master:
    """A master's directories, and how it compiles."""

    base: Path
    reach: Reach

    @property
    def root(self) -> Path:
        return self.base / "srv"

    def compile(self, *sources: Path | str, force: bool = False, **more: Any) -> dict[str, Any]:
        chosen = AdvisorySettings(
            **{"sources": tuple(map(str, sources)), "releases": ("DEBIAN-12", "UBUNTU-22.04"), **more}
        )
        return advisories.compile_exports(
            chosen,
            state_dir=self.base / "cache" / "ssmpatch",
            reach=self.reach,
            file_roots=[str(self.root)],
            force=force,
        )

    def read(self, release: str, *sources: str) -> compact.Feed:
        with open(self.root / "advisories" / f"{release}.jsonl.gz", "rb") as handle:
            return compact.read(handle, release=release, sources=sources)

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.root / "advisories").glob("*")}


@pytest.fixture
def master(tmp_path: Path) -> Master:
    (tmp_path / "srv").mkdir()
    return Master(tmp_path, Reach(salt_file=lambda location: "", host=Clock()))


def test_a_file_for_each_release_is_written_where_minions_read(master: Master, tmp_path: Path) -> None:
    export = osv.write_zip(tmp_path / "all.zip", [*osv.samples(), b"{", osv.record("LSN-1-1")])
    (tmp_path / "kev.json").write_text(json.dumps(KEV))
    found = master.compile(export, exploited=str(tmp_path / "kev.json"))
    debian = found["releases"]["DEBIAN-12"]
    assert debian.pop("sha256") and debian.pop("size") == len(master.files()["DEBIAN-12.jsonl.gz"])
    assert debian == {
        "location": "salt://advisories/DEBIAN-12.jsonl.gz",
        "sources": 2,
        "records": {"DEBIAN-CVE": 1, "DSA": 1},
        "data_time": "2026-09-12T11:00:05Z",
        "age": "68 days",
    }
    assert list(found["releases"]) == ["DEBIAN-12", "UBUNTU-22.04"] and found["changed"] and not found["problems"]
    assert found["read"] == {"DEBIAN-CVE": 1, "DSA": 1, "UBUNTU-CVE": 2, "USN": 1} and found["exploited"] == 2
    assert found["dropped"] == {record.LIVE_PATCH: 1, record.MALFORMED: 1}
    assert found["examples"][record.MALFORMED] == [f"{export}, broken5.json: not JSON"]
    assert master.read("DEBIAN-12", "glibc").packages["glibc"][0].exploited == (("CVE-2023-4911", "2023-11-21"),)
    (notice, *_) = master.read("UBUNTU-22.04", "openssh").packages["openssh"]
    assert notice.exploited == (("CVE-2024-6387", "yes"),) and master.read("UBUNTU-22.04").exploited
    assert [words.partition(" old, ")[0] for words in found["warnings"]] == [
        "DEBIAN-12: the newest record is 68 days",
        "UBUNTU-22.04: the newest record is 206 days",
    ]
    path = master.root / "advisories" / "DEBIAN-12.jsonl.gz"
    assert path.stat().st_mode & 0o777 == 0o644 and path.parent.stat().st_mode & 0o777 == 0o755


def test_what_has_not_changed_costs_a_hash(master: Master, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = osv.write_directory(tmp_path / "osv", osv.samples())
    first, before = master.compile(export), master.files()
    with monkeypatch.context() as patch:
        patch.setattr(advisories, "read_records", pytest.fail)
        assert master.compile(export) == {**first, "changed": False}
    (master.root / "advisories" / "DEBIAN-12.jsonl.gz").write_bytes(b"damaged")
    assert master.compile(export)["changed"] and master.files() == before
    (master.root / "advisories" / "UBUNTU-22.04.jsonl.gz").unlink()
    assert master.compile(export)["changed"] and master.files() == before
    assert master.compile(export, releases=("DEBIAN-12",))["changed"]
    assert master.compile(export, force=True)["changed"]
    (tmp_path / "cache" / "ssmpatch" / "advisories.json").write_text('{"form": 1}')
    assert master.compile(export)["changed"]
    osv.write_directory(export, [osv.record("DSA-9-1", osv.affected("Debian:12", "tool", ("introduced", "0")))])
    assert master.compile(export)["releases"]["DEBIAN-12"]["sources"] == 3


def test_one_malformed_record_among_thousands_costs_itself_only(master: Master, tmp_path: Path) -> None:
    def with_one_bad() -> Any:
        for number, each in enumerate(osv.debian(3000)):
            if number == 1500:
                yield b'{"id": "DEBIAN-CVE-2026-0001", "affected": ['
            yield each

    found = master.compile(osv.write_zip(tmp_path / "all.zip", with_one_bad()), releases=("DEBIAN-12",))
    assert sum(found["read"].values()) == 3000 and found["dropped"][record.MALFORMED] == 1 and not found["problems"]


BROKEN: list[tuple[str, Callable[[Path], Any], str]] = [
    ("cut short", lambda path: path.write_bytes(path.read_bytes()[:3000]), "not a whole zip"),
    ("a page", lambda path: path.write_text("<html>login</html>"), "neither a zip, a tar, a directory nor JSON"),
    ("gone", lambda path: path.unlink(), "No such file or directory"),
    ("no records", lambda path: osv.write_zip(path, []), "there is no record at all"),
    ("many malformed", lambda path: osv.write_zip(path, [*osv.samples(), *[b"{"] * 11]), "11 records are malformed"),
]


@pytest.mark.parametrize(("name", "break_it", "words"), BROKEN, ids=[each[0] for each in BROKEN])
def test_a_damaged_export_replaces_nothing(
    master: Master, tmp_path: Path, name: str, break_it: Callable[[Path], Any], words: str
) -> None:
    export = osv.write_zip(tmp_path / "all.zip", osv.samples())
    master.compile(export)
    before = master.files()
    break_it(export)
    with pytest.raises(SsmpatchError, match=words) as caught:
        master.compile(export)
    assert str(export) in str(caught.value) or isinstance(caught.value, NotCompiled)
    assert master.files() == before


def test_fewer_or_older_records_replace_nothing_unless_forced(master: Master, tmp_path: Path) -> None:
    def record_of(number: int, modified: str) -> dict[str, Any]:
        said = osv.affected("Debian:12", f"tool{number}", ("introduced", "0"))
        return osv.record(f"DSA-{number}-1", said, modified=modified)

    export, only = tmp_path / "export", {"releases": ("DEBIAN-12",)}
    new, old = "2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z"
    osv.write_lines(export, [record_of(number, new) for number in range(10)])
    master.compile(export, **only)
    before = master.files()
    osv.write_lines(export, [record_of(number, new) for number in range(4)])
    found = master.compile(export, **only)
    assert found["problems"] == [
        "DEBIAN-12: 4 records instead of 10; force=True takes them all the same; the file that is there is unchanged"
    ]
    osv.write_lines(export, [record_of(number, old) for number in range(20)])
    (problem,) = master.compile(export, **only)["problems"]
    assert problem.startswith(f"DEBIAN-12: its newest record is of {old}, that of the file of {new}; force=True")
    assert master.files() == before and found["releases"] == {}
    assert master.compile(export, **only)["problems"], "what failed is tried again"
    assert not master.compile(export, force=True, **only)["problems"] and master.files() != before
    # A record of the future does not make all that comes after it look old.
    osv.write_lines(export, [record_of(number, "2999-01-01T00:00:00Z") for number in range(20)])
    assert master.compile(export, force=True, **only)["releases"]["DEBIAN-12"]["age"] == "unknown"


def test_a_release_of_which_nothing_is_said_gets_no_file(master: Master, tmp_path: Path) -> None:
    export = osv.write_zip(tmp_path / "all.zip", osv.samples())
    found = master.compile(export, releases=("DEBIAN-12", "DEBIAN-13", "ROCKY_LINUX-9"))
    assert list(found["releases"]) == ["DEBIAN-12", "DEBIAN-13"] == [name[:9] for name in sorted(master.files())]
    assert found["problems"] == [
        "ROCKY_LINUX-9: no record of the sources is about it; add its vendor's export to the sources"
    ]


def test_a_list_of_exploited_vulnerabilities_that_is_none_is_refused(master: Master, tmp_path: Path) -> None:
    export = osv.write_zip(tmp_path / "all.zip", osv.samples())
    for content in ("<html>", "[]", "{}", '{"vulnerabilities": 7}', '{"vulnerabilities": [{"cveID": "x"}]}'):
        (tmp_path / "kev.json").write_text(content)
        with pytest.raises(NotCompiled, match="kev.json: no list of known exploited vulnerabilities"):
            master.compile(export, exploited=str(tmp_path / "kev.json"))
    assert master.files() == {}


def test_sources_from_the_web_and_from_the_file_server(master: Master, tmp_path: Path) -> None:
    export = osv.write_zip(tmp_path / "all.zip", osv.samples())
    data = export.read_bytes()

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data if "cut" not in handler.path else data[:100])

    with https_server(tmp_path, answer) as server:
        found = {"salt://osv/all.zip": str(export)}
        master.reach = Reach(salt_file=lambda where: found.get(where, ""), host=Clock(), ssl_context=server.context)
        first = master.compile(f"{server.url}/all.zip?token=secret")
        assert first["releases"]["DEBIAN-12"]["sources"] == 2 and "secret" not in json.dumps(first)
        assert not master.compile("salt://osv/all.zip")["changed"], "the same content"
        assert not master.compile(f"file://{export}")["changed"]
        with pytest.raises(FetchError, match="the connection ended after 100 of"):
            master.compile(f"{server.url}/cut")
        with pytest.raises(FetchError, match="larger than 1048576 bytes; refused"):
            data = bytes(2 << 20)
            master.compile(f"{server.url}/large", max_size=1)
    with pytest.raises(FetchError, match="salt://osv/none.zip: not found on the Salt file server"):
        master.compile("salt://osv/none.zip")
    (tmp_path / "large").write_bytes(bytes(2 << 20))
    with pytest.raises(FetchError, match="larger than 1048576 bytes; refused"):
        master.compile(tmp_path / "large", max_size=1)
    assert [path.name for path in (tmp_path / "cache" / "ssmpatch").iterdir()] == ["advisories.json"]


def test_it_ends_in_time(master: Master, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = osv.write_zip(tmp_path / "all.zip", osv.samples())
    passing = iter(range(0, 1000, 4))
    monkeypatch.setattr(advisories.time, "monotonic", lambda: next(passing))
    with pytest.raises(NotCompiled, match=r"not done within 10 s \(ssmpatch:advisories:timeout\)"):
        master.compile(export, timeout=10)
    assert master.files() == {}


def test_what_is_missing_is_named(master: Master, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="2 problems:\n  sources: there is none; .*\n  releases: there is none"):
        master.compile(releases=())
    with pytest.raises(InvalidInput, match="advisories: /elsewhere is in no file root of the environment base"):
        master.compile(tmp_path, directory=Path("/elsewhere"))


def test_settings() -> None:
    given = {
        "sources": ["https://osv.example.net/Debian/all.zip", "/srv/osv", "/srv/osv"],
        "releases": "DEBIAN-12",
        "exploited": "salt://kev.json",
        "directory": "/srv/salt/feeds",
        "max_size": 100,
        "timeout": "30m",
    }
    found = settings.load({"advisories": given}, state_dir=Path("/x")).advisories
    assert found == AdvisorySettings(
        sources=("https://osv.example.net/Debian/all.zip", "/srv/osv"),
        releases=("DEBIAN-12",),
        exploited="salt://kev.json",
        directory=Path("/srv/salt/feeds"),
        max_size=100,
        timeout=1800,
    )
    wrong = {
        "sources": ["http://x/y", 7],
        "releases": ["DEBIAN-12", "Debian12"],
        "exploited": "ftp://x",
        "max_size": 0,
        "x": 1,
    }
    with pytest.raises(InvalidInput) as caught:
        settings.load({"advisories": wrong}, state_dir=Path("/x"))
    named = [problem.partition(": ")[0] for problem in caught.value.problems]
    assert named == [f"ssmpatch:advisories{key}" for key in (":sources", ":releases[1]", ":exploited", ":max_size", "")]

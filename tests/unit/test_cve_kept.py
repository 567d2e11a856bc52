# SPDX-License-Identifier: Apache-2.0
"""What is kept of a feed is used for the same packages, feed and program only, and whatever stands in it."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.advisories.said import Found, Said
from ssmpatchlib.model import Advisory, Carrier, Package, Version
from ssmpatchlib.operation import feed
from ssmpatchlib.operation.kept_advisories import Kept, keep, recall
from support import osv
from support.kept_advisories import opened, seal

NOW = "2026-11-20T06:30:00Z"


def package(installed: str, *offers: str, source_version: str = "1") -> Package:
    def version(own: str) -> Version:
        return Version("tool", "amd64", own, (Advisory(False),), source_version=source_version)

    return Package("tool", "amd64", version(installed), versions=tuple(map(version, offers)))


@pytest.fixture
def local(tmp_path: Path) -> feed.LocalFeed:
    said = [
        osv.dsa("DSA-1-1", "tool", "1", "CVE-2026-1001", published=NOW),
        osv.debian_cve("CVE-2026-1002", "tool", "2"),
    ]
    data = osv.compiled("DEBIAN-12", said, until=NOW, exploited={"CVE-2026-1002": "2026-01-01"})
    path = tmp_path / "DEBIAN-12.jsonl.gz"
    path.write_bytes(data)
    return feed.LocalFeed("DEBIAN-12", path, hashlib.sha256(data).hexdigest())


def test_what_is_kept_comes_back_as_it_was(local: feed.LocalFeed, tmp_path: Path) -> None:
    made = feed.kept_for(local, [package("1", "2")], (), path=tmp_path / "kept.json")
    local.path.unlink()
    assert feed.kept_for(local, [package("1", "2")], (), path=tmp_path / "kept.json") == made
    assert made.installed == (("tool", "1", ("tool.amd64",)),)
    (group,) = made.found.open
    assert isinstance(group.carriers, tuple) and group.exploited == (("CVE-2026-1002", "2026-01-01"),)
    assert {type(each) for said in made.found.updates.values() for each in said} == {Said}


def test_a_package_that_is_built_anew_is_another_answer(local: feed.LocalFeed, tmp_path: Path) -> None:
    """The versions of the source are the same, those of the package are not."""
    path = tmp_path / "kept.json"
    for build in ("3+b1", "3+b2"):
        offer = Version("tool", "amd64", build, (Advisory(False),), source_version="3")
        (group,) = feed.kept_for(
            local, [Package("tool", "amd64", package("1").installed, versions=(offer,))], (), path=path
        ).found.open
        assert group.carriers == (Carrier("tool.amd64", build),)


def test_another_program_judges_anew(local: feed.LocalFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.json"
    feed.kept_for(local, [package("1")], (), path=path)
    before = path.read_text()
    monkeypatch.setattr(feed, "__version__", "99")
    feed.kept_for(local, [package("1")], (), path=path)
    assert path.read_text() != before


@pytest.mark.parametrize("dates", ["", "2026-01-01 2026-01-01 "])
def test_not_one_date_for_each_cve_is_none(local: feed.LocalFeed, tmp_path: Path, dates: str) -> None:
    path = tmp_path / "kept.json"
    feed.kept_for(local, [package("1", "2")], (), path=path)
    changed = opened(path)
    changed["open"]["dates"][0] = dates
    seal(changed, path)
    assert recall(path) is None


WRONG: list[Any] = [None, 1, 1.5, True, [], [1], [[]], [["a", 1]], {}, {"a": 1}, "x"]


def test_a_file_that_has_another_form_is_none(local: feed.LocalFeed, tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    whole = feed.kept_for(local, [package("1", "2")], (), path=path)
    document = opened(path)
    columns = ("open", "updates", "installed")
    assert all(document[of]["packages" if of == "installed" else "cves"] for of in columns)
    places: list[list[Any]] = [[key] for key in document]
    places += [[of, name, *more] for of in columns for name in document[of] for more in ((), (0,))]
    for place in places:
        for wrong in WRONG:
            changed = copy.deepcopy(document)
            inside = changed
            for step in place[:-1]:
                inside = inside[step]
            inside[place[-1]] = wrong
            seal(changed, tmp_path / "changed.json")
            found = recall(tmp_path / "changed.json")
            if found is not None:
                assert well_formed(found), (place, wrong)
    for key in ("form", "key", "sum"):
        for wrong in WRONG:
            seal(document, tmp_path / "changed.json", **{key: wrong})
            assert recall(tmp_path / "changed.json", key="" if key == "key" else None) is None
    assert recall(path) == whole


def well_formed(kept: Kept) -> bool:
    """Whether all values are of the types that they are annotated with."""
    assert isinstance(kept.found, Found)
    texts = [kept.release, kept.time, kept.sha256]
    flags: list[Any] = []
    for said in (each for found in kept.found.updates.values() for each in found):
        texts += [said.id, said.released, said.severity, *said.cves]
        flags.append(said.subscription)
        assert isinstance(said.cves, tuple)
    for group in kept.found.open:
        texts += [
            group.source,
            group.installed,
            group.fixed,
            group.severity,
            group.published,
            group.waiting,
            group.problem,
        ]
        texts += [*group.advisories, *group.packages, *group.cves, *(word for pair in group.exploited for word in pair)]
        texts += [word for carrier in group.carriers for word in (carrier.id, carrier.version)]
        flags += [group.subscription, group.unimportant, group.unsupported]
        assert all(isinstance(each, tuple) for each in (group.advisories, group.packages, group.cves, group.exploited))
    for name, version, ids in kept.installed:
        texts += [name, version, *ids]
        assert isinstance(ids, tuple)
    return all(isinstance(each, str) for each in texts) and all(isinstance(each, bool) for each in flags)


def test_what_would_come_back_otherwise_is_not_kept(tmp_path: Path) -> None:
    """Words are kept with a space after each; one that has a space itself is two."""
    path, said = tmp_path / "kept.json", Said("DSA-1", "", "", ("CVE-2026-1001",))
    for cves, there in ((("CVE-2026-1001",), True), ((), True), (("CVE-2026-1001 CVE-2026-1002",), False)):
        path.unlink(missing_ok=True)
        kept = Kept("DEBIAN-12", NOW, "0", Found({"tool\t1\t": (said._replace(cves=cves),)}, ()), ())
        keep(path, kept, key="key")
        assert path.exists() is there and recall(path, key="key") == (kept if there else None)

# SPDX-License-Identifier: Apache-2.0
"""A real Debian host says of each CVE what the changelogs of its packages say: before its updates, and after them.

Each changelog of a package in the security archive names CVEs; dpkg says whether the entry that does is newer than what
is installed. Advisories are made of the same entries in the form of Debian's export.
"""

from __future__ import annotations

import datetime as dt
import gzip
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from support import osv
from support.real_root import RealRoot

pytestmark = [pytest.mark.root, pytest.mark.network, pytest.mark.slow(100)]

#: Packages with many CVEs that need nothing but the base system.
MORE = ("linux-libc-dev", "imagemagick-6-common", "mariadb-common", "libexpat1", "libssl3", "bind9-libs")
_HEAD = re.compile(r"^(\S+) \(([^()\s]+)\) [^;\n]+;", re.M)
_CVE = re.compile(r"\bCVE-[0-9]{4}-[0-9]{4,7}\b")
BASELINE = {
    "Name": "everything-at-once",
    "OperatingSystem": "DEBIAN",
    "ApprovalRules": {
        "PatchRules": [
            {"PatchFilterGroup": {"PatchFilters": [{"Key": "PRIORITY", "Values": ["*"]}]}, "ApproveAfterDays": 0}
        ]
    },
}
#: The most ids of one call.
AT_ONCE = 100


@dataclass(frozen=True)
class Source:
    """An installed source package, and the CVEs that its candidate's changelog names, each with the version for it."""

    name: str
    installed: str
    candidate: str
    fixes: dict[str, str]


@dataclass(frozen=True)
class Told:
    """What the host said before and after its updates, and what the changelogs say."""

    sources: dict[str, Source]
    open: dict[str, Any]
    asked: list[dict[str, Any]]
    install: dict[str, Any]
    left: dict[str, Any]
    after: list[dict[str, Any]]


@cache
def newer(one: str, other: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", one, "gt", other], check=False).returncode == 0


def installed_sources(root: RealRoot) -> dict[str, tuple[str, str]]:
    """Source and its version, by package."""
    form = "${Package} ${source:Package} ${source:Version}\\n"
    rows = [line.split() for line in root.run("dpkg-query", "-W", "-f", form).stdout.splitlines()]
    return {name: (source, version) for name, source, version in rows}


def fields(deb: Path) -> dict[str, str]:
    done = subprocess.run(["dpkg-deb", "-f", str(deb)], capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if ": " in line and line[:1] != " "]
    return dict(line.split(": ", 1) for line in lines)


def changelog(deb: Path, name: str) -> str:
    """The changelog in a package, ``""`` where it is that of another."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        found = ""
        with tarfile.open(fileobj=program.stdout, mode="r|") as archive:
            for member in archive:
                if member.name == f"./usr/share/doc/{name}/changelog.Debian.gz" and member.isfile():
                    extracted = archive.extractfile(member)
                    assert extracted is not None
                    found = gzip.decompress(extracted.read()).decode(errors="replace")
                    break
        program.kill()
    return found


def fixes_of(text: str, source: str) -> Iterator[tuple[str, str]]:
    """Each CVE that entries of a changelog name with the first version that has the entry, the newest entry first.

    A backport has what stands below it: ``1.2-1~deb12u1`` has the entry of ``1.2-1``.
    """
    heads = list(_HEAD.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    least = ""
    for head, end in zip(heads, ends, strict=False):
        if head[1] == source:
            least = head[2] if not least or newer(least, head[2]) else least
            yield from ((cve, least) for cve in _CVE.findall(text[head.end() : end]))


def read_sources(root: RealRoot) -> dict[str, Source]:
    """The installed sources of which the archive has a newer version, with what its changelog says."""
    own = installed_sources(root)
    found: dict[str, Source] = {}
    for deb in sorted((root.path / "var/cache/apt/archives").glob("*.deb")):
        said = fields(deb)
        name = said["Package"]
        if name not in own or own[name][0] in found:
            continue
        source, version = own[name]
        match = re.fullmatch(r"(\S+) \((\S+)\)", said.get("Source", ""))
        candidate = match[2] if match else said["Version"]
        # The first entry that names a CVE has its fix; later ones may name it again.
        fixes = dict(fixes_of(changelog(deb, name), source)) if newer(candidate, version) else {}
        if fixes:
            found[source] = Source(source, version, candidate, fixes)
    return found


def write_advisories(root: RealRoot, sources: dict[str, Source]) -> None:
    now = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    by_cve: dict[str, list[dict[str, Any]]] = {}
    for source in sources.values():
        for cve, fixed in source.fixes.items():
            said = osv.affected("Debian:12", source.name, ("introduced", "0"), ("fixed", fixed))
            by_cve.setdefault(cve, []).append(said)
    made = [osv.record(f"DEBIAN-{cve}", *said, upstream=[cve], modified=now) for cve, said in by_cve.items()]
    path = root.path / "srv/advisories/DEBIAN-12.jsonl.gz"
    path.parent.mkdir()
    path.write_bytes(osv.compiled("DEBIAN-12", made, until=now))


def ask(root: RealRoot, cves: list[str]) -> list[dict[str, Any]]:
    answers = [
        root.salt_call("ssmpatch.cve", ",".join(cves[first : first + AT_ONCE]))
        for first in range(0, len(cves), AT_ONCE)
    ]
    assert not any(answer["problem"] for answer in answers)
    return [row for answer in answers for row in answer["cves"]]


@pytest.fixture(scope="module")
def told(make_root: Callable[[], RealRoot]) -> Told:
    """Ask for what is open and for some of the rest, install, and ask again."""
    root = make_root()
    root.configure(advisories={"location": "/srv/advisories"}, baseline=BASELINE)
    root.salt_call("saltutil.sync_all")
    release = ("-t", "bookworm", "-o", "Dir::Etc::sourceparts=/dev/null", "--no-install-recommends")
    root.apt_get("update", *release[2:4])
    known = root.run("apt-cache", "pkgnames").stdout.split()
    root.apt_get("install", *release, *(name for name in MORE if name in known))
    root.apt_get("update")
    root.apt_get("--download-only", "dist-upgrade")
    sources = read_sources(root)
    write_advisories(root, sources)
    opened = root.salt_call("ssmpatch.cve", "limit=100000")
    fixed = [
        cve for each in sources.values() for cve, version in each.fixes.items() if not newer(version, each.installed)
    ]
    unfixed = sorted({row["cve"] for row in opened["cves"]})
    asked = ask(root, [*sorted(set(fixed))[:AT_ONCE], *unfixed[:AT_ONCE]])
    install = root.salt_call("ssmpatch.install")
    return Told(sources, opened, asked, install, root.salt_call("ssmpatch.cve"), ask(root, unfixed[:AT_ONCE]))


def test_there_is_enough_to_compare(told: Told) -> None:
    pairs = [cve for source in told.sources.values() for cve in source.fixes]
    assert len(told.sources) >= 10 and len(pairs) >= 200
    assert told.open["data"] == "DEBIAN-12" and told.open["problem"] == ""


def test_exactly_what_newer_entries_of_the_changelogs_name_is_open(told: Told) -> None:
    expected = {
        (cve, source.name): (source.installed, version)
        for source in told.sources.values()
        for cve, version in source.fixes.items()
        if newer(version, source.installed)
    }
    rows = {(row["cve"], row["package"]): row for row in told.open["cves"]}
    assert {key: (row["installed"], row["fixed"]) for key, row in rows.items()} == expected
    assert len(expected) >= 100
    assert {(row["state"], row["reason"]) for row in rows.values() if row["state"] != "fix available"} == set()
    for row in rows.values():
        assert row["available"].partition(":")[0] in row["packages"], row


def test_what_is_asked_for_is_told_as_the_changelogs_have_it(told: Told) -> None:
    seen = set()
    for row in told.asked:
        source = told.sources[row["package"]]
        has = not newer(source.fixes[row["cve"]], source.installed)
        assert row["state"] == ("fixed" if has else "fix available"), row
        assert row["fixed"] == source.fixes[row["cve"]]
        seen.add(row["state"])
    assert seen == {"fixed", "fix available"} and len(told.asked) >= 2 * AT_ONCE


def test_after_the_updates_none_is_open(told: Told) -> None:
    assert told.install["compliance"] == "COMPLIANT" and len(told.install["changes"]) >= 20
    assert told.left["cves"] == [] and told.left["problem"] == ""
    assert len(told.after) >= AT_ONCE and {row["state"] for row in told.after} == {"fixed"}
    for row in told.after:
        assert row["installed"] == told.sources[row["package"]].candidate

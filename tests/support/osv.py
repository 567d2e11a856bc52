# SPDX-License-Identifier: Apache-2.0
"""OSV records in the form of Debian's and Ubuntu's exports, made up, and archives of them."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "osv"
DEBIAN = {"11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky"}
UBUNTU = {"20.04": "focal", "22.04": "jammy", "24.04": "noble"}
_URGENCIES = ("not yet assigned", "unimportant", "low", "medium", "high", "end-of-life")
_PRIORITIES = ("negligible", "low", "medium", "high", "critical")
_FLAVOURS = ("", "-aws", "-azure", "-gcp", "-hwe", "-ibm", "-kvm", "-lowlatency", "-nvidia", "-oracle", "-raspi")


def sample(name: str) -> dict[str, Any]:
    """A record of tests/data/osv."""
    found = json.loads((SAMPLES / f"{name}.json").read_bytes())
    assert isinstance(found, dict)
    return found


def samples() -> list[dict[str, Any]]:
    """All records of tests/data/osv, by name."""
    return [sample(path.stem) for path in sorted(SAMPLES.glob("*.json"))]


def affected(ecosystem: str, source: str, *events: tuple[str, str], **more: Any) -> dict[str, Any]:
    """What a record says of one package of one release; without events it has no range."""
    ranges = [{"type": "ECOSYSTEM", "events": [{name: version} for name, version in events]}]
    return {"package": {"ecosystem": ecosystem, "name": source}, **({"ranges": ranges} if events else {}), **more}


def record(name: str, *said: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A record."""
    return {"schema_version": "1.7.0", "id": name, "affected": list(said), **more}


def debian(count: int, *, seed: int = 1) -> Iterator[dict[str, Any]]:
    """So many records as of Debian's export: one in thirty is a DSA or DLA, the others are DEBIAN-CVEs."""
    random = Random(seed)
    for number in range(count):
        cve = f"CVE-{2010 + number % 17}-{1000 + number}"
        source = f"source{min(random.randrange(6000), random.randrange(6000))}"
        releases = list(DEBIAN)[random.randrange(3) :]
        if number % 30 == 0:
            others = [f"CVE-{2010 + other % 17}-{1000 + other}" for other in range(number + 1, number + 4)]
            yield {
                "schema_version": "1.7.0",
                "id": f"{'DLA' if number % 60 else 'DSA'}-{1000 + number // 30}-1",
                "published": _time(random),
                "modified": _time(random),
                "upstream": [each for other in others for each in (other, f"DEBIAN-{other}")],
                "details": f"{source} - security update",
                "affected": [_of_debian(random, release, source, fixed=True) for release in releases[:2]],
                "references": [
                    {"type": "ADVISORY", "url": f"https://security-tracker.debian.org/tracker/DSA-{number}"}
                ],
            }
            continue
        yield {
            "schema_version": "1.7.0",
            "id": f"DEBIAN-{cve}",
            "published": _time(random),
            "modified": _time(random),
            "upstream": [cve],
            "details": f"An issue was discovered in {source}. " * random.randint(2, 12),
            "affected": [_of_debian(random, each, source, fixed=random.random() < 0.7) for each in releases],
            "references": [{"type": "ADVISORY", "url": f"https://security-tracker.debian.org/tracker/{cve}"}],
        }


def ubuntu(count: int, *, seed: int = 1, kernels: int = 20) -> Iterator[dict[str, Any]]:
    """So many records as of Ubuntu's export: one in nine is a USN, one in ``kernels`` is about all kernels."""
    random = Random(seed)
    for number in range(count):
        cve = f"CVE-{2015 + number % 12}-{1000 + number}"
        name, links = f"UBUNTU-{cve}", [cve]
        if number % 9 == 0:
            others = [f"CVE-{2015 + other % 12}-{1000 + other}" for other in range(number + 1, number + 4)]
            name, links = f"USN-{1000 + number // 9}-1", [f"UBUNTU-{other}" for other in others]
        sources = [f"source{min(random.randrange(4000), random.randrange(4000))}"]
        if number % kernels == 0:
            sources = [f"linux{flavour}" for flavour in _FLAVOURS]
        yield {
            "schema_version": "1.7.0",
            "id": name,
            "published": _time(random),
            "modified": _time(random),
            "details": f"It was discovered that {sources[0]} could be made to crash. " * random.randint(2, 8),
            "upstream": links,
            "severity": [
                {"type": "CVSS_V3", "score": f"CVSS:3.1/AV:N/AC:{random.choice('LH')}/PR:N/UI:N/S:U/C:H/I:N/A:N"},
                {"type": "Ubuntu", "score": random.choice(_PRIORITIES)},
            ],
            "affected": [_of_ubuntu(random, release, source) for release in UBUNTU for source in sources],
            "references": [{"type": "REPORT", "url": f"https://ubuntu.com/security/{cve}"}],
        }


def _time(random: Random) -> str:
    day = f"202{random.randrange(6)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
    return f"{day}T{random.randrange(24):02}:14:17.327Z"


def _of_debian(random: Random, release: str, source: str, *, fixed: bool) -> dict[str, Any]:
    end = (("fixed", f"{random.randrange(9)}.{random.randrange(40)}-1+deb{release}u{random.randrange(9)}"),)
    return {
        **affected(f"Debian:{release}", source, ("introduced", "0"), *(end if fixed else ())),
        "versions": [f"{random.randrange(9)}.{minor}-1" for minor in range(random.randrange(12))],
        "ecosystem_specific": {"urgency": random.choice(_URGENCIES)},
    }


def _of_ubuntu(random: Random, release: str, source: str) -> dict[str, Any]:
    kernel = source.startswith("linux")
    version = (
        f"5.15.0-{random.randrange(1, 160)}.1" if kernel else f"2.{random.randrange(40)}-0ubuntu3.{random.randrange(9)}"
    )
    names = [f"linux-{kind}-{version}{source[5:]}" for kind in ("image", "modules", "headers", "tools", "buildinfo")]
    binaries = names if kernel else [source, f"lib{source}1", f"{source}-common", f"{source}-dbgsym"]
    pro = not kernel and random.random() < 0.3
    ecosystem = f"Ubuntu:Pro:{release}:LTS" if pro else f"Ubuntu:{release}:LTS"
    end = (("fixed", version),) if random.random() < 0.7 else ()
    return {
        **affected(ecosystem, source, ("introduced", "0"), *end),
        "versions": [f"5.15.0-{abi}.1" for abi in range(1, 40 if kernel else 8)],
        "ecosystem_specific": {
            "binaries": [{"binary_name": each, "binary_version": version} for each in binaries],
            "availability": "Available with Ubuntu Pro: https://ubuntu.com/pro" if pro else "No subscription required",
        },
    }


def write_zip(path: Path, records: Iterable[dict[str, Any] | bytes]) -> Path:
    """A zip as OSV's bucket has them: one member for each record."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, each in enumerate(records):
            data = each if isinstance(each, bytes) else json.dumps(each).encode()
            name = f"broken{number}" if isinstance(each, bytes) else each["id"]
            archive.writestr(f"{name}.json", data)
    return path


def write_tar(path: Path, records: Sequence[dict[str, Any]], *, mode: str = "w") -> Path:
    """A tar as ``git archive`` makes of Canonical's repository: with folders and long names."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("ubuntu-security-notices/osv")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for each in records:
            data = json.dumps(each).encode()
            member = tarfile.TarInfo(f"{'ubuntu-security-notices/' * 5}osv/cve/2026/{each['id']}.json")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def write_lines(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    """JSON lines."""
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    return path


def write_directory(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    """A checkout: indented JSON, one file for each record, in folders."""
    for each in records:
        (path / each["id"][:3]).mkdir(parents=True, exist_ok=True)
        (path / each["id"][:3] / f"{each['id']}.json").write_text(json.dumps(each, indent=2))
    return path


def compiled(
    release: str, records: Iterable[dict[str, Any]], *, until: str, exploited: dict[str, str] | None = None
) -> bytes:
    """The compact file of a release."""
    from ssmpatchlib.advisories import compact
    from ssmpatchlib.advisories.compiler import Compiler

    compiler = Compiler([release], exploited=exploited or {}, until=until)
    for each in records:
        compiler.add(each)
    return compact.write(compiler.header(release), compiler.lines(release))


def debian_cve(
    cve: str, source: str, fixed: str = "", *, urgency: str = "high", release: str = "12", **more: Any
) -> dict[str, Any]:
    """A DEBIAN-CVE of one source package."""
    events = [("introduced", "0"), *([("fixed", fixed)] if fixed else [])]
    said = affected(f"Debian:{release}", source, *events, ecosystem_specific={"urgency": urgency})
    return record(f"DEBIAN-{cve}", said, upstream=[cve], **more)


def dsa(name: str, source: str, fixed: str, *cves: str, published: str, release: str = "12") -> dict[str, Any]:
    """A DSA of one source package."""
    said = affected(f"Debian:{release}", source, ("introduced", "0"), ("fixed", fixed))
    return record(name, said, upstream=list(cves), published=published, modified=published)

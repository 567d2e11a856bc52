# SPDX-License-Identifier: Apache-2.0
"""Large rpm repositories: metadata as a distribution has them, written without the packages themselves."""

from __future__ import annotations

import gzip
import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRIMARY_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<metadata xmlns="http://linux.duke.edu/metadata/common"'
    ' xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="{count}">\n'
)
FILELISTS_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<filelists xmlns="http://linux.duke.edu/metadata/filelists"'
    ' packages="{count}">\n'
)
REPOMD_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<repomd xmlns="http://linux.duke.edu/metadata/repo">\n'
DESCRIPTION = "A library and the programs that use it; this text stands for what packages say of themselves. " * 8
SEVERITIES = ("critical", "important", "moderate", "low")


@dataclass(frozen=True)
class Size:
    """How much a repository has, and how much of it is installed on the host that is measured."""

    names: int
    advisories: int
    installed: int


SIZES = {
    "14,000 packages": Size(6000, 1500, 500),
    "42,000 packages": Size(18000, 5000, 1000),
}


def packages(size: Size) -> list[dict[str, Any]]:
    """The packages of a repository, each name in two or three versions, oldest first."""
    rng = random.Random(1)
    found = []
    for number in range(size.names):
        name = f"package{number:05d}-{rng.choice(('libs', 'devel', 'common', 'core'))}"
        for version in range(2 if rng.random() < 0.65 else 3):
            package = {"name": name, "version": f"{version + 1}.{number % 50}", "release": f"{version + 1}.1"}
            found.append({**package, "arch": "x86_64", "vendor": "Vendor"})
    return found


def write(directory: Path, size: Size, *, revision: int = 1) -> None:
    """Write a repository's metadata; another ``revision`` is a change of everything."""
    offered = packages(size)
    (directory / "repodata").mkdir(parents=True, exist_ok=True)
    primary = "".join((PRIMARY_HEAD.format(count=len(offered)), *_entries(offered, revision), "</metadata>\n"))
    advisories = "".join(("<updates>\n", *_advisories(offered, size.advisories, revision), "</updates>\n"))
    files = "".join((FILELISTS_HEAD.format(count=len(offered)), *_file_lists(offered, revision), "</filelists>\n"))
    documents = {"primary": primary, "filelists": files, "updateinfo": advisories}
    records = [_put(directory, kind, text) for kind, text in documents.items()]
    text = f"{REPOMD_HEAD}  <revision>{revision}</revision>\n{''.join(records)}</repomd>\n"
    (directory / "repodata/repomd.xml").write_text(text)


def installed(size: Size) -> list[dict[str, Any]]:
    """The packages of the host: the newest versions of some of the repository's names."""
    newest = {package["name"]: package for package in packages(size)}
    return list(newest.values())[:: max(1, size.names // size.installed)][: size.installed]


def plain_sizes(directory: Path) -> str:
    """How large a repository's documents are when they are unpacked, in words."""
    text = (directory / "repodata/repomd.xml").read_text()
    sizes = {kind: int(size) for kind, size in re.findall(r'<data type="(\w+)">.*<open-size>(\d+)', text)}
    return ", ".join(f"{kind} of {size / 1e6:.0f} MB" for kind, size in sizes.items())


def _put(directory: Path, kind: str, text: str) -> str:
    data = text.encode()
    packed = gzip.compress(data, 5, mtime=0)
    sums = [hashlib.sha256(content).hexdigest() for content in (packed, data)]
    name = f"repodata/{sums[0]}-{kind}.xml.gz"
    (directory / name).write_bytes(packed)
    return (
        f'  <data type="{kind}"><checksum type="sha256">{sums[0]}</checksum>'
        f'<open-checksum type="sha256">{sums[1]}</open-checksum><location href="{name}"/>'
        f"<timestamp>1700000000</timestamp><size>{len(packed)}</size><open-size>{len(data)}</open-size></data>\n"
    )


def _package_id(package: dict[str, Any]) -> str:
    return hashlib.sha256(f"{package['name']}{package['version']}".encode()).hexdigest()


def _file_lists(offered: Sequence[dict[str, Any]], revision: int) -> Iterator[str]:
    for number, package in enumerate(offered):
        name, version, release = package["name"], package["version"], package["release"]
        files = "".join(f"  <file>/usr/share/{name}/{revision}/part{place}</file>\n" for place in range(number % 40))
        yield (
            f'<package pkgid="{_package_id(package)}" name="{name}" arch="x86_64">\n'
            f'  <version epoch="0" ver="{version}" rel="{release}"/>\n{files}</package>\n'
        )


def _entries(offered: Sequence[dict[str, Any]], revision: int) -> Iterator[str]:
    rng = random.Random(2)
    for number, package in enumerate(offered):
        name, version, release = package["name"], package["version"], package["release"]
        sonames = (f"lib{rng.choice('abcdefgh') * 5}.so.{place}()(64bit)" for place in range(10))
        required = "".join(f'      <rpm:entry name="{soname}"/>\n' for soname in sonames)
        files = "".join(f"    <file>/usr/bin/{name}-{place}</file>\n" for place in range(3))
        evr = f'flags="EQ" epoch="0" ver="{version}" rel="{release}"'
        yield f"""<package type="rpm">
  <name>{name}</name>
  <arch>x86_64</arch>
  <version epoch="0" ver="{version}" rel="{release}"/>
  <checksum type="sha256" pkgid="YES">{_package_id(package)}</checksum>
  <summary>Package {name}</summary>
  <description>{DESCRIPTION}</description>
  <packager>Nobody</packager>
  <url>https://example.invalid/{revision}</url>
  <time file="1700000000" build="{1600000000 + number}"/>
  <size package="{rng.randint(1000, 900000)}" installed="123456" archive="234567"/>
  <location href="Packages/{name}-{version}-{release}.x86_64.rpm"/>
  <format>
    <rpm:license>MIT</rpm:license>
    <rpm:vendor>Vendor</rpm:vendor>
    <rpm:group>Unspecified</rpm:group>
    <rpm:buildhost>build.invalid</rpm:buildhost>
    <rpm:sourcerpm>{name}-{version}-{release}.src.rpm</rpm:sourcerpm>
    <rpm:header-range start="4504" end="8000"/>
    <rpm:provides>
      <rpm:entry name="{name}" {evr}/>
      <rpm:entry name="{name}(x86-64)" {evr}/>
    </rpm:provides>
    <rpm:requires>
{required}    </rpm:requires>
{files}  </format>
</package>
"""


def _advisories(offered: Sequence[dict[str, Any]], count: int, revision: int) -> Iterator[str]:
    rng = random.Random(3)
    for number in range(count):
        security = rng.random() < 0.6
        kind = "security" if security else "recommended"
        named = "".join(
            f'        <package name="{p["name"]}" version="{p["version"]}" release="{p["release"]}" epoch="0"'
            f' arch="x86_64" src="{p["name"]}.src.rpm">\n          <filename>{p["name"]}.rpm</filename>\n'
            "        </package>\n"
            for p in rng.sample(offered, rng.randint(2, 10))
        )
        yield f"""  <update from="nobody@example.invalid" status="stable" type="{kind}" version="1">
    <id>UPDATE-2024-{number}</id>
    <title>Update {number}</title>
    <severity>{rng.choice(SEVERITIES) if security else "low"}</severity>
    <issued date="{1690000000 + number * 1000}"/>
    <rights>Copyright {revision}</rights>
    <description>{DESCRIPTION * 2}</description>
    <references>
      <reference href="https://example.invalid/{number}" id="CVE-2024-{number}" type="cve" title="CVE-2024-{number}"/>
      <reference href="https://example.invalid/{number}" id="{1000000 + number}" type="bugzilla" title="a bug"/>
    </references>
    <pkglist>
      <collection short="updates">
        <name>updates</name>
{named}      </collection>
    </pkglist>
  </update>
"""

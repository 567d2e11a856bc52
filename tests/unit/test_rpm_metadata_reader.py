# SPDX-License-Identifier: Apache-2.0
"""The reader of rpm repository metadata: compressions, dates, odd but legal documents, damage, memory."""

from __future__ import annotations

import bz2
import ctypes
import gzip
import hashlib
import lzma
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib import compression
from ssmpatchlib.backends.rpmmd import advisory_types, modulemd, primary, repomd, updateinfo, xmltext
from ssmpatchlib.backends.rpmmd.compression import read_pieces
from ssmpatchlib.backends.rpmmd.metadata import DamagedMetadata

CONTENT = b"<updates>\n" + b"".join(b"<update><id>%d</id></update>\n" % n for n in range(60_000)) + b"</updates>\n"


def _zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout


def _zchunk(data: bytes, path: Path) -> bytes:
    library = ctypes.CDLL("libzck.so.1")
    library.zck_create.restype = ctypes.c_void_p
    library.zck_init_write.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.zck_write.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
    library.zck_write.restype = ctypes.c_ssize_t
    library.zck_close.argtypes = (ctypes.c_void_p,)
    context = library.zck_create()
    with open(path, "w+b") as handle:
        assert library.zck_init_write(context, handle.fileno())
        assert library.zck_write(context, data, len(data)) == len(data)
        assert library.zck_close(context)
    return path.read_bytes()


def _has_library(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


KINDS: dict[str, Callable[[bytes, Path], bytes]] = {
    "plain": lambda data, path: data,
    "gz": lambda data, path: gzip.compress(data, 1),
    "bz2": lambda data, path: bz2.compress(data, 1),
    "xz": lambda data, path: lzma.compress(data, preset=0),
    "zst": lambda data, path: _zstd(data),
    "zck": _zchunk,
}
NEEDS = {"zst": lambda: shutil.which("zstd"), "zck": lambda: _has_library("libzck.so.1")}


@pytest.fixture(params=sorted(KINDS))
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    kind = request.param
    if kind in NEEDS and not NEEDS[kind]():
        pytest.skip(f"nothing here writes {kind}")
    path = tmp_path / f"updateinfo.xml.{kind}"
    path.write_bytes(KINDS[kind](CONTENT, path))
    return kind, path


def test_every_compression_is_read_in_bounded_pieces(packed: tuple[str, Path]) -> None:
    pieces = list(read_pieces(packed[1]))
    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) <= compression.PIECE
    assert len(pieces) > 1


def test_a_file_that_is_cut_short_is_damaged(packed: tuple[str, Path]) -> None:
    kind, path = packed
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    found: list[updateinfo.AdvisoryRecord] = []
    with pytest.raises(DamagedMetadata):
        found.extend(updateinfo.read_updateinfo(read_pieces(path), on_problem=pytest.fail))


def test_what_was_read_before_the_damage_counts() -> None:
    found = []
    with pytest.raises(DamagedMetadata, match="ends before </updates>"):
        for advisory in updateinfo.read_updateinfo([CONTENT[:-500]], on_problem=pytest.fail):
            found.append(advisory.id)
    assert found[:3] == ["0", "1", "2"]
    assert len(found) > 59_900


@pytest.mark.skipif(not shutil.which("zstd"), reason="needs zstd")
def test_programs_stand_in_for_missing_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    path = tmp_path / "updateinfo.xml.zst"
    path.write_bytes(_zstd(CONTENT))
    assert b"".join(read_pieces(path)) == CONTENT
    path.write_bytes(_zstd(CONTENT)[:-1000])
    with pytest.raises(DamagedMetadata, match=r"updateinfo.xml.zst"):
        list(read_pieces(path))


def test_nothing_that_can_read_a_kind_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    monkeypatch.setattr(compression, "_PROGRAMS", {"zchunk": (str(tmp_path / "no-unzck"), "-c")})
    path = tmp_path / "primary.xml.zck"
    path.write_bytes(b"\0ZCK1 and so on")
    with pytest.raises(DamagedMetadata, match="nothing here can read zchunk files"):
        list(read_pieces(path))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1704067200", 1704067200),
        ("2024-01-01", 1704067200),
        ("2024-01-01 00", 1704067200),
        ("2024-01-01 00:00", 1704067200),
        ("2024-01-01 00:00:00", 1704067200),
        ("2024-01-01 00:00:00 UTC", 1704067200),
        ("2024-01-01T00:00:00Z", 1704067200),
        ("2024-01-01T00:00:00.123Z", 1704067200),
        ("2024-01-01T02:00:00+02:00", 1704067200),
        ("2023-12-31 19:00:00-0500", 1704067200),
        ("2024-02-30", None),
        ("yesterday", None),
        ("9" * 30, None),
        ("", None),
    ],
)
def test_dates(written: str, seconds: int | None) -> None:
    assert updateinfo.parse_date(written) == seconds


@given(st.text(max_size=40))
def test_no_text_breaks_the_date_reader(written: str) -> None:
    assert updateinfo.parse_date(written) is None or isinstance(updateinfo.parse_date(written), int)


def _advisories(document: str, problems: list[str] | None = None) -> list[updateinfo.AdvisoryRecord]:
    report = problems.append if problems is not None else pytest.fail
    return list(updateinfo.read_updateinfo([document.encode()], on_problem=report))


def test_an_advisory_in_full() -> None:
    (advisory,) = _advisories(
        """<?xml version="1.0" encoding="UTF-8"?>
<updates>
  <update from="a@b" status="Retracted" type="security" version="3">
    <id>RHSA-2024:1</id><title>Fix &lt;this&gt; &amp; that</title>
    <severity>Important</severity>
    <issued date="2024-01-01 00:00:00"/><updated date="2024-01-02 00:00:00"/>
    <references>
      <reference href="h" id="RHSA-2024:1" type="self" title="t"/>
      <reference type='cve' id='CVE-2024-1' href='h'/>
      <reference href="h" id="" type="bugzilla"/>
    </references>
    <pkglist>
      <collection short="a">
        <name>a</name>
        <module name="perl" stream="5.30" version="8" context="c0" arch="x86_64"/>
        <package name="perl" version="5" release="1" epoch="4" arch="x86_64" src="s">
          <filename>f</filename><reboot_suggested>True</reboot_suggested></package>
      </collection>
      <collection short="b">
        <package arch="noarch" release="1" version="5" name="perl-doc"/>
      </collection>
    </pkglist>
  </update>
</updates>"""
    )
    assert (advisory.id, advisory.type, advisory.severity) == ("RHSA-2024:1", "security", "Important")
    assert (advisory.status, advisory.version, advisory.title) == ("retracted", "3", "Fix <this> & that")
    assert (advisory.issued, advisory.updated) == (1704067200, 1704153600)
    assert advisory.references == (("self", "RHSA-2024:1"), ("cve", "CVE-2024-1"))
    assert advisory.reboot_suggested and not advisory.restart_suggested
    first, second = advisory.collections
    assert first.module == advisory_types.ModuleRef("perl", "5.30", "8", "c0", "x86_64")
    assert first.packages == (advisory_types.PackageRef("perl", "x86_64", "4:5-1"),)
    assert second == advisory_types.Collection(None, (advisory_types.PackageRef("perl-doc", "noarch", "0:5-1"),))


@pytest.mark.parametrize(
    ("element", "severity"),
    [
        ("", None),
        ("<severity/>", ""),
        ("<severity></severity>", ""),
        ("<severity>None</severity>", "None"),
        ("<severity>SEVERITY_MODERATE</severity>", "Moderate"),
        ("<severity>severity_critical</severity>", "Critical"),
        ("<severity>SEVERITY_UNKNOWN</severity>", ""),
        ("<severity>moderate</severity>", "moderate"),
    ],
)
def test_severities(element: str, severity: str | None) -> None:
    (advisory,) = _advisories(f"<updates><update><id>A</id>{element}</update></updates>")
    assert advisory.severity == severity
    assert advisory.type == ""


@pytest.mark.parametrize("flag", ["<reboot_suggested>False</reboot_suggested>", "<reboot_suggested/>", ""])
def test_reboot_not_suggested(flag: str) -> None:
    (advisory,) = _advisories(f"<updates><update><id>A</id>{flag}</update></updates>")
    assert not advisory.reboot_suggested


def test_restart_suggested() -> None:
    (advisory,) = _advisories("<updates><update><id>A</id><restart_suggested>1</restart_suggested></update></updates>")
    assert advisory.restart_suggested


def test_parts_that_cannot_be_read_are_named() -> None:
    problems: list[str] = []
    (advisory,) = _advisories(
        """<updates><update type="security"><id>A-1</id><issued date="soon"/><pkglist><collection>
        <package version="1" release="1" arch="noarch"/><package name="b" version="1" arch="noarch"/>
        <package name="c" version="1" release="1" epoch="" arch="noarch"/>
        <package name="d" version="1" release="1" epoch="one" arch="noarch"/>
        </collection></pkglist></update></updates>""",
        problems,
    )
    assert advisory.collections[0].packages == (
        advisory_types.PackageRef("c", "noarch", "0:1-1"),
        advisory_types.PackageRef("d", "noarch", "0:1-1"),
    )
    assert problems == [
        "advisory A-1: the date 'soon' cannot be read; it counts as no date",
        "advisory A-1: package unnamed has no name; it is left out",
        "advisory A-1: package b has no release; it is left out",
        "advisory A-1: package d: epoch 'one' is not a number; 0 is used",
    ]


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[place : place + size] for place in range(0, len(data), size))


ODD = b"""<?xml version="1.0"?>
<updates>
<!-- <update><id>commented out</id></update> -->
<update><id>A</id><description><![CDATA[ </update> <severity>Critical</severity> & ]]></description></update>
<update
  type="bugfix"><id>B</id><!-- a > b --></update>
</updates>
"""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_comments_and_cdata_across_pieces(size: int) -> None:
    found = list(updateinfo.read_updateinfo(_cut(ODD, size), on_problem=pytest.fail))
    assert [(advisory.id, advisory.type, advisory.severity) for advisory in found] == [
        ("A", "", None),
        ("B", "bugfix", None),
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "empty"),
        (b"<updates><update><id>A</id></update>", "ends before </updates>"),
        (b"<html>not found</html>", "ends before </updates>"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><updates></updates>', "ISO-8859-1"),
        (b"<updates><!-- never closed </updates>", "ends before </updates>"),
    ],
)
def test_damaged_documents(document: bytes, message: str) -> None:
    with pytest.raises(DamagedMetadata, match=message):
        list(updateinfo.read_updateinfo([document] if document else [], on_problem=pytest.fail))


def test_an_element_without_end_is_refused_before_it_fills_the_memory() -> None:
    def endless() -> Iterator[bytes]:
        yield b"<updates><update>"
        while True:
            yield b"x" * compression.PIECE

    with pytest.raises(DamagedMetadata, match="larger than"):
        list(updateinfo.read_updateinfo(endless(), on_problem=pytest.fail))


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for reader in (
        lambda: list(updateinfo.read_updateinfo([b"<updates>" + data + b"</updates>"], on_problem=lambda words: None)),
        lambda: list(primary.read_primary([b"<metadata>" + data + b"</metadata>"])),
        lambda: modulemd.read_modules([data], on_problem=lambda words: None),
    ):
        try:
            reader()
        except DamagedMetadata:
            continue


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a &amp;&lt;&gt;&quot;&apos; b", "a &<>\"' b"),
        (b"&#65;&#x42;", "AB"),
        (b"&unknown; &#xFFFFFFFFF;", "&unknown; &#xFFFFFFFFF;"),
    ],
)
def test_entities(raw: bytes, expected: str) -> None:
    assert xmltext.text(raw) == expected


PRIMARY = """<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common"
  xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="{count}">
<package type="rpm">
  <name>new</name>
  <arch>x86_64</arch>
  <version epoch="1" ver="2.0~rc1" rel="3.el9"/>
  <time file="1" build="1718400000"/>
  <size package="1234" installed="2" archive="3"/>
  <format>
    <rpm:vendor>V &amp; W</rpm:vendor>
    <rpm:provides>
      <rpm:entry name="new" flags="EQ" epoch="1" ver="2.0~rc1" rel="3.el9"/>
      <rpm:entry name="new(x86-64)" flags="EQ" epoch="1" ver="2.0~rc1" rel="3.el9"/>
      <rpm:entry name="libnew.so.1()(64bit)"/>
      <rpm:entry name="/usr/bin/new"/>
      <rpm:entry name="old" flags="EQ" epoch="0" ver="2"/>
    </rpm:provides>
    <rpm:obsoletes>
      <rpm:entry name="old" flags="LT" epoch="0" ver="2"/>
      <rpm:entry name="older"/>
      <rpm:entry name="oldest" flags="LE" epoch="1" ver="3" rel="4"/>
    </rpm:obsoletes>
  </format>
</package>
<package type="rpm">
  <name>plus+plus</name><arch>noarch</arch>
  <version ver='1' rel='1' epoch='0' />
  <format/>
</package>
<package type="rpm">
  <name>new</name><arch>src</arch><version epoch="1" ver="2.0~rc1" rel="3.el9"/>
</package>
</metadata>
"""


def test_primary() -> None:
    new, plus = primary.read_primary([PRIMARY.format(count=3).encode()])
    assert new == primary.OfferedPackage(
        name="new",
        arch="x86_64",
        evr="1:2.0~rc1-3.el9",
        build_time=1718400000,
        vendor="V & W",
        obsoletes=(
            primary.Obsoletes("old", "LT", "0:2"),
            primary.Obsoletes("older", "", ""),
            primary.Obsoletes("oldest", "LE", "1:3-4"),
        ),
        provides=("old",),
    )
    assert plus == primary.OfferedPackage("plus+plus", "noarch", "0:1-1", 0, "", (), ())


def test_primary_with_a_package_missing_is_damaged() -> None:
    with pytest.raises(DamagedMetadata, match="announces 4 packages and lists 3"):
        list(primary.read_primary([PRIMARY.format(count=4).encode()]))


def test_primary_with_a_nameless_package_is_damaged() -> None:
    with pytest.raises(DamagedMetadata, match="without name, architecture or version"):
        list(primary.read_primary([b"<metadata><package type='rpm'><arch>noarch</arch></package></metadata>"]))


def _repository(tmp_path: Path, checksum: str | None = None, href: str = "repodata/u.xml") -> Path:
    data = tmp_path / "repodata" / "u.xml"
    data.parent.mkdir()
    data.write_bytes(b"<updates></updates>")
    digest = checksum or hashlib.sha256(data.read_bytes()).hexdigest()
    index = tmp_path / "repodata" / "repomd.xml"
    index.write_text(
        f"""<repomd xmlns="x"><revision>17</revision>
        <data type="updateinfo"><checksum type="sha256">{digest}</checksum><location href="{href}"/></data>
        <data type="primary"><checksum type="sha">00</checksum><location href="repodata/gone.xml.gz"/></data>
        <data type="broken"/></repomd>"""
    )
    return index


def test_repomd(tmp_path: Path) -> None:
    index = repomd.read_repomd(_repository(tmp_path))
    assert index.revision == "17"
    assert set(index.records) == {"updateinfo", "primary"}
    record = index.find("updateinfo_zck", "updateinfo")
    assert record is not None and record.path == tmp_path / "repodata" / "u.xml"
    repomd.verify(record)
    missing = index.find("primary_zck", "primary")
    assert missing is not None
    with pytest.raises(DamagedMetadata, match=r"primary: gone.xml.gz: No such file"):
        repomd.verify(missing)
    assert index.find("modules") is None


def test_a_file_of_another_checksum_is_damaged(tmp_path: Path) -> None:
    record = repomd.read_repomd(_repository(tmp_path, checksum="ab" * 32)).records["updateinfo"]
    with pytest.raises(DamagedMetadata, match="not the file that repomd.xml lists"):
        repomd.verify(record)


def test_files_beside_the_index_are_found(tmp_path: Path) -> None:
    record = repomd.read_repomd(_repository(tmp_path, href="elsewhere/u.xml")).records["updateinfo"]
    repomd.verify(record)


@pytest.mark.parametrize("href", ["/etc/passwd", "../../../etc/passwd"])
def test_no_document_leads_out_of_the_repository(tmp_path: Path, href: str) -> None:
    record = repomd.read_repomd(_repository(tmp_path, href=href)).records["updateinfo"]
    assert record.path == tmp_path / "repodata" / "passwd"


@pytest.mark.parametrize("content", [b"", b"<repomd>", b"<html>captive portal</html>"])
def test_damaged_repomd(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "repomd.xml"
    path.write_bytes(content)
    with pytest.raises(DamagedMetadata, match=r"repomd.xml"):
        repomd.read_repomd(path)
    with pytest.raises(DamagedMetadata, match="No such file"):
        repomd.read_repomd(tmp_path / "missing.xml")


MODULES = """---
document: modulemd
version: 2
data:
  name: perl
  stream: 5.30
  version: 820240101
  context: 01234567
  arch: x86_64
  summary: Perl
  description: >-
    A language.

    name: not this one
  xmd:
    name: nor this one
  dependencies:
  - buildrequires:
      platform: [el8]
    requires:
      platform: [el8]
      app: []
      other: [-1, 2.10]
  artifacts:
    rpms:
    - perl-4:5.30.1-1.module_el8.x86_64
    - perl-4:5.30.1-1.module_el8.src
    - perl-doc-0:5.30.1-1.module_el8.noarch
...
---
document: modulemd-defaults
version: 1
data:
  module: perl
  stream: "5.26"
  profiles:
    "5.26": [common]
...
---
document: modulemd
data: [broken
...
---
document: modulemd-defaults
version: 1
data:
  module: nodejs
  profiles: {}
"""


@pytest.mark.parametrize("size", [5, 100_000])
def test_modules(size: int) -> None:
    problems: list[str] = []
    found = modulemd.read_modules(_cut(MODULES.encode(), size), on_problem=problems.append)
    (build,) = found.builds
    assert (build.name, build.stream, build.version) == ("perl", "5.30", "820240101")
    assert (build.context, build.arch) == ("01234567", "x86_64")
    assert build.requires == ({"platform": ("el8",), "app": (), "other": ("-1", "2.10")},)
    assert build.artifacts == (
        ("perl", "x86_64", "4:5.30.1-1.module_el8"),
        ("perl-doc", "noarch", "0:5.30.1-1.module_el8"),
    )
    assert found.defaults == {"perl": "5.26"}
    assert len(problems) == 1 and problems[0].startswith("modules.yaml: document 3 is not understood: ")


def test_the_first_version_of_the_module_format() -> None:
    text = """---
document: modulemd
version: 1
data:
  name: perl
  stream: f27
  version: 20171114171711
  dependencies:
    buildrequires:
      platform: f27
    requires:
      platform: f27
"""
    found = modulemd.read_modules([text.encode()], on_problem=pytest.fail)
    assert [build.requires for build in found.builds] == [({"platform": ("f27",)},)]


def test_administrators_defaults() -> None:
    text = "document: modulemd-defaults\nversion: 1\ndata:\n  module: perl\n  stream: 5.30\n"
    assert modulemd.read_defaults(text) == {"perl": "5.30"}


MEMORY = """
import resource, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ssmpatchlib.backends.rpmmd import compression, primary, updateinfo
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
packages = sum(1 for _ in primary.read_primary(compression.read_pieces(Path(sys.argv[2]))))
advisories = sum(1 for _ in updateinfo.read_updateinfo(compression.read_pieces(Path(sys.argv[3])), on_problem=print))
print(packages, advisories, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_large_documents_take_little_memory(tmp_path: Path, repo: Path) -> None:
    package = PRIMARY.partition("<package")[2].partition("</package>")[0]
    padding = f"<description>{'x' * 1200}</description></package>"
    count = 100_000_000 // (len(package) + len(padding) + 8)
    with gzip.open(tmp_path / "p.gz", "wb", 1) as handle:
        handle.write(f'<metadata packages="{count}">'.encode())
        for _ in range(count):
            handle.write(f"<package{package}{padding}".encode())
        handle.write(b"</metadata>")
    refs = '<package name="a" version="1" release="1" epoch="0" arch="noarch" src="s"/>' * 20
    update = f'<update type="security"><id>A</id><pkglist><collection>{refs}</collection></pkglist></update>'.encode()
    updates = 50_000_000 // len(update)
    with gzip.open(tmp_path / "u.gz", "wb", 1) as handle:
        handle.write(b"<updates>" + update * updates + b"</updates>")
    argv = [sys.executable, "-c", MEMORY, str(repo / "_utils"), str(tmp_path / "p.gz"), str(tmp_path / "u.gz")]
    answer = subprocess.run(argv, capture_output=True, text=True, check=True)
    packages, advisories, extra = map(int, answer.stdout.split())
    assert (packages, advisories) == (count, updates)
    assert extra < 80

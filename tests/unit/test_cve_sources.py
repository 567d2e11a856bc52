# SPDX-License-Identifier: Apache-2.0
"""Under which source the vendors' records have a package: kernels, rebuilt packages, and the Source field."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ssmpatchlib.advisories.sources import Source, has_code, is_of_kernel, source_of
from ssmpatchlib.backends.apt.paragraphs import split
from ssmpatchlib.backends.apt.source_field import read_source
from ssmpatchlib.model import Advisory, Version
from ssmpatchlib.versions.deb import sort_key


def version(name: str, own: str, source: str = "", source_version: str = "") -> Version:
    return Version(name, "amd64", own, (Advisory(False),), source=source, source_version=source_version)


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (version("zlib1g", "1:1.2.13.dfsg-1", "zlib"), ("zlib", "1:1.2.13.dfsg-1")),
        (version("bash", "5.2.15-2+b7", "", "5.2.15-2"), ("bash", "5.2.15-2")),
        (version("gcc", "4:12.2.0-3", "gcc-defaults", "1.203"), ("gcc-defaults", "1.203")),
        # Debian's signed images, also of the kernels that older releases get as well.
        (
            version("linux-image-6.1.0-26-amd64", "6.1.112-1", "linux-signed-amd64", "6.1.112+1"),
            ("linux", "6.1.112-1"),
        ),
        (version("linux-image-amd64", "6.1.112-1", "linux-signed-amd64", "6.1.112+1"), ("linux", "6.1.112-1")),
        (version("linux-image-6.1.0-26-arm64", "6.1.112-1", "linux-signed-arm64"), ("linux", "6.1.112-1")),
        (
            version("linux-image-6.1.0-0.deb11.25-amd64", "6.1.119-1~deb11u1", "linux-signed-6.1-amd64", "6.1.119+1"),
            ("linux-6.1", "6.1.119-1~deb11u1"),
        ),
        (version("linux-image-5.10-arm64", "5.10.1-1", "linux-signed-5.10-arm64"), ("linux-5.10", "5.10.1-1")),
        (version("linux-libc-dev", "6.1.112-1", "linux"), ("linux", "6.1.112-1")),
        # Ubuntu's.
        (version("linux-image-5.15.0-119-generic", "5.15.0-119.129", "linux-signed"), ("linux", "5.15.0-119.129")),
        (version("linux-modules-5.15.0-119-generic", "5.15.0-119.129", "linux"), ("linux", "5.15.0-119.129")),
        (version("linux-image-5.15.0-1070-aws", "5.15.0-1070.76", "linux-signed-aws"), ("linux-aws", "5.15.0-1070.76")),
        (
            version("linux-image-5.15.0-119-generic", "5.15.0-119.129~20.04.1", "linux-signed-hwe-5.15"),
            ("linux-hwe-5.15", "5.15.0-119.129~20.04.1"),
        ),
        (version("linux-generic", "5.15.0.119.119", "linux-meta"), ("linux", "5.15.0-119.999999")),
        (version("linux-aws", "5.15.0.1070.70", "linux-meta-aws"), ("linux-aws", "5.15.0-1070.999999")),
        (
            version("linux-generic-hwe-20.04", "5.15.0.119.129~20.04.1", "linux-meta-hwe-5.15"),
            ("linux-hwe-5.15", "5.15.0-119.999999"),
        ),
        (version("linux-generic", "6.8.0-45.45", "linux-meta"), ("linux", "6.8.0-45.999999")),
        (
            version("linux-generic-hwe-22.04", "6.8.0-45.45~22.04.1", "linux-meta-hwe-6.8"),
            ("linux-hwe-6.8", "6.8.0-45.999999"),
        ),
        (version("linux-generic", "6.8.0-45.45.1", "linux-meta"), ("linux", "6.8.0-45.999999")),
        # Called like it, and no kernel.
        (version("linux-base", "4.9"), ("linux-base", "4.9")),
        (version("linux-firmware", "20220329-0ubuntu3.36"), ("linux-firmware", "20220329-0ubuntu3.36")),
        (version("x", "1", "linux-metal"), ("linux-metal", "1")),
    ],
)  # fmt: skip
def test_the_records_know_a_package_by_its_source(installed: Version, expected: tuple[str, str]) -> None:
    assert source_of(installed) == Source(*expected)


@pytest.mark.parametrize(
    "meta", ["5.15.0.119.119", "5.15.0.119.129~20.04.1", "5.15.0-119.129", "5.15.0-119.129~20.04.1"]
)
def test_a_package_of_the_newest_kernel_is_as_new_as_all_of_its_abi(meta: str) -> None:
    own = sort_key(source_of(version("linux-generic", meta, "linux-meta")).version)
    for fixed, has in (("5.15.0-118.128", True), ("5.15.0-119.129", True), ("5.15.0-120.130", False)):
        assert (own >= sort_key(fixed)) is has, fixed


@pytest.mark.parametrize(
    ("installed", "code"),
    [
        (version("linux-generic", "6.8.0-45.45", "linux-meta"), False),
        (version("linux-image-generic", "5.15.0.119.119", "linux-meta"), False),
        (version("linux-image-amd64", "6.1.112-1", "linux-signed-amd64", "6.1.112+1"), False),
        (version("linux-image-cloud-amd64", "6.1.112-1", "linux-signed-amd64", "6.1.112+1"), False),
        (version("linux-headers-amd64", "6.1.112-1", "linux-signed-amd64", "6.1.112+1"), False),
        (version("linux-image-amd64", "6.1.112-1", "linux"), False),
        (version("linux-image-6.1.0-26-amd64", "6.1.112-1", "linux-signed-amd64"), True),
        (version("linux-libc-dev", "6.1.112-1", "linux"), True),
        (version("linux-perf", "6.1.112-1", "linux"), True),
        (version("openssl", "3", ""), True),
    ],
)
def test_what_only_requires_the_newest_kernel_has_no_code(installed: Version, code: bool) -> None:
    assert has_code(installed) is code


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("linux-image-6.1.0-26-amd64", True),
        ("linux-image-unsigned-5.15.0-1050-aws", True),
        ("linux-modules-extra-5.15.0-119-generic", True),
        ("linux-headers-6.1.0-26-common", True),
        ("linux-image-6.12.90+deb13.1-amd64", True),
        ("linux-image-amd64", False),
        ("linux-libc-dev", False),
        ("linux-generic-hwe-22.04", False),
        ("linux-firmware", False),
        ("python3.11", False),
    ],
)
def test_what_is_of_one_kernel_is_told_by_its_name(name: str, own: bool) -> None:
    assert is_of_kernel(name) is own


# --- the field, beside dpkg and apt ----------------------------------------------------------------------------

SPELLED = (
    "Source: foo (1.2-3)", "Source: foo", "Source:foo (1.2-3)", "Source:  foo  (1.2-3)",
    "Source: foo ( 1.2-3 )", "Source: foo (1.2-3) ", "SOURCE: foo (1:1.2-3)", "source: foo", "SouRce: foo (2)",
    "Source:\tfoo (1.2-3)\t", "Source: foo-1.2+x (1:2.0~rc1-1+deb12u1)", "Source: foo (1.2-3+b1)", "sOURCE: foo",
)  # fmt: skip


def paragraph(number: int, field: str, *, first: bool = False) -> str:
    lines = [f"Package: pkg{number}", "Status: install ok installed", field, "Architecture: amd64", "Version: 9-1+b2"]
    lines += ["Maintainer: A <a@example.com>", "Description: x"]
    if first:
        lines = [field, *(line for line in lines if line != field)]
    return "\n".join(lines) + "\n"


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="no dpkg on this host")
@pytest.mark.parametrize("first", [False, True], ids=["within", "first"])
def test_the_source_is_the_one_that_dpkg_reads(tmp_path: Path, first: bool) -> None:
    text = "\n".join(paragraph(number, field, first=first) for number, field in enumerate(SPELLED))
    (tmp_path / "info").mkdir()
    (tmp_path / "updates").mkdir()
    (tmp_path / "status").write_text(text)
    form = "${Package} ${source:Package} ${source:Version}\\n"
    argv = ["dpkg-query", "-W", f"--admindir={tmp_path}", "-f", form]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    said = {line.split()[0]: tuple(line.split()[1:]) for line in shown}
    assert len(said) == len(SPELLED)
    for number, each in enumerate(split(text)):
        found = source_of(
            Version(f"pkg{number}", "amd64", "9-1+b2", (), "", "", "", False, False, False, *read_source(each))
        )
        assert tuple(found) == said[f"pkg{number}"], SPELLED[number]


@pytest.mark.skipif(shutil.which("apt-cache") is None, reason="no apt on this host")
def test_the_source_is_the_one_that_apt_reads_in_an_index(tmp_path: Path) -> None:
    """apt finds the source's records by the field: apt-cache showsrc of the binary's source name has them."""
    (tmp_path / "lists/partial").mkdir(parents=True)
    (tmp_path / "repo").mkdir()
    names = [f"pkg{number}" for number in range(len(SPELLED))]
    binaries = [
        paragraph(number, field).replace("Status: install ok installed\n", "") for number, field in enumerate(SPELLED)
    ]
    sizes = "Size: 1\nSHA256: " + "0" * 64 + "\n"
    (tmp_path / "repo/Packages").write_text(
        "\n".join(each + f"Filename: {name}.deb\n{sizes}" for name, each in zip(names, binaries, strict=True))
    )
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{tmp_path}/repo ./\n")
    env = {**os.environ, "APT_CONFIG": str(tmp_path / "apt.conf")}
    (tmp_path / "apt.conf").write_text(
        f'Dir "{tmp_path}"; Dir::State::lists "{tmp_path}/lists"; Dir::Etc::sourcelist "{tmp_path}/sources.list";'
        f'Dir::Etc::sourceparts "/dev/null"; Dir::State::status "{tmp_path}/status"; Dir::Cache "{tmp_path}";'
        'Dir::Bin::methods "/usr/lib/apt/methods/"; APT::Sandbox::User "root"; APT::Architecture "amd64";'
    )
    (tmp_path / "status").touch()
    subprocess.run(["apt-get", "update"], env=env, check=True, capture_output=True)
    # "dumpavail" would print the field as it stands; the solver's scenario has what apt has read.
    argv = ["apt-get", "-s", "--solver", "dump", "install", *names]
    scenario = tmp_path / "scenario"
    subprocess.run(argv, env={**env, "APT_EDSP_DUMP_FILENAME": str(scenario)}, capture_output=True, check=False)
    said = {}
    for each in split(scenario.read_text()):
        fields = dict(line.split(": ", 1) for line in each.strip().splitlines() if ": " in line)
        if "Package" in fields:
            said[fields["Package"]] = (fields["Source"], fields.get("Source-Version", "9-1+b2").strip())
    assert said.keys() == set(names)
    for number, each in enumerate(map("\n{}".format, binaries)):
        name, own = read_source(each)
        assert (name or f"pkg{number}", own or "9-1+b2") == said[f"pkg{number}"], SPELLED[number]

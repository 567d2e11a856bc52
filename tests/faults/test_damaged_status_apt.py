# SPDX-License-Identifier: Apache-2.0
"""A dpkg database that tells nothing is an error, never a host without anything to patch."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.errors import SsmpatchError
from support.faults.debs import Deb
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, NEW, OLD, build_apt

pytestmark = pytest.mark.root

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "blank": lambda data: b"\n\n",
    "zeros": lambda data: bytes(len(data)),
    "zeros at the end": lambda data: data[:-20] + bytes(20),
    "cut short": lambda data: data[: len(data) - 30],
    "a state that is none": lambda data: data.replace(b"ok installed", b"ok instAlled", 1),
    "no state": lambda data: data.replace(b"ok installed", b"ok"),
    "an empty version": lambda data: data.replace(f"Version: {OLD}\n".encode(), b"Version: \n", 1),
    "no version": lambda data: data.replace(f"Version: {OLD}\n".encode(), b"", 1),
    "a name that is none": lambda data: data.replace(b"Package: foo", b"Package: f\x01o"),
    "no field": lambda data: data.replace(b"Version:", b"Versi\nVersion:", 1),
    "two paragraphs in one": lambda data: data.replace(b"\n\n", b"\n", 1),
    "two paragraphs in one, in spite of blanks": lambda data: data.replace(b"\n\n", b"\n \n", 1),
    "cut short at a line": lambda data: data[: data.rindex(b"Version")],
    "several paragraphs of a package": lambda data: data + b"\n" + data,
    "nothing but removed packages": lambda data: data.replace(b"install ok installed", b"deinstall ok config-files"),
    "nothing at all": lambda data: data.replace(b"install ok installed", b"unknown ok not-installed"),
    "ends of lines of another system": lambda data: data.replace(b"\n", b"\r\n"),
    "a wish that is none": lambda data: data.replace(b"install ok", b"keep ok", 1),
    "a flag that is none": lambda data: data.replace(b"install ok", b"install maybe", 1),
    "a comment": lambda data: b"# by hand\n" + data,
    "another file": lambda data: b"\x7fELF" + data.replace(b"Package", b"Peckage"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("operation", ["scan", "plan", "install"])
def test_a_damaged_database_is_named(tmp_path: Path, damage: str, operation: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD), Deb("zoo", OLD)], offered=[Deb("foo", NEW)])
    settings = config.load(minion=APT.settings(root))

    def run(name: str) -> dict[str, Any]:
        return getattr(api, name)(settings, caller=quiet_surface(), host=FaultHost())

    assert run("scan")["compliance"] == "NON_COMPLIANT"
    status = root / "var/lib/dpkg/status"
    before = status.read_bytes()
    status.write_bytes(DAMAGES[damage](before))
    assert status.read_bytes() != before
    with pytest.raises(SsmpatchError, match="dpkg's database is damaged.*status-old"):
        run(operation)


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "lower case": lambda data: re.sub(rb"(?m)^([\w-]+):", lambda m: m[0].lower(), data),
    "no blanks": lambda data: re.sub(rb"(?m)^([\w-]+): ", rb"\1:", data),
    "one field": lambda data: data.replace(b"Status: ", b"Status:\t", 1),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_database_that_dpkg_reads_is_read(tmp_path: Path, spelling: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD), Deb("zoo", OLD)], offered=[Deb("foo", NEW), Deb("zoo", NEW)])
    status = root / "var/lib/dpkg/status"
    status.write_bytes(SPELLINGS[spelling](status.read_bytes()))
    assert APT.versions(root) == {"foo": OLD, "zoo": OLD}
    report = api.install(config.load(minion=APT.settings(root)), caller=quiet_surface(), host=FaultHost())
    assert (report["compliance"], APT.versions(root)) == ("COMPLIANT", {"foo": NEW, "zoo": NEW})


def cut(root: Path) -> None:
    status = root / "var/lib/dpkg/status"
    status.write_bytes(status.read_bytes().partition(b"\n\n")[0] + b"\n")


def spoil(root: Path) -> None:
    (root / "var/lib/dpkg/updates/0001").write_bytes(bytes(100))


DOUBTS = {"nothing of zoo, of which": cut, "updates/0001 is damaged": spoil}


@pytest.mark.parametrize("words", DOUBTS)
def test_a_database_that_may_not_be_whole_is_not_compliant(tmp_path: Path, words: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=[Deb("foo", OLD), Deb("zoo", OLD)], offered=[Deb("foo", OLD)])
    settings = config.load(minion=APT.settings(root))
    assert api.scan(settings, caller=quiet_surface(), host=FaultHost())["compliance"] == "COMPLIANT"
    DOUBTS[words](root)
    report = api.scan(settings, caller=quiet_surface(), host=FaultHost())
    assert report["compliance"] == "UNKNOWN"
    assert any(words in text for text in report["warnings"]), report["warnings"]

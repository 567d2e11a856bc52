# SPDX-License-Identifier: Apache-2.0
"""Passwords of repositories and proxies stand in nothing that the engine returns, stores, sends or logs."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.errors import SsmpatchError
from support import dnf_root, suse_root
from support.faults.debs import Deb
from support.faults.managers import APT, build_apt
from support.operations import EVERYTHING

pytestmark = pytest.mark.root

#: The parts of each location that nobody may see. Nothing listens on the port.
SECRETS = ("usr-s3cr3t", "pw-s3cr3t", "qry-s3cr3t", "prx-s3cr3t")
LOCATION = "http://usr-s3cr3t:pw-s3cr3t@127.0.0.1:9/x?token=qry-s3cr3t"
PROXY = "http://prx-s3cr3t:pw-s3cr3t@127.0.0.1:9"
#: What the engine hands to the package manager, and what that printed: for root alone, in a directory of mode 0700.
OWN = ("apt-sources/", "dnf-sources/", "zypper-sources/", "-output.log", "zypper-solver.log")


def apt(root: Path) -> dict[str, Any]:
    build_apt(root, installed=[Deb("foo", "1.0")], offered=[Deb("foo", "2.0")])
    (root / "etc/apt/sources.list.d").mkdir(parents=True, exist_ok=True)
    with open(root / "etc/apt/sources.list", "a") as handle:
        handle.write(f"\ndeb [trusted=yes] {LOCATION} stable main\ndeb {LOCATION}2 flat/\n")
    return APT.settings(root)


def dnf(root: Path) -> dict[str, Any]:
    dnf_root.build(root, installed=["foo-1-1.noarch"], packages=["foo-2-1.noarch"])
    for name, more in (("bad", ""), ("worse", f"proxy={PROXY}\nproxy_username=prx-s3cr3t\nproxy_password=pw-s3cr3t\n")):
        text = f"[{name}]\nname={LOCATION}\nbaseurl={LOCATION}\nretries=1\n{more}enabled=1\n"
        (root / f"etc/yum.repos.d/{name}.repo").write_text(text)
    given = {"operating_system": "REDHAT_ENTERPRISE_LINUX", "product": "RedhatEnterpriseLinux8.6"}
    return {**given, "root": str(root), "package_manager": "dnf"}


def zypper(root: Path) -> dict[str, Any]:
    suse_root.build(root, installed=["foo-1-1.noarch"], packages=["foo-2-1.noarch"])
    where = f"{LOCATION}&proxy={PROXY}&proxyuser=prx-s3cr3t&proxypass=pw-s3cr3t"
    for name in ("bad", "worse"):
        text = f"[{name}]\nname={where}\nbaseurl={where}\nenabled=1\ntype=rpm-md\n"
        (root / f"etc/zypp/repos.d/{name}.repo").write_text(text)
    return {"operating_system": "SUSE", "product": "Suse15.3", "root": str(root)}


SYSTEMS = [
    pytest.param(build, marks=pytest.mark.skipif(not shutil.which(program), reason=f"needs {program}"), id=program)
    for build, program in ((apt, "apt-get"), (dnf, "dnf"), (zypper, "zypper"))
]


@pytest.mark.parametrize("build", SYSTEMS)
def test_no_secret_leaves_the_engine(
    tmp_path: Path, build: Callable[[Path], dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given = {**build(tmp_path / "root"), "state_dir": str(tmp_path / "state"), "baseline": EVERYTHING}
    settings = config.load(minion={**given, "lock_timeout": 20, "reboot": {"option": "NoReboot"}})
    fired: list[Any] = []
    caller = api.Caller(fire=lambda tag, data: fired.append([tag, data]))
    more = {"host": None, "caller": caller}
    said = [
        api.scan(settings, refresh=True, upload="never", **more),
        api.plan(settings, refresh=True, **more),
        api.explain(settings, name="foo", **more),
        api.install(settings, refresh=True, upload="never", **more),
        api.report(settings, details=True, **more),
        api.history(settings, **more),
        api.status(settings, **more),
    ]

    assert said[0]["compliance"] in ("UNKNOWN", "NON_COMPLIANT")
    assert "127.0.0.1:9" in json.dumps(said[0]["warnings"]) or "bad" in json.dumps(said[0]["warnings"])
    stored = {
        str(path.relative_to(tmp_path)): path.read_bytes()
        for path in (tmp_path / "state").rglob("*")
        if path.is_file() and not any(part in str(path) for part in OWN)
    }
    assert stored
    for secret in SECRETS:
        assert secret not in json.dumps(said, ensure_ascii=False), secret
        assert secret not in json.dumps(fired) and secret not in caplog.text
        assert [name for name, data in stored.items() if secret.encode() in data or secret in name] == []


@pytest.mark.parametrize(
    "location",
    ["https://usr-s3cr3t:pw-s3cr3t@127.0.0.1:9/x.json?token=qry-s3cr3t", "s3://b/k?qry-s3cr3t", "/no?token=qry-s3cr3t"],
)
@pytest.mark.parametrize("setting", ["baseline_override", "install_override_list", "frozen", "baseline"])
def test_no_secret_of_a_documents_location_is_told(tmp_path: Path, setting: str, location: str) -> None:
    given = {**apt(tmp_path / "root"), "state_dir": str(tmp_path / "state"), "baseline": EVERYTHING}
    with pytest.raises(SsmpatchError) as caught:
        settings = config.load(minion={**given, setting: location})
        api.install(settings, caller=api.Caller(), refresh=False, upload="never")
    assert "s3cr3t" not in f"{caught.value} {caught.value.info}"

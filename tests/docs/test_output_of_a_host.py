# SPDX-License-Identifier: Apache-2.0
"""What people see by default is the table; what programs ask for is the data, untouched."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from support.demo_host import DemoHost

pytestmark = pytest.mark.root


def test_tables_are_the_default_and_json_is_exact_data(host: DemoHost) -> None:
    table = host.salt_call("ssmpatch.scan").stdout
    assert "\n  Compliance  NON_COMPLIANT\n" in table
    assert not re.search(r"\x1b", table)
    report = json.loads(host.salt_call("ssmpatch.report", "--out=json").stdout)["local"]
    assert report == yaml.safe_load(host.salt_call("ssmpatch.report", "--out=yaml").stdout)["local"]
    assert report["compliance"] == "NON_COMPLIANT"
    assert all(isinstance(value, str) for value in report["summary"].values())
    assert f"\n  Missing ({report['summary']['MissingCount']})\n" in table
    for patch in report["patches"]:
        assert f"    {patch['Id']} " in table
        assert f"{patch['installed_version']} → {patch['available_version']}" in table


@pytest.mark.parametrize("function", ["plan", "explain", "install", "report"])
def test_every_default_is_a_table(host: DemoHost, function: str) -> None:
    if function == "report":
        host.salt_call("ssmpatch.scan")
    arguments = ["openssl"] if function == "explain" else []
    done = host.salt_call(f"ssmpatch.{function}", *arguments)
    assert "----------" not in done.stdout
    assert "ssmpatch install:" not in done.stdout + done.stderr, "progress belongs to level info"
    assert re.search(r"^  (Compliance|Plan|Package)  ", done.stdout, re.MULTILINE), done.stdout + done.stderr


def test_errors_are_printed_as_sentences(host: DemoHost) -> None:
    done = host.salt_call("ssmpatch.report")
    assert done.returncode
    assert "run ssmpatch.scan first" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_colours_are_salts(host: DemoHost) -> None:
    assert "\x1b[0;1;31mNON_COMPLIANT\x1b[0;0m" in host.salt_call("ssmpatch.scan", "--force-color").stdout

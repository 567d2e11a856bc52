# SPDX-License-Identifier: Apache-2.0
"""A proxy minion stands for a device: what it would judge is the host it runs on, which has a minion of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import salt.loader
import salt.utils.platform

from support.loader_minion import LoaderMinion, simple_case

SENTENCE = "ssmpatch does not work on proxy minions"


@pytest.fixture(params=["opts", "program"])
def minion(
    request: pytest.FixtureRequest, make_minion: Callable[..., LoaderMinion], monkeypatch: pytest.MonkeyPatch
) -> LoaderMinion:
    """A proxy minion, as its options say or as the program that was started says."""
    found = make_minion(simple_case())
    if request.param == "opts":
        found.loaders.opts["proxy"] = {"proxytype": "rest_sample", "url": "http://127.0.0.1:1"}
    else:
        monkeypatch.setattr(salt.utils.platform, "is_proxy", lambda: True)
    return found


def test_no_function_is_there_and_the_reason_is_said(minion: LoaderMinion) -> None:
    functions = minion.functions
    for name in ("scan", "install", "report", "freeze", "status", "reboot"):
        assert f"ssmpatch.{name}" not in functions
    assert SENTENCE in functions.missing_fun_string("ssmpatch.scan")


def test_a_state_is_refused_with_the_reason(minion: LoaderMinion) -> None:
    for name in ("compliant", "scanned", "rebooted"):
        ret = minion.state(name)
        assert ret["result"] is False and SENTENCE in ret["comment"] and not ret["changes"]


def test_the_beacon_is_refused_with_the_reason(minion: LoaderMinion, repo: Any) -> None:
    opts = {**minion.loaders.opts, "beacons_dirs": [str(repo / "_beacons")]}
    beacons = salt.loader.beacons(opts, {})
    assert "ssmpatch.beacon" not in beacons
    assert SENTENCE in beacons.missing_fun_string("ssmpatch.beacon")


def test_an_http_proxy_in_the_options_makes_no_proxy_minion(make_minion: Callable[..., LoaderMinion]) -> None:
    minion = make_minion(simple_case())
    minion.loaders.opts["proxy"] = "http://proxy.example:3128"
    minion.pillar["proxy"] = {"http": "http://proxy.example:3128"}
    assert "ssmpatch.scan" in minion.functions

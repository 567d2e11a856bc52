# SPDX-License-Identifier: Apache-2.0
"""The states through Salt's state system: the same changes in test mode and for real, none in a second run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from support.loader_minion import (
    STRICT,
    LoaderMinion,
    assert_plain,
    case,
    hard_case,
    installed_versions,
    package,
    simple_case,
)

MakeMinion = Callable[..., LoaderMinion]

CHANGES = {
    "curl": {"old": "7.88-1", "new": "7.88-2"},
    "libnew": {"old": "", "new": "1.0"},
    "openssl": {"old": "3.0-1", "new": "3.0-2"},
}
OVERRIDE = {"patches": [{"id": "openssl.amd64", "title": "3.0-2"}]}
OF_OVERRIDE = {name: CHANGES[name] for name in ("libnew", "openssl")}


@pytest.fixture(params=[True, False], ids=["test", "real"])
def testmode(request: pytest.FixtureRequest) -> bool:
    """Both modes of a state run."""
    return bool(request.param)


# --- compliant -----------------------------------------------------------------------------------


@pytest.mark.root
@pytest.mark.parametrize(
    ("arguments", "changes"), [({}, CHANGES), ({"install_override_list": OVERRIDE}, OF_OVERRIDE)], ids=["all", "list"]
)
def test_compliant_shows_the_same_changes_in_both_modes(
    make_minion: MakeMinion, testmode: bool, arguments: dict[str, Any], changes: dict[str, Any]
) -> None:
    minion = make_minion(simple_case())
    before = installed_versions(minion.root)
    ret = minion.state("compliant", test=testmode, **arguments)
    assert ret["changes"] == changes
    after = installed_versions(minion.root)
    if testmode:
        assert (ret["result"], after) == (None, before)
        assert ret["comment"] == f"{len(changes)} package{'s' * (len(changes) != 1)} would be changed"
    else:
        # With the override list curl is left Missing, and the state says so.
        assert ret["result"] is (not arguments)
        assert after == {**before, **{name: change["new"] for name, change in changes.items()}}


@pytest.mark.root
def test_a_second_run_changes_nothing_in_both_modes(make_minion: MakeMinion, testmode: bool) -> None:
    minion = make_minion(simple_case())
    assert minion.state("compliant")["result"] is True
    ret = minion.state("compliant", test=testmode)
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["comment"] == "This host is compliant (baseline AWS-DebianDefaultPatchBaseline)."
    again = minion.state("compliant", test=testmode, install_override_list=OVERRIDE)
    assert (again["result"], again["changes"]) == (True, {})


@pytest.mark.root
def test_compliant_names_what_is_in_the_way(make_minion: MakeMinion, testmode: bool) -> None:
    minion = make_minion(hard_case(), baseline=STRICT)
    ret = minion.state("compliant", test=testmode)
    versions = installed_versions(minion.root)
    assert versions["bash"] == "5.2-1" and versions["telnet"] == "0.17-1"
    if testmode:
        # Only dpkg can know that the package breaks.
        assert ret["result"] is None
        assert set(ret["changes"]) == {"broken", "curl"}
        assert "bash.amd64" in ret["comment"] and "held" in ret["comment"]
    else:
        assert ret["result"] is False
        assert ret["changes"]["curl"] == {"old": "7.88-1", "new": "7.88-2"}
        for words in ("bash.amd64 5.2-2: ", "held", "broken.amd64 1.1: ", "telnet.amd64 0.17-1: "):
            assert words in ret["comment"], ret["comment"]


def test_a_rejected_package_alone_fails_and_is_named(make_minion: MakeMinion, testmode: bool) -> None:
    minion = make_minion(case([package("telnet", "0.17-1")], []), baseline=STRICT)
    ret = minion.state("compliant", test=testmode)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "telnet.amd64" in ret["comment"] and "nothing is removed" in ret["comment"]


def test_a_held_package_alone_fails_and_is_named(make_minion: MakeMinion, testmode: bool) -> None:
    held = case([package("bash", "5.2-1", status="hold ok installed")], [package("bash", "5.2-2")])
    ret = make_minion(held).state("compliant", test=testmode)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "bash.amd64" in ret["comment"] and "held" in ret["comment"]


WAITING = "Patched; 3 packages take effect at the next reboot: curl.amd64, libnew.amd64, openssl.amd64."


@pytest.mark.root
def test_waiting_for_a_reboot_is_no_failure_and_is_said(make_minion: MakeMinion, testmode: bool) -> None:
    minion = make_minion(simple_case())
    done = minion.state("compliant", reboot_option="NoReboot")
    assert (done["result"], done["changes"]) == (True, CHANGES)
    assert done["comment"] == WAITING
    assert minion("scan")["compliance"] == "NON_COMPLIANT"
    ret = minion.state("compliant", test=testmode)
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["comment"] == WAITING


def test_compliant_does_not_trust_an_index_that_cannot_be_refreshed(make_minion: MakeMinion, testmode: bool) -> None:
    gone = case([package("curl", "7.88-1")], [package("curl", "7.88-1")])
    gone["repositories"][0]["unreachable"] = True
    ret = make_minion(gone).state("compliant", test=testmode)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "Compliance is unknown" in ret["comment"]
    assert any("could not be read" in warning for warning in ret["warnings"])


def test_errors_become_a_failed_state_with_the_message(make_minion: MakeMinion, testmode: bool) -> None:
    minion = make_minion(simple_case(), lock_timout=1)
    for function in ("compliant", "scanned", "rebooted"):
        ret = minion.state(function, test=testmode)
        assert (ret["result"], ret["changes"]) == (False, {})
        assert "lock_timout" in ret["comment"]


@pytest.mark.root
def test_a_window_that_is_closed_fails_a_real_run(make_minion: MakeMinion) -> None:
    closed = {"days": ["mon"], "start": "00:00", "duration": "1m", "timezone": "UTC"}
    if time.gmtime().tm_wday == 0:
        closed["days"] = ["wed"]
    minion = make_minion(simple_case(), window=closed)
    ret = minion.state("compliant")
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "maintenance window" in ret["comment"]
    assert installed_versions(minion.root)["curl"] == "7.88-1"


@pytest.mark.root
def test_changes_made_before_a_failing_hook_are_still_reported(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case(), hooks={"post_install": [{"test.false": []}]})
    ret = minion.state("compliant")
    assert (ret["result"], ret["changes"]) == (False, CHANGES)
    assert "test.false" in ret["comment"]


# --- scanned, rebooted ---------------------------------------------------------------------------


@pytest.mark.root
def test_scanned_never_changes_the_system(make_minion: MakeMinion, testmode: bool) -> None:
    minion = make_minion(simple_case())
    before = installed_versions(minion.root)
    ret = minion.state("scanned", test=testmode)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "2 missing:" in ret["comment"]
    assert installed_versions(minion.root) == before
    minion("install")
    assert minion.state("scanned", test=testmode)["result"] is True


def test_rebooted_says_why_it_does_not(make_minion: MakeMinion, testmode: bool) -> None:
    ret = make_minion(simple_case()).state("rebooted", test=testmode)
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["comment"]


# --- the state system ----------------------------------------------------------------------------


def watching(function: str, **arguments: Any) -> dict[str, Any]:
    """A state that changes, and one of ours that watches it."""
    return {
        "changed": {"test": ["succeed_with_changes"]},
        "watching": {"ssmpatch": [function, {"watch": [{"test": "changed"}]}, *({k: v} for k, v in arguments.items())]},
    }


@pytest.mark.root
def test_a_watched_change_runs_compliant_again(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    found = minion.sls(watching("compliant", refresh=False))
    assert (found["watching"]["result"], found["watching"]["changes"]) == (True, CHANGES)
    again = minion.sls(watching("compliant", refresh=False))
    assert (again["watching"]["result"], again["watching"]["changes"]) == (True, {})
    assert_plain({name: dict(result) for name, result in again.items()})


def test_a_watched_change_shows_changes_in_test_mode(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    document = watching("compliant")
    document["changed"] = {"test": ["configurable_test_state", {"changes": True}, {"result": True}]}
    found = minion.sls(document, test=True)
    assert (found["watching"]["result"], found["watching"]["changes"]) == (None, CHANGES)
    assert installed_versions(minion.root)["curl"] == "7.88-1"


@pytest.mark.parametrize("function", ["scanned", "rebooted"])
def test_a_watching_state_that_must_not_install_does_not(make_minion: MakeMinion, function: str) -> None:
    minion = make_minion(simple_case())
    before = installed_versions(minion.root)
    found = minion.sls(watching(function))
    assert found["watching"]["changes"] == {}
    assert installed_versions(minion.root) == before


@pytest.mark.parametrize("function", ["compliant", "scanned", "rebooted"])
def test_an_unknown_argument_is_refused_by_name(make_minion: MakeMinion, function: str) -> None:
    found = make_minion(simple_case()).state(function, test=True, basline_override="x")
    assert (found["result"], found["changes"]) == (False, {})
    assert found["comment"].startswith(f"ssmpatch.{function}: basline_override='x': no such argument; ")

# SPDX-License-Identifier: Apache-2.0
"""The execution module through Salt's loaders, on roots with real packages."""

from __future__ import annotations

import datetime
import inspect
import json
import os
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import salt.minion
import salt.payload
import salt.utils.args
from salt.exceptions import CommandExecutionError, SaltInvocationError
from saltfactories.utils.functional import Loaders

from support.loader_minion import STRICT, LoaderMinion, assert_plain, hard_case, installed_versions, simple_case

MakeMinion = Callable[..., LoaderMinion]

# Spec: every public function with its arguments and defaults.
CALLER = {
    "scan": {
        "baseline_override": None,
        "snapshot_id": None,
        "details": False,
        "refresh": True,
        "upload": None,
        "root": None,
        "frozen": None,
    },
    "install": {
        "baseline_override": None,
        "install_override_list": None,
        "snapshot_id": None,
        "reboot_option": None,
        "dry_run": False,
        "details": False,
        "refresh": True,
        "upload": None,
        "root": None,
        "frozen": None,
    },
    "plan": {"baseline_override": None, "install_override_list": None, "refresh": True, "root": None, "frozen": None},
    "report": {"states": None, "severity": None, "name": None, "details": False},
    "explain": {"name": inspect.Parameter.empty, "baseline_override": None, "root": None},
    "baseline": {"baseline_override": None},
    "validate": {"baseline_override": None},
    "status": {},
    "cve": {"ids": None, "stored": False, "root": None, "limit": 1000},
    "restarts": {},
    "resume": {},
    "reboot": {"force": False, "dry_run": False},
    "upload": {},
    "history": {"limit": 20},
    "freeze": {"root": None},
    "version": {},
    "about": {},
}
SUMMARY_KEYS = {
    "BaselineId",
    "PatchGroup",
    "SnapshotId",
    "ExecutionId",
    "InstalledCount",
    "InstalledOtherCount",
    "InstalledRejectedCount",
    "InstalledPendingRebootCount",
    "NotApplicableCount",
    "MissingCount",
    "FailedCount",
    "CriticalNonCompliantCount",
    "SecurityNonCompliantCount",
    "OtherNonCompliantCount",
    "OperationType",
    "OperationStartTime",
    "OperationEndTime",
    "RebootOption",
}


def rows(report: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {
        row["Id"]: (row["PatchState"], row["installed_version"], row["available_version"]) for row in report["patches"]
    }


# --- the shape of the module ---------------------------------------------------------------------


def functions(loaders: Loaders) -> dict[str, Callable[..., Any]]:
    """What the loader exposes of the module; loading one function loads its module only."""
    loader = loaders.modules
    assert loader["ssmpatch.version"]
    names = [name for name in loader._dict if name.startswith("ssmpatch.")]
    return {name.partition(".")[2]: loader[name] for name in names}


def test_the_functions_are_those_of_the_specification(loaders: Loaders) -> None:
    found = functions(loaders)
    assert set(found) == set(CALLER)
    for name, function in found.items():
        parameters = inspect.signature(function).parameters
        assert {each.name: each.default for each in parameters.values()} == CALLER[name]
        assert all(each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for each in parameters.values())


@pytest.mark.parametrize("name", CALLER)
def test_documentation_has_an_example_and_every_argument(loaders: Loaders, name: str) -> None:
    text = inspect.getdoc(loaders.modules[f"ssmpatch.{name}"]) or ""
    example = re.search(rf"^CLI Example:\n\n\.\. code-block:: bash\n\n    salt .* ssmpatch\.{name}\b", text, re.M)
    assert example, text
    described = [word for word in CALLER[name] if re.search(rf"^{word}\n    \S", text, re.M)]
    assert described == list(CALLER[name]) or "The arguments are those of" in text


def test_argument_specifications_can_be_sent_to_the_master(loaders: Loaders) -> None:
    found = {f"ssmpatch.{name}": function for name, function in functions(loaders).items()}
    specifications = salt.utils.args.argspec_report(found, "ssmpatch")
    assert len(specifications) == len(CALLER)
    assert salt.payload.loads(salt.payload.dumps(specifications)) == json.loads(json.dumps(specifications))


def test_an_unknown_argument_is_refused_by_name(loaders: Loaders) -> None:
    functions = LoaderMinion(loaders, Path("/nonexistent")).functions
    for name in CALLER:
        function = functions[f"ssmpatch.{name}"]
        given = [{"__kwarg__": True, "basline_override": "x"}]
        args, kwargs = salt.minion.load_args_and_kwargs(function, given, {"jid": 1})
        with pytest.raises(SaltInvocationError, match="basline_override='x': no such argument; ") as caught:
            function(*args, **kwargs)
        assert "__pub" not in str(caught.value)


# --- scan, plan, install -------------------------------------------------------------------------


def test_scan_returns_the_report_of_the_specification(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    before = installed_versions(minion.root)
    report = minion("scan")
    assert installed_versions(minion.root) == before
    parts = {"compliance", "summary", "patches", "baseline", "reboot", "warnings", "run"}
    assert set(report) == parts | {"held_back", "next_open"}
    assert report["compliance"] == "NON_COMPLIANT" and report["warnings"] == []
    assert rows(report) == {
        "curl.amd64": ("Missing", "7.88-1", "7.88-2"),
        "openssl.amd64": ("Missing", "3.0-1", "3.0-2"),
    }
    assert all(row["Status"] == "NON_COMPLIANT" and row["reason"] for row in report["patches"])
    assert set(report["summary"]) >= SUMMARY_KEYS
    assert all(type(value) is str for value in report["summary"].values())
    assert report["summary"]["MissingCount"] == "2" and report["summary"]["InstalledOtherCount"] == "1"
    assert report["summary"]["NotApplicableCount"] == "1"
    assert report["baseline"]["name"] == "AWS-DebianDefaultPatchBaseline"
    assert (report["baseline"]["operating_system"], report["baseline"]["product"]) == ("DEBIAN", "Debian12")
    assert minion.retcode == 0, "a scan that finds something has not failed"


def test_details_return_every_row_in_scan_and_report(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    full = minion("scan", details=True)
    assert set(rows(full)) == {"alpha.amd64", "curl.amd64", "openssl.amd64"}
    assert minion("report", details=True) == full
    assert rows(minion("report")) == {name: row for name, row in rows(full).items() if row[0] != "InstalledOther"}


def test_plan_and_dry_run_say_what_install_would_do_and_do_nothing(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    before = installed_versions(minion.root)
    plan = minion("plan")
    assert plan["changes"] == {
        "curl": {"old": "7.88-1", "new": "7.88-2"},
        "libnew": {"old": "", "new": "1.0"},
        "openssl": {"old": "3.0-1", "new": "3.0-2"},
    }
    assert {each["id"]: each["target"] for each in plan["packages"]} == {
        "curl.amd64": True,
        "openssl.amd64": True,
        "libnew.amd64": False,
    }
    assert (plan["blocked"], plan["removals"]) == ([], [])
    assert sorted(name for batch in plan["batches"] for name in batch) == ["curl.amd64", "openssl.amd64"]
    assert plan["download_size"] > 0
    assert minion("install", dry_run=True) == plan
    assert installed_versions(minion.root) == before
    assert minion("history") == []


@pytest.mark.root
def test_install_does_what_was_planned_and_a_second_one_nothing(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    plan = minion("plan")
    report = minion("install")
    assert report["changes"] == plan["changes"]
    assert report["compliance"] == "COMPLIANT" and report["patches"] == []
    assert installed_versions(minion.root) == {"alpha": "1.0", "curl": "7.88-2", "libnew": "1.0", "openssl": "3.0-2"}
    assert minion.retcode == 0
    assert minion("scan")["compliance"] == "COMPLIANT"
    again = minion("install")
    assert (again["changes"], again["compliance"]) == ({}, "COMPLIANT")
    operations = [(row["operation"], row["outcome"], bool(row["changes"])) for row in minion("history")]
    assert operations == [
        ("Install", "COMPLIANT", False),
        ("Scan", "COMPLIANT", False),
        ("Install", "COMPLIANT", True),
    ]


@pytest.mark.root
def test_what_cannot_be_installed_fails_alone(make_minion: MakeMinion) -> None:
    minion = make_minion(hard_case(), baseline=STRICT)
    scanned = minion("scan")
    assert rows(scanned) == {
        "bash.amd64": ("Missing", "5.2-1", "5.2-2"),
        "broken.amd64": ("Missing", "1.0", "1.1"),
        "curl.amd64": ("Missing", "7.88-1", "7.88-2"),
        "telnet.amd64": ("InstalledRejected", "0.17-1", ""),
    }
    report = minion("install")
    reasons = {row["Id"]: row["reason"] for row in report["patches"]}
    assert {name: row[0] for name, row in rows(report).items()} == {
        "bash.amd64": "Failed",
        "broken.amd64": "Failed",
        "telnet.amd64": "InstalledRejected",
    }
    assert "held" in reasons["bash.amd64"]
    assert "dpkg" in reasons["broken.amd64"]
    assert "telnet" in reasons["telnet.amd64"] and "BLOCK" in reasons["telnet.amd64"]
    versions = installed_versions(minion.root)
    assert (versions["bash"], versions["curl"], versions["telnet"]) == ("5.2-1", "7.88-2", "0.17-1")
    assert minion.retcode == 1, "packages failed"


@pytest.mark.root
def test_an_override_list_installs_what_it_names_only(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    report = minion("install", install_override_list={"patches": [{"id": "curl.*"}]})
    assert report["changes"] == {"curl": {"old": "7.88-1", "new": "7.88-2"}}
    assert rows(report) == {"openssl.amd64": ("Missing", "3.0-1", "3.0-2")}


# --- questions -----------------------------------------------------------------------------------


def test_report_needs_a_scan_and_filters(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    with pytest.raises(CommandExecutionError, match="no report is stored .* run ssmpatch.scan first"):
        minion("report")
    minion("scan")
    assert set(rows(minion("report", name="open*"))) == {"openssl.amd64"}
    assert set(rows(minion("report", states=["Missing"]))) == {"curl.amd64", "openssl.amd64"}
    assert set(rows(minion("report", states="Failed,InstalledRejected"))) == set()
    assert set(rows(minion("report", severity="important"))) == {"openssl.amd64"}
    assert minion("report", name="opensl")["warnings"][-1] == (
        "name: no package of the report matches 'opensl'; did you mean openssl?"
    )
    with pytest.raises(CommandExecutionError, match=r"severity: 'hgih' is not allowed; .* \(did you mean HIGH\?\)"):
        minion("report", severity="hgih")
    with pytest.raises(SaltInvocationError, match="'Mising'"):
        minion("report", states="Mising")


def test_explain_names_the_rule_for_every_version(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    (found,) = minion("explain", "openssl")
    assert (found["id"], found["installed"], found["state"]) == ("openssl.amd64", "3.0-1", "Missing")
    answers = {each["version"]: (each["approved"], each["rejected"]) for each in found["versions"]}
    assert answers == {"3.0-1": (False, False), "3.0-2": (True, False)}
    assert all(each["reason"] for each in found["versions"])
    assert {each["id"] for each in minion("explain", "*")} == {
        "alpha.amd64",
        "curl.amd64",
        "libnew.amd64",
        "openssl.amd64",
    }
    with pytest.raises(CommandExecutionError, match="nosuch"):
        minion("explain", "nosuch")


def test_baseline_and_its_origin(make_minion: MakeMinion) -> None:
    found = make_minion(simple_case(), baseline="mine", baselines={"mine": STRICT})("baseline")
    assert (found["name"], found["origin"]) == ("strict", "pillar: mine")
    assert found["baseline"]["RejectedPatches"] == ["telnet"]
    assert (
        found["baseline"]["ApprovalRules"] == STRICT["ApprovalRules"]
        or found["baseline"]["ApprovalRules"]["PatchRules"][0]["ComplianceLevel"] == "HIGH"
    )


def test_validate_names_every_problem_by_path(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    assert minion("validate") == []
    rule = {**STRICT["ApprovalRules"]["PatchRules"][0], "ApproveAfterDays": 400}  # type: ignore[index]
    wrong = {**STRICT, "ApprovalRules": {"PatchRules": [rule]}, "RejectedPatchesAction": "DROP"}
    found = make_broken(minion, baseline=wrong)("validate")
    assert len(found) == 2
    assert any("ApprovalRules.PatchRules[0].ApproveAfterDays" in line and "400" in line for line in found)
    assert any("RejectedPatchesAction" in line and "DROP" in line for line in found)
    found = make_broken(minion, lock_timout=3, upload="maybe")("validate")
    assert any("lock_timout" in line for line in found) and any("upload" in line for line in found)


def make_broken(minion: LoaderMinion, **configuration: Any) -> LoaderMinion:
    """The same minion with another configuration."""
    return LoaderMinion(minion.loaders, minion.root, configuration)


def test_bad_configuration_stops_every_operation_before_it_begins(make_minion: MakeMinion) -> None:
    minion = make_broken(make_minion(simple_case()), lock_timout=3)
    for function in ("scan", "install", "plan", "report", "status", "history", "baseline", "freeze", "resume"):
        with pytest.raises(CommandExecutionError, match="lock_timout"):
            minion(function)
    assert not (minion.root / "var/lib/ssmpatch").exists()


def test_status_history_resume_and_version_of_a_quiet_host(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    status = minion("status")
    assert (status["running"], status["last"], status["reboot_pending"], status["journal"]) == (None,) * 4
    assert minion("history") == []
    assert minion("resume")["resumed"] is None
    report = minion("scan")
    assert minion("status")["last"]["id"] == report["run"]["id"]
    (entry,) = minion("history", limit=1)
    assert (entry["operation"], entry["outcome"], entry["counts"]["MissingCount"]) == ("Scan", "NON_COMPLIANT", 2)
    for limit in (0, -1, True, "many"):
        with pytest.raises(SaltInvocationError, match="limit"):
            minion("history", limit=limit)
    version = minion("version")
    assert (version["backend"], version["operating_system"], version["product"]) == ("apt", "DEBIAN", "Debian12")
    assert version["engine"].endswith("ssmpatchlib")


@pytest.mark.root
def test_a_frozen_set_keeps_another_host_at_its_versions(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    frozen = minion("freeze")
    versions = json.dumps(frozen)
    assert "3.0-2" in versions and "7.88-2" in versions
    held_back = json.loads(versions.replace('"7.88-2"', '"7.88-1"'))
    follower = make_broken(minion, frozen=held_back)
    found = follower("scan")
    assert (set(rows(found)), found["held_back"]) == ({"curl.amd64", "openssl.amd64"}, ["curl.amd64"])


def test_another_root_by_argument(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    elsewhere = make_broken(minion, root="/nonexistent")
    assert set(rows(elsewhere("scan", root=str(minion.root)))) == {"curl.amd64", "openssl.amd64"}
    with pytest.raises(CommandExecutionError, match="root: /nonexistent is no directory"):
        elsewhere("scan")


# --- Salt's own ways -----------------------------------------------------------------------------


def test_pillar_beats_minion_configuration_key_by_key_and_never_shows_asterisks(make_minion: MakeMinion) -> None:
    pillar = {
        "ssmpatch": {
            "baseline": "mine",
            "baselines": {"mine": STRICT},
            "patch_group": "web",
            "reboot": {"message": "patching"},
        }
    }
    minion = make_minion(simple_case(), pillar=pillar, patch_group="ignored", reboot={"option": "NoReboot"})
    assert minion("baseline")["baseline"]["Name"] == "strict"
    report = minion("scan", details=True)
    assert report["summary"]["PatchGroup"] == "web"
    assert report["summary"]["RebootOption"] == "NoReboot"
    for function, arguments in {
        "plan": {},
        "report": {},
        "explain": {"name": "curl"},
        "validate": {},
        "status": {},
        "history": {},
        "freeze": {"root": None},
        "version": {},
        "resume": {},
        "reboot": {"dry_run": True},
        "install": {"dry_run": True},
    }.items():
        minion(function, **arguments)


@pytest.mark.root
def test_install_with_everything_from_the_pillar(make_minion: MakeMinion) -> None:
    pillar = {"ssmpatch": {"baseline": STRICT, "install_override_list": {"patches": [{"id": "curl.amd64"}]}}}
    minion = make_minion(simple_case(), pillar=pillar)
    assert minion("install", details=True)["changes"] == {"curl": {"old": "7.88-1", "new": "7.88-2"}}


def test_an_override_list_that_matches_nothing_says_so(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())

    def said(*entries: dict[str, str]) -> list[str]:
        plan = minion("plan", install_override_list={"patches": list(entries)})
        assert len(plan["changes"]) == (1 if {"id": "curl.amd64"} in entries else 0)
        return [warning for warning in plan["warnings"] if warning.startswith("InstallOverrideList")]

    where = "InstallOverrideList (inline): "
    none, other = {"id": "opensl.amd64"}, {"id": "openssl.amd64", "title": "9.9"}
    assert said({"id": "curl.amd64"}) == []
    assert said({"id": "alpha.amd64", "title": "1.0"}) == []
    assert said({"id": "curl.amd64"}, none, other) == [
        f"{where}2 of 3 entries without effect, for nothing that is installed here matches: "
        "opensl.amd64 (did you mean openssl.amd64?), openssl.amd64 9.9"
    ]
    assert said() == [f"{where}it has no entries; nothing is installed"]


def test_validate_returns_one_with_problems(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    assert (minion("validate"), minion.retcode) == ([], 0)
    broken = make_broken(minion, reboot={"option": "NoReboot", "delay": "x"})
    assert (len(broken("validate")), broken.retcode) == (1, 1)


def test_freeze_of_another_root(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case())
    elsewhere = make_broken(minion, root="/nonexistent")
    assert elsewhere("freeze", root=str(minion.root))["packages"] == minion("freeze")["packages"]


def test_errors_name_the_thing_and_carry_plain_information(make_minion: MakeMinion) -> None:
    pillar = {"ssmpatch": {"baseline": {**STRICT, "RejectedPatchesAction": "DROP"}}}
    minion = make_minion(simple_case(), pillar=pillar)
    with pytest.raises(CommandExecutionError) as caught:
        minion("scan")
    assert "RejectedPatchesAction" in str(caught.value) and "DROP" in str(caught.value)
    with pytest.raises(SaltInvocationError, match="Sometimes"):
        make_broken(minion)("install", reboot_option="Sometimes")
    with pytest.raises(CommandExecutionError, match="AWS is not configured") as failed:
        make_broken(minion)("upload")
    assert_plain(failed.value.info)
    assert failed.value.info["code"] == 1
    assert "Additional info" not in str(failed.value)


def test_events_are_told_to_a_master_only(make_minion: MakeMinion, monkeypatch: pytest.MonkeyPatch) -> None:
    minion = make_minion(simple_case())
    functions = minion.functions
    sent: list[str] = []
    # The loader's functions of one module share what they see of the others.
    functions["event.send"]
    monkeypatch.setitem(functions._dict, "event.send", lambda tag, data=None, **kwargs: sent.append(tag))
    functions["ssmpatch.scan"]()
    assert sent == [], "there is no master"


@pytest.mark.usefixtures("loaders")
@pytest.mark.parametrize("place", ["__pillar__", "__opts__"])
def test_the_installs_of_a_minions_schedule_are_found(repo: Path, place: str) -> None:
    jobs = {
        "nightly": {"function": "ssmpatch.install"},
        "ssmpatch-install": {"function": "state.apply", "args": ["patching"]},
        "ssmpatch-install-later": {"function": "state.apply"},
        "off": {"function": "ssmpatch.install", "enabled": False},
        "spelt": {"fun": "ssmpatch.install"},
        "dry": {"function": "ssmpatch.install", "kwargs": {"dry_run": True}},
        "ssmpatch-install-test": {"function": "state.apply", "job_kwargs": {}, "kwargs": {"test": True}},
        "ssmpatch-scan": {"function": "ssmpatch.scan"},
        "broken": 3,
    }
    told: dict[str, str | None] = dict.fromkeys(jobs, "2026-12-06T02:00:00")
    told["ssmpatch-install-later"] = None

    def next_time(name: str) -> dict[str, Any]:
        # Salt's own function fails so where it is not answered.
        if name == "nightly":
            raise UnboundLocalError("event_ret")
        return {"result": True, "next_fire_time": told[name]}

    found = runpy.run_path(str(repo / "_modules/ssmpatch.py"))["_next_installs"]
    functions = {"schedule.show_next_fire_time": next_time}
    found.__globals__.update({"__pillar__": {}, "__opts__": {}, "__salt__": functions, place: {"schedule": jobs}})
    at = datetime.datetime(2026, 12, 6, 2).timestamp()
    assert found() == {"ssmpatch-install": at, "spelt": at}
    # `schedule.disable` writes this.
    jobs["enabled"] = False
    assert found() == {}


@pytest.mark.usefixtures("loaders")
def test_a_job_of_the_minions_configuration_is_in_force_over_the_pillars(repo: Path) -> None:
    """As in Salt's own schedule; `schedule.disable_job` writes into the configuration."""
    job = {"function": "ssmpatch.install"}
    pillar, opts = {"a": job, "b": {**job, "enabled": False}}, {"a": {**job, "enabled": False}, "b": job}
    found = runpy.run_path(str(repo / "_modules/ssmpatch.py"))["_next_installs"]
    functions = {"schedule.show_next_fire_time": lambda name: {"next_fire_time": "2026-12-06T02:00:00"}}
    sections = {"__pillar__": {"schedule": pillar}, "__opts__": {"schedule": opts}}
    found.__globals__.update({**sections, "__salt__": functions})
    assert set(found()) == {"b"}


def test_hooks_run_salt_functions_around_an_install(make_minion: MakeMinion) -> None:
    minion = make_minion(simple_case(), hooks={"pre_install": [{"test.false": []}]})
    with pytest.raises(CommandExecutionError, match="hook pre_install: test.false answered False") as caught:
        minion("install")
    assert_plain(caught.value.info)
    assert caught.value.info["changes"] == {}
    assert installed_versions(minion.root)["curl"] == "7.88-1"


def test_a_hook_that_loads_every_module_leaves_errors_what_they_are(make_minion: MakeMinion) -> None:
    """To load ssmpatch once more was to forget the engine in the middle of its own operation."""
    minion = make_minion(simple_case(), hooks={"pre_install": ["sys.list_functions", {"test.false": []}]})
    with pytest.raises(CommandExecutionError, match="hook pre_install: test.false answered False") as caught:
        minion("install")
    assert caught.value.info["code"] == 1


def test_validate_names_misspelt_hooks(make_minion: MakeMinion) -> None:
    """A misspelt ``post_install`` was found when the packages were in, and what it had to start stayed down."""
    hooks = {
        "pre_install": [{"test.echo": ["x"]}, {"test.fasle": []}],
        "post_install": {"service.strat": "nginx"},
        "pre_reboot": ["nosuch.drain"],
        "after_reboot": ["nosuch.function", "test.ping"],
    }
    minion = make_minion(simple_case(), hooks=hooks)
    missing = "is no Salt function of this minion; correct the name, or see sys.list_functions"
    assert minion("validate") == [
        f"ssmpatch:hooks:pre_install: test.fasle {missing}",
        f"ssmpatch:hooks:post_install: service.strat {missing}",
        f"ssmpatch:hooks:pre_reboot: nosuch.drain {missing}",
        f"ssmpatch:hooks:after_reboot: nosuch.function {missing}",
    ]


@pytest.mark.parametrize("name", ["pre_install", "post_install", "on_exit", "pre_reboot", "after_reboot"])
def test_an_install_refuses_misspelt_hooks_before_anything_is_changed(make_minion: MakeMinion, name: str) -> None:
    minion = make_minion(simple_case(), hooks={name: ["test.fasle"]})
    with pytest.raises(CommandExecutionError, match=f"ssmpatch:hooks:{name}: test.fasle is no Salt function"):
        minion("install")
    assert installed_versions(minion.root)["curl"] == "7.88-1"
    assert minion("history") == []
    assert minion("scan")["compliance"] == "NON_COMPLIANT"


def test_a_problem_of_a_whole_document_names_the_document() -> None:
    from ssmpatchlib import api

    found = api.validate({"frozen": {}, "operating_system": "DEBIAN"}, None, caller=api.Caller())
    assert found == ["frozen set (configuration): {} is not allowed; use a document that ssmpatch.freeze returned"]


def test_what_is_no_text_in_utf_8_is_sent_all_the_same(make_minion: MakeMinion, tmp_path: Path) -> None:
    state_dir = tmp_path / os.fsdecode(b"state-\xff")
    minion = make_minion(simple_case(), state_dir=str(state_dir))
    with pytest.raises(CommandExecutionError, match=r"state-\?") as caught:
        minion("report")
    salt.payload.dumps(str(caught.value))
    minion("scan")
    (history,) = state_dir.glob("history-*")
    history.write_text("{}\n")
    found = minion("scan")
    assert any("state-?" in text for text in found["warnings"])
    salt.payload.dumps(found)

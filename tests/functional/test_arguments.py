# SPDX-License-Identifier: Apache-2.0
"""Wrong arguments: every function of every loader, found by its signature, refuses them before anything happens."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import salt.client
import salt.config
import salt.loader
import salt.utils.args
from salt.exceptions import CommandExecutionError, SaltInvocationError

from support.loader_minion import LoaderMinion, simple_case

Right = Callable[[Any], bool]

#: What people and programs give by mistake: other types, typing errors, empty values, hostile text.
VALUES: list[Any] = [
    True, False, 0, 1, -1, 1.5, 10**30, float("nan"), "", " ", "flase", "yess", "maybe", "True", "alwyas", "Later",
    "20", "nowhere.yaml", "http://host/list.yaml", "ftp://host/x", "s3://bucket", "salt://", "file://host/x",
    "/etc/\0passwd", "../../etc/shadow", [], [5], [None], ["a", 5], ["Missing"], {}, {"a": 1}, {"patches": []},
    b"bytes", object(),
]  # fmt: skip
UUID = "5f7b3c8e-0000-4000-8000-000000000000"


def text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def texts(value: Any) -> bool:
    return text(value) or (isinstance(value, list) and bool(value) and all(map(text, value)))


#: What is right for an argument that is no truth value; a new argument needs a line here.
RIGHT: dict[str, Right] = {
    "baseline_override": lambda value: isinstance(value, list) or value == "",
    "cves": lambda value: False,
    "ids": lambda value: False,
    "frozen": lambda value: isinstance(value, dict),
    "install_override_list": lambda value: isinstance(value, dict) or value == "",
    "limit": lambda value: type(value) is int and 1 <= value <= 10**6,
    "explain.name": text,
    "report.name": texts,
    "reboot_option": lambda value: value in ("RebootIfNeeded", "NoReboot", "RebootIfRequired"),
    "root": lambda value: isinstance(value, str) and value.startswith("/") and "\0" not in value,
    "severity": lambda value: isinstance(value, list) and texts(value),
    "snapshot_id": lambda value: value in ("", UUID),
    "states": lambda value: value == ["Missing"],
    "upload": lambda value: value is True or value is False or value in ("always", "never", "auto"),
}
STATES: dict[str, Right] = {**RIGHT, "name": lambda value: True, "not_vulnerable.name": lambda value: False}
RUNNER: dict[str, Right] = {
    "cve.format": lambda value: value in ("table", "json", "csv"),
    "exploited": lambda value: value in ("", "/root"),
    "format": lambda value: value in ("table", "json", "csv", "html", "prometheus"),
    "freeze.name": lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]{0,63}", value) is not None,
    "ids": lambda value: False,
    "group_by": lambda value: isinstance(value, str) and re.fullmatch(r"[\w.:-]{0,100}", value) is not None,
    "minion": lambda value: text(value) and not set(value) & set("/\\*?[] "),
    "output": lambda value: False,
    "reason": lambda value: isinstance(value, str) and "\0" not in value and value != "",
    "releases": lambda value: False,
    "rings": lambda value: False,
    "rollout": text,
    "sources": lambda value: False,
    "tgt": text,
    "tgt_type": lambda value: value in ("glob", "list"),
    "timeout": lambda value: (type(value) is int and 1 <= value <= 86400) or value == "20",
}


#: Truth values that are a setting's unless given.
SETTINGS = {("rollout", "freeze"), ("rollout", "plan")}


def is_right(function: str, parameter: inspect.Parameter, value: Any, table: dict[str, Right]) -> bool:
    if isinstance(parameter.default, bool) or (function, parameter.name) in SETTINGS:
        return isinstance(value, bool)
    return table.get(f"{function}.{parameter.name}", table.get(parameter.name, lambda _: False))(value)


def wrong_calls(functions: dict[str, Any], table: dict[str, Right]) -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    """Every function with one wrong value for one argument: name, argument, value, and what it has to be given."""
    for name, function in functions.items():
        parameters = inspect.signature(function).parameters.values()
        needed = {each.name: "*" for each in parameters if each.default is each.empty}
        for parameter in parameters:
            known = {parameter.name, f"{name}.{parameter.name}"} & table.keys()
            flag = isinstance(parameter.default, bool) or (name, parameter.name) in SETTINGS
            assert known or flag, f"{name}: {parameter}"
            for value in VALUES:
                if not is_right(name, parameter, value, table):
                    yield name, parameter.name, value, {**needed, parameter.name: value}


def named(argument: str, value: Any, said: str) -> bool:
    """Whether a refusal names argument, value (its beginning; of a list that is read the place in it) and remedy."""
    shown = {
        repr(value)[:20],
        str(value)[:20].strip() or "''",
        "there is none",
        f"{argument}[0]" if isinstance(value, list) else "''",
    }
    return argument in said and any(each in said for each in shown) and "use " in said


def tree(root: Path) -> dict[str, tuple[int, int, int]]:
    """Every file with its size, its time and its number."""
    found = {}
    for path in root.rglob("*"):
        status = path.lstat()
        found[str(path)] = (status.st_size, status.st_mtime_ns, status.st_ino)
    return found


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is started ends the test."""

    def start(*args: Any, **kwargs: Any) -> None:
        raise AssertionError(f"started {args}")

    monkeypatch.setattr(subprocess, "Popen", start)


def public(functions: Any, module: str = "ssmpatch") -> dict[str, Any]:
    names = [name for name in functions._dict if name.startswith(f"{module}.")]
    return {name.partition(".")[2]: functions[name] for name in names}


def test_the_execution_module(make_minion: Callable[..., LoaderMinion], request: pytest.FixtureRequest) -> None:
    minion = make_minion(simple_case())
    minion("scan")
    functions = minion.functions
    assert functions["ssmpatch.version"]
    found, before = public(functions), tree(minion.root)
    assert len(found) == 17
    request.getfixturevalue("nothing_starts")
    problems = []
    for name, argument, value, kwargs in wrong_calls(found, RIGHT):
        # Which severities there are, the stored report says: that one is no wrong call.
        late = (CommandExecutionError,) if (name, argument) == ("report", "severity") else ()
        if name == "validate":
            # What is wrong with a baseline is what it returns.
            assert found[name](**kwargs), value
            continue
        try:
            done = str(found[name](**kwargs))
        except (AssertionError, SaltInvocationError, *late) as exc:
            done = str(exc)
        if not named(argument, value, done):
            problems.append(f"{name} {argument}={value!r}: {done[:200]}")
    assert "\n".join(problems) == ""
    assert tree(minion.root) == before


def test_positional_arguments_too(make_minion: Callable[..., LoaderMinion]) -> None:
    functions = make_minion(simple_case()).functions
    with pytest.raises(SaltInvocationError, match=r"ssmpatch.reboot: force: 'flase' is not allowed; use true or false"):
        functions["ssmpatch.reboot"]("flase")


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "sentence"),
    [
        (
            "scan",
            (),
            {"baselin_override": "x"},
            "baselin_override='x': no such argument; did you mean baseline_override?",
        ),
        ("status", ("now",), {}, "'now': one value too many; it takes none"),
        ("history", (), {"since": 1}, "since=1: no such argument; use limit"),
        ("explain", (), {}, "name: missing; use a value"),
        ("explain", ("bash",), {"name": "bash"}, "name: given twice; use it once"),
    ],
)
def test_an_argument_that_a_function_has_not(
    make_minion: Callable[..., LoaderMinion], function: str, args: Any, kwargs: Any, sentence: str
) -> None:
    functions = make_minion(simple_case()).functions
    with pytest.raises(SaltInvocationError) as caught:
        functions[f"ssmpatch.{function}"](*args, **kwargs)
    assert str(caught.value) == f"ssmpatch.{function}: {sentence} [code 1]"


def test_every_wrong_argument_is_named_at_once(make_minion: Callable[..., LoaderMinion]) -> None:
    functions = make_minion(simple_case()).functions
    with pytest.raises(SaltInvocationError) as caught:
        functions["ssmpatch.install"](details="yess", refresh="flase", upload="alwyas", reboot_option="Later")
    assert [line.partition(":")[0].strip() for line in str(caught.value).splitlines()[1:]] == [
        "reboot_option", "details", "refresh", "upload",
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["always", "auto", "never", True, False])
def test_upload_takes_the_words_of_the_setting(make_minion: Callable[..., LoaderMinion], word: Any) -> None:
    minion = make_minion(simple_case())
    for report in (minion("scan", upload=word), minion("install", upload=word)):
        assert report["run"]["id"] and bool(report["warnings"]) is (word in ("always", True))
    assert minion("history", limit=1)[0]["operation"] == "Install"
    assert minion("status")["journal"] is None


def test_null_is_an_argument_left_out(make_minion: Callable[..., LoaderMinion]) -> None:
    minion = make_minion(simple_case())
    given = dict.fromkeys(inspect.signature(minion.functions["ssmpatch.scan"]).parameters)
    assert minion("scan", **given)["compliance"] == "NON_COMPLIANT"


def test_the_states(make_minion: Callable[..., LoaderMinion], loaders: Any, request: pytest.FixtureRequest) -> None:
    minion = make_minion(simple_case())
    functions = minion.functions
    assert functions["ssmpatch.version"]
    opts = {**functions.opts, "test": False}
    states = salt.loader.states(opts, functions, loaders.utils, None)
    assert states["ssmpatch.scanned"]
    found = public(states)
    assert set(found) >= {"compliant", "scanned", "rebooted"}
    found.pop("mod_watch", None)
    before = tree(minion.root)
    request.getfixturevalue("nothing_starts")
    problems = []
    for name, argument, value, kwargs in wrong_calls(found, STATES):
        ret = found[name](**kwargs)
        if ret["result"] is not False or ret["changes"] or not named(argument, value, ret["comment"]):
            problems.append(f"{name} {argument}={value!r}: {ret}")
    assert "\n".join(problems) == ""
    assert tree(minion.root) == before


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"loaded_{path.parent.name}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def runner(loaders: Any, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing_starts: None) -> Any:
    """The runner of a master that asks no minion."""

    def connect(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("minions were asked")

    monkeypatch.setattr(salt.client, "get_local_client", connect)
    found = load(repo / "_runners" / "ssmpatch.py")
    opts = {**salt.config.DEFAULT_MASTER_OPTS, "cachedir": str(tmp_path), "conf_file": "", "file_roots": {"base": []}}
    vars(found).update(__opts__=opts, __context__={}, __salt__={})
    return found


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"rollout": "20261120-1"}, "rollout: rollout: only with resume=True; add that, or leave it out"),
        (
            {"rollout": "20261120-1", "dry_run": True},
            "rollout: rollout: only with resume=True; add that, or leave it out",
        ),
        ({"plan": True}, "rollout: plan: only with dry_run=True; add that, or leave it out"),
        ({"plan": False}, "rollout: plan: only with dry_run=True; add that, or leave it out"),
        ({"timeout": 300}, "rollout: timeout: only with dry_run=True; add that, or leave it out"),
        ({"resume": True, "rings": [{"name": "a", "tgt": "*"}]}, "rollout: rings: not with resume=True; leave it out"),
        ({"resume": True, "dry_run": True}, "rollout: dry_run: not with resume=True; leave it out"),
        ({"resume": True, "freeze": False}, "rollout: freeze: not with resume=True; leave it out"),
        (
            {"resume": True, "freeze": False, "plan": True},
            "rollout: 2 problems:\n  freeze: not with resume=True; leave it out\n"
            "  plan: only with dry_run=True; add that, or leave it out",
        ),
    ],
)
def test_no_argument_of_a_rollout_is_passed_over(runner: Any, kwargs: dict[str, Any], sentence: str) -> None:
    """``rollout=ID`` without ``resume`` began a new rollout, and so did ``plan=True``."""
    assert runner.rollout(**kwargs) == {"error": sentence, "retcode": 1}


@pytest.mark.parametrize(
    "name", ["/dev/null", "/dev/stdout", "/dev/new", "/proc/self/fd/1", "/dev/../dev/null", "PIPE"]
)
def test_no_device_and_no_pipe_is_replaced_by_a_report(runner: Any, tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = str(tmp_path / "pipe") if name == "PIPE" else name
    found = runner.report(format="csv", output=path)
    assert found["retcode"] == 1 and "the path of a file; leave it out for the text itself" in found["error"]


@pytest.mark.parametrize("format", ["table", "json", "html", "prometheus"])
def test_details_of_a_report_are_for_csv_only(runner: Any, format: str) -> None:
    assert runner.report(format=format, details=True) == {
        "error": f"report: details: only with format=csv, not with {format}; add that, or leave it out", "retcode": 1,
    }  # fmt: skip
    assert runner.report(details=True)["error"].startswith("report: details: only with format=csv, not with table")


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"__dry_run": True}, "__dry_run=True: no such argument; did you mean dry_run?"),
        ({"__dry_run__": True}, "__dry_run__=True: no such argument; did you mean dry_run?"),
        ({"__dryrun": True}, "__dryrun=True: no such argument; did you mean dry_run?"),
        ({"_dry_run": True}, "_dry_run=True: no such argument; did you mean dry_run?"),
        ({"dry-run": True}, "dry-run=True: no such argument; did you mean dry_run?"),
        ({"Dry_Run": True}, "Dry_Run=True: no such argument; did you mean dry_run?"),
        ({"test": True}, "test=True: no such argument; use rings, dry_run"),
        ({"__test": True}, "__test=True: no such argument; use rings, dry_run"),
        ({"__": True}, "__=True: no such argument; use rings, dry_run"),
        ({"____": True}, "____=True: no such argument; use rings, dry_run"),
    ],
)
def test_a_misspelt_argument_begins_no_rollout(runner: Any, kwargs: dict[str, Any], words: str) -> None:
    found = runner.rollout(**kwargs)
    assert found["retcode"] == 1 and words in found["error"]


@pytest.mark.parametrize(
    "name", ["__pub_jid", "__pub_user", "__user__", "__id__", "__state__", "__orchestration_jid__"]
)
def test_what_salt_adds_to_a_call_is_no_argument(runner: Any, name: str) -> None:
    found = runner.rollout(dry_run=True, plan=True, timeout=0, **{name: "x"})
    assert found["error"].startswith("ssmpatch.rollout: timeout: 0 is not allowed"), found


def test_the_runner(runner: Any, tmp_path: Path) -> None:
    found = {
        name: each
        for name, each in vars(runner).items()
        if inspect.isfunction(each) and not name.startswith("_") and each.__module__ == runner.__name__
    }
    rollouts = {"rollout", "rollout_status", "rollout_abort"}
    assert set(found) == {"report", "cve", *rollouts, "freeze", "remediate", "watch", "about", "advisories"}
    assert found["rollout"](ring="canary") == {
        "error": "ssmpatch.rollout: ring='canary': no such argument; did you mean rings?", "retcode": 1,
    }  # fmt: skip
    assert found["report"](tgt_type="grian")["error"].endswith("compound or ipcidr (did you mean grain?)")
    assert found["report"](format="html", output="/srv/nowhere/patch.html")["error"] == (
        "ssmpatch.report: output: '/srv/nowhere/patch.html' is not allowed; "
        "use another path or make the directory /srv/nowhere, which does not exist"
    )
    assert salt.utils.args.get_function_argspec(found["rollout"]).keywords == "kwargs"
    problems = []
    for name, argument, value, kwargs in wrong_calls(found, RUNNER):
        try:
            done = found[name](**kwargs)
        except AssertionError:
            done = {"passes": True}
        if set(done) != {"error", "retcode"} or not done["retcode"] or not named(argument, value, done["error"]):
            problems.append(f"{name} {argument}={value!r}: {done}")
    assert "\n".join(problems) == ""
    assert list(tmp_path.iterdir()) == []


BEACON: dict[str, Right] = {
    "root": lambda value: isinstance(value, str) and value.startswith("/") and "\0" not in value,
    "interval": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 10**9,
    "enabled": lambda value: isinstance(value, bool),
}
BEACON |= {"state_dir": BEACON["root"], "disable_during_state_run": BEACON["enabled"]}


def test_the_beacon(repo: Path, nothing_starts: None) -> None:
    beacon = load(repo / "_beacons" / "ssmpatch.py")
    vars(beacon).update(__opts__={}, __context__={})
    problems = []
    for option, right in BEACON.items():
        for value in (each for each in VALUES if not right(each)):
            valid, said = beacon.validate([{option: value}])
            if valid or not named(option, value, said) or beacon.beacon([{option: value}]) != []:
                problems.append(f"{option}: {value!r}: {said}")
    assert "\n".join(problems) == ""
    known = "ssmpatch beacon: unknown option {}; known are root, state_dir{}"
    for typed, near in {"rooot": "root", "statedir": "state_dir", "Enable": "enabled", "x": ""}.items():
        meant = f" (did you mean {near}?)" if near else ""
        assert beacon.validate([{typed: "/"}]) == (False, known.format(typed, meant))
    for value in (5, "x", None, ["x"], [[]]):
        assert beacon.validate(value)[0] is False and beacon.beacon(value) == []
    for setting in (5, "", [], {"a": 1}, "x"):
        vars(beacon).update(__opts__={"ssmpatch": {"root": setting, "state_dir": setting}})
        assert beacon.beacon([]) == []

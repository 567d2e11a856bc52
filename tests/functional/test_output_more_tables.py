# SPDX-License-Identifier: Apache-2.0
"""The tables of status, history, frozen sets, validation and rollouts, through Salt's own loader: exact texts."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.loader
import salt.output
from hypothesis import given, settings
from hypothesis import strategies as st

from support.outputs import options, opts, show

__all__ = ["opts"]

STATUS: dict[str, Any] = {
    "running": {"operation": "install", "pid": 7, "phase": "installing (batch 2/5)", "since": "2026-11-23T21:46:05Z"},
    "last": {
        "operation": "Scan",
        "time": "2026-11-22T06:00:00Z",
        "outcome": "NON_COMPLIANT",
        "counts": {"MissingCount": 3, "FailedCount": 0},
        "changes": {},
    },
    "reboot_pending": {
        "packages": ["linux-image-amd64.amd64:6.1.158-1", "libc6.amd64:2.36-9+deb12u13"],
        "since": "2026-11-20T06:00:00Z",
        "boot_id": "b",
        "attempts": 0,
    },
    "journal": None,
    "boot_id": "b",
    "next_open": "2026-11-28T02:00:00Z",
    "warnings": [],
}
STATUS_TEXT = """\
web-1:
  Running     install, installing (batch 2/5), since 2026-11-23T21:46:05Z, pid 7
  Last        Scan, 2026-11-22T06:00:00Z, NON_COMPLIANT, 3 missing, 0 failed
  Reboot      pending since 2026-11-20T06:00:00Z
              linux-image-amd64.amd64:6.1.158-1, libc6.amd64:2.36-9+deb12u13
  Window      closed, opens 2026-11-28T02:00:00Z"""
IDLE: dict[str, Any] = {
    **dict.fromkeys(STATUS),
    "journal": {
        "run_id": "r",
        "operation": "install",
        "phase": "installing",
        "batch": 2,
        "batches": 5,
        "started": "2026-11-23T21:46:05Z",
    },
    "warnings": ["the history was damaged"],
}
IDLE_TEXT = """\
web-1:
  Running     nothing
  Interrupted install, installing, batch 2 of 5, since 2026-11-23T21:46:05Z
  Last        no operation yet
  Reboot      nothing waits for one
  Window      open: an install may begin now

  Warnings
    - the history was damaged"""

HISTORY: list[dict[str, Any]] = [
    {
        "id": "a",
        "operation": "Install",
        "time": "2026-11-23T21:46:05Z",
        "outcome": "COMPLIANT",
        "counts": {"MissingCount": 0, "FailedCount": 0},
        "changes": {f"package{number}": {"old": "1", "new": "2"} for number in range(8)},
    },
    {
        "id": "b",
        "operation": "Scan",
        "time": "2026-11-22T21:46:05Z",
        "outcome": "NON_COMPLIANT",
        "counts": {"MissingCount": 10, "FailedCount": 0},
        "changes": {},
    },
]
HISTORY_TEXT = """\
web-1:

  Operations (2)
    time                  operation  outcome        missing  failed  changed
    2026-11-23T21:46:05Z  Install    COMPLIANT            0       0        8
        package0, package1, package2, package3, package4, package5 and 2 more
    2026-11-22T21:46:05Z  Scan       NON_COMPLIANT       10       0        0"""

FROZEN: dict[str, Any] = {
    "ssmpatch_frozen": 1,
    "operating_system": "DEBIAN",
    "product": "Debian12",
    "created": "2026-11-23T21:46:05Z",
    "baseline": "pb-1",
    "packages": {"bash.amd64": "5.2.15-2+b7", "curl.amd64": "7.88.1-10+deb12u14"},
}
FROZEN_TEXT = """\
web-1:
  Frozen set  DEBIAN Debian12, made 2026-11-23T21:46:05Z
  Baseline    pb-1
  As data     --out=json prints the document that the setting frozen takes

  Packages (2)
    bash.amd64  5.2.15-2+b7
    curl.amd64  7.88.1-10+deb12u14"""

ROLLOUT: dict[str, Any] = {
    "id": "20261123T063005Z-0a1b2c",
    "status": "failed",
    "reason": "ring production: 2 minions failed, max_failures is 1",
    "ring": "production",
    "started": "2026-11-23T06:30:05Z",
    "updated": "2026-11-23T07:30:05Z",
    "eta": None,
    "rings": [
        {
            "name": "canary",
            "status": "done",
            "minions": 2,
            "batch": "1/1",
            "phases": {"compliant": 2},
            "compliant": {"by_frozen_set": 2, "by_baseline": 2},
            "problems": [],
        },
        {
            "name": "production",
            "status": "gate closed",
            "minions": 40,
            "batch": "2/4",
            "phases": {"compliant": 18, "failed": 2, "waiting": 19, "unreachable": 1},
            "compliant": {"by_frozen_set": 18, "by_baseline": 12},
            "problems": ["2 minions failed, max_failures is 1"],
        },
    ],
    "frozen": {"DEBIAN-Debian12": "salt://frozen/a.json"},
    "warnings": ["minions disagree about curl.amd64"],
    "unreachable": ["p9"],
    "minions": {
        "p1": {"phase": "failed", "seconds": 12, "reason": "dpkg: error", "changed": 3, "patches": ["curl.amd64"]},
        "p2": {"phase": "failed", "seconds": 14, "reason": "dpkg: error"},
        "p3": {"phase": "installing", "seconds": 3, "held_back": 2},
    },
    "retcode": 1,
    "outputter": "ssmpatch",
}
ROLLOUT_TEXT = """\
Rollout 20261123T063005Z-0a1b2c:
  Status      failed
  Reason      ring production: 2 minions failed, max_failures is 1
  Times       began 2026-11-23T06:30:05Z, last step 2026-11-23T07:30:05Z
  Frozen sets DEBIAN-Debian12: salt://frozen/a.json

  Rings (2)
    ring        status       batches  minions  compliant  failed  others
    canary      done             1/1        2          2       0
    production  gate closed      2/4       40         18       2  19 waiting, 1 unreachable
        6 of the compliant lack what the frozen set holds back; 2 minions failed, max_failures is 1

  Minions (3)
    failed: dpkg: error
      p1  for 12 s  3 changed; not compliant: curl.amd64
      p2  for 14 s
    installing
      p3  for 3 s   2 held back

  Unreachable (1)
    p9

  Warnings
    - minions disagree about curl.amd64"""

FORECAST: dict[str, Any] = {
    "rings": [
        {
            "name": "canary",
            "minions": 1,
            "begins": "2026-11-23T06:30:05Z",
            "batches": [{"begins": "2026-11-23T06:30:05Z", "minions": ["canary1"]}],
            "soak": 3600,
            "gate": {"min_compliant": "100%", "max_failures": "0", "checks": ["test.ping"]},
        },
        {
            "name": "production",
            "minions": 3,
            "begins": "2026-11-23T07:45:05Z",
            "batches": [{"begins": "2026-11-23T07:45:05Z", "minions": ["p1", "p2", "p3"], "waiting": {"p1": "later"}}],
            "soak": 0,
            "gate": {"min_compliant": "90%", "max_failures": "1", "checks": []},
        },
    ],
    "changes": {
        "canary1": {"changes": {"tool": "1.0 → 2.0"}, "blocked": ["curl.amd64"]},
        "p1": {"changes": {"tool": "1.0 → 2.0"}, "blocked": ["curl.amd64"]},
        "p2": {"changes": {}, "blocked": []},
        "p3": "no plan, but False",
    },
    "unreachable": ["p4"],
}
FORECAST_TEXT = """\
A rollout that has not begun:

  Rings (2)
    ring        begins                minions  batches  soak
    canary      2026-11-23T06:30:05Z        1        1  3600 s
        min_compliant 100%; max_failures 0; checks test.ping
    production  2026-11-23T07:45:05Z        3        1
        min_compliant 90%; max_failures 1; 1 wait for their own windows

  Changes (3)
    canary1, p1
      tool                1.0 → 2.0
      curl.amd64          blocked
    p2
      nothing to install

  Problems (1)
    no plan, but False
      p3

  Unreachable (1)
    p4"""

RESTARTS: dict[str, Any] = {
    "units": ["cron.service", "nginx.service"],
    "sessions": ["alice"],
    "processes": ["/opt/app/server"],
    "containers": ["docker-0123.scope"],
    "reboot": ["init"],
    "files": {
        "cron.service": ["/usr/lib/x86_64-linux-gnu/libc.so.6"],
        "nginx.service": ["/usr/lib/a.so.1", "/usr/lib/b.so.1", "/usr/lib/c.so.1", "/usr/sbin/nginx"],
        "alice": ["/usr/bin/bash"],
        "init": ["/usr/lib/systemd/systemd"],
    },
    "required_hints": ["kernel 6.1.0-44-amd64 is installed, 6.1.0-43-amd64 is running", "/run/reboot-required"],
}
RESTARTS_TEXT = """\
web-1:
  Reboot      asked for by: kernel 6.1.0-44-amd64 is installed, 6.1.0-43-amd64 is running;
              /run/reboot-required

  Services to restart (2)
    cron.service   /usr/lib/x86_64-linux-gnu/libc.so.6
    nginx.service  /usr/lib/a.so.1, /usr/lib/b.so.1 and 2 more

  Users to log in again (1)
    alice  /usr/bin/bash

  Programs (1)
    /opt/app/server

  Containers (1)
    docker-0123.scope

  Until a reboot (1)
    init  /usr/lib/systemd/systemd"""
NOTHING_OLD: dict[str, Any] = {**dict.fromkeys(RESTARTS, []), "files": {}}
NOTHING_OLD_TEXT = """\
web-1:
  Old code    none: no program runs what an update replaced"""


@pytest.mark.parametrize(
    ("returned", "expected"),
    [(STATUS, STATUS_TEXT), (IDLE, IDLE_TEXT), (HISTORY, HISTORY_TEXT), (FROZEN, FROZEN_TEXT)]
    + [(RESTARTS, RESTARTS_TEXT), (NOTHING_OLD, NOTHING_OLD_TEXT)],
    ids=["status", "idle", "history", "frozen", "restarts", "nothing old"],
)
def test_what_a_host_tells(returned: Any, expected: str, opts: dict[str, Any]) -> None:
    assert show({"web-1": returned}, opts) == expected


@pytest.mark.parametrize(
    ("returned", "expected"), [(ROLLOUT, ROLLOUT_TEXT), (FORECAST, FORECAST_TEXT)], ids=["rollout", "forecast"]
)
def test_what_the_runner_tells(returned: Any, expected: str, opts: dict[str, Any]) -> None:
    assert show(returned, opts) == expected


@pytest.mark.parametrize(
    ("function", "returned", "expected"),
    [
        ("ssmpatch.validate", [], "  Valid       configuration and baseline; no problem was found"),
        ("ssmpatch.validate", ["window: 5"], "\n  1 problem\n    - window: 5"),
        ("ssmpatch.history", [], "  Nothing     no operation yet"),
        ("ssmpatch.explain", [], "  Nothing     no package of this host has such a name"),
    ],
)
def test_an_empty_list_says_what_it_means(function: str, returned: Any, expected: str, opts: dict[str, Any]) -> None:
    opts["fun"] = function
    assert show({"web-1": returned}, opts) == f"web-1:\n{expected}"


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "data",
    [{"m": STATUS}, {"m": IDLE}, {"m": HISTORY}, {"m": FROZEN}, {"m": RESTARTS}, ROLLOUT, FORECAST],
    ids=["status", "idle", "history", "frozen", "restarts", "rollout", "forecast"],
)
def test_no_line_is_wider_than_the_terminal(
    width: int, data: Any, opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert max(map(len, show(data, opts).splitlines())) <= width


def test_other_shapes_are_printed_as_salt_prints_them(opts: dict[str, Any]) -> None:
    for data in ({"rings": [{"minions": 1}]}, {"rings": STATUS_TEXT}, {"m": {"rings": [{}]}}, {"m": {"counts": {}}}):
        assert show(data, opts) == show(data, opts, out="nested")
    assert show({"rings": STATUS}, opts).startswith("rings:\n  Running ")


HOSTILE = "a\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp.exe\r\n\u2028z"
CLEAN = "a?]0;title??[2J?31m?gnp.exe z"


def hostile(value: Any) -> Any:
    """The same shape with every text replaced."""
    if isinstance(value, dict):
        return {key: hostile(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize(
    "data",
    [{"m": STATUS}, {"m": IDLE}, {"m": HISTORY}, {"m": FROZEN}, {"m": RESTARTS}, ROLLOUT, FORECAST],
    ids=["status", "idle", "history", "frozen", "restarts", "rollout", "forecast"],
)
def test_values_cannot_steer_the_terminal(data: Any, opts: dict[str, Any]) -> None:
    text = show(hostile(data), opts)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text) and CLEAN in text


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def like(shape: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(dict.fromkeys(shape, ANY))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_return_makes_it_fail(data: st.DataObject) -> None:
    rings = [{**data.draw(like(ROLLOUT["rings"][0])), "minions": 1}]
    ahead = [{**data.draw(like(FORECAST["rings"][0])), "batches": [data.draw(like({"waiting": 1}))]}]
    entry = {**data.draw(like(HISTORY[0])), "changes": data.draw(st.dictionaries(st.text(), ANY))}
    for made, title in (
        ({"m": data.draw(like(STATUS))}, "m:\n  Running "),
        ({"m": [entry]}, "m:\n\n  Operations (1)\n"),
        ({"m": {**data.draw(like(FROZEN)), "packages": data.draw(st.dictionaries(st.text(), ANY))}}, "m:\n  "),
        ({**data.draw(like(ROLLOUT)), "id": "r", "rings": rings}, "Rollout r:\n"),
        ({**data.draw(like(FORECAST)), "rings": ahead}, "A rollout that has not begun:\n"),
    ):
        assert _outputter()(made).startswith(title)


@functools.cache
def _outputter() -> Any:
    return salt.loader.outputters(options(Path(__file__).parents[2]))["ssmpatch"]

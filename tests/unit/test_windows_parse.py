# SPDX-License-Identifier: Apache-2.0
"""Windows as people write them: what is accepted, and how each mistake is named."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib import windows
from ssmpatchlib.errors import InvalidInput
from ssmpatchlib.windows import Window, parse_duration, parse_window

ENGINE = Path(windows.__file__).parents[1]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4h", 14400),
        ("30m", 1800),
        ("1h30m", 5400),
        (90, 90),
        ("90s", 90),
        ("1d", 86400),
        (" 2H ", 7200),
        ("1d1h1m1s", 90061),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("value", ["", "h", "4", "4 h", "-4h", "1.5h", "30m1h", "٣h", 0, -1, True, None, 1.5, [], "0h"])
def test_a_wrong_duration_is_named(value):
    with pytest.raises(InvalidInput, match="is not a duration; use 30m, 4h") as caught:
        parse_duration(value)
    assert repr(value) in str(caught.value)


def test_a_full_window():
    data = {"days": ["Sun", "saturday", "sat"], "start": "2:00", "duration": "4h", "timezone": "Europe/Berlin"}
    expected = Window(days=("sat", "sun"), start="02:00", duration=14400, timezone="Europe/Berlin")
    assert parse_window(data, "w") == expected


def test_a_monthly_window():
    data = {"nth": "2nd Tuesday", "offset_days": 3, "start": "22:00", "duration": "6h"}
    assert parse_window(data, "w") == Window(nth="2nd tue", offset_days=3, start="22:00", duration=21600)


def test_one_day_may_stand_alone_and_empty_keys_are_defaults():
    data = {"days": "mon", "start": "00:00", "duration": 60, "timezone": None, "nth": None}
    assert parse_window(data, "w") == Window(days=("mon",), start="00:00", duration=60)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"dayz": ["sat"]}, "dayz: unknown key; did you mean days?"),
        ({"start": None}, "start: missing; a window needs start and duration"),
        ({"duration": None}, "duration: missing; a window needs start and duration"),
        ({"days": ["sat", "someday"]}, "days: 'someday' is not a day; use mon, tue, wed, thu, fri, sat, sun"),
        ({"days": 6}, "days: 6 is not a list of days; use names out of mon, tue, wed, thu, fri, sat, sun"),
        ({"days": [True]}, "days: True is not a day; use mon, tue, wed, thu, fri, sat, sun"),
        ({"start": "24:00"}, "start: '24:00' is not a time of day; write it as '02:00'"),
        ({"start": 1320}, "start: 1320 is not a time of day; write it in quotes, as '22:00'"),
        ({"start": "2"}, "start: '2' is not a time of day; write it as '02:00'"),
        ({"duration": "59s"}, "duration: '59s' is not allowed; use 1m to 7d"),
        ({"duration": "8d"}, "duration: '8d' is not allowed; use 1m to 7d"),
        (
            {"duration": "four"},
            "duration: 'four' is not a duration; use 30m, 4h, 1h30m or a whole number of seconds",
        ),
        (
            {"timezone": "europe/berlin"},
            "timezone: 'europe/berlin' is not a time zone; use an IANA name such as Europe/Berlin",
        ),
        ({"timezone": 1}, "timezone: 1 is not a time zone; use an IANA name such as Europe/Berlin"),
        (
            {"nth": "6th tue"},
            "nth: '6th tue' is not a monthly pattern; use 1st, 2nd, 3rd, 4th, 5th, last and a day, such as '2nd tue'",
        ),
        ({"nth": "2nd tue", "days": ["mon"]}, "nth: cannot be combined with days; use one of them"),
        ({"offset_days": 3}, "offset_days: needs nth, such as '2nd tue'"),
        ({"nth": "2nd tue", "offset_days": 28}, "offset_days: 28 is not allowed; use -27 to 27"),
    ],
)
def test_a_mistake_is_named_with_its_path(changes, problem):
    with pytest.raises(InvalidInput) as caught:
        parse_window({"start": "02:00", "duration": "4h", **changes}, "reboot.windows[0]")
    assert caught.value.problems == (f"reboot.windows[0].{problem}",)
    assert str(caught.value) == f"reboot.windows[0].{problem}"


@pytest.mark.parametrize("name", ["", "Europe", "../../etc/passwd", "/etc/localtime", "No/Where", "UTC\0", "\udc80"])
def test_no_odd_time_zone_gets_through(name):
    with pytest.raises(InvalidInput, match="is not a time zone; use an IANA name"):
        parse_window({"start": "02:00", "duration": "4h", "timezone": name}, "w")


def test_all_problems_are_reported_at_once():
    with pytest.raises(InvalidInput) as caught:
        parse_window({"start": "x", "days": "y", "z": 1}, "window")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "window.z",
        "window.days",
        "window.start",
        "window.duration",
    ]


def test_something_else_than_a_mapping():
    with pytest.raises(InvalidInput, match=r"^window: 'sat' is not a mapping"):
        parse_window("sat", "window")


def test_a_host_without_time_zone_data_is_told_which_package_it_lacks():
    code = (
        "import sys; sys.modules['tzdata'] = None\n"
        "from ssmpatchlib.windows import is_open, parse_window\n"
        "window = parse_window({'start': '00:00', 'duration': '1d'}, 'w')\n"
        "print(is_open([window], 1_700_000_000))\n"
        "parse_window({'start': '00:00', 'duration': '4h', 'timezone': 'Europe/Berlin'}, 'w')\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ENGINE), "PYTHONTZPATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True\n"
    assert "'Europe/Berlin' cannot be looked up, this host has no time zone data; install the package tz" in done.stderr


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=4,
)
KEYS = st.sampled_from(["days", "start", "duration", "timezone", "nth", "offset_days", "x"])
VALUES = PLAIN | st.sampled_from(["mon", "02:00", "4h", "Europe/Berlin", "last fri", 3])


@settings(deadline=None)
@given(st.dictionaries(KEYS, VALUES) | PLAIN)
def test_whatever_is_written_gives_a_window_or_named_problems(data):
    try:
        window = parse_window(data, "w")
    except InvalidInput as exc:
        assert exc.problems
        assert all(problem.startswith("w") for problem in exc.problems)
    else:
        assert parse_window(dataclasses.asdict(window), "w") == window

# SPDX-License-Identifier: Apache-2.0
"""When windows are open: weekdays, monthly patterns, midnight, clock changes; what opens agrees with what closes."""

from __future__ import annotations

import datetime as dt
from calendar import monthrange
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ssmpatchlib.windows import DAYS, ORDINALS, Window, _closing, is_open, next_open

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = "UTC") -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def iso(seconds: float | None, zone: str = "UTC") -> str | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, ZoneInfo(zone)).isoformat()


def closes_at(windows: list[Window], now: float) -> float | None:
    """When the opening that ``now`` falls into ends, windows that touch or overlap taken together.

    Returns:
        Epoch seconds; None when nothing is open at ``now``, or when it stays open for more than a year.
    """
    limit = now + 400 * 86400
    end = now
    while end <= limit:
        ends = [closing for window in windows if (closing := _closing(window, end)) is not None]
        if not ends:
            return end if end > now else None
        end = max(ends)
    return None


def test_without_windows_it_is_always_open():
    assert is_open([], 0)
    assert next_open([], 5.5) == 5.5
    assert closes_at([], 5.5) is None


@pytest.mark.parametrize(
    ("moment", "open_"),
    [("01:59:59", False), ("02:00", True), ("05:59:59", True), ("06:00", False)],
)
def test_a_window_holds_its_start_and_not_its_end(moment, open_):
    assert is_open([Window(days=("sat",), start="02:00", duration=14400)], at(f"2026-11-21T{moment}")) is open_


def test_a_window_across_midnight_belongs_to_the_day_it_starts_on():
    window = Window(days=("fri",), start="23:00", duration=14400)
    assert is_open([window], at("2026-11-21T02:59"))
    assert not is_open([window], at("2026-11-20T02:00"))
    assert closes_at([window], at("2026-11-20T23:30")) == at("2026-11-21T03:00")


def test_the_day_is_that_of_the_windows_zone():
    window = Window(days=("mon",), start="08:00", duration=3600, timezone="Pacific/Auckland")
    assert iso(next_open([window], at("2026-11-20T00:00"))) == "2026-11-22T19:00:00+00:00"


def test_the_next_of_several_windows():
    windows = [Window(days=("sun",), start="02:00", duration=60), Window(days=("sat",), start="22:00", duration=60)]
    assert iso(next_open(windows, at("2026-11-18T00:00"))) == "2026-11-21T22:00:00+00:00"
    assert iso(next_open(windows, at("2026-11-21T23:00"))) == "2026-11-22T02:00:00+00:00"


def test_windows_that_touch_or_overlap_close_together():
    windows = [
        Window(start="01:00", duration=3600),
        Window(start="02:00", duration=3600),
        Window(start="02:30", duration=7200),
    ]
    assert closes_at(windows, at("2026-11-21T01:10")) == at("2026-11-21T04:30")


def test_a_window_that_never_closes():
    assert closes_at([Window(start="00:00", duration=86400)], at("2026-11-21T01:10")) is None


@pytest.mark.parametrize(
    ("nth", "offset", "days"),
    [
        ("2nd tue", 0, ["2026-12-08", "2027-01-12", "2027-02-09"]),
        ("2nd tue", 3, ["2026-12-11", "2027-01-15", "2027-02-12"]),
        ("1st mon", -2, ["2026-12-05", "2027-01-02", "2027-01-30"]),
        ("4th tue", 10, ["2026-12-04", "2027-01-01", "2027-02-05"]),
        ("last fri", 0, ["2026-11-27", "2026-12-25", "2027-01-29"]),
        ("5th sun", 0, ["2026-11-29", "2027-01-31", "2027-05-30"]),
    ],
)
def test_monthly_patterns(nth, offset, days):
    window = Window(nth=nth, offset_days=offset, start="22:00", duration=3600)
    now, found = at("2026-11-24T00:00"), []
    for _ in days:
        now = next_open([window], now)
        found.append(iso(now))
        now += 3600
    assert found == [f"{day}T22:00:00+00:00" for day in days]


def test_a_start_that_the_clock_skips_moves_on_by_the_change():
    window = Window(start="02:30", duration=3600, timezone=BERLIN)
    opens = next_open([window], at("2026-03-29T00:00", BERLIN))
    assert iso(opens, BERLIN) == "2026-03-29T03:30:00+02:00"
    assert iso(closes_at([window], opens), BERLIN) == "2026-03-29T04:30:00+02:00"


def test_a_repeated_hour_opens_once_and_the_duration_is_elapsed_time():
    window = Window(start="02:30", duration=3600, timezone=BERLIN)
    opens = next_open([window], at("2026-10-25T00:00", BERLIN))
    assert iso(opens, BERLIN) == "2026-10-25T02:30:00+02:00"
    assert iso(closes_at([window], opens), BERLIN) == "2026-10-25T02:30:00+01:00"
    assert not is_open([window], opens + 3600)


def test_the_wall_clock_start_stays_across_a_change():
    window = Window(days=("sun",), start="12:00", duration=3600, timezone=BERLIN)
    assert iso(next_open([window], at("2026-03-22T13:00", BERLIN)), BERLIN) == "2026-03-29T12:00:00+02:00"


def test_a_day_that_a_country_skipped():
    window = Window(start="10:00", duration=3600, timezone="Pacific/Apia")
    opens = next_open([window], at("2011-12-29T12:00", "Pacific/Apia"))
    assert iso(opens, "Pacific/Apia") == "2011-12-31T10:00:00+14:00"


ZONES = ["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "America/St_Johns"]
WINDOWS = st.builds(
    Window,
    days=st.lists(st.sampled_from(DAYS), unique=True, max_size=3).map(tuple),
    nth=st.just("") | st.tuples(st.sampled_from(ORDINALS), st.sampled_from(DAYS)).map(" ".join),
    offset_days=st.integers(-27, 27),
    start=st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59)),
    duration=st.integers(1, 48).map(lambda half_hours: half_hours * 1800) | st.integers(60, 7 * 86400),
    timezone=st.sampled_from(ZONES),
)
MOMENTS = st.integers(int(at("2011-01-01T00:00")), int(at("2037-12-31T00:00"))).map(float)


@settings(max_examples=150, deadline=None)
@given(windows=st.lists(WINDOWS, min_size=1, max_size=3), now=MOMENTS)
def test_the_three_functions_agree(windows, now):
    opens = next_open(windows, now)
    assert opens is not None
    assert is_open(windows, now) is (opens == now)
    assert is_open(windows, opens)
    assert (closes_at(windows, now) is None) or is_open(windows, now)
    if opens > now:
        assert not is_open(windows, opens - 0.001)
        assert not is_open(windows, (now + opens) / 2)
    closes = closes_at(windows, opens)
    if closes is not None:
        assert closes > opens
        assert is_open(windows, closes - 0.001)
        assert is_open(windows, (opens + closes) / 2)
        assert not is_open(windows, closes)


@settings(max_examples=100, deadline=None)
@given(window=WINDOWS, now=MOMENTS)
def test_a_window_opens_on_its_days_and_at_its_time(window, now):
    opens = next_open([window], now)
    assume(opens > now)
    local = dt.datetime.fromtimestamp(opens, ZoneInfo(window.timezone))
    assume(local.utcoffset() == (local - dt.timedelta(days=1)).utcoffset())
    assert local.strftime("%H:%M") == window.start
    if window.nth:
        named = local.date() - dt.timedelta(days=window.offset_days)
        ordinal, weekday = window.nth.split()
        assert DAYS[named.weekday()] == weekday
        same_weekday = [
            day for day in range(1, monthrange(named.year, named.month)[1] + 1) if (day - named.day) % 7 == 0
        ]
        assert named.day == (same_weekday[-1] if ordinal == "last" else same_weekday[int(ordinal[0]) - 1])
    elif window.days:
        assert DAYS[local.weekday()] in window.days

# SPDX-License-Identifier: Apache-2.0
"""Recurring time windows: when a reboot or an install is allowed, by weekday or by monthly pattern, in a time zone."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import InvalidInput
from .input_errors import named_key, near_word, show

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ORDINALS = ("1st", "2nd", "3rd", "4th", "5th", "last")
MIN_DURATION = 60
MAX_DURATION = 7 * 86400
MAX_OFFSET_DAYS = 27

_FULL_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_NAMES = {**{name: name for name in DAYS}, **dict(zip(_FULL_DAYS, DAYS, strict=True))}
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?", re.ASCII)
_START = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_MOST_UNKNOWN = 20
# Every pattern comes round within this many days: a fifth weekday at least every three months, the rest sooner.
_HORIZON_DAYS = 400
_ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A recurring span of time, ``[start, start + duration)``.

    ``days`` are the weekdays it opens on (empty: every day); ``nth`` is a monthly pattern instead (``2nd tue``,
    ``last fri``), ``offset_days`` shifts that day (the second Tuesday + 3 days). ``start`` is ``HH:MM`` on the wall
    clock of ``timezone``; ``duration`` is elapsed seconds, whatever the wall clock does meanwhile.
    """

    start: str
    duration: int
    days: tuple[str, ...] = ()
    timezone: str = "UTC"
    nth: str = ""
    offset_days: int = 0


def parse_duration(value: object) -> int:
    """Return a duration in seconds: a whole number of seconds, or ``4h``, ``30m``, ``1h30m``, ``1d``, ``90s``.

    Raises:
        InvalidInput: it is neither, or it is not positive.
    """
    seconds = 0
    if isinstance(value, int) and not isinstance(value, bool):
        seconds = value
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value.strip().lower())):
        seconds = sum(int(number or 0) * unit for number, unit in zip(match.groups(), _UNITS.values(), strict=True))
    if seconds <= 0:
        raise InvalidInput(f"{show(value)} is not a duration; use 30m, 4h, 1h30m or a whole number of seconds")
    return seconds


def parse_window(data: object, path: str) -> Window:
    """Return the window that a mapping of the configuration describes.

    Args:
        data: keys ``start`` and ``duration``; optional ``days`` or ``nth`` with ``offset_days``, ``timezone`` (UTC).
        path: where ``data`` stands in the configuration, for messages (``reboot.windows[0]``).

    Raises:
        InvalidInput: with every problem found, as ``path.key: what`` lines in ``problems``.
    """
    if not isinstance(data, Mapping):
        raise _invalid([f"{path}: {show(data)} is not a mapping; use keys such as days, start, duration, timezone"])
    unknown = [key for key in data if key not in _KEYS]
    known = f"known are {', '.join(_KEYS)}"
    problems = [
        f"{path}.{named_key(key)}: unknown key; {near_word(key, _KEYS) or known}" for key in unknown[:_MOST_UNKNOWN]
    ]
    values: dict[str, Any] = {}
    for key, parse in _KEYS.items():
        value = data.get(key)
        if value is None and key in ("start", "duration"):
            problems.append(f"{path}.{key}: missing; a window needs start and duration")
        elif value is not None:
            try:
                values[key] = parse(value)
            except InvalidInput as exc:
                problems.append(f"{path}.{key}: {exc}")
    if values.get("days") and values.get("nth"):
        problems.append(f"{path}.nth: cannot be combined with days; use one of them")
    if values.get("offset_days") and not data.get("nth"):
        problems.append(f"{path}.offset_days: needs nth, such as '2nd tue'")
    if problems:
        raise _invalid(problems)
    return Window(**values)


def is_open(windows: Sequence[Window], now: float) -> bool:
    """Whether one of the windows is open at ``now`` (epoch seconds); without windows it always is."""
    return not windows or any(_closing(window, now) is not None for window in windows)


def next_open(windows: Sequence[Window], now: float) -> float | None:
    """The first moment from ``now`` on at which a window is open: ``now`` itself when one is, or without windows.

    Returns:
        Epoch seconds; None when no window opens within the next 400 days.
    """
    if is_open(windows, now):
        return now
    starts = [start for window in windows if (start := _next_start(window, now)) is not None]
    return min(starts, default=None)


# --- occurrences ---------------------------------------------------------------------------------


def _closing(window: Window, now: float) -> float | None:
    """The latest end of the window's occurrences that cover ``now``."""
    back = window.duration // 86400 + 2
    ends = (start + window.duration for start in _starts(window, now, -back, 2) if start <= now)
    return max((end for end in ends if end > now), default=None)


def _next_start(window: Window, now: float) -> float | None:
    return next((start for start in _starts(window, now, -2, _HORIZON_DAYS) if start >= now), None)


def _starts(window: Window, now: float, first: int, last: int) -> Iterator[float]:
    """The starts of the window, in order, on the local days ``first`` to ``last`` around the day of ``now``."""
    zone = _zone(window.timezone)
    today = dt.datetime.fromtimestamp(now, zone).date()
    hour, minute = (int(part) for part in window.start.split(":"))
    for offset in range(first, last + 1):
        day = today + dt.timedelta(days=offset)
        if _opens_on(window, day):
            # fold=0: a start that a clock change skips moves on by the change; of a repeated hour it is the first.
            yield dt.datetime.combine(day, dt.time(hour, minute), zone).timestamp()


def _opens_on(window: Window, day: dt.date) -> bool:
    if not window.nth:
        return not window.days or DAYS[day.weekday()] in window.days
    ordinal, weekday = window.nth.split()
    day -= dt.timedelta(days=window.offset_days)
    if DAYS[day.weekday()] != weekday:
        return False
    if ordinal == "last":
        return (day + 7 * _ONE_DAY).month != day.month
    return (day.day - 1) // 7 == ORDINALS.index(ordinal)


def _zone(name: str) -> dt.tzinfo:
    """The time zone of that name; UTC needs no time zone data.

    Raises:
        InvalidInput: no such zone, or the host has no time zone data at all.
    """
    if name == "UTC":
        return dt.timezone.utc
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    known = zoneinfo.available_timezones()
    if not known:
        raise InvalidInput(
            f"{show(name)} cannot be looked up, this host has no time zone data; install the package tzdata or use UTC"
        )
    import difflib

    folded = {zone.casefold(): zone for zone in sorted(known)}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    example = folded[close[0]] if close else "Europe/Berlin"
    raise InvalidInput(f"{show(name)} is not a time zone; use an IANA name such as {example}")


# --- parsing of one key --------------------------------------------------------------------------


def _parse_days(value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)):
        raise InvalidInput(f"{show(value)} is not a list of days; use names out of {', '.join(DAYS)}")
    days = {_day(name) for name in names}
    return tuple(day for day in DAYS if day in days)


def _day(name: object) -> str:
    day = _DAY_NAMES.get(name.strip().lower()) if isinstance(name, str) else None
    if day is None:
        raise InvalidInput(f"{show(name)} is not a day; use {', '.join(DAYS)}")
    return day


def _parse_start(value: object) -> str:
    match = _START.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        hint = "as '02:00'"
        if isinstance(value, int) and 60 <= value < 1440:
            # YAML 1.1 reads 22:00 without quotes as a number to the base of sixty.
            hint = f"in quotes, as '{value // 60:02d}:{value % 60:02d}'"
        raise InvalidInput(f"{show(value)} is not a time of day; write it {hint}")
    return f"{int(match[1]):02d}:{match[2]}"


def _parse_length(value: object) -> int:
    seconds = parse_duration(value)
    if not MIN_DURATION <= seconds <= MAX_DURATION:
        raise InvalidInput(f"{show(value)} is not allowed; use 1m to 7d")
    return seconds


def _parse_timezone(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{show(value)} is not a time zone; use an IANA name such as Europe/Berlin")
    _zone(value.strip())
    return value.strip()


def _parse_nth(value: object) -> str:
    words = value.lower().split() if isinstance(value, str) else []
    if value == "":
        return ""
    if len(words) != 2 or words[0] not in ORDINALS or words[1] not in _DAY_NAMES:
        known = ", ".join(ORDINALS)
        raise InvalidInput(f"{show(value)} is not a monthly pattern; use {known} and a day, such as '2nd tue'")
    return f"{words[0]} {_DAY_NAMES[words[1]]}"


def _parse_offset(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_OFFSET_DAYS:
        raise InvalidInput(f"{show(value)} is not allowed; use -{MAX_OFFSET_DAYS} to {MAX_OFFSET_DAYS}")
    return value


_KEYS: Mapping[str, Callable[[object], Any]] = {
    "days": _parse_days,
    "start": _parse_start,
    "duration": _parse_length,
    "timezone": _parse_timezone,
    "nth": _parse_nth,
    "offset_days": _parse_offset,
}


def _invalid(problems: list[str]) -> InvalidInput:
    return InvalidInput("; ".join(problems), problems=problems)

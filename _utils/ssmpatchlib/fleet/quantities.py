# SPDX-License-Identifier: Apache-2.0
"""Numbers that people write as ``10``, ``10%`` or ``20/1h``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidInput
from ..input_errors import show
from ..windows import parse_duration

_AMOUNT = re.compile(r"(\d{1,7})(?:\.(\d{1,3}))?\s*(%?)")
_RATE = re.compile(r"(\d{1,6})\s*/\s*(\w+)")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of hosts, or a percentage of them."""

    value: float
    percent: bool = False

    def of(self, total: int) -> int:
        """How many hosts of ``total``; of a percentage no more than it covers in full."""
        return int(total * self.value / 100 + 1e-9) if self.percent else int(self.value)

    def __str__(self) -> str:
        return f"{self.value:g}%" if self.percent else f"{self.value:g}"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``number`` within ``seconds``."""

    number: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.number} in {self.seconds} s"


def parse_amount(value: Any, *, low: int = 0) -> Amount:
    """Read ``5``, ``"5"``, ``"10%"`` or ``"99.5%"``.

    Raises:
        InvalidInput: it is none of these.
    """
    match = _AMOUNT.fullmatch(str(value).strip()) if isinstance(value, (int, str)) and value is not True else None
    if match:
        number, fraction, percent = match.groups()
        amount = Amount(float(f"{number}.{fraction or 0}"), bool(percent))
        if amount.value >= low and (amount.value <= 100 if percent else not fraction):
            return amount
    raise InvalidInput(f"{show(value)} is not allowed; use a number from {low} on or a percentage such as 10%")


def parse_rate(value: Any) -> Rate:
    """Read ``20/1h``: at most so many in so much time.

    Raises:
        InvalidInput: it is something else.
    """
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or int(match[1]) < 1:
        raise InvalidInput(f"{show(value)} is not allowed; use a number in a time, such as 20/1h")
    return Rate(int(match[1]), parse_duration(match[2]))

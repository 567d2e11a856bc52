# SPDX-License-Identifier: Apache-2.0
"""Hostile answers out of real ones: values of any JSON shape, and of those that only Python and msgpack have."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

TEXTS = (
    "", " ", "\n", "a", "é", "\ud800", "\x00", "\x1b[31m", "\u202e", "../../etc/passwd", "--setopt=gpgcheck=0", "=1+1",
    "</script><script>", "{{7*7}}", "9" * 5000, "-1", "1e999", "NaN", "Infinity", "0", "٣", "2026-11-20T06:30:00Z",
    "2099-01-01T00:00:00Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59Z", "never", "COMPLIANT", "NON_COMPLIANT",
    "UNKNOWN", "Missing", "Failed", "Installed", "InstalledPendingReboot", "CRITICAL", "DEBIAN", "Debian12", "999999:0",
    "Traceback (most recent call last):\n  x\nKeyError: 'x'", "ERROR: x", "a: b" * 2000, "x" * 30_000,
    "ERROR: install: outside of the maintenance window, which opens 2099-01-01T00:00:00Z; wait until then",
    "ERROR: install: outside of the maintenance window, which opens never; wait until then",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2**63, 2**64, 10**400, 10**5000, -(10**5000), 0.0, -0.0, 0.1, 1e300, 4e9, float("nan"), float("inf"),
    float("-inf"), True, False,
)  # fmt: skip


def hostile(random: Random, depth: int = 0) -> Any:
    """Any value."""
    kind = random.random()
    if depth > 3 or kind < 0.65:
        return random.choice((None, random.choice(TEXTS), random.choice(NUMBERS), random.choice((b"\xff", (), [], {}))))
    if kind < 0.69:
        return nested(random.choice((50, 400, 900)), random.choice(("list", "mapping")))
    if kind < 0.72:
        return [hostile(random, 9)] * random.choice((100, 3000, 30_000))
    if kind < 0.86:
        return [hostile(random, depth + 1) for _ in range(random.randint(0, 4))]
    return {random.choice((*TEXTS[:20], 5, None)): hostile(random, depth + 1) for _ in range(random.randint(0, 4))}


def nested(depth: int, kind: str) -> Any:
    """A value deep inside of lists or mappings."""
    found: Any = "x"
    for _ in range(depth):
        found = [found] if kind == "list" else {"a": found}
    return found


def mutated(random: Random, answer: Any) -> Any:
    """An answer after some changes, or now and then any value."""
    if random.random() < 0.05:
        return hostile(random)
    found = copy.deepcopy(answer)
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        found = _changed(random, found)
    return found


def _changed(random: Random, answer: Any) -> Any:
    """Go down a random path, and put any value where it ends, leave it out, or add a neighbour."""
    if not isinstance(answer, (dict, list)) or not answer or random.random() < 0.08:
        return hostile(random)
    key = random.choice(list(answer)) if isinstance(answer, dict) else random.randrange(len(answer))
    what = random.random()
    if what < 0.08:
        del answer[key]
    elif what < 0.16 and isinstance(answer, dict):
        answer[random.choice(TEXTS)] = hostile(random)
    elif what < 0.16:
        answer.append(hostile(random))
    elif what < 0.24 and isinstance(answer, list):
        answer += [answer[key]] * random.choice((1, 5, 500))
    else:
        answer[key] = _changed(random, answer[key])
    return answer


def size(value: Any) -> int:
    """About how many bytes a value takes on the wire."""
    total, rest = 0, [value]
    while rest:
        each = rest.pop()
        total += 8 + (len(each) if isinstance(each, (str, bytes)) else 0)
        if type(each) is int:
            total += each.bit_length() // 3
        if isinstance(each, dict):
            rest += [*each, *each.values()]
        elif isinstance(each, (list, tuple)):
            rest += each
    return total

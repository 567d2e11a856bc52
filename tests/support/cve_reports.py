# SPDX-License-Identifier: Apache-2.0
"""What minions say of CVEs: the key ``cves`` of reports, and answers of ``ssmpatch.cve``."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from typing import Any

from support.reports import NAMES, NOW, fleet, utc

STATES = ("fix available", "affected, no fix yet", "fix kept out", "fix beyond the frozen set")
SEVERITIES = ("critical", "high", "medium", "low", "negligible")
#: How many hosts of ten thousand differ from the others of their system, in one group of CVEs each.
VARIANTS = 40


@functools.lru_cache(maxsize=4096)
def group(seed: int, number: int, *, size: int) -> dict[str, Any]:
    """One group of CVEs of one package."""
    rng = random.Random(seed * 1009 + number)
    package = NAMES[(seed * 7 + number) % len(NAMES)]
    state = rng.choices(STATES, (6, 8, 1, 1))[0]
    ids = sorted({f"CVE-{rng.randint(2019, 2026)}-{rng.randint(1000, 49_999)}" for _ in range(size)})
    upstream = f"{rng.randint(1, 9)}.{rng.randint(0, 20)}"
    found = {
        "package": package,
        "installed": f"{upstream}-1",
        "state": state,
        "fixed": f"{upstream}-2" if state != STATES[1] else "",
        "severity": rng.choices(SEVERITIES, (1, 4, 8, 4, 2))[0],
        "advisories": f"DSA-{5000 + number}-1" if state != STATES[1] else "",
        "exploited": ids[0] if number % 9 == 2 else "",
        "cves": ",".join(ids),
        "published": utc(NOW - rng.randint(5, 500) * 86400),
        "reason": "" if state == STATES[0] else f"{package} is held" if state == STATES[2] else "the vendor has no fix",
    }
    # A report leaves empty texts out.
    return {key: text for key, text in found.items() if text}


def cves_of(number: int, *, groups: int = 20, size: int = 75) -> dict[str, Any]:
    """The key ``cves`` of a host: like that of every fourth host, but for one group of its own in VARIANTS."""
    system, variant = number % 4, number % VARIANTS
    found = [group(system, each, size=size) for each in range(groups - 1)]
    found.append(group(100 + variant, groups, size=size))
    return told(found)


def told(groups: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """The key ``cves`` with these groups."""
    ids = {cve for each in groups for cve in each["cves"].split(",")}
    counts = dict.fromkeys(("critical", "high", "medium", "low", "other"), 0)
    for each in groups:
        counts[each["severity"] if each["severity"] in counts else "other"] += len(each["cves"].split(","))
    fixable = {cve for each in groups if each["state"] == "fix available" for cve in each["cves"].split(",")}
    exploited = {cve for each in groups for cve in each.get("exploited", "").split(",") if cve}
    found = {
        "data": "DEBIAN-12",
        "time": "2026-11-19T10:00:00Z",
        "problem": "",
        "counts": {
            "open": len(ids), "exploited": len(exploited), "fixable": len(fixable), "unimportant": 12, **counts,
        },
        "open": groups,
        "left_out": 0,
    }  # fmt: skip
    return found | changes


def fleet_with_cves(size: int, *, rows: int | None = None, groups: int = 20, each: int = 75, seed: int = 1) -> Any:
    """``size`` minions with their returns, whose reports say which CVEs are open."""

    def pairs() -> Iterator[tuple[str, Any]]:
        for number, (minion, returned) in enumerate(fleet(size, rows=rows, seed=seed)):
            if returned and isinstance(returned["ssmpatch.report"], dict):
                returned["ssmpatch.report"]["cves"] = cves_of(number, groups=groups, size=each)
                if number % 50 == 7:
                    returned["ssmpatch.report"]["cves"] |= {"problem": "the feed DEBIAN-12 is 40 days old"}
            yield minion, returned

    return pairs()


def answer(number: int, cve: str = "CVE-2026-1234") -> Any:
    """What a minion returns for ``ssmpatch.cve`` with one id: one of each state in turn, and some that cannot say."""
    kind = number % 12
    if kind == 10:
        return "'ssmpatch.cve' is not available."
    problem = "the feed DEBIAN-12 is 40 days old" if kind == 9 else ""
    rows = [row(cve, state) for state in ((*STATES, "fixed", "fixed", "not affected", "fixed", "fixed")[min(kind, 8)],)]
    if problem or kind == 11:
        rows = [row(cve, "unknown") | {"reason": problem or "the package is of no repository that is known"}]
    return {"data": "DEBIAN-12", "time": "2026-11-19T10:00:00Z", "problem": problem, "cves": rows, "warnings": []}


def row(cve: str, state: str, **changes: Any) -> dict[str, Any]:
    """A row of the answer."""
    open_ = state in STATES
    found = {
        "cve": cve,
        "package": "openssl",
        "packages": ["libssl3.amd64", "openssl.amd64"],
        "installed": "3.0.11-1" if state != "not affected" else "",
        "state": state,
        "fixed": "" if state == STATES[1] or state == "not affected" else "3.0.13-1",
        "available": "libssl3.amd64:3.0.13-1" if state == STATES[0] else "",
        "approved": state == STATES[0],
        "reason": "rule 1 approves 3.0.13-1 (security)" if state == STATES[0] else "openssl is held" if open_ else "",
        "advisories": ["DSA-5747-1"],
        "severity": "high",
        "published": "2026-01-05T00:00:00Z",
        "exploited": "2026-06-01",
        "subscription": False,
        "references": [f"https://security-tracker.debian.org/tracker/{cve}"],
        "restart": ["nginx.service"] if state == "fixed" else [],
    }
    return found | changes

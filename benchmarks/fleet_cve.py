# SPDX-License-Identifier: Apache-2.0
"""What CVEs cost on the master: an answer of ``ssmpatch.cve`` and a report over ten thousand hosts, and bytes per host.

    python benchmarks/fleet_cve.py [--hosts 10000] [--check]

Each part runs in a process of its own, over generated minion returns that are read one by one, as the runner does.
With --check it fails when an answer over 10,000 hosts takes more than 2 s, or a report of hosts with 1,500 open CVEs
each more than 25 s or 500 MiB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO / "_utils"), str(REPO / "tests")]

MOST_ANSWER, MOST_REPORT, MOST_MEBIBYTES = 2.0, 25.0, 500.0
CVES = 1500


def main() -> None:
    """Measure every part, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--check", action="store_true", help="fail beyond the targets")
    parser.add_argument("--one", choices=sorted(PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(PARTS[options.one](options.hosts)))
        return
    print(f"{'part':<44}{'seconds':>9}{'peak MiB':>10}{'MiB':>8}")
    found = {}
    for name in PARTS:
        argv = [sys.executable, __file__, "--one", name, "--hosts", str(options.hosts)]
        found[name] = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
        for line, seconds, size in found[name]["lines"]:
            print(f"{line:<44}{seconds:>9.2f}{found[name]['memory']:>10.0f}{size / 2**20:>8.1f}")
    print(f"\n{'the key cves of a host with 1,500 open CVEs':<44}{'JSON':>9}{'msgpack':>10}{'zlib':>8}")
    for groups in (20, 200):
        plain, packed, compressed = key_sizes(groups)
        print(f"in {groups:<41}{plain:>9,}{packed:>10,}{compressed:>8,}")
    if options.check:
        assert all(seconds <= MOST_ANSWER for _, seconds, _ in found["answer"]["lines"])
        assert sum(seconds for _, seconds, _ in found["report"]["lines"][:3]) <= MOST_REPORT
        assert found["report"]["memory"] <= MOST_MEBIBYTES


def answers(hosts: int) -> dict[str, Any]:
    """Reading what ``hosts`` minions return for one CVE, and each format of the answer."""
    from ssmpatchlib.fleet.cve_report import make_cve_report
    from ssmpatchlib.fleet.cve_text import render_asked
    from support.cve_reports import answer
    from support.reports import NOW

    cve = "CVE-2026-1234"
    returns = [(f"web-{number:05d}.fra.example.net", json.dumps(answer(number, cve))) for number in range(hosts)]
    watch = Stopwatch()
    lines = []
    for format in ("table", "json", "csv"):
        pairs = watch.without((name, json.loads(text)) for name, text in returns)
        began = watch.time()
        made = make_cve_report(pairs, [cve], expected=[name for name, _ in returns], target="*", now=NOW)
        size = sum(map(len, render_asked(made, format=format, columns=120)))
        lines.append((f"answer about one CVE, {format}", watch.time() - began, size))
    return {"lines": lines, "memory": memory()}


def reports(hosts: int) -> dict[str, Any]:
    """Reading the reports of hosts with 1,500 open CVEs each, remembering them, and each format of the report."""
    from ssmpatchlib.fleet import collect, fleetreport, history
    from ssmpatchlib.fleet.cve_text import render_open
    from support.cve_reports import fleet_with_cves
    from support.reports import NOW

    watch = Stopwatch()
    source = ((name, json.loads(json.dumps(said))) for name, said in fleet_with_cves(hosts, rows=3))
    began = watch.time()
    made = fleetreport.make_report(
        watch.without(source), expected=(), target="*", clock=lambda: NOW, stale_after=7 * 86400
    )
    lines = [("report, reading", watch.time() - began, 0)]
    with tempfile.TemporaryDirectory() as directory:
        began = watch.time()
        made = collect.with_trends(made, Path(directory), scope="glob:*")
        lines.append(("report, history", watch.time() - began, (Path(directory) / history.FILE).stat().st_size))
    for format in ("html", "json", "csv", "table", "prometheus"):
        began = watch.time()
        size = sum(map(len, collect.render(made, format=format, details=False)))
        lines.append((f"report, {format}", watch.time() - began, size))
    began = watch.time()
    size = sum(map(len, render_open(made, format="csv", columns=120)))
    lines.append((f"the {len(made.totals.cves.open):,} open CVEs, csv", watch.time() - began, size))
    return {"lines": lines, "memory": memory()}


def key_sizes(groups: int) -> tuple[int, int, int]:
    """The bytes of the key ``cves`` of one host as JSON, as Salt's bus sends it, and compressed."""
    import msgpack

    from support.cve_reports import cves_of

    key = cves_of(1, groups=groups, size=round(CVES / groups * 1.001))
    plain = json.dumps(key, separators=(",", ":")).encode()
    return len(plain), len(msgpack.packb(key)), len(zlib.compress(plain))


class Stopwatch:
    """The time without that of making the input up."""

    def __init__(self) -> None:
        self._spent = 0.0

    def time(self) -> float:
        """Seconds that count."""
        return time.perf_counter() - self._spent

    def without(self, source: Iterator[Any]) -> Iterator[Any]:
        """What a source has; its time does not count."""
        while True:
            began = time.perf_counter()
            item = next(source, None)
            self._spent += time.perf_counter() - began
            if item is None:
                return
            yield item


def memory() -> float:
    """The peak of this process, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


PARTS: dict[str, Callable[[int], dict[str, Any]]] = {"answer": answers, "report": reports}

if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""What a fleet report costs, by hosts and format: time, memory, and that both grow no faster than the fleet.

    python benchmarks/fleet_report.py [--hosts 10000] [--rows 30] [--check]

Each format runs in a process of its own, over generated minion returns that are read one by one, as the runner does.
With --check it fails when the page of 10,000 hosts with 30 rows takes more than 10 s or 500 MiB, or planning a rollout
over 10,000 minions more than 2 s.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO / "_utils"), str(REPO / "tests")]

FORMATS = ("table", "json", "csv", "prometheus", "html")
MOST_SECONDS, MOST_MEBIBYTES, MOST_PLANNING = 10.0, 500.0, 2.0


def main() -> None:
    """Measure every format over a quarter, half and all of the hosts, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=30, help="non-compliant rows of each host")
    parser.add_argument("--check", action="store_true", help="fail beyond the targets")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.hosts, options.rows)))
        return
    print(f"{'format':<12}{'hosts':>8}{'generate s':>12}{'report s':>10}{'peak MiB':>10}{'file MiB':>10}")
    found: dict[tuple[str, int], dict[str, float]] = {}
    for name in FORMATS:
        for hosts in (options.hosts // 4, options.hosts // 2, options.hosts):
            result = run(name, hosts, options.rows)
            found[name, hosts] = result
            print(
                f"{name:<12}{hosts:>8}{result['generate']:>12.2f}{result['seconds']:>10.2f}"
                f"{result['memory']:>10.0f}{result['size'] / 2**20:>10.1f}"
            )
    planning = plan(options.hosts)
    print(f"planning a rollout over {options.hosts} minions: {planning:.2f} s")
    page = found["html", options.hosts]
    growth = page["seconds"] / max(0.01, found["html", options.hosts // 2]["seconds"])
    print(f"html, twice the hosts: {growth:.2f} times the time")
    if options.check:
        assert page["seconds"] <= MOST_SECONDS and page["memory"] <= MOST_MEBIBYTES and planning <= MOST_PLANNING
        assert growth < 3


def run(name: str, hosts: int, rows: int) -> dict[str, float]:
    """Measure one format in a process of its own."""
    argv = [sys.executable, __file__, "--one", name, "--hosts", str(hosts), "--rows", str(rows)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def measure(name: str, hosts: int, rows: int) -> dict[str, Any]:
    """Make a report with history and write it; ``seconds`` is without making the input up."""
    from ssmpatchlib.fleet import collect, fleetreport
    from support.reports import NOW, fleet

    spent = [0.0]

    def answers() -> Any:
        source = fleet(hosts, rows=rows)
        while True:
            began = time.perf_counter()
            pair = next(source, None)
            spent[0] += time.perf_counter() - began
            if pair is None:
                return
            yield pair

    with tempfile.TemporaryDirectory() as directory:
        began = time.perf_counter()
        made = fleetreport.make_report(
            answers(), expected=(), target="*", clock=lambda: NOW, stale_after=7 * 86400, group_by="role"
        )
        made = collect.with_trends(made, Path(directory), scope="glob:*")
        path = Path(directory) / "report"
        collect.write(collect.render(made, format=name, details=False), path)
        seconds = time.perf_counter() - began - spent[0]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"generate": spent[0], "seconds": seconds, "memory": memory, "size": path.stat().st_size}


def plan(hosts: int) -> float:
    """The seconds it takes to plan three rings over so many minions and to write their journal once."""
    from ssmpatchlib.fleet import gate, journal, settings
    from ssmpatchlib.fleet.minion_states import Minion

    ids = [f"web-{number:05d}.example.net" for number in range(hosts)]
    rings = settings.parse_rings(
        [
            {"name": "canary", "tgt": "*", "batch": 50},
            {"name": "early", "tgt": "*", "batch": "5%"},
            {"name": "all", "tgt": "*", "batch": "10%"},
        ]
    )
    with tempfile.TemporaryDirectory() as directory:
        began = time.perf_counter()
        planned = gate.make_plan(rings, [ids[:100], ids[: hosts // 4], ids])
        gate.forecast(planned, start=0, batch_seconds=600)
        rollout = journal.Rollout(
            id="20261120T063000Z-000000",
            created=0,
            plan=planned,
            freeze=True,
            minions={name: Minion() for each in planned for name in each.minions},
            progress=[journal.Progress() for _ in planned],
        )
        journal.save(Path(directory), rollout, now=0)
        return time.perf_counter() - began


if __name__ == "__main__":
    main()

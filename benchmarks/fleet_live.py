# SPDX-License-Identifier: Apache-2.0
"""What a rollout costs a master: seconds of CPU and bytes on the bus per minion, with real minions on small roots.

    python benchmarks/fleet_live.py [--minions 30] [--directory DIR]

One master and so many minions run on this host, each with a package root of its own in which one update is missing; a
rollout of three rings installs it everywhere. All bytes between master and minions go through a counting relay. It
needs root, apt, 100 MiB of memory for each minion, and ends after half an hour at the latest.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO / "_utils"), str(REPO / "tests")]

MEBIBYTES_EACH = 100
LIMIT = 1800
RINGS = "rings=[{name: canary, tgt: 'm0[01]'}, {name: early, tgt: 'm0*'}, {name: all, tgt: 'm*', batch: 10}]"
EXTRAPOLATED = 10_000


class Relay:
    """Hands bytes between minions and the master's ports, and counts them."""

    def __init__(self, ports: tuple[int, int]) -> None:
        self.to_master = self.to_minions = 0
        self.ports: list[int] = []
        self._targets = ports
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._serve, args=(ready,), daemon=True).start()
        ready.wait(timeout=20)

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        for target in self._targets:
            server = self._loop.run_until_complete(
                asyncio.start_server(lambda r, w, port=target: self._connected(r, w, port), "127.0.0.1", 0)
            )
            self.ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        self._loop.run_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(self._hand_over(reader, back, True), self._hand_over(there, writer, False))

    async def _hand_over(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                self.to_master += len(data) if up else 0
                self.to_minions += 0 if up else len(data)
                target.write(data)
                await target.drain()
        target.close()


@dataclass(frozen=True)
class Cost:
    """What something took: seconds by the clock, CPU seconds of the master and of the command, bytes each way."""

    wall: float
    master: float
    command: float
    to_master: int
    to_minions: int


@dataclass(frozen=True)
class Live:
    """The daemons, which are ready: the tests' master, its process, and the relay before it."""

    master: Any
    process: psutil.Process
    relay: Relay

    def measure(self, program: str, *words: str) -> tuple[Cost, Any]:
        """What a command cost, and its JSON."""
        before, relayed, began = _cpu(self.process), (self.relay.to_master, self.relay.to_minions), time.monotonic()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            self.master.command(program, "--out=json", *words), capture_output=True, text=True, timeout=LIMIT
        )
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        cost = Cost(
            time.monotonic() - began,
            _cpu(self.process) - before,
            now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime,
            self.relay.to_master - relayed[0],
            self.relay.to_minions - relayed[1],
        )
        if not done.stdout.strip():
            raise SystemExit(f"{program} {words[0]}: {done.stderr}")
        return cost, json.loads(done.stdout)


def _cpu(process: psutil.Process) -> float:
    """CPU seconds of a process, its children that live, and those that have ended."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


@contextlib.contextmanager
def fleet(directory: Path, count: int) -> Iterator[Live]:
    """A master and its minions, on roots where one update is missing."""
    from support import salt_fleet
    from support.daemons import end
    from support.machine_master import master

    ours = {"state_dir": str(directory / "state"), "limits": {"poll": 2, "probe": 10}}
    names = [f"m{number:02}" for number in range(count)]
    program = [sys.executable, str(Path(sys.executable).with_name("salt-minion"))]
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(master(directory, worker_threads=5, ssmpatch=ours))
        log = stack.enter_context(open(directory / "minions.log", "wb"))
        live = Live(made, psutil.Process(made.pid), Relay(made.ports))
        for name in names:
            root = salt_fleet.make_root(directory / "roots" / name)
            salt_fleet.offer(root, salt_fleet.package("2.0"))
            place = directory / "minions" / name
            place.mkdir(parents=True)
            (place / "minion").write_text(json.dumps(minion(name, place, root, live.relay)))
            argv = [*program, "-c", str(place)]
            process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
            stack.callback(end, process)
        await_minions(live, names)
        yield live


def minion(name: str, place: Path, root: Path, relay: Relay) -> dict[str, Any]:
    """The configuration of a minion."""
    return {
        "id": name,
        "root_dir": str(place),
        "user": "root",
        "master": "127.0.0.1",
        "publish_port": relay.ports[0],
        "master_port": relay.ports[1],
        "acceptance_wait_time": 2,
        "ssmpatch": {
            "root": str(root),
            "operating_system": "DEBIAN",
            "product": "Debian12",
            "package_manager": "apt",
        },
    }


def await_minions(live: Live, names: list[str]) -> None:
    """Wait until all of them answer, and let them and the master have the modules."""
    deadline = time.monotonic() + LIMIT / 3
    while True:
        argv = live.master.command("salt", "--out=json", "--static", "-t", "10", "*", "test.ping")
        said = subprocess.run(argv, capture_output=True, text=True, timeout=300).stdout
        if said.count(": true") == len(names):
            break
        if time.monotonic() > deadline:
            raise SystemExit(f"only {said.count(': true')} of {len(names)} minions have come")
    for program, words in (("salt", ("-t", "120", "*")), ("salt-run", ())):
        subprocess.run(
            live.master.command(program, *words, "saltutil.sync_all"), capture_output=True, timeout=300, check=True
        )


def main() -> None:
    """Measure test.ping, a scan and a rollout, and print what they cost per minion."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minions", type=int, default=30)
    options = parser.parse_args()
    needed, free = options.minions * MEBIBYTES_EACH, psutil.virtual_memory().available / 2**20
    if free < needed:
        raise SystemExit(f"{options.minions} minions need {needed} MiB of memory and {free:.0f} are free")
    signal.alarm(LIMIT)
    with tempfile.TemporaryDirectory(prefix="fleet-") as place, fleet(Path(place), options.minions) as live:
        memory = sum(p.memory_info().rss for p in (live.process, *live.process.children(recursive=True)))
        rows = {
            "test.ping": live.measure("salt", "--static", "-t", "60", "*", "test.ping")[0],
            "ssmpatch.scan": live.measure("salt", "--static", "-t", "300", "*", "ssmpatch.scan")[0],
        }
        cost, result = live.measure("salt-run", "ssmpatch.rollout", RINGS)
        if not isinstance(result, dict) or result.get("status") != "succeeded":
            raise SystemExit(f"the rollout did not succeed: {result}")
        rows["ssmpatch.rollout"] = cost
        rows["ssmpatch.report"] = live.measure("salt-run", "ssmpatch.report", "format=json")[0]
    print(f"{options.minions} minions, one master ({memory / 2**20:.0f} MiB), {os.cpu_count()} cores for all of them")
    print(f"{'':<22}{'seconds':>8}{'master CPU':>12}{'command CPU':>13}{'up':>10}{'down':>10}  per minion")
    for name, each in rows.items():
        n = options.minions
        print(
            f"{name:<22}{each.wall:>8.1f}{each.master / n * 1000:>9.0f} ms{each.command / n * 1000:>10.0f} ms"
            f"{each.to_master / n / 1024:>6.1f} KiB{each.to_minions / n / 1024:>6.1f} KiB"
        )
    cpu = (cost.master + cost.command) / options.minions * EXTRAPOLATED
    size = (cost.to_master + cost.to_minions) / options.minions * EXTRAPOLATED / 2**20
    print(f"a rollout over {EXTRAPOLATED:,}: {cpu / 3600:.1f} hours of the master's CPU, {size:,.0f} MiB on the bus")


if __name__ == "__main__":
    main()

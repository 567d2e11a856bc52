# SPDX-License-Identifier: Apache-2.0
"""How long scans and installs on Debian take, beside apt's own programs, in one run.

``python benchmarks/apt.py [--times N] [--only PART] [--directory DIR]`` with a Python that has Salt; as root, on a
Debian or Ubuntu host that knows a Debian archive. ``--directory`` keeps what was fetched for the next run.
The exit code is 1 when something takes longer than is asked for.

Programs are run in turn (A B A B) and compared round by round, so that other work on the machine hits all alike; the
median counts. Ratios are of CPU seconds of whole process trees; the start of Python and its imports count.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO / "benchmarks"), str(REPO / "tests"), str(REPO / "_utils")]

import hosts  # noqa: E402
import measure  # noqa: E402
from hosts import BenchHost  # noqa: E402
from measure import Program, Row  # noqa: E402

from support import real_root  # noqa: E402

#: CPU seconds of a scan by another implementation of these rules, which works through apt's Python bindings, recorded
#: on a host with 760 packages and this release's 64,000 on offer: default baseline, and with EnableNonSecurity.
RECORDED = {"lz4 lists": (12.89, 15.87), "plain lists": (11.15, 12.43)}

NON_SECURITY = {
    "Name": "everything",
    "OperatingSystem": "DEBIAN",
    "ApprovalRules": {
        "PatchRules": [
            {
                "PatchFilterGroup": {"PatchFilters": [{"Key": "PRIORITY", "Values": ["*"]}]},
                "ApproveAfterDays": 0,
                "EnableNonSecurity": True,
            }
        ]
    },
}
SCAN = """
import sys
sys.path.insert(0, sys.argv[1])
from ssmpatchlib import api
settings = api.load_settings({"root": sys.argv[2], **__import__("json").loads(sys.argv[3])}, {}, {})
api.scan(settings, caller=api.Caller(), refresh=False, upload="never")
"""
INSTALL = """
import sys
sys.path.insert(0, sys.argv[1])
from ssmpatchlib import api
settings = api.load_settings({"reboot": {"option": "RebootIfRequired"}}, {}, {})
done = api.install(settings, caller=api.Caller(), refresh=False, upload="never")
assert done["compliance"] == "COMPLIANT" and len(done["changes"]) >= 20, done["summary"]
"""


def scan(loaders: Path, host: BenchHost, **settings: Any) -> Program:
    """A scan by the engine alone, in a Python of its own."""
    argv = [sys.executable, "-c", SCAN, str(loaders / "_utils"), str(host.path), json.dumps(settings)]
    return Program(argv, measure.environment())


def apt_list(host: BenchHost) -> Program:
    """The native program that scans are compared with."""
    return Program(["apt", "list", "--upgradable"], host.env)


def scans(work: Path, loaders: Path, *, times: int) -> tuple[list[Row], BenchHost]:
    """The engine's scans beside ``apt list --upgradable``, on both hosts with both configurations of apt."""
    rows = []
    sources = hosts.network_sources()
    plain = hosts.make_root(work / "plain lists", hosts.CONFIGURATIONS["plain lists"], sources)
    compressed = hosts.make_root(work / "lz4 lists", hosts.CONFIGURATIONS["lz4 lists"], sources)
    for size, number in hosts.SIZES.items():
        for name, host in (("lz4 lists", compressed), ("plain lists", plain)):
            behind = hosts.install_packages(host, plain.path / "var/lib/apt/lists", number)
            found = measure.interleave(
                {
                    "apt": apt_list(host),
                    "default": scan(loaders, host),
                    "all": scan(loaders, host, baseline=NON_SECURITY),
                },
                times=times,
            )
            what = f"{size} ({behind} behind), {name}"
            rows.append(measure.ratio(f"{what}: default baseline", found["default"], found["apt"], limit=1.0))
            rows.append(measure.ratio(f"{what}: EnableNonSecurity", found["all"], found["apt"], limit=3.0))
            if size != "minimal":
                recorded = RECORDED[name]
                rows.append(measure.faster(f"{what}: default", found["default"], recorded[0], least=25))
                rows.append(measure.faster(f"{what}: EnableNonSecurity", found["all"], recorded[1], least=12))
    return rows, plain


def commands(work: Path, loaders: Path, host: BenchHost, *, times: int) -> list[Row]:
    """Whole commands beside ``salt-call test.ping``: time and memory."""
    program = [sys.executable, str(Path(sys.executable).with_name("salt-call")), "--local", "--out=quiet"]

    def call(*argv: str, **settings: Any) -> Program:
        home = work / f"salt-{'-'.join(settings) or 'default'}"
        (home / "etc").mkdir(parents=True, exist_ok=True)
        (home / "etc/minion").write_text(
            json.dumps(
                {
                    "id": "bench",
                    "root_dir": str(home),
                    "file_client": "local",
                    "module_dirs": [str(loaders / "_modules")],
                    "outputter_dirs": [str(loaders / "_output")],
                    "utils_dirs": [str(loaders / "_utils")],
                    "ssmpatch": {"root": str(host.path), **settings},
                }
            )
        )
        return Program([*program, f"--config-dir={home}/etc", *argv], measure.environment())

    found = measure.interleave(
        {
            "ping": call("test.ping"),
            "scan": call("ssmpatch.scan"),
            "warm": call("ssmpatch.scan", "refresh=False"),
            "all": call("ssmpatch.scan", "refresh=False", baseline=NON_SECURITY),
            "report": call("ssmpatch.report"),
        },
        times=times,
    )
    ping = found["ping"]
    return [
        measure.more("ssmpatch.scan beside test.ping", found["scan"], ping, limit=1.2),
        measure.more("ssmpatch.scan refresh=False beside test.ping", found["warm"], ping, limit=1.2),
        measure.ratio("ssmpatch.report beside test.ping", found["report"], ping, limit=1.2),
        measure.memory("peak memory of ssmpatch.scan", found["scan"], ping, limit=100),
        measure.memory("peak memory with EnableNonSecurity", found["all"], ping, limit=100),
    ]


def growth(work: Path, loaders: Path, host: BenchHost, *, times: int) -> list[Row]:
    """Scans of archives that are one, two and four times as large."""
    grown = {n: hosts.grow_lists(host, work / f"times-{n}", n) for n in (1, 2, 4)}
    programs = {}
    for n, each in grown.items():
        programs[f"default {n}"] = scan(loaders, each)
        programs[f"all {n}"] = scan(loaders, each, baseline=NON_SECURITY)
    found = measure.interleave(programs, times=times)
    rows = []
    for kind, what in (("default", "default baseline"), ("all", "EnableNonSecurity")):
        for n in (2, 4):
            # Linear growth is at most n times as long; a tenth more is noise.
            label = f"{n} x the archive beside 1 x: {what}"
            rows.append(measure.ratio(label, found[f"{kind} {n}"], found[f"{kind} 1"], limit=n * 1.1))
    return rows


def installs(work: Path, loaders: Path, *, times: int) -> list[Row]:
    """An install of all missing updates beside one ``apt-get install`` of the same versions, in a real system."""
    system = real_root.build(work / "system")
    root = real_root.RealRoot(work / "installing")

    def fresh() -> None:
        shutil.rmtree(root.path, ignore_errors=True)
        real_root.copy(system, root.path)
        real_root.add_libraries(root)
        shutil.copytree(loaders / "_utils", root.path / "opt/engine")
        root.python("-m", "compileall", "-qq", "/opt/engine")
        root.run("apt-cache", "gencaches")

    fresh()
    words = [f"{name.replace('.' + root.architecture, '')}={new}" for name, (_, new) in root.upgradable().items()]
    apt = ["apt-get", "-y", "-qq", "-o", "Dpkg::Use-Pty=0", "install", *words]
    ours = root.python_argv("-c", INSTALL, "/opt/engine")
    found = measure.interleave(
        {
            "ssmpatch": Program(root.argv(*ours), root.env, prepare=fresh),
            "apt-get": Program(root.argv(*apt), root.env, prepare=fresh),
        },
        times=times,
    )
    return [measure.ratio(f"install of {len(words)} updates", found["ssmpatch"], found["apt-get"], limit=1.15)]


def main() -> int:
    """Measure, print the tables, and say whether all is as fast as is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=7, help="runs of each program (default: 7)")
    parser.add_argument("--directory", type=Path, help="keep what was fetched and built here")
    parser.add_argument("--only", choices=("scans", "commands", "growth", "installs"), help="only this part")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.directory or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(work / "loaders", ignore_errors=True)
        loaders = measure.copy_loaders(REPO, work / "loaders")
        return report(work, loaders, times=options.times, only=options.only)


def report(work: Path, loaders: Path, *, times: int, only: str | None) -> int:
    """Print the tables of all parts, or of one."""
    rows: list[Row] = []

    def show(title: str, found: list[Row]) -> None:
        print(measure.table(title, found), flush=True)
        rows.extend(found)

    host = BenchHost(work / "plain lists")
    if only in (None, "scans") or not host.path.exists():
        found, host = scans(work, loaders, times=times)
        show("Scan, engine alone, beside `apt list --upgradable`", found)
    if only in (None, "commands"):
        show("Whole commands", commands(work, loaders, host, times=times))
    if only in (None, "growth"):
        show("Growth with the archive", growth(work, loaders, host, times=times))
    if only in (None, "installs"):
        show("Install", installs(work, loaders, times=times))
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

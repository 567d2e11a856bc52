# SPDX-License-Identifier: Apache-2.0
"""What a feed of 70,000 advisories costs a Debian host with 700 packages and two kernels: scans with it and without.

``python benchmarks/cves.py [--times N] [--records N] [--directory DIR]`` with a Python that has Salt; as root, on a
Debian host that knows its archive. ``--directory`` keeps what was fetched for the next run.
The exit code is 1 when something takes more than is asked for.

The feed is made up in the form of Debian's export, about the sources of the archive: most of what it says of the host
is fixed, some is in the security archive, the rest has no fix. *warm* is a scan as all but the first after a new feed
or after a change of the packages, *cold* is that one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO / "benchmarks"), str(REPO / "tests"), str(REPO / "_utils")]

import hosts  # noqa: E402
import measure  # noqa: E402
from apt import NON_SECURITY, SCAN  # noqa: E402
from hosts import BenchHost  # noqa: E402
from measure import Program, Row  # noqa: E402

from support import osv, real_root  # noqa: E402

KERNELS = {"linux-image-6.1.0-25-amd64": "6.1.106-3", "linux-image-6.1.0-26-amd64": "6.1.112-1"}
NOW = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
LARGEST = 70_000


def add_kernels(host: BenchHost) -> None:
    """Let two kernels be installed, and what requires the newer one."""
    (_old, new) = KERNELS.values()
    names = {**KERNELS, "linux-image-amd64": new, "linux-libc-dev": new}
    text = "".join(
        f"\nPackage: {name}\nStatus: install ok installed\nPriority: optional\nSection: kernel\nArchitecture: amd64\n"
        f"Source: {'linux' if name == 'linux-libc-dev' else 'linux-signed-amd64'} ({version})\nVersion: {version}\n"
        f"Maintainer: nobody <nobody@example.com>\nDescription: kernel\n"
        for name, version in names.items()
    )
    with open(host.path / "var/lib/dpkg/status", "a") as status:
        status.write(text)


def sources(path: Path) -> dict[str, str]:
    """The sources of a list of packages, with a version of each."""
    found: dict[str, str] = {}
    for paragraph in path.read_text(errors="replace").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if "Package" in fields:
            name, _, version = fields.get("Source", fields["Package"]).partition(" ")
            found[name] = version.strip("()") or fields["Version"]
    return found


def records(host: BenchHost, count: int, *, elsewhere: bool) -> Iterator[dict[str, Any]]:
    """The export: more is said of what is installed, most of all of the kernel, as in Debian's.

    Args:
        elsewhere: whether some fixes are in no security archive, so that the others have to be read.
    """
    lists = host.path / "var/lib/apt/lists"
    (main,) = lists.glob(f"*_{real_root.RELEASE}_main_*_Packages")
    (security,) = lists.glob(f"*_{real_root.RELEASE}-security_main_*_Packages")
    own, newer, everything = sources(host.path / "var/lib/dpkg/status"), sources(security), sources(main)
    own["linux"] = "6.1.112-1"
    names = ["linux", *(name for name in own if name in everything), *(name for name in everything if name not in own)]
    random = Random(1)
    for number, each in enumerate(osv.debian(count)):
        for said in each["affected"]:
            place = 0 if number % 20 == 0 else int(said["package"]["name"].removeprefix("source"))
            name = said["package"]["name"] = names[place]
            said["ranges"][0]["events"] = [{"introduced": "0"}, *_fix(random, name, own, newer, elsewhere=elsewhere)]
        each["modified"] = min(each["modified"], NOW)
        yield each


def _fix(
    random: Random, name: str, own: dict[str, str], newer: dict[str, str], *, elsewhere: bool
) -> Iterator[dict[str, str]]:
    chance = random.random()
    if chance < 0.75:
        # Most fixes are older than the version that is installed.
        yield {"fixed": own.get(name, "1.0-1") + ("" if random.random() < 0.1 else "~")}
    elif chance < 0.8 and name in newer:
        yield {"fixed": newer[name]}
    elif chance < 0.81 and elsewhere:
        yield {"fixed": f"{own.get(name, '1.0-1')}.1"}


def write_feeds(work: Path, host: BenchHost, count: int) -> dict[str, Path]:
    """The files of a feed with fixes in the security archive only, and of one with others."""
    found = {}
    for name, elsewhere in (("security", False), ("elsewhere", True)):
        path = work / f"feed-{name}" / "DEBIAN-12.jsonl.gz"
        path.parent.mkdir(exist_ok=True)
        newest = osv.record("DEBIAN-CVE-2026-99999", osv.affected("Debian:12", "nothing"), modified=NOW)
        said = [*records(host, count, elsewhere=elsewhere), newest]
        path.write_bytes(osv.compiled("DEBIAN-12", said, until=NOW))
        found[name] = path.parent
    return found


def scan(work: Path, loaders: Path, host: BenchHost, name: str, *, cold: bool = False, **settings: Any) -> Program:
    """A scan by the engine alone, with a state directory of its own."""
    state = work / f"state-{name}"

    def forget() -> None:
        for path in state.rglob("advisories*.json"):
            path.unlink()

    argv = [sys.executable, "-c", SCAN, str(loaders / "_utils"), str(host.path)]
    argv.append(json.dumps({"state_dir": str(state), **settings}))
    return Program(argv, measure.environment(), prepare=forget if cold else lambda: None)


def scans(work: Path, loaders: Path, host: BenchHost, feeds: dict[str, Path], *, times: int) -> list[Row]:
    """Scans with a feed beside scans without."""
    feed = {"advisories": {"location": str(feeds["security"])}}
    other = {"advisories": {**feed["advisories"], "location": str(feeds["elsewhere"])}}
    everything = {"baseline": NON_SECURITY}
    found = measure.interleave(
        {
            "default": scan(work, loaders, host, "default"),
            "all": scan(work, loaders, host, "all", **everything),
            "default, warm": scan(work, loaders, host, "default-warm", **feed),
            "all, warm": scan(work, loaders, host, "all-warm", **feed, **everything),
            "elsewhere, warm": scan(work, loaders, host, "elsewhere-warm", **other),
            "default, cold": scan(work, loaders, host, "default-cold", cold=True, **feed),
            "all, cold": scan(work, loaders, host, "all-cold", cold=True, **feed, **everything),
        },
        times=times,
    )
    default, all_ = found["default"], found["all"]
    return [
        measure.ratio("default baseline, warm", found["default, warm"], default, limit=1.25),
        measure.ratio("EnableNonSecurity, warm", found["all, warm"], all_, limit=1.25),
        measure.ratio("default baseline, fixes elsewhere, warm", found["elsewhere, warm"], all_, limit=1.5),
        measure.more("default baseline, cold", found["default, cold"], default, limit=5),
        measure.more("EnableNonSecurity, cold", found["all, cold"], all_, limit=5),
        measure.memory("memory: default baseline, warm", found["default, warm"], default, limit=25),
        measure.memory("memory: EnableNonSecurity, warm", found["all, warm"], all_, limit=25),
        measure.memory("memory: default baseline, cold", found["default, cold"], default, limit=100),
        measure.memory("memory: EnableNonSecurity, cold", found["all, cold"], all_, limit=100),
    ]


def describe(work: Path, feeds: dict[str, Path]) -> str:
    """How large the feed, what is kept of it and the report's part are."""
    (report,) = (work / "state-default-warm").glob("report-*.json")
    (kept,) = (work / "state-default-warm").rglob("advisories.json")
    cves = json.loads(report.read_bytes())["report"]["cves"]
    return (
        f"feed {(feeds['security'] / 'DEBIAN-12.jsonl.gz').stat().st_size:,} bytes, kept {kept.stat().st_size:,}, "
        f"report {report.stat().st_size:,}, of them cves {len(json.dumps(cves)):,} for {cves['counts']['open']} open "
        f"in {len(cves['open'])} groups"
    )


def main() -> int:
    """Measure, print the table, and say whether all is as fast as is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=7, help="runs of each program (default: 7)")
    parser.add_argument("--records", type=int, default=LARGEST, help=f"records of the export (default: {LARGEST:,})")
    parser.add_argument("--directory", type=Path, help="keep what was fetched here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.directory or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(work / "loaders", ignore_errors=True)
        loaders = measure.copy_loaders(REPO, work / "loaders")
        subprocess.run([sys.executable, "-m", "compileall", "-qq", str(loaders)], check=False)
        host = hosts.make_root(work / "host", hosts.CONFIGURATIONS["plain lists"], hosts.network_sources())
        hosts.install_packages(host, host.path / "var/lib/apt/lists", 700)
        add_kernels(host)
        feeds = write_feeds(work, host, options.records)
        rows = scans(work, loaders, host, feeds, times=options.times)
        print(measure.table("Scan with a feed beside a scan without", rows))
        print(describe(work, feeds))
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

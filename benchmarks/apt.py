# SPDX-License-Identifier: Apache-2.0
"""What scans and installs cost on Debian, against apt's own programs and Salt, as ratios within one run.

    python benchmarks/apt.py [--runs 5]

Needs a Debian or Ubuntu host with package lists (apt-get update), Salt in this Python, and root for the installs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO / "benchmarks"), str(REPO / "tests")]

import measure  # noqa: E402

from support import apt_root  # noqa: E402

#: Seconds of the AWS agent's payload 1.80 on the same index, without its refresh: recorded, it cannot be run here.
PEER = {"default": 11.6, "non-security": 14.6}
NON_SECURITY = {
    "OperatingSystem": "DEBIAN",
    "Name": "everything",
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
ENGINE = """
import json, sys, time
sys.path.insert(0, {utils!r})
from ssmpatchlib import operation
settings = operation.load_settings(json.loads({settings!r}), None, {{}})
began = time.process_time(), time.perf_counter()
operation.{call}
print("\\nengine", time.process_time() - began[0], time.perf_counter() - began[1], file=sys.stderr)
"""


def main() -> None:
    """Run every comparison and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each command (default 5)")
    parser.add_argument("--only", choices=("scan", "salt", "install", "scale"), help="one part only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ssmpatch-benchmark-") as directory:
        for name, part in (("scan", scans), ("salt", salt), ("install", installs), ("scale", scale)):
            if options.only in (None, name):
                part(Path(directory), options.runs)


def scans(directory: Path, runs: int) -> None:
    """Compare warm scans with ``apt list --upgradable``, for both ways in which apt keeps its lists, and two hosts."""
    for kept in ("compressed, no pkgcache", "plain, pkgcache"):
        for size in (120, 0):
            root = host_root(directory / f"{kept[:5]}-{size}", compressed=kept.startswith("c"), packages=size)
            status = (root / "var/lib/dpkg/status").read_text().count("\nPackage:") + 1
            print(f"\nlists {kept}; {status} packages installed (scans: the engine alone)\n{measure.HEAD}")
            env = {"APT_CONFIG": str(root / "etc/apt/apt.conf")}
            commands = {
                "apt list --upgradable": (["apt", "list", "--upgradable"], env),
                "scan, default baseline": (engine(root), {}),
                "scan, EnableNonSecurity": (engine(root, baseline=NON_SECURITY), {}),
            }
            found = measure.in_turn(commands, runs)
            peer, default, everything = found.values()
            default, everything = map(measure.inside, (default, everything))
            print(measure.row("apt list --upgradable", peer))
            compared = {"against": "apt list", "value": measure.ratio(default, peer), "target": "≤ 1.0"}
            print(measure.row("scan, default baseline", default, **compared))
            compared = {"against": "apt list", "value": measure.ratio(everything, peer), "target": "≤ 3.0"}
            print(measure.row("scan, EnableNonSecurity", everything, **compared))
            for name, runs_of, target in (("default", default, 25), ("non-security", everything, 12)):
                factor = PEER[name] / measure.median(runs_of, "cpu")
                print(f"  AWS's agent, {name}: {PEER[name]} s recorded, {factor:.0f} × as long  (target ≥ {target} ×)")


def salt(directory: Path, runs: int) -> None:
    """Compare salt-call ssmpatch.scan and .report with test.ping."""
    root = host_root(directory / "salt", compressed=False, packages=0)
    etc = directory / "etc"
    etc.mkdir()
    configuration = {
        "file_client": "local",
        "id": "benchmark",
        "root_dir": str(directory / "salt-root"),
        "module_dirs": [str(REPO / "_modules")],
        "utils_dirs": [str(REPO / "_utils")],
        "outputter_dirs": [str(REPO / "_output")],
        "ssmpatch": {"root": str(root), "operating_system": "DEBIAN", "product": "Debian12"},
    }
    (etc / "minion").write_text(json.dumps(configuration))
    call = [str(Path(sys.executable).with_name("salt-call")), "--local", f"--config-dir={etc}"]
    commands = {
        "test.ping": ([*call, "test.ping"], {}),
        "scan": ([*call, "ssmpatch.scan", "refresh=False"], {}),
        "report": ([*call, "ssmpatch.report"], {}),
    }
    ping, scan, report = measure.in_turn(commands, runs).values()
    print(f"\nsalt-call --local\n{measure.HEAD}")
    print(measure.row("test.ping", ping))
    more = measure.median(scan, "cpu") - measure.median(ping, "cpu")
    print(measure.row("ssmpatch.scan", scan), f"  + {more:.2f} s cpu  (target + 1.2 s)")
    memory = measure.median(scan, "memory") - measure.median(ping, "memory")
    print(f"  memory above test.ping: {memory:.0f} MiB  (target ≤ 100)")
    compared = {"against": "test.ping", "value": measure.ratio(report, ping), "target": "≤ 1.2"}
    print(measure.row("ssmpatch.report", report, **compared))


def installs(directory: Path, runs: int) -> None:
    """Compare an install of 40 updates with one apt-get install of the same versions, each on a fresh root."""
    if os.geteuid():
        print("\ninstalls: left out, they need root")
        return
    ours, theirs = [], []
    for number in range(min(runs, 3)):
        roots = [pending_root(directory / f"install-{number}-{who}", 40) for who in "ab"]
        names = [f"package{index}=1.0-2" for index in range(40)]
        env = {"APT_CONFIG": f"{roots[0]}/etc/apt/apt.conf", "DEBIAN_FRONTEND": "noninteractive"}
        theirs.append(measure.run_once(["apt-get", "-y", "-q", "install", *names], env))
        ours.append(measure.run_once(engine(roots[1], call="install", refresh=False)))
    print(f"\ninstall of 40 updates of {KIBIBYTES} KiB each\n{measure.HEAD}")
    print(measure.row("apt-get install", theirs))
    compared = {"against": "apt-get", "value": measure.ratio(ours, theirs, "wall"), "target": "≤ 1.15"}
    print(measure.row("scan + plan + install + scan + report", ours, **compared))


def scale(directory: Path, runs: int) -> None:
    """Show that the cost of a scan grows with the size of the index, not faster."""
    print(f"\nindex size (EnableNonSecurity, the engine alone)\n{measure.HEAD}")
    first = 0.0
    for factor in (1, 2, 4):
        root = Path(apt_root.build(index_case(16000 * factor), str(directory / f"scale-{factor}")))
        found = measure.in_turn({"scan": (engine(root, baseline=NON_SECURITY), {})}, min(runs, 3))["scan"]
        found = measure.inside(found)
        cost = measure.median(found, "cpu")
        first = first or cost
        print(measure.row(f"{16000 * factor} packages", found), f" {cost / first:5.2f} ×")


def engine(root: Path, *, call: str = "scan", refresh: bool = False, baseline: Any = "default") -> list[str]:
    """Return the command that runs an operation without Salt, state and all below ``root``."""
    settings = {
        "root": str(root),
        "baseline": baseline,
        "operating_system": "DEBIAN",
        "product": "Debian12",
        "reboot": {"option": "RebootIfNeeded"},
    }
    call = f"{call}(settings, surface=operation.Surface(), refresh={refresh}, upload=False)"
    return [sys.executable, "-c", ENGINE.format(utils=str(REPO / "_utils"), settings=json.dumps(settings), call=call)]


def host_root(root: Path, *, compressed: bool, packages: int) -> Path:
    """Copy this host's sources, lists and dpkg status into a root of its own; ``packages`` of the status, 0 for all."""
    for name in ("etc/apt/preferences.d", "var/lib/dpkg/info", "var/cache/apt/archives/partial", "var/lib/apt"):
        (root / name).mkdir(parents=True)
    for name in ("sources.list.d", "trusted.gpg.d"):
        shutil.copytree(f"/etc/apt/{name}", root / "etc/apt" / name)
    if Path("/etc/apt/sources.list").exists():
        shutil.copy("/etc/apt/sources.list", root / "etc/apt/sources.list")
    lists = root / "var/lib/apt/lists"
    shutil.copytree("/var/lib/apt/lists", lists, ignore=shutil.ignore_patterns("lock", "partial", "auxfiles"))
    (lists / "partial").mkdir()
    if not compressed:
        for path in (*lists.glob("*.lz4"), *lists.glob("*.gz"), *lists.glob("*.xz"), *lists.glob("*.zst")):
            with open(path.with_suffix(""), "wb") as plain:
                subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", str(path)], stdout=plain, check=True)
            path.unlink()
    paragraphs = Path("/var/lib/dpkg/status").read_text().split("\n\n")
    (root / "var/lib/dpkg/status").write_text("\n\n".join(paragraphs[: packages or None]) + "\n")
    cache = "" if compressed else "pkgcache.bin"
    (root / "etc/apt/apt.conf").write_text(
        f'Dir "{root}";\nDir::State::status "{root}/var/lib/dpkg/status";\n'
        f'Dir::Cache::pkgcache "{cache}";\nDir::Cache::srcpkgcache "";\nDir::Etc::main "unused";\n'
        f'Acquire::GzipIndexes "{str(compressed).lower()}";\nAcquire::Languages "none";\n'
    )
    return root


KIBIBYTES = 64


def pending_root(root: Path, count: int) -> Path:
    """Build a root with ``count`` pending updates, each with a file of random content as real packages have."""
    updates = [f"package{index}" for index in range(count)]
    base = {"arch": "amd64", "priority": "optional", "section": "utils"}
    filler = os.urandom(KIBIBYTES << 9).hex()
    repository = {
        **{"id": "security", "origin": "Debian", "label": "Debian-Security", "suite": "stable-security"},
        **{"codename": "bookworm-security", "component": "main", "site": None, "trusted": True},
        "packages": [
            {**base, "name": name, "version": "1.0-2", "files": {f"usr/share/{name}/data": filler}} for name in updates
        ],
    }
    case = {
        "real_debs": True,
        "architectures": ["amd64"],
        "installed": [{**base, "name": name, "version": "1.0-1"} for name in updates],
        "repositories": [repository],
    }
    return Path(apt_root.build(case, str(root)))


def index_case(count: int) -> dict[str, Any]:
    """Return a case with an index of ``count`` packages, of which 500 are installed in an older version."""
    base = {"arch": "amd64", "priority": "optional", "section": "utils", "depends": "libc6 (>= 2.36), " * 8 + "zlib1g"}
    packages = [{**base, "name": f"package{index}", "version": "1.0-2"} for index in range(count)]
    repository = {"origin": "Debian", "label": "Debian", "suite": "stable", "codename": "bookworm", "component": "main"}
    return {
        "architectures": ["amd64"],
        "installed": [{**base, "name": f"package{index}", "version": "1.0-1"} for index in range(500)],
        "repositories": [{**repository, "id": "main", "site": None, "trusted": True, "packages": packages}],
    }


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""How long scans and installs with dnf and zypper take, beside the package managers' own commands, in one run.

``python benchmarks/rpm.py [--times N] [--manager NAME] [--only PART] [--directory DIR]``; as root, with dnf, zypper,
rpm, rpmbuild and createrepo_c. ``--directory`` keeps the repositories for the next run. The exit code is 1 when
something takes longer than is asked for.

Programs are run in turn (A B A B) and compared round by round; the median counts. Ratios are of CPU seconds of whole
process trees; the start of Python and its imports count.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO / "benchmarks"), str(REPO / "tests"), str(REPO / "_utils")]

import measure  # noqa: E402
import rpm_repository  # noqa: E402
from measure import Program, Row  # noqa: E402
from rpm_hosts import PENDING, SYSTEMS, Change, Contents, Copies, make_host, pending_rpms  # noqa: E402

#: dnf and the engine run in the same one.
PYTHON = measure.system_python()
#: What the updates that are installed consist of: nothing, so that all the time is overhead, and something.
EMPTY = Contents("empty", files=0, size=0)
FILLED = Contents("of 4 MiB in 100 files", files=100, size=4 << 20)
#: Advisories and packages in large documents, for the measurement of memory.
LARGE = rpm_repository.Size(20_500, 16_500, 1000)

ENGINE = """
import sys
sys.path.insert(0, sys.argv[1])
from ssmpatchlib import api
root, manager, system, product, call, refresh, pending = sys.argv[2:]
host = {
    "root": root, "package_manager": manager, "operating_system": system, "product": product,
    "reboot": {"option": "NoReboot"},
}
settings = api.load_settings(host, {}, {})
more = {} if call == "plan" else {"upload": "never"}
done = getattr(api, call)(settings, caller=api.Caller(), refresh=refresh == "refresh", **more)
assert call == "scan" or len(done["changes"]) == int(pending), done
"""
READ = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ssmpatchlib.backends.rpmmd import compression, primary, repomd, updateinfo
index = repomd.read_repomd(Path(sys.argv[2]) / "repodata/repomd.xml")
if sys.argv[3] == "read":
    packages = sum(1 for _ in primary.read_primary(compression.read_pieces(index.find("primary").path)))
    pieces = compression.read_pieces(index.find("updateinfo").path)
    assert packages and sum(1 for _ in updateinfo.read_updateinfo(pieces, on_problem=print))
"""

#: Legal documents that a reader may take quadratic time for.
HOSTILE = ("signs in values", "words in a tag", "tags without end")
HOSTILE_BYTES = 4_000_000
READ_HOSTILE = """
import sys
sys.path.insert(0, sys.argv[1])
from ssmpatchlib.backends.rpmmd import metadata, updateinfo
size = int(sys.argv[3])
body = {
    "signs in values": b"<package src='" + b">" * size + b"' name='a' version='1' release='1' arch='noarch'/>",
    "words in a tag": b"<package " + b"w" * size + b" name='a' version='1' release='1' arch='noarch'/>",
    "tags without end": b"<package " * (size // 9),
}[sys.argv[2]]
document = b"<updates><update><id>A</id><pkglist><collection>" + body + b"</collection></pkglist></update></updates>"
list(updateinfo.read_updateinfo([document], on_problem=lambda words: None))
"""


@dataclass(frozen=True)
class Manager:
    """A package manager's own commands, and what is asked for beside them.

    ``recorded`` are the seconds of scans by another implementation of these rules on repositories of these sizes,
    ``recorded_install`` those of its install of twenty updates. ``limits`` are ratios by what is measured.
    """

    name: str
    start: Callable[[Path], tuple[str, ...]]
    listing: tuple[str, ...]
    refresh: tuple[str, ...]
    install: tuple[str, ...]
    update: str
    limits: Mapping[str, float]
    recorded: Mapping[str, float] = field(default_factory=dict)
    recorded_install: float = 0

    def command(self, root: Path, *arguments: str, prepare: Callable[[], object] = lambda: None) -> Program:
        """One of its commands on a root."""
        env = measure.environment(ZYPP_LOGFILE=f"{root}/var/log/zypper.log")
        return Program([*self.start(root), *arguments], env, prepare)

    def engine(
        self,
        loaders: Path,
        root: Path,
        operation: str,
        *,
        refresh: bool = False,
        prepare: Callable[[], object] = lambda: None,
    ) -> Program:
        """An operation by the engine alone, in a Python of its own."""
        system = SYSTEMS[self.name]
        argv = [PYTHON, "-c", ENGINE, str(loaders / "_utils"), str(root), self.name]
        argv += [system["operating_system"], system["product"], operation]
        return Program([*argv, "refresh" if refresh else "as it is", str(PENDING)], measure.environment(), prepare)


DNF = Manager(
    name="dnf",
    start=lambda root: ("dnf", "-q", "-y", f"--installroot={root}"),
    listing=("-C", "updateinfo", "list"),
    refresh=("--refresh", "makecache"),
    install=("upgrade",),
    update="pending{}-0:2-1.noarch",
    limits={"scan": 1, "change": 1.5, "install": 1.2},
    recorded={"14,000 packages": 4.27, "42,000 packages": 9.88},
    recorded_install=14.0,
)
ZYPPER = Manager(
    name="zypper",
    start=lambda root: ("zypper", "--root", str(root), "--non-interactive"),
    listing=("--no-refresh", "list-patches"),
    refresh=("refresh",),
    install=("--no-refresh", "install", "--name", "--no-recommends"),
    update="pending{}.noarch=2-1",
    limits={"scan": 4, "change": 1.5, "install": 1.2},
    recorded={"14,000 packages": 10.6},
)


def scans(manager: Manager, work: Path, loaders: Path, *, times: int) -> list[Row]:
    """Warm scans beside the package manager's list of advisories, and scans after a change beside its refresh."""
    rows = []
    rpms = pending_rpms(work / "pending-0", EMPTY)
    for name, size in rpm_repository.SIZES.items():
        change = Change.of(work / f"{size.names}", size)
        root = make_host(manager.name, new_root(work), change.published, size, pending=rpms)
        measure.run(manager.command(root, *manager.refresh))
        programs = {"list": manager.command(root, *manager.listing), "scan": manager.engine(loaders, root, "scan")}
        found = measure.interleave(programs, times=times)
        programs = {
            "refresh": manager.command(root, *manager.refresh, prepare=change),
            "changed": manager.engine(loaders, root, "scan", refresh=True, prepare=change),
        }
        found |= measure.interleave(programs, times=times)
        if name in manager.recorded:
            rows.append(measure.faster(f"{name}: scan", found["scan"], manager.recorded[name], least=20))
        what = f"{name}: scan beside {' '.join(manager.listing[1:])}"
        rows.append(measure.ratio(what, found["scan"], found["list"], limit=manager.limits["scan"]))
        # The refresh is part of it. zypper builds an index of its own, of no use to a scan, which reads meanwhile.
        what = f"{name}: scan after a change beside {manager.refresh[-1]}"
        rows.append(measure.ratio(what, found["changed"], found["refresh"], limit=manager.limits["change"]))
        if manager is ZYPPER:
            rows.append(measure.fastest(what, found["changed"], found["refresh"], limit=manager.limits["change"]))
        rows.append(measure.memory(f"{name}: memory of it", found["changed"], found["refresh"], limit=16))
        shutil.rmtree(root.parent)
    return rows


def installs(manager: Manager, work: Path, loaders: Path, *, times: int) -> list[Row]:
    """An install of twenty updates, with its scans and report, beside one install by the package manager."""
    size = rpm_repository.SIZES["14,000 packages"]
    change = Change.of(work / f"{size.names}", size)
    wanted = [manager.update.format(number) for number in range(PENDING)]
    rows = []
    for contents in (EMPTY, FILLED):
        rpms = pending_rpms(work / f"pending-{contents.files}", contents)
        root = make_host(manager.name, new_root(work), change.published, size, pending=rpms)
        measure.run(manager.command(root, *manager.refresh))
        measure.run(manager.engine(loaders, root, "scan"))
        fresh = Copies(root)
        programs = {
            "own": manager.command(root, *manager.install, *wanted, prepare=fresh),
            "install": manager.engine(loaders, root, "install", prepare=fresh),
        }
        found = measure.interleave(programs, times=times)
        what = f"install of {PENDING} updates, {contents.words}"
        rows.append(measure.ratio(what, found["install"], found["own"], limit=manager.limits["install"]))
        if manager.recorded_install and contents is EMPTY:
            rows.append(measure.faster(what, found["install"], manager.recorded_install, least=20))
        shutil.rmtree(root.parent)
    return rows


def memory(manager: Manager, work: Path, loaders: Path, *, times: int) -> list[Row]:
    """Reading 100 MB of packages and 50 MB of advisories, beside a program that only imports the same."""
    if manager is not DNF:
        return []
    repository = work / "large"
    if not (repository / "repodata/repomd.xml").exists():
        rpm_repository.write(repository, LARGE)
    argv = [PYTHON, "-c", READ, str(loaders / "_utils"), str(repository)]
    programs = {what: Program([*argv, what], measure.environment()) for what in ("read", "import")}
    found = measure.interleave(programs, times=times)
    what = f"reading {rpm_repository.plain_sizes(repository)}"
    return [measure.memory(what, found["read"], found["import"], limit=80)]


def hostile(manager: Manager, work: Path, loaders: Path, *, times: int) -> list[Row]:
    """Reading advisories that are legal and costly, beside half as much of the same: linear is twice as long."""
    if manager is not DNF:
        return []
    programs = {
        f"{what} {size}": Program(
            [PYTHON, "-c", READ_HOSTILE, str(loaders / "_utils"), what, str(size)], {**os.environ}
        )
        for what in HOSTILE
        for size in (HOSTILE_BYTES, HOSTILE_BYTES // 2)
    }
    found = measure.interleave(programs, times=times)
    return [
        measure.ratio(
            f"reading {what}, beside half of it",
            found[f"{what} {HOSTILE_BYTES}"],
            found[f"{what} {HOSTILE_BYTES // 2}"],
            limit=2.5,
        )
        for what in HOSTILE
    ]


def new_root(work: Path) -> Path:
    """A path for a root."""
    return Path(tempfile.mkdtemp(dir=work)) / "root"


MANAGERS = {manager.name: manager for manager in (DNF, ZYPPER)}
PARTS = {"scans": scans, "installs": installs, "memory": memory, "hostile": hostile}


def main() -> int:
    """Print a table for each package manager; 1 when a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="measured runs of each program (default: 5)")
    parser.add_argument("--manager", choices=MANAGERS, help="measure only this package manager")
    parser.add_argument("--only", choices=PARTS, help="measure only this")
    parser.add_argument("--directory", type=Path, help="where repositories are kept for the next run")
    options = parser.parse_args()
    if os.geteuid():
        parser.error("package managers let only root work on another root")
    ok = True
    with tempfile.TemporaryDirectory(prefix="ssmpatch-bench-") as name:
        work = options.directory or Path(name)
        work.mkdir(parents=True, exist_ok=True)
        loaders = measure.copy_loaders(REPO, Path(name) / "loaders")
        for manager in [MANAGERS[options.manager]] if options.manager else MANAGERS.values():
            parts = [options.only] if options.only else list(PARTS)
            rows = [row for part in parts for row in PARTS[part](manager, work, loaders, times=options.times)]
            print(measure.table(manager.name, rows))
            ok = ok and all(row.ok for row in rows)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""How long scans and installs with dnf take, beside dnf's own commands, in one run.

``python benchmarks/dnf.py [--times N] [--only PART] [--directory DIR]``; as root, with dnf, rpm, rpmbuild and
createrepo_c. ``--directory`` keeps the repositories for the next run. The exit code is 1 when something takes longer
than is asked for.

Programs are run in turn (A B A B) and compared round by round; the median counts. Ratios are of CPU seconds of whole
process trees; the start of Python and its imports count.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO / "benchmarks"), str(REPO / "tests"), str(REPO / "_utils")]

import measure  # noqa: E402
import rpm_repository  # noqa: E402
from measure import Program, Row  # noqa: E402
from rpm_hosts import PENDING, Change, Contents, Copies, make_host, pending_rpms  # noqa: E402

#: dnf and the engine run in the same one.
PYTHON = measure.system_python()
#: Seconds of scans by another implementation of these rules, recorded on repositories of these sizes.
RECORDED = {"14,000 packages": 4.27, "42,000 packages": 9.88}
#: Seconds of its install of twenty updates.
RECORDED_INSTALL = 14.0
#: What the updates that are installed consist of: nothing, so that all the time is overhead, and something.
EMPTY = Contents("empty", files=0, size=0)
FILLED = Contents("of 4 MiB in 100 files", files=100, size=4 << 20)
#: Advisories and packages in large documents, for the measurement of memory.
LARGE = rpm_repository.Size(20_500, 16_500, 1000)

ENGINE = """
import sys
sys.path.insert(0, sys.argv[1])
from ssmpatchlib import operation
host = {
    "root": sys.argv[2], "operating_system": "REDHAT_ENTERPRISE_LINUX", "product": "RedhatEnterpriseLinux8.6",
    "package_manager": "dnf", "reboot": {"option": "NoReboot"},
}
settings = operation.load_settings(host, {}, {})
call = getattr(operation, sys.argv[3])
more = {} if sys.argv[3] == "plan" else {"upload": False}
done = call(settings, surface=operation.Surface(), refresh=sys.argv[4] == "refresh", **more)
assert sys.argv[3] == "scan" or len(done["changes"]) == int(sys.argv[5]), done
"""


def engine(loaders: Path, root: Path, operation: str, *, refresh: bool = False, prepare: object = None) -> Program:
    """An operation by the engine alone, in a Python of its own."""
    argv = [PYTHON, "-c", ENGINE, str(loaders / "_utils"), str(root), operation]
    argv += ["refresh" if refresh else "as it is", str(PENDING)]
    return Program(argv, measure.environment(), *([prepare] if callable(prepare) else []))


def dnf(root: Path, *arguments: str, prepare: object = None) -> Program:
    """A command of dnf's own."""
    argv = ["dnf", "-q", "-y", f"--installroot={root}", *arguments]
    return Program(argv, measure.environment(), *([prepare] if callable(prepare) else []))


def scans(work: Path, loaders: Path, *, times: int) -> list[Row]:
    """Warm scans beside ``dnf -C updateinfo list``, and scans after a change beside ``dnf makecache``."""
    rows = []
    rpms = pending_rpms(work / "pending-0", EMPTY)
    for name, size in rpm_repository.SIZES.items():
        change = Change.of(work / f"{size.names}", size)
        root = make_host("dnf", new_root(work), change.published, size, pending=rpms)
        measure.run(dnf(root, "makecache"))
        programs = {"list": dnf(root, "-C", "updateinfo", "list"), "scan": engine(loaders, root, "scan")}
        found = measure.interleave(programs, times=times)
        programs = {
            "makecache": dnf(root, "--refresh", "makecache", prepare=change),
            "changed": engine(loaders, root, "scan", refresh=True, prepare=change),
        }
        found |= measure.interleave(programs, times=times)
        rows.append(measure.faster(f"{name}: scan", found["scan"], RECORDED[name], least=20))
        rows.append(measure.ratio(f"{name}: scan beside dnf updateinfo list", found["scan"], found["list"], limit=1))
        what = f"{name}: scan after a change beside dnf makecache"
        rows.append(measure.ratio(what, found["changed"], found["makecache"], limit=1.5))
        shutil.rmtree(root.parent)
    return rows


def installs(work: Path, loaders: Path, *, times: int) -> list[Row]:
    """An install of twenty updates, with its scans and report, beside one ``dnf upgrade`` of the same."""
    size = rpm_repository.SIZES["14,000 packages"]
    rows = []
    for contents in (EMPTY, FILLED):
        change = Change.of(work / f"{size.names}", size)
        rpms = pending_rpms(work / f"pending-{contents.files}", contents)
        root = make_host("dnf", new_root(work), change.published, size, pending=rpms)
        measure.run(dnf(root, "makecache"))
        measure.run(engine(loaders, root, "scan"))
        fresh = Copies(root)
        wanted = [f"pending{number}-0:2-1.noarch" for number in range(PENDING)]
        programs = {
            "dnf": dnf(root, "upgrade", *wanted, prepare=fresh),
            "plan": engine(loaders, root, "plan", prepare=fresh),
            "install": engine(loaders, root, "install", prepare=fresh),
        }
        found = measure.interleave(programs, times=times)
        what = f"install of {PENDING} updates, {contents.words}"
        rows.append(measure.ratio(f"{what}, beside one dnf upgrade", found["install"], found["dnf"], limit=1.2))
        rows.append(measure.ratio(f"plan of {PENDING} updates, {contents.words}", found["plan"], found["dnf"], limit=1))
        if not contents.files:
            rows.append(measure.faster(what, found["install"], RECORDED_INSTALL, least=20))
        shutil.rmtree(root.parent)
    return rows


READ = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ssmpatchlib.backends.rpm import compression, primary, repomd, updateinfo
index = repomd.read_repomd(Path(sys.argv[2]) / "repodata/repomd.xml")
if sys.argv[3] == "read":
    packages = sum(1 for _ in primary.read_primary(compression.read_pieces(index.find("primary").path)))
    pieces = compression.read_pieces(index.find("updateinfo").path)
    assert packages and sum(1 for _ in updateinfo.read_updateinfo(pieces, on_problem=print))
"""


def memory(work: Path, loaders: Path, *, times: int) -> list[Row]:
    """Reading 100 MB of packages and 50 MB of advisories, beside a program that only imports the same."""
    repository = work / "large"
    if not (repository / "repodata/repomd.xml").exists():
        rpm_repository.write(repository, LARGE)
    programs = {
        what: Program(
            [sys.executable, "-c", READ, str(loaders / "_utils"), str(repository), what], measure.environment()
        )
        for what in ("read", "import")
    }
    found = measure.interleave(programs, times=times)
    what = f"reading {rpm_repository.plain_sizes(repository)}"
    return [measure.memory(what, found["read"], found["import"], limit=80)]


def new_root(work: Path) -> Path:
    """A path for a root."""
    return Path(tempfile.mkdtemp(dir=work)) / "root"


PARTS = {"scans": scans, "installs": installs, "memory": memory}


def main() -> int:
    """Print the table; 1 when a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="measured runs of each program (default: 5)")
    parser.add_argument("--only", choices=PARTS, help="measure only this")
    parser.add_argument("--directory", type=Path, help="where repositories are kept for the next run")
    options = parser.parse_args()
    if os.geteuid():
        parser.error("dnf lets only root write another root's cache")
    with tempfile.TemporaryDirectory(prefix="ssmpatch-bench-") as name:
        work = options.directory or Path(name)
        work.mkdir(parents=True, exist_ok=True)
        loaders = measure.copy_loaders(REPO, Path(name) / "loaders")
        wanted = [options.only] if options.only else list(PARTS)
        rows = [row for part in wanted for row in PARTS[part](work, loaders, times=options.times)]
    print(measure.table("dnf", rows))
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

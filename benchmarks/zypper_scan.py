# SPDX-License-Identifier: Apache-2.0
"""How long scans and installs on SUSE take, beside zypper's own commands, in one run.

``python benchmarks/zypper_scan.py [--times N] [--directory DIR]``; as root, with zypper, rpm and createrepo_c.
``--directory`` keeps the repositories for the next run. The exit code is 1 when something takes longer than asked for.

Programs are run in turn and their medians compared. Ratios are of CPU seconds of whole process trees unless they say
otherwise; the start of Python and its imports count.
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

from support import rpm_root  # noqa: E402

#: Wall seconds of a scan by another implementation of these rules, recorded on the smaller repository.
RECORDED = 10.6
PENDING = 20
#: Three, so that two programs that take turns both find another one each time.
REVISIONS = (1, 2, 3)

ENGINE = """
import sys
sys.path.insert(0, sys.argv[1])
from ssmpatchlib import operation
host = {"root": sys.argv[2], "operating_system": "SUSE", "product": "Suse15.6", "reboot": {"option": "NoReboot"}}
settings = operation.load_settings(host, {}, {})
done = getattr(operation, sys.argv[3])(
    settings, surface=operation.Surface(), refresh=sys.argv[4] == "refresh", upload=False
)
assert sys.argv[3] == "scan" or len(done["changes"]) == int(sys.argv[5]), done["summary"]
"""


def engine(loaders: Path, root: Path, operation: str, *, refresh: bool = False, prepare: object = None) -> Program:
    """An operation by the engine alone, in a Python of its own."""
    argv = [sys.executable, "-c", ENGINE, str(loaders / "_utils"), str(root), operation]
    argv += ["refresh" if refresh else "as it is", str(PENDING)]
    return Program(argv, measure.environment(), *([prepare] if callable(prepare) else []))


def zypper(root: Path, *arguments: str, prepare: object = None) -> Program:
    """A command of zypper's own."""
    argv = ["zypper", "--root", str(root), "--non-interactive", *arguments]
    env = measure.environment(ZYPP_LOGFILE=f"{root}/var/log/zypper.log")
    return Program(argv, env, *([prepare] if callable(prepare) else []))


def make_host(root: Path, repository: Path, size: rpm_repository.Size) -> Path:
    """A host with part of a repository installed, and a second repository with twenty pending updates."""
    names = [f"pending{number}" for number in range(PENDING)]
    pending = [{"name": name, "version": "2", "release": "1", "arch": "noarch"} for name in names]
    old = [{**package, "version": "1"} for package in pending]
    advisory = {"id": "PENDING-1", "type": "security", "severity": "important", "issued": "1690000000"}
    advisory |= {"references": [], "packages": [f"{name}-2-1.noarch" for name in names]}
    case = {
        "manager": "zypper",
        "os": {"operating_system": "SUSE", "releasever": "15.6", "product": "Suse15.6"},
        "installed": [{"name": "glibc", "version": "2.31", "release": "1", "arch": "x86_64"}, *old]
        + rpm_repository.installed(size),
        "repositories": [{"id": "updates", "packages": pending, "advisories": [advisory]}],
    }
    rpm_root.build(case, root)
    (root / "etc/zypp/repos.d/big.repo").write_text(
        f"[big]\nname=big\nbaseurl=file://{repository}\nenabled=1\ngpgcheck=0\ntype=rpm-md\n"
    )
    return root


def scans(work: Path, loaders: Path, *, times: int) -> list[Row]:
    """Warm scans beside ``zypper list-patches``, and scans after a change beside ``zypper refresh``."""
    rows = []
    for name, size in rpm_repository.SIZES.items():
        base = work / f"{size.names}"
        for revision in REVISIONS:
            if not (base / f"{revision}/repodata/repomd.xml").exists():
                rpm_repository.write(base / f"{revision}", size, revision=revision)
        published = base / "published"
        change = Change(published, [base / f"{revision}" for revision in REVISIONS])
        change()
        root = make_host(Path(tempfile.mkdtemp(dir=work)) / "root", published, size)
        measure.run(zypper(root, "refresh"))
        programs = {
            "patches": zypper(root, "--no-refresh", "list-patches"),
            "scan": engine(loaders, root, "scan"),
        }
        found = measure.interleave(programs, times=times)
        programs = {
            "refresh": zypper(root, "refresh", prepare=change),
            "changed": engine(loaders, root, "scan", refresh=True, prepare=change),
        }
        found |= measure.interleave(programs, times=times)
        if not rows:
            rows.append(measure.faster(f"{name}: scan", found["scan"], RECORDED, least=20))
        rows.append(measure.ratio(f"{name}: scan beside zypper list-patches", found["scan"], found["patches"], limit=4))
        # All that zypper refresh does is part of it: its index, of no use to a scan, is built while the scan reads.
        what = f"{name}: scan after a change beside zypper refresh"
        rows.append(measure.fastest(what, found["changed"], found["refresh"], limit=1.5))
        rows.append(measure.ratio(what, found["changed"], found["refresh"], limit=2.2))
        rows.append(measure.memory(f"{name}: memory of it", found["changed"], found["refresh"], limit=16))
        shutil.rmtree(root.parent)
    return rows


class Change:
    """Publishes another revision of a repository each time."""

    def __init__(self, published: Path, revisions: list[Path]) -> None:
        self._published = published
        self._revisions = revisions

    def __call__(self) -> None:
        self._revisions.append(self._revisions.pop(0))
        self._published.unlink(missing_ok=True)
        self._published.symlink_to(self._revisions[0])


def installs(work: Path, loaders: Path, *, times: int) -> list[Row]:
    """An install of twenty updates, with its scans and report, beside one zypper install of the same.

    The packages are empty: what is measured is the plan, the two scans and the report, which do not grow with them.
    """
    size = rpm_repository.SIZES["14,000 packages"]
    template = make_host(Path(tempfile.mkdtemp(dir=work)) / "root", work / f"{size.names}/1", size)
    measure.run(zypper(template, "refresh"))
    measure.run(engine(loaders, template, "scan"))
    # Every run gets a fresh copy below the same path, which the repository's configuration names.
    kept = template.with_name("kept")
    shutil.copytree(template, kept, symlinks=True)

    def fresh() -> None:
        shutil.rmtree(template)
        shutil.copytree(kept, template, symlinks=True)

    wanted = [f"pending{number}.noarch=2-1" for number in range(PENDING)]
    arguments = ("--no-refresh", "install", "--name", "--no-recommends", *wanted)
    found = measure.interleave(
        {
            "zypper": zypper(template, *arguments, prepare=fresh),
            "install": engine(loaders, template, "install", prepare=fresh),
        },
        times=times,
    )
    shutil.rmtree(template.parent)
    what = f"install of {PENDING} updates beside one zypper install"
    return [measure.ratio(what, found["install"], found["zypper"], limit=2.1)]


def main() -> int:
    """Print the table; 1 when a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="measured runs of each program (default: 5)")
    parser.add_argument("--directory", type=Path, help="where repositories are kept for the next run")
    options = parser.parse_args()
    if os.geteuid():
        parser.error("zypper lets only root work on another root")
    with tempfile.TemporaryDirectory(prefix="ssmpatch-bench-") as name:
        work = options.directory or Path(name)
        work.mkdir(parents=True, exist_ok=True)
        loaders = measure.copy_loaders(REPO, Path(name) / "loaders")
        rows = scans(work, loaders, times=options.times) + installs(work, loaders, times=options.times)
    print(measure.table("zypper", rows))
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

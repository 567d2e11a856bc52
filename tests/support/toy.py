# SPDX-License-Identifier: Apache-2.0
"""A package manager of plain files, and the program that installs.

Below ``toy/`` of a root: ``offers/NAME-VERSION`` (JSON: ``name``, ``version``, ``needs`` {name: version}, ``cves``,
``sleep``, ``fails``), their copy ``index/``, versions in ``installed/NAME`` or, while configured, ``half/NAME``;
``held``. A package owns ``/usr/share/NAME/version``; one whose name is ``kernel-RELEASE`` is a kernel.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from ssmpatchlib.backends import Context, Limits, Refresh
from ssmpatchlib.backends.answers import InstallRun, Reading, Solution, Step, Watch
from ssmpatchlib.backends.locking import retry_locked, wait_idle
from ssmpatchlib.backends.output import open_log
from ssmpatchlib.model import (
    Advisory,
    Family,
    Inventory,
    Kernels,
    NotInstalled,
    Offer,
    Package,
    Published,
    Target,
    Version,
)

LOCKED = 7


class Toy:
    """A system of plain files, at the context's root."""

    name = "toy"
    family = Family(name="toy", version_order="deb", name_forms="deb", has_dates=False)
    limits = Limits(runs=20, hiding_runs=4, rounds=8)

    def __init__(self, context: Context) -> None:
        self._context, self._place = context, context.root / "toy"
        self._log = context.work_dir / "toy-output.log"

    @property
    def places(self) -> tuple[Path, Path]:
        return self._place, self._place

    def refresh(self, *, import_keys: bool = False) -> Refresh:
        shutil.rmtree(self._place / "index", ignore_errors=True)
        shutil.copytree(self._place / "offers", self._place / "index")
        return Refresh(True)

    def index_age(self) -> float | None:
        index = self._place / "index"
        return max(0.0, self._context.host.now() - index.stat().st_mtime) if index.exists() else None

    def inventory(self, *, non_security: bool) -> Inventory:
        half, held = versions(self._place / "half"), (self._place / "held").read_text().split()
        present = {**versions(self._place / "installed"), **half}
        offers: dict[str, list[Version]] = {}
        for offer in self._offers():
            offers.setdefault(offer["name"], []).append(_version(offer["name"], offer["version"]))
        found = []
        for name, version in present.items():
            new = tuple(o for o in offers.get(name, ()) if o.version >= version)
            own, broken = _version(name, version), "half-configured" if name in half else ""
            found.append(Package(name, "all", own, versions=new, locked="held" if name in held else "", broken=broken))
        others = [Package(n, "all", versions=tuple(offers[n])) for n in offers if n not in present]
        return Inventory(self.family, tuple(found), not_installed=NotInstalled(build=lambda: others))

    def solve(self, wanted: Sequence[Target], *, hidden: Mapping[Offer, str], hold: bool) -> Solution:
        steps: dict[str, Step] = {}
        left_out: dict[str, str] = {}
        for target in wanted:
            needed, words = self._needed(target.name, target.version, hidden)
            steps, left_out = steps | needed, left_out | ({target.id: words} if words else {})
        return Solution(tuple(steps.values()), left_out=left_out)

    def _needed(self, name: str, version: str, hidden: Collection[Offer]) -> tuple[dict[str, Step], str]:
        offer = next((o for o in self._offers() if (o["name"], o["version"]) == (name, version)), None)
        if offer is None or Offer(name, "all", version) in hidden:
            return {}, f"nothing provides {name}-{version}"
        found: dict[str, Step] = {}
        for other, least in offer.get("needs", {}).items():
            if self.installed().get(f"{other}.all", "") < least:
                more, words = self._needed(other, least, hidden)
                if words:
                    return {}, f"{name} needs {other}: {words}"
                found |= more
        return found | {name: Step(name, "all", version)}, ""

    def install(self, wanted: Sequence[Target], *, hidden: Sequence[Offer], watch: Watch) -> InstallRun:
        steps = self.solve(wanted, hidden=dict.fromkeys(hidden, ""), hold=False).steps
        argv = [sys.executable, __file__, str(self._place), "--", *(f"{step.name}={step.new}" for step in steps)]
        host, log = self._context.host, self._log
        open_log(log, now=host.now())
        report = watch.follow(log, lambda text: Reading("installing" if text else "downloading"))
        run = partial(host.run, argv, env={"PYTHONPATH": ":".join(sys.path)}, output=log, watch=report)
        result = retry_locked(self._context, run, is_locked=lambda done: done.code == LOCKED)
        failed = [line.removeprefix("failed ") for line in result.stdout.splitlines() if line.startswith("failed ")]
        words = {f"{name}.all": f"the script of {name} failed" for name in failed}
        return InstallRun(words, said=f"toy ended with exit code {result.code}")

    def drop_held(self) -> None:
        pass

    def installed(self) -> dict[str, str]:
        return {f"{name}.all": version for name, version in versions(self._place / "installed").items()}

    def repair(self) -> tuple[str, ...]:
        wait_idle(self._context, lambda: "" if _lock(self._place) else "another toy holds the lock")
        half = [path.rename(self._place / "installed" / path.name) for path in (self._place / "half").iterdir()]
        return (f"toy was interrupted; completed {len(half)} packages",) if half else ()

    def reboot_reasons(self) -> tuple[str, ...]:
        return ()

    def published(self, ids: Collection[str]) -> tuple[Published, ...]:
        wanted, found = {id_.upper() for id_ in ids}, []
        for offer in self._offers():
            advisory = Advisory(metadata=True, id=f"TOY-{offer['name']}".upper(), cves=tuple(offer.get("cves", ())))
            if advisory.cves and not wanted.isdisjoint({advisory.id, *advisory.cves}):
                found.append(Published(offer["name"], "all", offer["version"], advisory))
        return tuple(found)

    def owners(self, paths: Collection[str]) -> dict[str, str]:
        present = versions(self._place / "installed")
        return {path: f"{name}.all" for name in present for path in paths if path == f"/usr/share/{name}/version"}

    def kernels(self) -> Kernels:
        found = frozenset((id_, now) for id_, now in self.installed().items() if id_.startswith("kernel-"))
        at_work = self._context.host.kernel_release() if self._context.root == Path("/") else ""
        running = frozenset(each for each in found if each[0] == f"kernel-{at_work}.all")
        return Kernels(running, found - (running or {max(found, default=None)}))

    def _offers(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted((self._place / "index").glob("*"))]


def versions(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(directory.iterdir())}


def _version(name: str, version: str) -> Version:
    return Version(name=name, arch="all", version=version, advisories=(Advisory(metadata=True),))


def _lock(place: Path) -> IO[str] | None:
    handle = open(place / "lock", "w")  # noqa: SIM115 - it stays open
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None
    return handle


def main(place: Path, packages: Sequence[str]) -> int:
    """Install packages, ``name=version`` each, in their order; what fails keeps its version."""
    held = _lock(place)
    for name, _, version in (package.partition("=") for package in packages if held):
        offer = json.loads((place / "index" / f"{name}-{version}").read_text())
        print("failed" if offer.get("fails") else "installing", name, flush=True)
        if not offer.get("fails"):
            (place / "half" / name).write_text(version)
            (place / "installed" / name).unlink(missing_ok=True)
            subprocess.run(["sleep", str(offer.get("sleep", 0))], check=True)
            (place / "half" / name).rename(place / "installed" / name)
    return 0 if held else LOCKED


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[3:]))

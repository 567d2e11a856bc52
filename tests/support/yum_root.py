# SPDX-License-Identifier: Apache-2.0
"""yum 3 systems in a directory, and a stand-in for yum, which no longer exists: it fetches, lists and installs.

What it prints is what yum 3.4.3 prints: yum(8), yum.conf(5) and the logs of real systems are where it comes from.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ssmpatchlib.host import CommandResult

from . import rpm_root
from .rpm_vectors import CaseHost

CACHE = "var/cache/yum/x86_64/2"


def build(case: Mapping[str, Any], root: Path, *, database: bool = True) -> Path:
    """Build a case as a yum system; with ``database`` its repositories have the SQLite form of their metadata too."""
    rpm_root.build({**case, "manager": "dnf"}, root)
    settings = {**case.get("dnf_conf", {}), "cachedir": "/var/cache/yum/$basearch/$releasever", "plugins": 1}
    if case.get("excludes"):
        settings["exclude"] = " ".join(case["excludes"])
    rpm_root.put(root / "etc/yum.conf", "[main]\n" + "".join(f"{k}={v}\n" for k, v in settings.items()))
    rpm_root.put(root / "etc/yum/pluginconf.d/priorities.conf", "[main]\nenabled = 1\n")
    shutil.rmtree(root / "etc/dnf")
    for path in (root / "etc/yum.repos.d").glob("*.repo"):
        path.write_text(path.read_text().replace("excludepkgs=", "exclude="))
    for repository in (root / "repos").iterdir():
        if database:
            subprocess.run(["sqliterepo_c", "-q", str(repository)], check=True, stdout=subprocess.DEVNULL)
    return root


class YumHost(CaseHost):
    """A host whose yum is the stand-in; ``answers`` replace what it prints for an installation."""

    def __init__(self, case: dict[str, Any], root: Path) -> None:
        super().__init__(case)
        self.root = root
        self.commands: list[list[str]] = []
        self.answers: list[Callable[[list[str]], tuple[int, str]] | None] = []

    def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
        if argv[0] != "yum":
            return super().run(argv, **more)
        self.commands.append(list(argv))
        scripted = self.answers.pop(0) if "install" in argv and self.answers else None
        code, out = scripted(list(argv)) if scripted else self._yum(list(argv))
        if more.get("output"):
            with open(more["output"], "a") as handle:
                handle.write(out)
        return CommandResult(tuple(argv), code, out, "")

    def _yum(self, argv: list[str]) -> tuple[int, str]:
        if "clean" in argv:
            for cookie in (self.root / CACHE).glob("*/cachecookie"):
                cookie.unlink()
            return 0, ""
        if "makecache" in argv:
            return self._makecache()
        return self._install(argv)

    def _makecache(self) -> tuple[int, str]:
        said = ""
        for path in sorted((self.root / "etc/yum.repos.d").glob("*.repo")):
            if "enabled=0" in path.read_text():
                continue
            source, target = self.root / "repos" / path.stem / "repodata", self.root / CACHE / path.stem
            if not source.is_dir():
                location = f"file://{source}/repomd.xml"
                words = f'[Errno 14] curl#37 - "Couldn\'t open file {source}/repomd.xml"'
                said += f"{location}: {words}\nTrying other mirror.\n"
                continue
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
            (target / "cachecookie").touch()
        return 0, said

    def _install(self, argv: list[str]) -> tuple[int, str]:
        names = argv[argv.index("install") + 1 :]
        out = table(names)
        if "--assumeno" in argv:
            return 1, out + "Exiting on user command\n"
        files = [str(self._file(name)) for name in names]
        rpm = [
            "rpm",
            "--root",
            str(self.root),
            "--dbpath",
            "/var/lib/rpm",
            "-U",
            "--nodeps",
            "--nosignature",
            "--force",
        ]
        subprocess.run([*rpm, *files], check=True, stdout=subprocess.DEVNULL)
        return 0, out + "Downloading packages:\nRunning transaction\n" + steps(names) + "\nComplete!\n"

    def _file(self, nevra: str) -> Path:
        name, _, rest = nevra.partition(":")
        return next((self.root / "repos").glob(f"*/{name.rpartition('-')[0]}-{rest}.rpm"))


def table(names: Sequence[str], *, heading: str = "Updating", more: str = "") -> str:
    """The table of a transaction."""
    rows = ""
    for nevra in names:
        rest, _, arch = nevra.rpartition(".")
        name, _, evr = rest.rpartition(":")
        name, _, epoch = name.rpartition("-")
        rows += f" {name:<24} {arch:<10} {evr if epoch == '0' else f'{epoch}:{evr}':<28} updates {'1.0 k':>10}\n"
    rule = "=" * 80
    return (
        f"Dependencies Resolved\n\n{rule}\n Package                  Arch       Version                      "
        f"Repository    Size\n{rule}\n{heading}:\n{rows}{more}\nTransaction Summary\n{rule}\n"
        f"Upgrade  {len(names)} Packages\n\nTotal download size: {len(names)}.0 k\n"
    )


def steps(names: Sequence[str]) -> str:
    """The progress of a transaction."""
    all_ = 2 * len(names)
    lines = [f"  Updating   : {name:<50} {number}/{all_} " for number, name in enumerate(names, 1)]
    lines += [f"  Cleanup    : {name:<50} {number}/{all_} " for number, name in enumerate(names, len(names) + 1)]
    return "\n".join(lines)

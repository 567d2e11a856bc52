# SPDX-License-Identifier: Apache-2.0
"""yum 3 systems in a directory, and a host whose yum is the stand-in for it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ssmpatchlib.host import CommandResult
from support import rpm_root
from support.rpm_vectors import CaseHost
from support.yum_program import Yum


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
        code, out = scripted(list(argv)) if scripted else self.play(argv)
        if more.get("output"):
            with open(more["output"], "a") as handle:
                handle.write(out)
        return CommandResult(tuple(argv), code, out, "")

    def play(self, argv: Sequence[str]) -> tuple[int, str]:
        """Let the stand-in do what a command asks for; its exit code and what it printed."""
        said: list[str] = []
        code = Yum(self.root, said.append).run(argv[1:])
        return code, "".join(said)

# SPDX-License-Identifier: Apache-2.0
"""The real salt-run compiles advisories: by the master's settings and file server, by arguments, and when it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.advisories import compact
from support import osv

pytestmark = pytest.mark.slow
LOADED = {"runner": "_runners", "outputter": "_output", "utils": "_utils"}


class Master:
    """A master's configuration, and what salt-run says."""

    def __init__(self, base: Path, repo: Path) -> None:
        self.base = base
        self.files = base / "files"
        (self.files / "osv").mkdir(parents=True)
        (base / "cache" / "proc").mkdir(parents=True)
        paths = {"cachedir": "cache", "sock_dir": "sock", "pki_dir": "pki", "log_file": "log"}
        self.options: dict[str, Any] = {
            "root_dir": str(base),
            "file_roots": {"base": [str(self.files)]},
            **{key: str(base / name) for key, name in paths.items()},
            **{f"{kind}_dirs": [str(repo / name)] for kind, name in LOADED.items()},
        }

    def run(self, *words: str, **settings: Any) -> tuple[int, Any]:
        (self.base / "master").write_text(json.dumps({**self.options, "ssmpatch": {"advisories": settings}}))
        program = str(Path(sys.executable).parent / "salt-run")
        argv = [program, f"--config-dir={self.base}", "--out=json", "ssmpatch.advisories", *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
        return done.returncode, json.loads(done.stdout)

    def read(self, release: str, *sources: str) -> compact.Feed:
        with open(self.files / "advisories" / f"{release}.jsonl.gz", "rb") as handle:
            return compact.read(handle, release=release, sources=sources)


def test_the_runner(tmp_path: Path, repo: Path) -> None:
    master = Master(tmp_path, repo)
    osv.write_zip(master.files / "osv" / "all.zip", [*osv.samples(), b"{"])
    configured = {"sources": "salt://osv/all.zip", "releases": ["DEBIAN-12", "UBUNTU-22.04"]}

    code, said = master.run(**configured)
    assert code == 0 and said["changed"] and said["problems"] == [] and said["retcode"] == 0
    assert {name: each["location"] for name, each in said["releases"].items()} == {
        "DEBIAN-12": "salt://advisories/DEBIAN-12.jsonl.gz",
        "UBUNTU-22.04": "salt://advisories/UBUNTU-22.04.jsonl.gz",
    }
    assert said["dropped"] == {"malformed records": 1}
    assert [each.id for each in master.read("DEBIAN-12", "glibc").packages["glibc"]] == ["DSA-5514-1"]
    code, again = master.run(**configured)
    assert code == 0 and {**again, "changed": True} == said and not again["changed"]

    # What is given to the call takes the place of the setting.
    export = osv.write_directory(tmp_path / "checkout", osv.samples())
    code, said = master.run(f"sources={export}", "releases=DEBIAN-13", **configured)
    assert code == 0 and list(said["releases"]) == ["DEBIAN-13"]

    code, said = master.run("releases=[DEBIAN-12, ROCKY_LINUX-9]", **configured)
    assert code == 1 and list(said["releases"]) == ["DEBIAN-12"] and said["problems"][0].startswith("ROCKY_LINUX-9: no")

    code, said = master.run("sources=salt://osv/none.zip", **configured)
    assert (code, said) == (1, {"error": "salt://osv/none.zip: not found on the Salt file server", "retcode": 1})
    code, said = master.run()
    assert code == 1 and said["error"].startswith("advisories: 2 problems:\n  sources: there is none; set ssmpatch:")
    code, said = master.run("releases=Debian12", **configured)
    assert code == 1 and said["error"].startswith("ssmpatch.advisories: releases: 'Debian12' is no release; use one")

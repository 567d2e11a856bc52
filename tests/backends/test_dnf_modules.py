# SPDX-License-Identifier: Apache-2.0
"""Streams that need streams of other modules: what counts as an update is what dnf's own module filter lets through."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from support import dnf_root

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")]


def build(name, stream, version=1, context="cc01", *, default=False, platform="el8", **requires):
    """One build of a stream, with one package of the module's name."""
    return {
        "name": name,
        "stream": stream,
        "version": version,
        "context": context,
        "platform": platform,
        "default": default,
        "requires": requires,
        "artifacts": [f"{name}-{stream}.{version}-1.{context}.x86_64"],
    }


A_NEEDS_B1 = (build("a", "1", b=["1"]), build("b", "1"), build("b", "2"))
A_IN_TWO_CONTEXTS = (
    build("a", "1", context="cc01", b=["1"]),
    build("a", "1", context="cc02", b=["2"]),
    build("b", "1"),
    build("b", "2"),
)
B2_DEFAULT = build("b", "2", default=True)
CASES = {
    "what-is-needed-is-active": (A_NEEDS_B1, {"a": "1"}, {"a": "1.1", "b": "1.1"}),
    "needed-through-another": (
        (build("a", "1", b=["1"]), build("b", "1", c=["1"]), build("c", "1")),
        {"a": "1"},
        {"a": "1.1", "b": "1.1", "c": "1.1"},
    ),
    "newest-version-of-what-is-needed": (
        (build("a", "1", b=["1"]), build("b", "1", 1), build("b", "1", 2)),
        {"a": "1"},
        {"a": "1.1", "b": "1.2"},
    ),
    "enabled-streams-that-exclude-each-other": (
        (*A_NEEDS_B1, build("z", "1")),
        {"a": "1", "b": "2", "z": "1"},
        {"z": "1.1"},
    ),
    "enabled-goes-before-default": (
        (build("a", "1", default=True, b=["1"]), build("b", "1"), build("b", "2")),
        {"b": "2"},
        {"b": "2.1"},
    ),
    "needed-goes-before-default": (
        (build("a", "1", b=["1"]), build("b", "1"), B2_DEFAULT),
        {"a": "1"},
        {"a": "1.1", "b": "1.1"},
    ),
    "needed-by-a-default": (
        (build("a", "1", default=True, b=["1"]), build("b", "1"), build("b", "2")),
        {},
        {"a": "1.1", "b": "1.1"},
    ),
    "disabled": (A_NEEDS_B1, {"a": "1", "b": None}, {}),
    "any-stream": ((build("a", "1", b=[]), build("b", "1"), B2_DEFAULT), {"a": "1"}, {"a": "1.1", "b": "2.1"}),
    "any-but-one": (
        (build("a", "1", b=["-1"]), build("b", "1"), build("b", "2")),
        {"a": "1"},
        {"a": "1.1", "b": "2.1"},
    ),
    "nowhere": ((build("a", "1", b=[]), build("z", "1")), {"a": "1", "z": "1"}, {"z": "1.1"}),
    "newest-version-cannot-be": ((build("a", "1", 1), build("a", "1", 2, b=["1"])), {"a": "1"}, {"a": "1.1"}),
    "another-platform": (
        (build("a", "1", platform="el7"), build("b", "1", platform="-el7")),
        {"a": "1", "b": "1"},
        {"b": "1.1"},
    ),
    "context-by-what-is-enabled": (A_IN_TWO_CONTEXTS, {"a": "1", "b": "2"}, {"a": "1.1-1.cc02", "b": "2.1"}),
    "context-by-default": ((*A_IN_TWO_CONTEXTS[:3], B2_DEFAULT), {"a": "1"}, {"a": "1.1-1.cc02", "b": "2.1"}),
}


@pytest.mark.parametrize("case", CASES)
def test_streams(tmp_path, case):
    modules, chosen, expected = CASES[case]
    packages = [artifact for module in modules for artifact in module["artifacts"]]
    root = dnf_root.build(
        tmp_path / "root",
        installed=[f"{name}-0.1-1.x86_64" for name in sorted({module["name"] for module in modules})],
        packages=packages,
        updates={"modules": modules},
        enabled_modules={
            name: {"stream": stream} if stream else {"stream": "", "state": "disabled"}
            for name, stream in chosen.items()
        },
    )
    report = dnf_root.scan(root)
    updates = {
        row["Id"]: row["available_version"].removeprefix("0:")
        for row in report["patches"]
        if row["PatchState"] == "Missing"
    }
    assert updates == what_dnf_would_update(root)
    assert {id_: version[: len(expected[id_[0]])] for id_, version in updates.items()} == {
        f"{name}.x86_64": version for name, version in expected.items()
    }


def what_dnf_would_update(root):
    argv = ["dnf", "-q", "-C", "--installroot", str(root), "--releasever", "8", "check-update"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode in (0, 100)
    return {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if line.strip()}

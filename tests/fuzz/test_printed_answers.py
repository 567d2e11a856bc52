# SPDX-License-Identifier: Apache-2.0
"""What package managers print, with any content: read in time, never a traceback; names in it become no options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.backends.apt import answer as apt
from ssmpatchlib.backends.apt import failures as apt_failures
from ssmpatchlib.backends.apt import policy, targets, update_output
from ssmpatchlib.backends.dnf import answer as dnf
from ssmpatchlib.backends.dnf import install as dnf_install
from ssmpatchlib.backends.dnf import refresh as dnf_refresh
from ssmpatchlib.backends.dnf import repair as dnf_repair
from ssmpatchlib.backends.dnf import solver as dnf_solver
from ssmpatchlib.backends.rpm import installed
from ssmpatchlib.backends.yum import answer as yum
from ssmpatchlib.backends.zypper import answer as zypper
from ssmpatchlib.backends.zypper import clashes as zypper_clashes
from ssmpatchlib.backends.zypper import config as zypper_config
from ssmpatchlib.backends.zypper import failures as zypper_failures
from ssmpatchlib.backends.zypper import install as zypper_install
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.host import CommandResult, Host
from ssmpatchlib.model import Target
from support.fuzzing import mutated, named, sample, within_budget
from support.generated import Cases

TARGETS = tuple(Target(name, "x86_64", "1:2.0-1") for name in ("alpha", "good", "baz", "kernel", "openssl"))
REPOSITORIES = (("http://user:secret@archive.invalid/x?token=T stable", "archive.invalid_x_dists_stable_"),)
CONFIG = zypper_config.ZyppConfig(
    repositories=(zypper_config.Repository("updates", 99, Path("/x")),),
    cache=Path("/x"),
    solv=Path("/x"),
    file=Path("/x"),
    own=True,
    locks=None,
    reboot_files=(),
)


def read_apt(text: str) -> None:
    apt.listed_steps(text, "amd64")
    apt.simulated_steps(text, "amd64")


def read_dpkg(text: str) -> None:
    reader: Callable[..., Any] = getattr(apt_failures, "read_failures", None) or apt_failures.failure_words  # type: ignore[attr-defined]
    reader(text, TARGETS, {"alpha.x86_64": "unpacked"})
    apt_failures.last_words(text, 100)


def read_update(text: str) -> None:
    update_output.read_outcome(text, REPOSITORIES)


def read_policy(text: str) -> None:
    policy._parse_indexes(text)  # noqa: SLF001
    policy._parse_versions(text, "amd64")  # noqa: SLF001


def read_targets(text: str) -> None:
    list(targets._parse(text))  # noqa: SLF001


def read_dnf(text: str) -> None:
    reply = dnf.read_reply(text, text)
    dnf_solver.solution_of(reply, TARGETS, {"good.x86_64": "1:1-1"})
    reply.problems_about("good-1:2.0-1.x86_64")
    dict(dnf_refresh.failures(text))
    dnf_install.read_step(text)
    dnf_install.failure_words(text, TARGETS)
    list(dnf_install.script_warnings(text))
    list(dnf_repair.unfinished(text))


def read_yum(text: str) -> None:
    yum.read_reply(text)


def read_zypper(text: str) -> None:
    reply = zypper.read_reply(text)
    for problem in reply.problems:
        list(zypper_clashes.clashes_of(problem, TARGETS, problem.words))
    list(zypper.repository_failures(text, CONFIG))
    zypper_install.read_step(text)
    list(zypper_install.unfinished(text))
    for name in ("read_failures", "failure_words", "failures"):
        if reader := getattr(zypper_failures, name, None):
            reader(text, TARGETS)


class Answering(Host):
    """A host on which every program says one thing."""

    def __init__(self, said: str) -> None:
        self._said = said

    def run(self, argv: Any, **more: Any) -> CommandResult:
        return CommandResult(tuple(argv), 0, self._said, "")


def read_rpm(text: str) -> None:
    try:
        found = installed.read_installed(Answering(text), Path("/"))
    except SsmpatchError:
        return
    installed.newest(found)


RPM = (
    b"alpha\tx86_64\t0:1.0-1\t1700000000\t1690000000\tV\nkernel\tx86_64\t0:5-1\t1\t1\t\nkernel\tx86_64\t0:6-1\t1\t1\t\n"
)
ANSWERS: dict[str, tuple[tuple[str, ...], Callable[[str], None]]] = {
    "apt-get install": (("apt-lists.txt", "apt-simulation.txt"), read_apt),
    "dpkg": (("dpkg-run.txt",), read_dpkg),
    "apt-get update": (("apt-update.txt",), read_update),
    "apt-cache policy": (("apt-policy.txt",), read_policy),
    "apt-get indextargets": (("apt-indextargets.txt",), read_targets),
    "dnf": (("dnf4.txt", "dnf5.txt"), read_dnf),
    "yum": (("yum.txt",), read_yum),
    "zypper": (("zypper.xml",), read_zypper),
    "rpm": ((), read_rpm),
}
WORDS = (b" M\n", b"1.2.3 k", b"Problem: ", b"Installing:\n", b"Total download size: ", b"9" * 5000 + b" upgraded, ",
         b"   a (1 => 2)\n", b"<solvable ", b"download-size=\"", b"</message>", b" Solution 1: ", b"\n  - ", b" : ",
         b"E: ", b"\n 500 ", b"\n *** ", b"\t", b"replacing ")  # fmt: skip


@pytest.mark.cases(250)
@pytest.mark.parametrize("program", ANSWERS)
def test_what_programs_print(program: str, cases: Cases) -> None:
    files, read = ANSWERS[program]
    samples = [sample(name) for name in files] or [RPM]
    for number, random in cases:
        text = mutated(random, samples, WORDS).decode(errors="replace")
        with named(cases, number, text):
            within_budget(lambda text=text: read(text), len(text), memory=number % 50 == 0)

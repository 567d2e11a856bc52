# SPDX-License-Identifier: Apache-2.0
"""What rpm package managers say they would do, as the steps that are judged; and dnf's way to a free lock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ssmpatchlib.backends import Context
from ssmpatchlib.backends.answers import Reading
from ssmpatchlib.backends.dnf import answer as dnf_answer
from ssmpatchlib.backends.dnf import install as dnf_install
from ssmpatchlib.backends.dnf.command import DnfCommand
from ssmpatchlib.backends.dnf.solver import solution_of
from ssmpatchlib.backends.rpm.installed import Database
from ssmpatchlib.backends.yum import answer as yum_answer
from ssmpatchlib.backends.yum import solver as yum_solver
from ssmpatchlib.backends.zypper import solver as zypper_solver
from ssmpatchlib.backends.zypper.answer import Row
from ssmpatchlib.host import CommandResult, Host
from ssmpatchlib.model import Target

LIB = Target("lib", "x86_64", "0:2-1")


@pytest.mark.parametrize("arch", ["x86_64", "noarch"])
def test_a_downgrade_is_one_whatever_its_architecture(arch: str) -> None:
    """One that changes the architecture has no installed version of the same name and architecture."""
    row = dnf_answer.Row(dnf_answer.DOWNGRADE, "lib", arch, "0:1-1")
    (step,) = solution_of(dnf_answer.Reply(rows=(row,)), [], {"lib.x86_64": "0:2-1"}).steps
    assert step.objection == f"would downgrade lib.{arch} to 0:1-1"
    (step,) = yum_solver._steps([yum_answer.Row(yum_answer.DOWNGRADE, "lib", arch, "0:1-1")])
    assert step.objection == f"would downgrade lib.{arch} to 0:1-1"


def test_what_makes_room_is_no_step_and_what_is_removed_is() -> None:
    rows = (
        dnf_answer.Row(dnf_answer.INSTALL, "kernel", "x86_64", "0:4-1"),
        dnf_answer.Row(dnf_answer.REMOVE, "kernel", "x86_64", "0:1-1"),
        dnf_answer.Row(dnf_answer.REMOVE, "other", "x86_64", "0:1-1"),
        dnf_answer.Row(dnf_answer.SKIP, "skipped", "x86_64", "0:2-1"),
    )
    found = solution_of(dnf_answer.Reply(rows=rows), [], {})
    assert [(step.name, step.new) for step in found.steps] == [("kernel", "0:4-1"), ("other", None)]
    assert found.warnings == ("dnf's installonly_limit: kernel.x86_64 0:1-1 makes room for the newer version",)


@pytest.mark.parametrize(
    ("row", "objection"),
    [
        (Row("upgrade", "package", "lib", "x86_64", "0:2-1", "0:1-1"), ""),
        (
            Row("downgrade", "package", "lib", "x86_64", "0:1-1", "0:2-1"),
            "would downgrade lib.x86_64 from 0:2-1 to 0:1-1",
        ),
        (
            Row("downgrade", "product", "SLES", "x86_64", "0:1-1", "0:2-1"),
            "would downgrade SLES.x86_64 from 0:2-1 to 0:1-1",
        ),
        (Row("change-vendor", "package", "lib", "x86_64", "0:2-1", "0:1-1"), "would change the vendor of lib.x86_64"),
        (Row("change-vendor", "pattern", "base", "x86_64", "0:2-1", "0:1-1"), "would change the vendor of base.x86_64"),
        (Row("remove", "product", "SLES", "x86_64", "0:1-1"), None),
    ],
)
def test_what_zypper_does_to_packages_products_and_patterns(row: Row, objection: str | None) -> None:
    (step,) = zypper_solver._steps([row], zypper_solver._Siblings({}), vendor_change=False)
    assert (step.new is None) if objection is None else (step.objection == objection)


@pytest.mark.parametrize(("kind", "action"), [("patch", "remove"), ("product", "upgrade"), ("patch", "install")])
def test_what_zypper_does_to_patches_does_not_matter(kind: str, action: str) -> None:
    row = Row(action, kind, "SUSE-1", "noarch", "0:1-1")
    assert list(zypper_solver._steps([row], zypper_solver._Siblings({}), vendor_change=False)) == []


class LockedOnce(Host):
    """The first dnf meets a lock; what happens is written down."""

    def __init__(self) -> None:
        self.story: list[str] = []

    def run(self, argv: object, **more: object) -> CommandResult:
        self.story.append("run")
        return self.result(1 if self.story.count("run") == 1 and "waiting" not in self.story else 0)

    def sleep(self, seconds: float) -> None:
        self.story.append("sleep")

    @staticmethod
    def result(code: int) -> CommandResult:
        return CommandResult(("dnf",), code, "Failed to obtain the transaction lock" if code else "Complete!", "")


class Waiting:
    """A dnf that waits, and meets a lock once it is answered."""

    def __init__(self, host: LockedOnce) -> None:
        self.host = host

    def finish(self, answers: str = "", **more: object) -> CommandResult:
        self.host.story.append("waiting")
        return self.host.result(1)


class Asker:
    """Has a dnf that waits, once."""

    def __init__(self, waiting: Waiting) -> None:
        self.waiting: Waiting | None = waiting

    def holds(self, targets: object, hidden: object) -> bool:
        return self.waiting is not None

    def take(self) -> Waiting | None:
        waiting, self.waiting = self.waiting, None
        return waiting


class Watch:
    """Follows nothing."""

    def follow(self, log: Path, read: Callable[[str], Reading]) -> Callable[[], None]:
        return lambda: None


@pytest.mark.parametrize("held", [True, False])
def test_a_dnf_that_meets_a_lock_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    host = LockedOnce()
    context = Context(host=host, root=tmp_path, work_dir=tmp_path / "work", lock_timeout=60)
    command = DnfCommand(context, "dnf", 5, ())
    monkeypatch.setattr(DnfCommand, "wait_for_system", lambda self: host.story.append("wait"))
    monkeypatch.setattr(Database, "versions", lambda self: {LIB.id: LIB.version})
    asker = Asker(Waiting(host)) if held else None
    dnf_install.install(command, Database(host, tmp_path), [LIB], hidden=(), watch=Watch(), asker=asker)  # type: ignore[arg-type]
    first = ["waiting"] if held else ["wait", "run"]
    assert host.story == [*first, "sleep", "wait", "run"]

# SPDX-License-Identifier: Apache-2.0
"""Progress, from what each package manager prints while it works."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from ssmpatchlib.backends.answers import Reading
from ssmpatchlib.backends.apt.install import read_step as apt
from ssmpatchlib.backends.dnf.install import read_step as dnf
from ssmpatchlib.backends.yum.install import read_step as yum
from ssmpatchlib.backends.zypper.install import read_step as zypper
from ssmpatchlib.host import Host
from ssmpatchlib.patching.progress import BatchWatch, Progress


class Clock(Host):
    """Each look at the clock is a second later."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        self.seconds += 1
        return self.seconds


def watch(sent: list[Progress], count: int = 5) -> BatchWatch:
    return BatchWatch(Clock(), (1, 2), count, 0.0, sent.append)


def test_each_step_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("\nRunning transaction\n  Upgrading : old 9/9\n")
    sent: list[Progress] = []
    report = watch(sent, 3).follow(tmp_path / "log", dnf)
    with open(tmp_path / "log", "a") as log:
        for text in ("", "\nRunning transaction\n", "", "  Upgrading        : a-2-1.noarch   1/4 \n", "noise\n"):
            log.write(text)
            log.flush()
            report()
    assert [(p.phase, p.detail, p.expected) for p in sent] == [
        ("downloading", "3 packages", None),
        ("installing", "3 packages", None),
        ("installing", "step 1 of 4", 13.0),
    ]
    assert {(p.batch, p.batches) for p in sent} == {(1, 2)}


def test_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    sent: list[Progress] = []
    watch(sent).follow(tmp_path / "log", dnf)
    assert [p.detail for p in sent] == ["5 packages"]


@pytest.mark.parametrize(
    ("read", "text", "step"),
    [
        (partial(apt, count=2), "Get:1 http://x\n", Reading("downloading", 0, 4, "0 of 2 packages")),
        (
            partial(apt, count=2),
            "\nPreparing to unpack a\nUnpacking a\nSetting up a\n",
            Reading("installing", 2, 4, "1 of 2 packages"),
        ),
        (dnf, "[1/2] a-2-1.noarch 100% |\n", Reading("downloading")),
        (dnf, "\nRunning transaction\n[2/4] Upgrading a-0:2-1.noarch 100% |\n", Reading("installing", 2, 4)),
        (yum, "Downloading packages:\n", Reading("downloading")),
        (yum, "\nRunning transaction\n  Updating   : a-2-1.noarch    1/2 \n", Reading("installing", 1, 2)),
        (zypper, "<stream>", Reading("downloading")),
        (
            zypper,
            '<progress id="install-resolvable" name="(1/2) Installing: a-2-1.noarch" done="0"/>',
            Reading("installing", 1, 2, "package 1 of 2"),
        ),
    ],
)
def test_what_package_managers_say(read: object, text: str, step: Reading) -> None:
    assert callable(read) and read(text) == step

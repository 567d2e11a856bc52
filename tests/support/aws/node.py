# SPDX-License-Identifier: Apache-2.0
"""A Debian node on an apt root of its own, with one security update missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ssmpatchlib import api
from ssmpatchlib.config import Settings
from support import vectors
from support.apt_root import package

Node = Callable[..., Settings]


CASE = {
    "os": {"operating_system": "DEBIAN", "product": "Debian12"},
    "installed": [package("bash", "5.2-1"), package("curl", "7.88-1"), package("vim", "9.0-1"), package("own", "1-1")],
    "repositories": [
        {
            "id": "main",
            "origin": "Debian",
            "label": "Debian",
            "suite": "stable",
            "codename": "bookworm",
            "component": "main",
            "site": "deb.debian.org",
            "path": "debian",
            "packages": [package("bash", "5.2-1"), package("curl", "7.88-1"), package("vim", "9.0-1")],
        },
        {
            "id": "security",
            "origin": "Debian",
            "label": "Debian-Security",
            "suite": "stable-security",
            "codename": "bookworm-security",
            "component": "main",
            "site": "security.debian.org",
            "path": "debian-security",
            "packages": [package("bash", "5.2-1+deb12u1"), package("curl", "7.88-1"), package("vim", "9.0-1+deb12u1")],
        },
    ],
    "real_debs": True,
}


def host() -> vectors.CaseHost:
    return vectors.CaseHost({})


def scan(settings: Settings, **given: Any) -> dict[str, Any]:
    return api.scan(settings, caller=api.Caller(), host=host(), **given)


def install(settings: Settings, **given: Any) -> dict[str, Any]:
    return api.install(settings, caller=api.Caller(), host=host(), **given)


def states(report: dict[str, Any]) -> dict[str, str]:
    return {row["Title"]: row["PatchState"] for row in report["patches"]}

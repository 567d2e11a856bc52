# SPDX-License-Identifier: Apache-2.0
"""The conformance vectors: how a case is configured, run and compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ssmpatchlib import config
from ssmpatchlib.host import Host
from ssmpatchlib.times import aws_time

VECTORS = Path(__file__).parents[1] / "conformance"
NOW = "<NOW>"
FIELDS = ("PatchState", "Status", "Severity", "Classification", "PatchSeverity")


class CaseHost(Host):
    """The host of a case: this machine, booted when the case says."""

    def __init__(self, case: dict[str, Any]) -> None:
        self._boot_time = float(case.get("boot_time", 1700000000))

    def boot_id(self) -> str:
        return "00000000-0000-4000-8000-000000000000"

    def boot_time(self) -> float:
        return self._boot_time


def load(manager: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a case and its decided result."""
    found = [json.loads((VECTORS / manager / kind / f"{name}.json").read_text()) for kind in ("cases", "decided")]
    return found[0], found[1]


def names(manager: str) -> list[str]:
    """Return the names of all cases."""
    return sorted(path.stem for path in (VECTORS / manager / "cases").glob("*.json"))


def settings(case: dict[str, Any], root: Path, **more: Any) -> config.Settings:
    """Return the settings of a case; everything that is written stays below its root."""
    return config.load(
        minion={
            "baseline": case["baseline"],
            "operating_system": case["os"]["operating_system"],
            "product": case["os"]["product"],
            "patch_group": case.get("patch_group", ""),
            "root": str(root),
            "reboot": {"option": case["reboot_option"]},
            "lock_timeout": 10,
            **more,
        }
    )


def shown(report: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return a report's rows by Title, as far as they are compared."""
    return {row["Title"]: tuple(row[field] for field in FIELDS) for row in report["patches"]}


def decided(result: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the decided rows by Title, in the same form."""
    keys = ("state", "compliance", "severity", "classification", "patch_severity")
    return {
        f"{row['name']}.{row['arch']}:{row['version']}": tuple(row[key] for key in keys)
        for row in result["states"].values()
    }


def summary_differences(report: dict[str, Any], result: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the summary fields that differ, with both values."""
    found = {}
    for key, value in result["summary"].items():
        have = report["summary"].get(key)
        if value == NOW or value is True:
            same = bool(have)
        elif key.endswith("Time"):
            same = have == aws_time(value)
        else:
            same = have == str(value)
        if not same:
            found[key] = (have, value)
    if "NonCompliantSeverity" in report["summary"] and "NonCompliantSeverity" not in result["summary"]:
        found["NonCompliantSeverity"] = (report["summary"]["NonCompliantSeverity"], None)
    return found

# SPDX-License-Identifier: Apache-2.0
"""The ``ssmpatch`` section of the master's configuration, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from .. import windows
from ..config import KEY, REBOOT_OPTIONS
from ..config_reader import Section
from ..errors import InvalidInput
from ..input_errors import refuse, show
from ..windows import Window
from . import advisory_settings
from .advisory_settings import AdvisorySettings
from .quantities import Amount, Rate, parse_amount, parse_rate

TGT_TYPES = (
    "glob", "pcre", "list", "grain", "grain_pcre", "pillar", "pillar_pcre", "pillar_exact", "nodegroup", "range",
    "compound", "ipcidr",
)  # fmt: skip
FUNCTION = re.compile(r"[A-Za-z_]\w*(\.\w+)+")
GRAIN = r"[\w.:-]{1,100}"
NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
DAY = 86400

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Check:
    """A Salt function whose return has to be ``expected`` on every host."""

    function: str
    expected: Any
    args: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Gate:
    """What a ring has to reach before the next one begins."""

    min_compliant: Amount = Amount(100, percent=True)
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Ring:
    """One ring of a rollout. ``soak`` is in seconds; ``reboot_option`` None leaves it to the minions."""

    name: str
    tgt: str | tuple[str, ...]
    tgt_type: str = "glob"
    batch: Amount = Amount(100, percent=True)
    max_failures: Amount = Amount(0)
    soak: int = 0
    reboot_option: str | None = None
    gate: Gate = Gate()
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a rollout waits, in seconds, and how much room an install needs, in MiB."""

    reach: int = 60
    busy: int = 900
    install: int = 7200
    reboot: int = 1800
    scan: int = 1800
    window: int = 35 * DAY
    probe: int = 60
    poll: int = 5
    min_free: int = 500


@dataclass(frozen=True, slots=True)
class Remediation:
    """How often drift may be repaired without a human. No window means at any time."""

    per_minion: Rate = Rate(1, 6 * 3600)
    fleet: Rate = Rate(20, 3600)
    max_failures: int = 3
    timeout: int = 2 * 3600
    reboot_option: str | None = None
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """Everything the runner is told. ``frozen_dir`` None: below the first file root of the environment ``base``."""

    state_dir: Path
    frozen_dir: Path | None = None
    freeze: bool = True
    rings: tuple[Ring, ...] = ()
    stale_after: int = 7 * DAY
    group_by: str = ""
    limits: Limits = Limits()
    remediation: Remediation = field(default_factory=Remediation)
    advisories: AdvisorySettings = AdvisorySettings()


def load(data: Mapping[str, Any] | None, *, state_dir: Path) -> FleetSettings:
    """Read the master's ``ssmpatch`` mapping; ``state_dir`` is the directory unless it names one.

    Raises:
        InvalidInput: ``problems`` names everything that is wrong.
    """
    found: list[str] = []
    top = Section(data, KEY, found)
    frozen_dir = top.directory("frozen_dir", Path("/"))
    settings = FleetSettings(
        state_dir=top.directory("state_dir", state_dir),
        frozen_dir=None if frozen_dir == Path("/") else frozen_dir,
        freeze=top.flag("freeze", True),
        rings=_rings(top.raw("rings"), top.at("rings"), found),
        stale_after=top.seconds("stale_after", 7 * DAY, high=3650 * DAY),
        group_by=top.text("group_by", pattern=GRAIN, allowed="the name of a grain"),
        limits=_limits(top.section("limits")),
        remediation=_remediation(top.section("remediation")),
        advisories=advisory_settings.read(top.section("advisories")),
    )
    top.finish()
    if found:
        refuse("master configuration", found)
    return settings


def parse_rings(data: Any) -> tuple[Ring, ...]:
    """Read rings that were given as an argument.

    Raises:
        InvalidInput: ``problems`` names everything that is wrong.
    """
    found: list[str] = []
    rings = _rings(data, "rings", found)
    if not rings and not found:
        found.append("rings: there is none; use a list of mappings with name and tgt")
    if found:
        refuse("rollout", found)
    return rings


def _rings(data: Any, path: str, found: list[str]) -> tuple[Ring, ...]:
    if data is None:
        return ()
    if not isinstance(data, (list, tuple)):
        found.append(f"{path}: {show(data)} is not allowed; use a list of mappings with name and tgt")
        return ()
    rings = tuple(_ring(Section(item, f"{path}[{index}]", found)) for index, item in enumerate(data))
    names = [ring.name for ring in rings]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        found.append(f"{path}: two rings have the name {name}; use each name once")
    return rings


def _ring(data: Section) -> Ring:
    tgt = data.either_type("tgt", (str, list, tuple), "a target such as 'web*', or a list of minion ids")
    if tgt is None:
        data.lacks("tgt", "a target such as 'web*', or a list of minion ids")
    listed = isinstance(tgt, (list, tuple))
    ring = Ring(
        name=data.required_text("name", NAME, "letters, digits or _.-"),
        tgt=tuple(str(minion) for minion in tgt) if listed else str(tgt or ""),
        tgt_type=data.choice("tgt_type", TGT_TYPES, "list" if listed else "glob"),
        batch=_read(data, "batch", Amount(100, percent=True), lambda value: parse_amount(value, low=1)),
        max_failures=_read(data, "max_failures", Amount(0), parse_amount),
        soak=data.seconds("soak", 0, high=90 * DAY),
        reboot_option=data.choice("reboot_option", REBOOT_OPTIONS, "") or None,
        gate=_gate(data.section("gate")),
        window=_window(data, "window"),
    )
    data.finish()
    return ring


def _gate(data: Section) -> Gate:
    checks = data.items("checks", "a list such as [{service.status: true, args: [nginx]}]")
    gate = Gate(
        min_compliant=_read(data, "min_compliant", Amount(100, percent=True), parse_amount),
        checks=tuple(check for path, item in checks if (check := _check(item, path, data.problems))),
    )
    data.finish()
    return gate


def _check(item: Any, path: str, found: list[str]) -> Check | None:
    functions = [key for key in item if key != "args"] if isinstance(item, Mapping) else []
    args = item.get("args", []) if isinstance(item, Mapping) else []
    if len(functions) != 1 or not isinstance(functions[0], str) or not FUNCTION.fullmatch(functions[0]):
        found.append(
            f"{path}: {show(item)} is not allowed; use {{salt.function: expected return}}, if need be with args"
        )
        return None
    if not isinstance(args, (list, tuple)):
        found.append(f"{path}.args: {show(args)} is not allowed; use a list")
        return None
    return Check(functions[0], item[functions[0]], tuple(args))


def _limits(data: Section) -> Limits:
    base = Limits()
    limits = Limits(
        reach=data.seconds("reach", base.reach, high=DAY),
        busy=data.seconds("busy", base.busy, high=DAY),
        install=data.seconds("install", base.install, high=7 * DAY),
        reboot=data.seconds("reboot", base.reboot, high=7 * DAY),
        scan=data.seconds("scan", base.scan, high=DAY),
        window=data.seconds("window", base.window, high=400 * DAY),
        probe=data.seconds("probe", base.probe, high=3600),
        poll=max(1, data.seconds("poll", base.poll, high=600)),
        min_free=data.integer("min_free", base.min_free, low=0, high=10**7),
    )
    data.finish()
    return limits


def _remediation(data: Section) -> Remediation:
    base = Remediation()
    opened = (_parsed_window(item, path, data.problems) for path, item in data.items("windows", "a list of windows"))
    remediation = Remediation(
        per_minion=_read(data, "per_minion", base.per_minion, parse_rate),
        fleet=_read(data, "fleet", base.fleet, parse_rate),
        max_failures=data.integer("max_failures", base.max_failures, low=1, high=100),
        timeout=data.seconds("timeout", base.timeout, high=7 * DAY),
        reboot_option=data.choice("reboot_option", REBOOT_OPTIONS, "") or None,
        windows=tuple(window for window in opened if window is not None),
    )
    data.finish()
    return remediation


def _read(data: Section, key: str, default: _T, parse: Callable[[Any], _T]) -> _T:
    value = data.raw(key)
    if value is None:
        return default
    try:
        return parse(value)
    except InvalidInput as exc:
        data.problems.append(f"{data.at(key)}: {exc}")
        return default


def _window(data: Section, key: str) -> Window | None:
    value = data.raw(key)
    return None if value is None else _parsed_window(value, data.at(key), data.problems)


def _parsed_window(value: Any, path: str, found: list[str]) -> Window | None:
    try:
        return windows.parse_window(value, path)
    except InvalidInput as exc:
        found += exc.problems
        return None


def ring_data(rings: Sequence[Ring]) -> list[dict[str, Any]]:
    """Rings in the form that ``parse_rings`` reads, for the journal."""
    return [_ring_data(ring) for ring in rings]


def _ring_data(ring: Ring) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": ring.name,
        "tgt": list(ring.tgt) if isinstance(ring.tgt, tuple) else ring.tgt,
        "tgt_type": ring.tgt_type,
        "batch": str(ring.batch),
        "max_failures": str(ring.max_failures),
        "soak": ring.soak,
        "gate": {
            "min_compliant": str(ring.gate.min_compliant),
            "checks": [{each.function: each.expected, "args": list(each.args)} for each in ring.gate.checks],
        },
    }
    if ring.reboot_option:
        data["reboot_option"] = ring.reboot_option
    if ring.window:
        window = ring.window
        data["window"] = {
            "start": window.start,
            "duration": window.duration,
            "timezone": window.timezone,
            **({"nth": window.nth, "offset_days": window.offset_days} if window.nth else {}),
            **({"days": list(window.days)} if window.days else {}),
        }
    return data

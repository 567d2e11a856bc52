# SPDX-License-Identifier: Apache-2.0
"""The settings of an operation: defaults, minion configuration, pillar and arguments merged into one checked value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .. import windows
from ..baseline.schema import OPERATING_SYSTEMS
from ..config_reader import Section
from ..errors import InvalidInput
from ..input_errors import kind, named_key, near_word, refuse, show
from ..package_managers import PACKAGE_MANAGERS
from ..paths import Place
from ..windows import Window
from .hooks import HOOKS, Hook, read_hooks

KEY = "ssmpatch"
AWS_DIR = Path("/var/log/amazon/ssm/patch-configuration")
STATE_DIR = Path("/var/lib/ssmpatch")
REBOOT_OPTIONS = ("RebootIfNeeded", "NoReboot", "RebootIfRequired")
UPLOADS = ("auto", "always", "never")
APPROVAL_DELAYS = ("published", "first_seen")
OBSOLETES = ("replace", "keep")
RESTARTS = ("report", "services")
REBOOT_MESSAGE = "Reboot by ssmpatch: installed patches take effect."
DAY = 86400
#: Seconds: how old the newest of the vendor's records may be where nothing else is configured.
ADVISORIES_AGE = 7 * DAY

# The BaselineTags parameter of AWS-RunPatchBaselineAssociation.
TAG_TEXT = r"[\w\s.:/=+\-@]"
TAGS = re.compile(rf"Key=({TAG_TEXT}{{1,128}}?),Values=({TAG_TEXT}{{0,256}}(?:,{TAG_TEXT}{{1,256}}){{0,49}})")
RELEASEVER = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
PATCH_GROUP = r"[\w\s.:/=+\-@]{0,256}"
#: Of every partition: eu-central-1, us-gov-west-1, us-isob-east-1, eusc-de-east-1.
REGION = r"[a-z]{2,10}(-[a-z0-9]{1,20}){0,4}-[0-9]{1,3}"
INSTANCE_ID = r"i-(\w{8}|\w{17})|mi-\w{17}"
ROLE_ARN = r"arn:aws[a-z-]*:iam::\d{12}:role/\S{1,512}"
#: Where a feed of advisories is.
FEED = r"(salt://|file:///|/)[^\s\x00]{1,1000}"
FEED_WORDS = "a directory or file, such as salt://advisories or an absolute path"
UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


@dataclass(frozen=True, slots=True)
class RebootSettings:
    """The reboot policy. ``delay`` is in minutes; outside ``windows`` a reboot stays pending; none means any time."""

    option: str = REBOOT_OPTIONS[0]
    delay: int = 1
    message: str = REBOOT_MESSAGE
    windows: tuple[Window, ...] = ()
    max_attempts: int = 3


@dataclass(frozen=True, slots=True)
class BaselineTags:
    """The tag that picks a baseline: ``key`` with any of ``values``."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AdvisorySettings:
    """The vendor's advisories: ``location`` of the directory or file, ``max_age`` in seconds of what is used of it."""

    location: str
    max_age: int = ADVISORIES_AGE


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """How to reach AWS. Empty text means: found out at run time, or not used.

    ``snapshot_max_age`` is in seconds: how old a stored snapshot may be when AWS cannot be reached.
    ``baseline`` names one baseline by id, ARN or name, ``baseline_tags`` by tag; else by patch group.
    ``association_id`` makes compliance be stored per State Manager association.
    """

    region: str = ""
    instance_id: str = ""
    profile: str = ""
    role_arn: str = ""
    endpoint_url: str = ""
    use_dualstack_endpoint: bool = False
    use_fips_endpoint: bool = False
    allow_imdsv1: bool = False
    snapshot_max_age: int = 7 * DAY
    baseline: str = ""
    baseline_tags: BaselineTags | None = None
    association_id: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operation is told. ``None`` and empty text mean: not set, to be found out.

    ``baseline`` is ``default``, ``aws``, a key of ``baselines`` or an inline mapping. ``aws`` is None unless AWS is
    configured, the baseline comes from it, or uploads are demanded. ``notice``, ``lock_timeout``, ``refresh_timeout``
    and ``refresh_max_age`` are in seconds. ``warnings`` are settings that have no effect or look like a mistake.
    """

    baseline: str | Mapping[str, Any] = "default"
    baselines: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    baseline_override: str | Sequence[Any] | Mapping[str, Any] | None = None
    install_override_list: str | Mapping[str, Any] | None = None
    patch_group: str = ""
    frozen: str | Mapping[str, Any] | None = None
    operating_system: str | None = None
    product: str | None = None
    package_manager: str | None = None
    releasever: str = ""
    root: Path = Path("/")
    reboot: RebootSettings = field(default_factory=RebootSettings)
    window: Window | None = None
    hooks: Mapping[str, tuple[Hook, ...]] = field(default_factory=lambda: MappingProxyType(dict.fromkeys(HOOKS, ())))
    notice: int = 0
    lock_timeout: int = 600
    refresh_timeout: int = 300
    refresh_max_age: int = 0
    approval_delay: str = APPROVAL_DELAYS[0]
    obsoletes: str = OBSOLETES[0]
    advisories: AdvisorySettings | None = None
    restart: str = RESTARTS[0]
    progress_events: bool = True
    upload: str = UPLOADS[0]
    aws: AwsSettings | None = None
    aws_dir: Path = AWS_DIR
    state_dir: Path = STATE_DIR
    warnings: tuple[str, ...] = ()

    def place(self, now: float) -> Place:
        """Return where the state of the root is."""
        return Place(self.state_dir, self.root, now)


def load(
    *,
    minion: Mapping[str, Any] | None = None,
    pillar: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings from the ``ssmpatch`` mappings of minion configuration and pillar and from a call's arguments.

    Later ones win, key by key at every depth; null means not set. ``arguments`` has the same keys as the others.
    With a ``root`` other than ``/`` both directories are below it unless they are set.

    Raises:
        InvalidInput: an unknown key, a wrong type or an impossible value; ``problems`` names them all.
    """
    found: list[str] = []
    settings = _read(_merged((("minion", minion), ("pillar", pillar), ("arguments", arguments)), found), found)
    if found:
        refuse("configuration", found)
    return settings


def problems(minion: Mapping[str, Any] | None, pillar: Mapping[str, Any] | None) -> list[str]:
    """Everything that ``load`` would refuse, as ``path: what`` lines; empty when the configuration is valid."""
    try:
        load(minion=minion, pillar=pillar)
    except InvalidInput as exc:
        return list(exc.problems)
    return []


def _merged(layers: Sequence[tuple[str, Any]], found: list[str]) -> Mapping[Any, Any]:
    result: Mapping[Any, Any] = {}
    for name, layer in layers:
        if layer is None:
            continue
        if isinstance(layer, Mapping):
            result = _merge(result, layer)
        else:
            found.append(f"{KEY} ({name}): {show(layer)} is {kind(layer)}; use a mapping")
    return result


def _merge(below: Mapping[Any, Any], above: Mapping[Any, Any]) -> Mapping[Any, Any]:
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = _merge(old, value)
        elif value is not None or key not in result:
            result[key] = value
    return result


def _read(data: Mapping[Any, Any], found: list[str]) -> Settings:
    top = Section(data, KEY, found)
    root = top.directory("root", Path("/"))
    baseline, baselines = _baselines(top)
    upload = _upload(top)
    aws = _aws(top, wanted=baseline == "aws" or upload == "always")
    system = top.choice("operating_system", OPERATING_SYSTEMS, "")
    settings = Settings(
        baseline=baseline,
        baselines=baselines,
        baseline_override=top.either_type(
            "baseline_override", (str, list, tuple, Mapping), "a location (s3://, https://, salt://, a path) or a list"
        ),
        install_override_list=top.either_type(
            "install_override_list", (str, Mapping), "a location (s3://, https://, salt://, a path) or a mapping"
        ),
        patch_group=top.text("patch_group", pattern=PATCH_GROUP, allowed="at most 256 letters, digits or _.:/=+-@"),
        frozen=top.either_type("frozen", (str, Mapping), "a location (s3://, https://, salt://, a path) or a mapping"),
        operating_system=system or None,
        product=top.text("product", pattern=r"[A-Za-z0-9._-]{1,100}", allowed="a product such as Debian12") or None,
        package_manager=top.choice("package_manager", tuple(PACKAGE_MANAGERS), "") or None,
        releasever=top.text("releasever", pattern=RELEASEVER, allowed="a release such as '2023.6.20241010' or latest"),
        root=root,
        reboot=_reboot(top.section("reboot")),
        window=_window(top.raw("window"), top.at("window"), found),
        hooks=read_hooks(top.section("hooks")),
        notice=top.seconds("notice", 0, high=30 * DAY),
        lock_timeout=top.seconds("lock_timeout", 600, high=DAY),
        refresh_timeout=top.seconds("refresh_timeout", 300, low=1, high=DAY),
        refresh_max_age=top.seconds("refresh_max_age", 0, high=30 * DAY),
        approval_delay=top.choice("approval_delay", APPROVAL_DELAYS, APPROVAL_DELAYS[0]),
        obsoletes=top.choice("obsoletes", OBSOLETES, OBSOLETES[0]),
        advisories=_advisories(top),
        restart=top.choice("restart", RESTARTS, RESTARTS[0]),
        progress_events=top.flag("progress_events", True),
        upload=upload,
        aws=aws,
        aws_dir=top.directory("aws_dir", _below(root, AWS_DIR)),
        state_dir=top.directory("state_dir", _below(root, STATE_DIR)),
        warnings=_warnings(data, root),
    )
    top.finish()
    return settings


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _upload(top: Section) -> str:
    value = top.raw("upload")
    if isinstance(value, bool):
        return "always" if value else "never"
    return top.choice("upload", UPLOADS, UPLOADS[0])


def _baselines(top: Section) -> tuple[str | Mapping[str, Any], Mapping[str, Any]]:
    named = top.section("baselines")
    baselines = {}
    for name in named.names():
        document = named.raw(name)
        if name in ("default", "aws"):
            named.problems.append(f"{named.at(name)}: {name} has a meaning of its own; use another name")
        else:
            named.problems += _find_problems(document, path=named.at(name))
        baselines[name] = document
    named.finish()
    chosen = top.either_type("baseline", (str, Mapping), "default, aws, a name from baselines or a mapping")
    if chosen is None:
        return "default", MappingProxyType(baselines)
    if isinstance(chosen, Mapping):
        top.problems += _find_problems(chosen, path=top.at("baseline"))
    elif chosen not in ("default", "aws", *baselines):
        names = ", ".join(map(named_key, baselines)) or "there is none"
        near = near_word(chosen, ("default", "aws", *baselines))
        hint = f"; {near}" if near else ""
        top.problem("baseline", chosen, f"default, aws or a name from baselines ({names}){hint}")
    return chosen, MappingProxyType(baselines)


def _find_problems(document: Any, *, path: str) -> list[str]:
    """What is wrong with a baseline. The parser is loaded where there is one: most hosts follow the default."""
    from ..baseline.parse import find_problems

    return find_problems(document, path=path)


def _advisories(top: Section) -> AdvisorySettings | None:
    if top.raw("advisories") is None:
        return None
    section = top.section("advisories")
    settings = AdvisorySettings(
        location=section.text("location", pattern=FEED, allowed=FEED_WORDS),
        max_age=section.seconds("max_age", ADVISORIES_AGE, low=3600, high=3660 * DAY),
    )
    if not settings.location and section.raw("location") in (None, ""):
        section.lacks("location", FEED_WORDS)
    section.finish()
    return settings


def _reboot(reboot: Section) -> RebootSettings:
    settings = RebootSettings(
        option=reboot.choice("option", REBOOT_OPTIONS, REBOOT_OPTIONS[0]),
        delay=reboot.integer("delay", 1, low=0, high=7 * 24 * 60),
        message=reboot.text("message", REBOOT_MESSAGE, pattern=r"[^\0]{0,1000}", allowed="at most 1000 characters"),
        windows=_windows(reboot),
        max_attempts=reboot.integer("max_attempts", 3, low=1, high=100),
    )
    reboot.finish()
    return settings


def _windows(reboot: Section) -> tuple[Window, ...]:
    items = reboot.items("windows", "a list of windows")
    parsed = (_window(item, path, reboot.problems) for path, item in items)
    return tuple(window for window in parsed if window is not None)


def _window(data: Any, path: str, found: list[str]) -> Window | None:
    if data is None:
        return None
    try:
        return windows.parse_window(data, path)
    except InvalidInput as exc:
        found += exc.problems
        return None


def _aws(top: Section, *, wanted: bool) -> AwsSettings | None:
    if top.raw("aws") is None and not wanted:
        return None
    aws = top.section("aws")
    settings = AwsSettings(
        region=aws.text("region", pattern=REGION, allowed="a region such as eu-central-1"),
        instance_id=aws.text("instance_id", pattern=INSTANCE_ID, allowed="an id such as i-0123456789abcdef0"),
        profile=aws.text("profile", pattern=r"[^\0\n]{1,256}", allowed="the name of a profile"),
        role_arn=aws.text("role_arn", pattern=ROLE_ARN, allowed="the ARN of a role"),
        endpoint_url=aws.text("endpoint_url", pattern=r"https?://[^\s/]+\S*", allowed="an http(s) address"),
        use_dualstack_endpoint=aws.flag("use_dualstack_endpoint"),
        use_fips_endpoint=aws.flag("use_fips_endpoint"),
        allow_imdsv1=aws.flag("allow_imdsv1"),
        snapshot_max_age=aws.seconds("snapshot_max_age", 7 * DAY, high=366 * DAY),
        baseline=aws.text("baseline", pattern=r"[A-Za-z0-9_.:/-]{3,128}", allowed="the id, ARN or name of a baseline"),
        baseline_tags=_baseline_tags(aws),
        association_id=aws.text(
            "association_id",
            pattern=UUID,
            allowed="the id of an association",
        ),
    )
    if settings.baseline and settings.baseline_tags:
        aws.problems.append(f"{aws.at('baseline_tags')}: not together with {aws.at('baseline')}; remove one of them")
    aws.finish()
    return settings


def _baseline_tags(aws: Section) -> BaselineTags | None:
    value = aws.raw("baseline_tags")
    if value is None or value == "":
        return None
    match = TAGS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        aws.problem("baseline_tags", value, "Key=name,Values=value with at most 50 values separated by commas")
        return None
    return BaselineTags(match[1], tuple(match[2].split(",")))


def _warnings(data: Mapping[Any, Any], root: Path) -> tuple[str, ...]:
    found = [
        f"{KEY}:{key}: {data[key]} is not below the root {root}, so other roots may share it"
        for key in ("aws_dir", "state_dir")
        if isinstance(data.get(key), (str, Path)) and not str(data[key]).startswith(f"{str(root).rstrip('/')}/")
    ]
    reboot = data.get("reboot")
    if isinstance(reboot, Mapping) and reboot.get("option") == "NoReboot" and reboot.get("windows"):
        found.append(f"{KEY}:reboot:windows: no effect with the option NoReboot")
    if data.get("restart") == RESTARTS[1] and not _leaves_restarts(reboot):
        found.append(
            f"{KEY}:restart: with RebootIfNeeded and no reboot:windows each install reboots the host instead; use "
            "RebootIfRequired"
        )
    return tuple(found)


def _leaves_restarts(reboot: Any) -> bool:
    """Return whether there may be installs that do not reboot the host."""
    option, windows = (reboot.get("option"), reboot.get("windows")) if isinstance(reboot, Mapping) else (None, None)
    return bool(windows) or option not in (None, REBOOT_OPTIONS[0])

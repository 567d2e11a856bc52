# SPDX-License-Identifier: Apache-2.0
"""Settings: the order of the layers, every key, every refusal with its path."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ssmpatchlib import config
from ssmpatchlib.config import AdvisorySettings, AwsSettings, BaselineTags, RebootSettings, Settings, load
from ssmpatchlib.config.hooks import Hook
from ssmpatchlib.errors import InvalidInput
from ssmpatchlib.windows import Window
from support.baselines import ANYTHING, baseline, baselines, rule

WINDOW = {"days": ["sat", "sun"], "start": "02:00", "duration": "4h", "timezone": "Europe/Berlin"}
PARSED_WINDOW = Window(days=("sat", "sun"), start="02:00", duration=4 * 3600, timezone="Europe/Berlin")

# Every key of the configuration with a value that is not its default, and what becomes of it.
EVERY_KEY: dict[str, tuple[Any, Any]] = {
    "baseline": ("web", "web"),
    "baselines": ({"web": baseline()}, {"web": baseline()}),
    "baseline_override": ("salt://web.json", "salt://web.json"),
    "install_override_list": ({"patches": []}, {"patches": []}),
    "patch_group": ("web servers ä", "web servers ä"),
    "frozen": ("salt://frozen.json", "salt://frozen.json"),
    "operating_system": ("SUSE", "SUSE"),
    "product": ("Suse15.3", "Suse15.3"),
    "advisories": ({"location": "salt://advisories", "max_age": "2d"}, AdvisorySettings("salt://advisories", 172800)),
    "package_manager": ("zypper", "zypper"),
    "releasever": ("2023.6.20241010", "2023.6.20241010"),
    "root": ("/srv/image", Path("/srv/image")),
    "reboot": (
        {"option": "NoReboot", "delay": 5, "message": "soon", "max_attempts": 1},
        RebootSettings(option="NoReboot", delay=5, message="soon", max_attempts=1),
    ),
    "window": (WINDOW, PARSED_WINDOW),
    "hooks": (
        {"pre_install": [{"test.ping": []}]},
        {"pre_install": (Hook("test.ping"),), "post_install": (), "on_exit": (), "pre_reboot": (), "after_reboot": ()},
    ),
    "notice": ("24h", 86400),
    "lock_timeout": ("10m", 600),
    "refresh_max_age": (3600, 3600),
    "refresh_timeout": ("2m", 120),
    "approval_delay": ("first_seen", "first_seen"),
    "obsoletes": ("keep", "keep"),
    "restart": ("services", "services"),
    "progress_events": (False, False),
    "upload": ("never", "never"),
    "aws": ({"region": "eu-central-1"}, AwsSettings(region="eu-central-1")),
    "aws_dir": ("/srv/image/aws", Path("/srv/image/aws")),
    "state_dir": ("/srv/image/state", Path("/srv/image/state")),
}


def refused(pillar: Any, **layers: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidInput) as caught:
        load(pillar=pillar, **layers)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


# --- what is read -----------------------------------------------------------------------------------


def test_nothing_set_gives_the_defaults() -> None:
    assert load() == load(minion={}, pillar=None, arguments={}) == Settings()
    found = load()
    assert found.baseline == "default"
    assert found.reboot == RebootSettings("RebootIfNeeded", 1, config.REBOOT_MESSAGE, (), 3)
    assert (found.root, found.lock_timeout, found.refresh_timeout, found.refresh_max_age) == (Path("/"), 600, 300, 0)
    assert (found.approval_delay, found.upload, found.aws) == ("published", "auto", None)
    assert found.aws_dir == Path("/var/log/amazon/ssm/patch-configuration")
    assert found.state_dir == Path("/var/lib/ssmpatch")


def test_settings_cannot_be_changed() -> None:
    found = load(pillar={"aws": {}})
    for value, name in ((found, "upload"), (found.reboot, "delay"), (found.aws, "region")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, "x")


def test_every_key_is_read() -> None:
    assert set(EVERY_KEY) == {field.name for field in dataclasses.fields(Settings)} - {"warnings"}
    found = load(pillar={key: value for key, (value, _) in EVERY_KEY.items()})
    assert {key: getattr(found, key) for key in EVERY_KEY} == {key: parsed for key, (_, parsed) in EVERY_KEY.items()}
    assert found.warnings == ()


@pytest.mark.parametrize("key", EVERY_KEY)
def test_null_is_not_set(key: str) -> None:
    assert load(pillar={key: None}) == Settings()


def test_null_does_not_hide_what_is_below() -> None:
    assert load(minion={"lock_timeout": 5}, pillar={"lock_timeout": None}, arguments={}).lock_timeout == 5


def test_later_layers_win_key_by_key_at_every_depth() -> None:
    found = load(
        minion={"reboot": {"option": "NoReboot", "delay": 2, "message": "m"}, "lock_timeout": 1, "product": "A"},
        pillar={"reboot": {"delay": 3, "message": "p"}, "lock_timeout": 2},
        arguments={"reboot": {"message": "a"}, "lock_timeout": 3},
    )
    assert (found.reboot.option, found.reboot.delay, found.reboot.message) == ("NoReboot", 3, "a")
    assert (found.lock_timeout, found.product) == (3, "A")


def test_lists_replace_and_mappings_grow() -> None:
    found = load(
        minion={"hooks": {"on_exit": ["a.b", "c.d"]}, "baselines": {"web": {}}, "baseline_override": [baseline()]},
        pillar={"hooks": {"on_exit": ["e.f"]}, "baselines": {"db": {}}, "baseline_override": "salt://x.json"},
    )
    assert found.hooks["on_exit"] == (Hook("e.f"),)
    assert set(found.baselines) == {"web", "db"}
    assert found.baseline_override == "salt://x.json"


def test_loading_changes_none_of_its_layers() -> None:
    minion: dict[str, Any] = {"reboot": {"delay": 2}}
    load(minion=minion, pillar={"reboot": {"option": "NoReboot"}})
    assert minion == {"reboot": {"delay": 2}}


def test_another_root_keeps_its_files_below_itself() -> None:
    found = load(pillar={"root": "/srv/image"})
    assert found.aws_dir == Path("/srv/image/var/log/amazon/ssm/patch-configuration")
    assert found.state_dir == Path("/srv/image/var/lib/ssmpatch")
    found = load(pillar={"aws_dir": "/srv/image/a"}, arguments={"root": "/srv/image"})
    assert (found.aws_dir, found.state_dir) == (Path("/srv/image/a"), Path("/srv/image/var/lib/ssmpatch"))


def test_directories_that_several_roots_would_share_are_warned_about() -> None:
    found = load(pillar={"root": "/srv/image", "state_dir": "/var/lib/ssmpatch"})
    assert found.state_dir == Path("/var/lib/ssmpatch")
    assert found.warnings == (
        "ssmpatch:state_dir: /var/lib/ssmpatch is not below the root /srv/image, so other roots may share it",
    )
    assert load(pillar={"root": "/", "state_dir": "/srv/x"}).warnings == ()


def test_reboot_windows_without_reboots_are_warned_about() -> None:
    found = load(pillar={"reboot": {"option": "NoReboot", "windows": [WINDOW]}})
    assert found.warnings == ("ssmpatch:reboot:windows: no effect with the option NoReboot",)


@pytest.mark.parametrize(
    ("reboot", "warned"),
    [({}, 1), ({"option": "RebootIfRequired"}, 0), ({"option": "NoReboot"}, 0), ({"windows": [WINDOW]}, 0)],
)
def test_restarts_that_reboots_leave_no_room_for_are_warned_about(reboot: dict[str, Any], warned: int) -> None:
    found = load(pillar={"restart": "services", "reboot": reboot}).warnings
    assert [text[:39] for text in found] == ["ssmpatch:restart: with RebootIfNeeded a"] * warned
    assert load(pillar={"restart": "report", "reboot": reboot}).warnings == ()


@pytest.mark.parametrize(
    ("value", "meaning"), [(True, "always"), (False, "never"), ("always", "always"), ("auto", "auto")]
)
def test_upload_may_be_a_truth_value(value: Any, meaning: str) -> None:
    assert load(pillar={"upload": "never"}, arguments={"upload": value}).upload == meaning


@pytest.mark.parametrize(
    ("value", "seconds"), [(0, 0), (90, 90), ("90", 90), ("1d", 86400), ("90s", 90), ("30m", 1800), ("1h30m", 5400)]
)
def test_times_may_be_durations(value: Any, seconds: int) -> None:
    assert load(pillar={"lock_timeout": value}).lock_timeout == seconds
    assert load(pillar={"refresh_max_age": value}).refresh_max_age == seconds


@pytest.mark.parametrize(
    ("written", "hooks"),
    [
        ([], ()),
        (["test.ping"], (Hook("test.ping"),)),
        ("test.ping", (Hook("test.ping"),)),
        ({"test.ping": []}, (Hook("test.ping"),)),
        ([{"test.ping": None}], (Hook("test.ping"),)),
        ([{"test.echo": "x"}, {"test.sleep": [1]}], (Hook("test.echo", ("x",)), Hook("test.sleep", (1,)))),
        (
            [{"state.apply": ["web", {"test": True}, {"queue": 3}]}],
            (Hook("state.apply", ("web",), {"test": True, "queue": 3}),),
        ),
        ([{"state.apply": {"mods": "web"}}], (Hook("state.apply", (), {"mods": "web"}),)),
    ],
)
def test_hooks_are_salt_functions_as_module_run_takes_them(written: Any, hooks: tuple[Hook, ...]) -> None:
    assert load(pillar={"hooks": {"on_exit": written}}).hooks["on_exit"] == hooks


def test_a_window_that_is_no_list_does_not_hide_what_is_wrong_in_it() -> None:
    mapping = {"days": ["sut"], "start": "02:00", "lenght": "4h"}
    found = config.problems({"reboot": {"windows": mapping}}, None)
    assert [line.partition(";")[0] for line in found] == [
        "ssmpatch:reboot:windows: {'days': ['sut'], 'start': '02:00', 'lenght': '4h'} is not allowed",
        "ssmpatch:reboot:windows.lenght: unknown key",
        "ssmpatch:reboot:windows.days: 'sut' is not a day",
        "ssmpatch:reboot:windows.duration: missing",
    ]


def test_windows_are_parsed() -> None:
    nth = {"nth": "2nd tue", "offset_days": 3, "start": "22:00", "duration": "6h"}
    found = load(pillar={"reboot": {"windows": [WINDOW, nth]}, "window": nth})
    assert found.reboot.windows[0] == PARSED_WINDOW
    assert found.window == found.reboot.windows[1]
    assert found.window is not None
    assert found.window.nth == "2nd tue"


# --- AWS ----------------------------------------------------------------------------------------------


def test_every_aws_key_is_read() -> None:
    written = {
        "region": "us-gov-west-1",
        "instance_id": "mi-0123456789abcdef0",
        "profile": "patching",
        "role_arn": "arn:aws-us-gov:iam::123456789012:role/path/patching",
        "endpoint_url": "http://127.0.0.1:5000",
        "use_dualstack_endpoint": True,
        "use_fips_endpoint": True,
        "allow_imdsv1": True,
        "snapshot_max_age": "3d",
        "baseline_tags": "Key=Environment,Values=prod,staging eu",
        "association_id": "01234567-89ab-cdef-0123-456789abcdef",
    }
    found = load(pillar={"aws": written}).aws
    assert found is not None
    assert set(written) | {"baseline"} == {field.name for field in dataclasses.fields(AwsSettings)}
    assert found.baseline_tags == BaselineTags("Environment", ("prod", "staging eu"))
    assert found.snapshot_max_age == 3 * 86400
    assert all(getattr(found, key) == written[key] for key in written.keys() - {"baseline_tags", "snapshot_max_age"})
    assert AwsSettings().snapshot_max_age == 7 * 86400


@pytest.mark.parametrize(
    "pillar", [{"aws": {}}, {"baseline": "aws"}, {"upload": "always"}, {"aws": None, "baseline": "aws"}]
)
def test_aws_is_configured_by_its_section_or_where_it_is_needed(pillar: dict[str, Any]) -> None:
    assert load(pillar=pillar).aws == AwsSettings()


@pytest.mark.parametrize("name", ["pb-0123456789abcdef0", "web-prod", "arn:aws:ssm:us-east-1:1:patchbaseline/pb-01"])
def test_a_baseline_of_aws_may_be_named(name: str) -> None:
    found = load(pillar={"aws": {"baseline": name}}).aws
    assert found is not None
    assert found.baseline == name


# --- what is refused ----------------------------------------------------------------------------------

WRONG: list[tuple[Any, str]] = [
    ({"basline": "default"}, "ssmpatch: unknown key 'basline'; did you mean baseline?"),
    ({"zzz": 1}, "ssmpatch: unknown key 'zzz'; known keys are advisories, approval_delay, aws, aws_dir, baseline, "),
    ({1: 1}, "ssmpatch: unknown key 1"),
    ([1], "ssmpatch (pillar): [1] is a list; use a mapping"),
    ("x", "ssmpatch (pillar): 'x' is text; use a mapping"),
    (
        {"baseline": "web"},
        "ssmpatch:baseline: 'web' is not allowed; use default, aws or a name from baselines (there is none)",
    ),
    ({"baseline": "wbe", "baselines": {"web": {}}}, "use default, aws or a name from baselines (web)"),
    ({"baseline": 3}, "ssmpatch:baseline: 3 is not allowed; use default, aws, a name from baselines or a mapping"),
    ({"baseline": ""}, "ssmpatch:baseline: '' is not allowed"),
    ({"baseline": [baseline()]}, "use default, aws, a name from baselines or a mapping"),
    ({"baseline": {"OperatingSystem": "WINDOWS"}}, "ssmpatch:baseline:OperatingSystem: WINDOWS is not Linux"),
    (
        {"baselines": {"web": baseline(ApprovalRules={"PatchRules": [rule(ApproveAfterDays=400)]})}},
        "ssmpatch:baselines:web:ApprovalRules.PatchRules[0].ApproveAfterDays: 400 is not allowed; use 0 to 360",
    ),
    ({"baselines": {"web": None}}, "ssmpatch:baselines:web: nothing; use a mapping"),
    ({"baselines": {"default": {}}}, "ssmpatch:baselines:default: default has a meaning of its own; use another name"),
    ({"baselines": {"aws": {}}}, "ssmpatch:baselines:aws: aws has a meaning of its own"),
    ({"baselines": {7: {}}}, "ssmpatch:baselines: unknown key 7"),
    ({"baselines": []}, "ssmpatch:baselines: [] is a list; use a mapping"),
    (
        {"baseline_override": 3},
        "ssmpatch:baseline_override: 3 is not allowed; use a location (s3://, https://, salt://, a path) or a list",
    ),
    ({"install_override_list": []}, "ssmpatch:install_override_list: [] is not allowed; use a location"),
    ({"frozen": True}, "ssmpatch:frozen: True is not allowed; use a location"),
    (
        {"patch_group": 2024},
        "ssmpatch:patch_group: 2024 is not allowed; use at most 256 letters, digits or _.:/=+-@, in quotes",
    ),
    ({"patch_group": "x" * 257}, "ssmpatch:patch_group: "),
    ({"patch_group": "a;b"}, "ssmpatch:patch_group: 'a;b' is not allowed"),
    ({"operating_system": "WINDOWS"}, "ssmpatch:operating_system: 'WINDOWS' is not allowed; use AMAZON_LINUX, "),
    ({"operating_system": "Debian"}, "ssmpatch:operating_system: 'Debian' is not allowed"),
    ({"product": "*"}, "ssmpatch:product: '*' is not allowed; use a product such as Debian12"),
    ({"product": 12}, "ssmpatch:product: 12 is not allowed"),
    ({"package_manager": "pacman"}, "ssmpatch:package_manager: 'pacman' is not allowed; use apt, zypper, dnf or yum"),
    ({"root": "srv"}, "ssmpatch:root: 'srv' is not allowed; use an absolute path"),
    ({"state_dir": 1}, "ssmpatch:state_dir: 1 is not allowed; use an absolute path"),
    ({"aws_dir": "/a\0b"}, "ssmpatch:aws_dir: "),
    ({"reboot": "NoReboot"}, "ssmpatch:reboot: 'NoReboot' is text; use a mapping"),
    (
        {"reboot": {"option": "Reboot"}},
        "ssmpatch:reboot:option: 'Reboot' is not allowed; use RebootIfNeeded, NoReboot or RebootIfRequired",
    ),
    ({"reboot": {"option": False}}, "ssmpatch:reboot:option: False is not allowed"),
    ({"reboot": {"delay": -1}}, "ssmpatch:reboot:delay: -1 is not allowed; use 0 to 10080"),
    ({"reboot": {"delay": "5m"}}, "ssmpatch:reboot:delay: '5m' is not allowed"),
    ({"reboot": {"delay": True}}, "ssmpatch:reboot:delay: True is not allowed"),
    ({"reboot": {"max_attempts": 0}}, "ssmpatch:reboot:max_attempts: 0 is not allowed; use 1 to 100"),
    ({"reboot": {"message": 5}}, "ssmpatch:reboot:message: 5 is not allowed"),
    ({"reboot": {"windows": WINDOW}}, "ssmpatch:reboot:windows: "),
    (
        {"reboot": {"windows": [WINDOW, {"start": "25:00"}]}},
        "ssmpatch:reboot:windows[1].start: '25:00' is not a time of day",
    ),
    ({"reboot": {"window": []}}, "ssmpatch:reboot: unknown key 'window'; did you mean windows?"),
    ({"window": {"start": "02:00"}}, "ssmpatch:window.duration: missing"),
    ({"window": "always"}, "ssmpatch:window: 'always' is not a mapping"),
    ({"hooks": {"before": []}}, "ssmpatch:hooks: unknown key 'before'"),
    ({"hooks": {"on_exit": 3}}, "ssmpatch:hooks:on_exit: 3 is not allowed; use a list of Salt functions"),
    ({"hooks": {"on_exit": [3]}}, "ssmpatch:hooks:on_exit[0]: 3 is not allowed; use a Salt function"),
    ({"hooks": {"on_exit": ["a.b", {}]}}, "ssmpatch:hooks:on_exit[1]: {} is not allowed"),
    (
        {"hooks": {"on_exit": ["reboot"]}},
        "ssmpatch:hooks:on_exit[0]: 'reboot' is no Salt function; use module.function",
    ),
    ({"hooks": {"on_exit": [{3: []}]}}, "ssmpatch:hooks:on_exit[0]: 3 is no Salt function"),
    (
        {"lock_timeout": "soon"},
        "ssmpatch:lock_timeout: 'soon' is not allowed; use seconds from 0 to 86400, or a duration such as",
    ),
    ({"lock_timeout": -1}, "ssmpatch:lock_timeout: -1 is not allowed"),
    ({"lock_timeout": 1.5}, "ssmpatch:lock_timeout: 1.5 is not allowed"),
    ({"lock_timeout": True}, "ssmpatch:lock_timeout: True is not allowed"),
    ({"lock_timeout": "2d"}, "ssmpatch:lock_timeout: '2d' is not allowed"),
    (
        {"refresh_max_age": 31 * 86400},
        "ssmpatch:refresh_max_age: 2678400 is not allowed; use seconds from 0 to 2592000",
    ),
    ({"approval_delay": "none"}, "ssmpatch:approval_delay: 'none' is not allowed; use published or first_seen"),
    ({"upload": "sometimes"}, "ssmpatch:upload: 'sometimes' is not allowed; use auto, always or never"),
    ({"aws": True}, "ssmpatch:aws: True is a truth value; use a mapping"),
    ({"aws": {"regoin": "x"}}, "ssmpatch:aws: unknown key 'regoin'; did you mean region?"),
    (
        {"aws": {"region": "Frankfurt"}},
        "ssmpatch:aws:region: 'Frankfurt' is not allowed; use a region such as eu-central-1",
    ),
    (
        {"aws": {"region": "eu-west-1a"}},
        "ssmpatch:aws:region: 'eu-west-1a' is not allowed; use a region such as eu-central-1",
    ),
    (
        {"aws": {"instance_id": "web1"}},
        "ssmpatch:aws:instance_id: 'web1' is not allowed; use an id such as i-0123456789abcdef0",
    ),
    ({"aws": {"role_arn": "patching"}}, "ssmpatch:aws:role_arn: 'patching' is not allowed; use the ARN of a role"),
    (
        {"aws": {"endpoint_url": "ssm.example.com"}},
        "ssmpatch:aws:endpoint_url: 'ssm.example.com' is not allowed; use an http(s) address",
    ),
    ({"aws": {"use_fips_endpoint": "yes"}}, "ssmpatch:aws:use_fips_endpoint: 'yes' is not allowed; use true or false"),
    ({"aws": {"snapshot_max_age": "never"}}, "ssmpatch:aws:snapshot_max_age: 'never' is not allowed"),
    (
        {"aws": {"baseline": "a b"}},
        "ssmpatch:aws:baseline: 'a b' is not allowed; use the id, ARN or name of a baseline",
    ),
    (
        {"aws": {"baseline_tags": "prod"}},
        "ssmpatch:aws:baseline_tags: 'prod' is not allowed; use Key=name,Values=value",
    ),
    ({"aws": {"baseline_tags": "Key=a,Values=b$"}}, "ssmpatch:aws:baseline_tags: "),
    ({"aws": {"baseline_tags": {"a": "b"}}}, "ssmpatch:aws:baseline_tags: "),
    (
        {"aws": {"baseline": "web", "baseline_tags": "Key=a,Values=b"}},
        "ssmpatch:aws:baseline_tags: not together with ssmpatch:aws:baseline; remove one of them",
    ),
    ({"aws": {"association_id": "1"}}, "ssmpatch:aws:association_id: '1' is not allowed; use the id of an association"),
]


@pytest.mark.parametrize(("pillar", "problem"), WRONG, ids=[f"{i}-{row[1][:40]}" for i, row in enumerate(WRONG)])
def test_what_is_wrong_is_refused_with_its_path_and_what_is_allowed(pillar: Any, problem: str) -> None:
    found = refused(pillar)
    assert [each for each in found if problem in each], found
    assert config.problems({}, pillar) == list(found)


@pytest.mark.parametrize("layer", ["minion", "pillar", "arguments"])
def test_every_layer_is_checked(layer: str) -> None:
    assert refused(**{"pillar": None, layer: {"upload": "x"}}) == (
        "ssmpatch:upload: 'x' is not allowed; use auto, always or never",
    )


def test_all_problems_are_told_at_once() -> None:
    pillar = {"upload": "x", "aws": {"region": 1}, "baselines": {"a": {"Name": 1, "Nam": 2}}, "more": 1}
    assert len(refused(pillar)) == 5


def test_a_valid_configuration_has_no_problems() -> None:
    assert config.problems({"lock_timeout": 5}, {key: value for key, (value, _) in EVERY_KEY.items()}) == []


# --- anything at all ----------------------------------------------------------------------------------


@settings(max_examples=200)
@example({"baselines": {None: None, "\n": None}})
@example({"window": {"\n": None}})
@example({"baselines": {"name\n": {}}, "baseline": "name"})
@given(st.dictionaries(st.sampled_from(list(EVERY_KEY)) | st.text(max_size=5), ANYTHING, max_size=4) | ANYTHING)
def test_any_configuration_is_read_or_refused_with_paths(pillar: Any) -> None:
    for problem in config.problems(None, pillar):
        assert re.match(r"ssmpatch\b.*: ", problem), problem
        assert "\n" not in problem


SECTIONS = {
    "reboot": ["option", "delay", "message", "windows", "max_attempts"],
    "aws": [field.name for field in dataclasses.fields(AwsSettings)],
    "hooks": list(config.HOOKS),
    "window": ["days", "start", "duration", "timezone", "nth", "offset_days"],
}


@settings(max_examples=250)
@given(st.sampled_from([(section, key) for section, keys in SECTIONS.items() for key in keys]), ANYTHING)
def test_any_value_of_any_inner_key_is_read_or_refused(place: tuple[str, str], value: Any) -> None:
    section, key = place
    base = {"start": "02:00", "duration": "1h"} if section == "window" else {}
    for problem in config.problems(None, {section: base | {key: value}}):
        assert problem.startswith(f"ssmpatch:{section}"), problem


@settings(max_examples=60)
@given(baselines(), st.sampled_from(["one", "two"]))
def test_valid_baselines_are_accepted_wherever_they_may_stand(document: dict[str, Any], name: str) -> None:
    assert load(pillar={"baselines": {name: document}, "baseline": name}).baselines[name] == document
    assert load(pillar={"baseline": document}).baseline == document


def test_the_order_of_layers_holds_for_every_pair() -> None:
    layers = ("minion", "pillar", "arguments")
    for lower, higher in itertools.combinations(layers, 2):
        found = load(**{lower: {"lock_timeout": 1}, higher: {"lock_timeout": 2}})
        assert found.lock_timeout == 2

# SPDX-License-Identifier: Apache-2.0
"""pillar.example: valid as it stands and with its comments taken away, with every key there is."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ssmpatchlib import config, windows
from ssmpatchlib.baseline.parse import parse_baseline

TEXT = (Path(__file__).resolve().parents[2] / "pillar.example").read_text()


def uncommented() -> dict[str, Any]:
    """The example with the settings that it shows in comments switched on."""
    lines = []
    for line in TEXT.splitlines():
        match = re.fullmatch(r"( +)# ((?:  )*(\w+):( .*)?)", line)
        known = match and match[3] in KEYS
        lines.append(f"{match[1]}{match[2]}" if match and known else line)
    document = yaml.safe_load("\n".join(lines))["ssmpatch"]
    assert isinstance(document, dict)
    return document


def fields(value: type) -> set[str]:
    return {field.name for field in dataclasses.fields(value)}


KEYS = (fields(config.Settings) | fields(config.AwsSettings)) - {"warnings"}


def test_it_is_valid_as_it_stands() -> None:
    document = yaml.safe_load(TEXT)["ssmpatch"]
    assert config.problems(None, document) == []
    assert config.load(pillar=document).warnings == ()


@pytest.mark.parametrize("layer", ["minion", "pillar"])
def test_with_every_setting_switched_on_only_alternatives_exclude_each_other(layer: str) -> None:
    document = uncommented()
    # The example shows both ways to pick one of AWS's baselines; a configuration has one.
    tags = document["aws"].pop("baseline_tags")
    assert config.load(**{layer: document}).warnings == ()
    document["aws"]["baseline_tags"] = tags
    del document["aws"]["baseline"]
    assert config.load(**{layer: document}).warnings == ()


def test_it_shows_every_key_and_no_other() -> None:
    document = uncommented()
    assert set(document) == fields(config.Settings) - {"warnings"}
    assert set(document["aws"]) == fields(config.AwsSettings)
    assert set(document["reboot"]) == fields(config.RebootSettings)
    assert set(document["hooks"]) == set(config.HOOKS)
    assert set(document["window"]) | set(document["reboot"]["windows"][0]) == fields(windows.Window)


def test_its_baselines_are_read() -> None:
    document = yaml.safe_load(TEXT)["ssmpatch"]
    for name, baseline in document["baselines"].items():
        found = parse_baseline(baseline, origin=f"pillar: {name}", name=name)
        assert found.rules
        assert found.operating_system


def test_what_it_calls_a_default_is_the_default() -> None:
    document = yaml.safe_load(TEXT)["ssmpatch"]
    settings = config.load(pillar=document)
    defaults = config.Settings()
    for name in (
        "root",
        "lock_timeout",
        "refresh_max_age",
        "approval_delay",
        "progress_events",
        "upload",
        "aws_dir",
        "state_dir",
    ):
        assert name in document
        assert getattr(settings, name) == getattr(defaults, name), name
    for name in ("option", "delay", "message", "max_attempts"):
        assert document["reboot"][name] == getattr(defaults.reboot, name)
    aws = config.AwsSettings()
    for name in ("use_dualstack_endpoint", "use_fips_endpoint", "allow_imdsv1", "snapshot_max_age"):
        read = config.load(pillar={"aws": {name: uncommented()["aws"][name]}}).aws
        assert getattr(read, name) == getattr(aws, name), name

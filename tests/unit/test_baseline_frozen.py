# SPDX-License-Identifier: Apache-2.0
"""Frozen sets: what freeze builds is what frozen reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib.baseline.frozen import build_frozen, parse_frozen
from ssmpatchlib.errors import InvalidInput
from support.baselines import ANYTHING

VERSIONS = {"zlib1g.amd64": "1:1.2.13.dfsg-1", "bash.amd64": "5.2.15-2+b2"}


def document(**changes: Any) -> dict[str, Any]:
    built = build_frozen(
        operating_system="DEBIAN",
        product="Debian12",
        created=1_700_000_000.9,
        baseline="pb-09a5f8eb62bde80b1",
        packages=VERSIONS,
    )
    return built | changes


def test_the_document_has_the_promised_shape() -> None:
    assert json.dumps(document()) == json.dumps(
        {
            "ssmpatch_frozen": 1,
            "operating_system": "DEBIAN",
            "product": "Debian12",
            "created": "2023-11-14T22:13:20Z",
            "baseline": "pb-09a5f8eb62bde80b1",
            "packages": {"bash.amd64": "5.2.15-2+b2", "zlib1g.amd64": "1:1.2.13.dfsg-1"},
        }
    )


@pytest.mark.parametrize("spell", [json.dumps, lambda value: value])
def test_what_was_built_is_read(spell: Any) -> None:
    found = parse_frozen(spell(document()), origin="salt://frozen.json", operating_system="DEBIAN")
    assert (dict(found.versions), found.origin) == (VERSIONS, "salt://frozen.json")


def test_the_text_form_may_be_yaml() -> None:
    text = "ssmpatch_frozen: 1\npackages:\n  bash.amd64: 5.2.15-2+b2\n"
    assert dict(parse_frozen(text, origin="x").versions) == {"bash.amd64": "5.2.15-2+b2"}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "use a document that ssmpatch.freeze returned"),
        ({"packages": {}}, "use a document that ssmpatch.freeze returned"),
        ([], "use a document that ssmpatch.freeze returned"),
        (document(ssmpatch_frozen=2), "ssmpatch_frozen: 2 is not allowed; use 1, the only format there is"),
        (document(operating_system="UBUNTU"), "operating_system: frozen for UBUNTU, but this host is DEBIAN"),
        (document(operating_system="BEOS"), "operating_system: 'BEOS' is not allowed; use AMAZON_LINUX"),
        (document(extra=1), "document: unknown key 'extra'"),
        (document(packages=["bash"]), "packages: ['bash'] is a list; use a mapping of name.arch to version"),
        (document(packages=None), "packages: None is nothing; use a mapping"),
        (document(packages={"bash.amd64": 1.1}), "packages.bash.amd64: 1.1 is not allowed; use a version, in quotes"),
        (document(packages={"bash.amd64": ""}), "packages.bash.amd64: '' is not allowed; use a version"),
        (document(packages={"bash.amd64": "1 2"}), "packages.bash.amd64: '1 2' is not allowed"),
        (document(packages={"bash.amd64": "zzz:;rm"}), "packages.bash.amd64: 'zzz:;rm' is not allowed"),
        (document(packages={"bash.amd64": "--force"}), "packages.bash.amd64: '--force' is not allowed"),
        (document(packages={"bash": "1"}), "packages: 'bash' is not allowed; use name.arch"),
        (document(packages={"-o=x.amd64": "1"}), "packages: '-o=x.amd64' is not allowed; use name.arch"),
        (document(packages={"\x1b[31mx.amd64": "1"}), "packages: '\\x1b[31mx.amd64' is not allowed; use name.arch"),
        (document(packages={3: "1"}), "packages: 3 is not allowed; use name.arch"),
    ],
)
def test_a_wrong_document_is_refused(value: Any, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_frozen(value, origin="x", operating_system="DEBIAN")
    assert problem in caught.value.problems[0]


NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{0,10}\.(amd64|all|arm64)", fullmatch=True)
VERSION = st.from_regex(r"([0-9]:)?[0-9][0-9a-z.+~-]{0,10}", fullmatch=True)


@settings(max_examples=100)
@given(st.dictionaries(NAMES, VERSION, max_size=5))
def test_every_set_survives(packages: dict[str, str]) -> None:
    built = document(packages=packages)
    assert dict(parse_frozen(json.dumps(built), origin="x").versions) == packages


@settings(max_examples=150)
@given(ANYTHING | st.fixed_dictionaries({"ssmpatch_frozen": st.just(1) | ANYTHING, "packages": ANYTHING}))
def test_anything_is_read_or_refused(value: Any) -> None:
    try:
        parse_frozen(value, origin="x")
    except InvalidInput as exc:
        assert exc.problems

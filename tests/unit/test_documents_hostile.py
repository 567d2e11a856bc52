# SPDX-License-Identifier: Apache-2.0
"""Documents and settings that are hostile: refused with short words that quote no file, whatever they hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from ssmpatchlib import config, windows
from ssmpatchlib.baseline import frozen, override, parse
from ssmpatchlib.errors import InvalidInput
from ssmpatchlib.input_errors import show
from ssmpatchlib.operation import hooks

LONG = 10**5000
#: Readers of documents, each given as text.
READERS: dict[str, Callable[[str], Any]] = {
    "BaselineOverride": lambda text: override.parse_baseline_override(text, operating_system="DEBIAN", location="x"),
    "InstallOverrideList": lambda text: override.parse_install_override_list(text, location="x"),
    "frozen": lambda text: frozen.parse_frozen(text, origin="x", operating_system="DEBIAN"),
}
TAGGED = (
    "!!timestamp x", "!!bool maybe", "!!int x", "!!int ''", "!!float x", "!!float ''", "!!null x", "!!set {a, b}",
    "!!omap [a: 1]", "!!pairs [a: 1]", "!!binary '%'", "!!str [a]", "!!seq a", "!!map a", "!x y", "!!python/none x",
    "!!python/object/apply:os.system [x]", "!!timestamp 2024-13-45", "!!timestamp 2024-01-01", "!!bool yes",
    "!!float 1e999", ".nan", "-.inf", "0x" + "f" * 5000, "9" * 5000, "1:" * 3000 + "1", "=",
    "<<", "!!merge x", "!!value x",
)  # fmt: skip
SHAPES = ("- {}", "{}", "patches: {}", "patches: [{}]", "patches: [{{id: {}}}]", "patches: [{{id: a, title: {}}}]",
          "[{{OperatingSystem: {}}}]", "[{{OperatingSystem: DEBIAN, ApprovedPatches: {}}}]", "{{{}: 1}}",
          "{{ssmpatch_frozen: {}}}", "{{ssmpatch_frozen: 1, operating_system: DEBIAN, packages: {{a.b: {}}}}}",
          "[{{OperatingSystem: DEBIAN, ApprovalRules: {{PatchRules: [{{ApproveAfterDays: {}}}]}}}}]")  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", READERS)
def test_explicit_tags_and_long_numbers_are_values_or_refused(name: str, shape: str) -> None:
    for tagged in TAGGED:
        try:
            READERS[name](shape.format(tagged))
        except InvalidInput as exc:
            assert len(str(exc)) < 3000, tagged


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "text",
    [
        "[" + ", ".join(["{OperatingSystem: DEBIAN}"] * 30_000) + "]",
        "[" + ", ".join(["x"] * 100_000) + "]",
        "{" + ", ".join(f"k{number}: 1" for number in range(60_000)) + "}",
        "[{OperatingSystem: DEBIAN, " + ", ".join(f"ApprovedPatches{number}: 1" for number in range(30_000)) + "}]",
        "[{OperatingSystem: DEBIAN, ApprovedPatches: [" + ", ".join(["''"] * 100_000) + "]}]",
        "patches: [" + ", ".join(["{id: [1]}"] * 10_000) + "]",
        "{ssmpatch_frozen: 1, packages: {" + ", ".join(f"'a {number}': 1" for number in range(30_000)) + "}}",
        "{ssmpatch_frozen: 1, packages: {" + ", ".join(f"a.{number}: ''" for number in range(30_000)) + "}}",
        "{" + "x" * 900_000 + ": 1}",
        "[{OperatingSystem: " + "x" * 900_000 + "}]",
    ],
    ids=map(str, range(10)),
)
def test_errors_are_short(name: str, text: str) -> None:
    try:
        READERS[name](text)
    except InvalidInput as exc:
        assert len(str(exc)) < 25_000 and len(exc.problems) <= 21


@pytest.mark.parametrize("name", READERS)
def test_aliases_do_not_blow_up_in_a_message(name: str) -> None:
    levels = "\n".join(f"a{level}: &a{level} [*a{level - 1}, *a{level - 1}]" for level in range(1, 10))
    text = f"patches: {{x: &x 1}}\na0: &a0 [{', '.join(['b'] * 100_000)}]\n{levels}\nssmpatch_frozen: *a9\n"
    with pytest.raises(InvalidInput) as caught:
        READERS[name](text)
    assert len(str(caught.value)) < 3000


FILES = {
    "shadow": "root:$6$hunter2$:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\nhunter2:!:1::::::\n",
    "one word": "hunter2",
    "number": "1234567890123",
    "key": "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
    "ini": "[main]\npassword = hunter2\n",
    "mapping": "password: hunter2\nuser: root\nnested: {token: hunter2}\n",
    "list": "- hunter2 and more\n- password: hunter2\n",
    "lists": "- [hunter2, {a: hunter2}]",
    "alias": "a: *hunter2",
    "tag": "a: !hunter2 b",
    "anchor": "a: &hunter2 b\nc: &hunter2 d",
    "quotes": "a: 'hunter2' hunter2",
    "directive": "%HUNTER2 hunter2\n--- a",
    "escape": '"\\hunter2"',
    "number tag": "a: !!int hunter2",
    "xml": "<a>hunter2</a>",
    "json": '{"password": "hunter2", "more": hunter2}',
    "block": "a: |\n hunter2\nb: >hunter2",
    "tab": "\thunter2",
    "nul": "a\0hunter2",
    "many": "{" + ", ".join(f"hunter2{number}: x" for number in range(50)) + "}",
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", READERS)
def test_a_file_that_is_no_such_document_is_not_quoted(name: str, file: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        READERS[name](FILES[file])
    words = f"{caught.value} {caught.value.problems}".lower()
    assert "hunter2" not in words and "1234567890123" not in words, words


HERE = {"start": "02:00", "duration": "4h"}


@pytest.mark.parametrize("key", ["start", "duration", "days", "nth", "offset_days", "timezone"])
def test_numbers_of_any_length_in_windows(key: str) -> None:
    for value in (LONG, -LONG, [LONG], {LONG: LONG}, float("nan"), b"x" * 9999, "9" * 9999, [[[[LONG]]]] * 9999):
        with pytest.raises(InvalidInput) as caught:
            windows.parse_window({**HERE, key: value}, "windows[0]")
        assert len(str(caught.value)) < 500
    with pytest.raises(InvalidInput):
        windows.parse_window({**HERE, LONG: 1}, "windows[0]")


VALUES = [LONG, [LONG], {LONG: LONG}, {"a": LONG}, {"test.ping": {LONG: LONG}}, float("inf")]


@pytest.mark.parametrize("value", VALUES, ids=map(str, range(len(VALUES))))
def test_numbers_of_any_length_anywhere_in_the_configuration(value: Any) -> None:
    for name in (*(field.name for field in dataclasses.fields(config.Settings)), "hooks", "reboot", "aws", "unknown"):
        for given in ({name: value}, {name: [value]}, {name: {"x": value}}, {name: {"pre_install": [value]}}):
            try:
                config.load(minion=given, pillar={LONG: 1} if name == "unknown" else None)
            except InvalidInput as exc:
                assert len(str(exc)) < 3000


def test_what_a_hook_answers_is_shown_in_short() -> None:
    assert len(show([LONG] * 1000, hooks._LONGEST)) <= hooks._LONGEST  # noqa: SLF001


SHOWN: list[Any] = [LONG, [LONG], "x" * 100, {"a": ["b"] * 99}, None, [], (1,), {1: {2: {3: 4}}}, b"ab"]


@pytest.mark.parametrize("value", SHOWN, ids=map(str, range(len(SHOWN))))
def test_short_values_are_shown_as_python_writes_them(value: Any) -> None:
    said = show(value)
    assert len(said) <= 60
    if value not in (LONG, [LONG]) and len(repr(value)) <= 60:
        assert said == repr(value)


def test_a_value_that_holds_itself_is_shown() -> None:
    value: list[Any] = []
    value.append(value)
    assert len(show(value)) <= 60 and len(show({"a": value})) <= 60


def test_a_baseline_of_long_numbers_is_refused() -> None:
    for data in (LONG, [LONG], {"Name": LONG}, {LONG: 1}, {"ApprovalRules": LONG}, {"Sources": [{"Name": LONG}]}):
        with pytest.raises(InvalidInput) as caught:
            parse.parse_baseline(data, origin="x")
        assert len(str(caught.value)) < 3000

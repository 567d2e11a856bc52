# SPDX-License-Identifier: Apache-2.0
"""JSON and YAML from elsewhere: meaning, bounds, and no way to do harm."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib import documents
from ssmpatchlib.errors import InvalidInput


def load(text: str, **arguments: bool) -> object:
    return documents.load(text, subject="document (x)", code=99, **arguments)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('[{"a": 1.5, "b": null}]', [{"a": 1.5, "b": None}]),
        ('\ufeff  {"a": []}', {"a": []}),
        ("a: 1\nb: [yes, 2024-06-01]\n", {"a": 1, "b": [True, dt.date(2024, 6, 1)]}),
        ("[{a: 1}]", [{"a": 1}]),
        ("", None),
        ("x: &one [1]\ny: *one\n", {"x": [1], "y": [1]}),
    ],
)
def test_json_and_yaml_are_read(text: str, value: object) -> None:
    assert load(text) == value


def test_without_scalars_every_word_stays_as_it_is_written() -> None:
    text = "{a: 1.10, b: 0x10, c: yes, d: 2024-06-01, e: 1e3, f: '5', g: null, h: , i: ~, j: 12:30}"
    assert load(text, scalars=False) == {
        "a": "1.10",
        "b": "0x10",
        "c": "yes",
        "d": "2024-06-01",
        "e": "1e3",
        "f": "5",
        "g": None,
        "h": None,
        "i": None,
        "j": "12:30",
    }


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "!!python/name:os.system",
        "- !unknown x",
        "{a: 1",
        "a: b: c",
        "a: 1\n---\nb: 2\n",
        "\x00",
        "? [a]\n: 1\n",
        "a: *nowhere",
        "a: 2024-13-45",
        "[1,",
        "[" + "9" * 5000 + "]",
        "a: \ud800",
    ],
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"document \(x\): not valid JSON or YAML: ") as caught:
        load(text)
    assert caught.value.code == 99
    assert "\n" not in str(caught.value)


def test_numbers_of_json_stay_as_they_are_written_too() -> None:
    assert load('{"a": 1.10, "b": [12345678901234567890123], "c": "x"}', scalars=False) == {
        "a": "1.10",
        "b": ["12345678901234567890123"],
        "c": "x",
    }


def test_an_error_has_its_line() -> None:
    with pytest.raises(InvalidInput, match=r"\(line 3, column \d+\)"):
        load("a: 1\nb: 2\n  c: 3\n")


@pytest.mark.parametrize("text", ["[" * 50 + "]" * 50, "- " * 50 + "x"])
def test_fifty_levels_are_read(text: str) -> None:
    assert isinstance(load(text), list)


def bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merge_bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 {x: y}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * width)}]}}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(10, 10), "more than 20 aliases"),
        (merge_bomb(10, 10), "more than 20 aliases"),
        ("[" * 51 + "]" * 51, "nested more than 50 levels"),
        ("[" * 200_000, "nested more than 50 levels"),
        ('{"a":' * 100_000, "nested more than 50 levels"),
        ("- " * 60 + "x", "nested more than 50 levels"),
        ("x" * (1024 * 1024 + 1), "at most 1048576 bytes"),
    ],
    ids=["aliases", "merges", "lists", "open-lists", "open-mappings", "block", "size"],
)
def test_what_would_blow_up_is_refused_at_once(text: str, message: str) -> None:
    start = time.process_time()
    with pytest.raises(InvalidInput, match=message):
        load(text)
    assert time.process_time() - start < 5


SAMPLE = """\
patches:
    - id: 'kernel.x86_64'
    - id: 'bind*.x86_64'
      title: '39.11.4-26.P2.amzn2.5.2'

      id: 'glibc*'
      title: '*2.26-57.amzn2'
    - id: 'libX11*'
"""


@pytest.mark.parametrize("scalars", [True, False])
@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (SAMPLE, "lines 3 and 6"),
        ("a: 1\nb: 2\na: 3\n", "lines 1 and 3"),
        ("[{a: 1,\n a: 2}]", "lines 1 and 2"),
        ('[{"a": 1,\n"b": [{"c": 1, "d": {},\n"c": {}}]}]', "lines 2 and 3"),
        ('{"a": {"b": 1},\n\t"a": 2}', ""),
        ("x: &x {a: 1}\ny: {<<: *x, b: 1, 'b': 2}", "lines 2 and 2"),
        ("? a\n: 1\n? a\n: 2\n", "lines 1 and 3"),
    ],
)
def test_a_key_that_is_there_twice_is_refused_with_its_lines(text: str, lines: str, scalars: bool) -> None:
    with pytest.raises(InvalidInput, match=f"{lines}.*the same key is there twice in one mapping") as caught:
        load(text, scalars=scalars)
    assert caught.value.code == 99
    assert "glibc" not in str(caught.value), "the document may be any file"


@pytest.mark.parametrize("scalars", [True, False])
def test_merge_keys_are_merged_and_what_stands_beside_them_wins(scalars: bool) -> None:
    text = "base: &a {id: bash, title: x}\nmore: &b {note: y}\n"
    assert load(
        text + "list: [{<<: *a}, {<<: *a, title: z}, {<<: [*a, *b]}, {title: z, <<: *a, <<: *b}]", scalars=scalars
    ) == {
        "base": {"id": "bash", "title": "x"},
        "more": {"note": "y"},
        "list": [
            {"id": "bash", "title": "x"},
            {"id": "bash", "title": "z"},
            {"id": "bash", "title": "x", "note": "y"},
            {"id": "bash", "title": "z", "note": "y"},
        ],
    }


def test_many_aliases_of_small_things_are_read() -> None:
    text = "base: &a {title: '5.*'}\npatches:\n" + "".join(f"- {{<<: *a, id: p{n}}}\n" for n in range(2000))
    found = load(text, scalars=False)
    assert isinstance(found, dict)
    assert found["patches"][1999] == {"title": "5.*", "id": "p1999"}


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: &a {<<: *a}", "<<: 1", "- <<: [1]"])
def test_what_holds_itself_or_merges_nothing_ends_at_once(text: str) -> None:
    start = time.process_time()
    with contextlib.suppress(InvalidInput):
        load(text, scalars=False)
    assert time.process_time() - start < 2


def test_the_worst_that_is_allowed_stays_small() -> None:
    start = time.process_time()
    load(merge_bomb(8, 3).rpartition("\n")[0])
    load(bomb(11, 2))
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><Message>x</Message></Error>', "AccessDenied"),
        ("\n <Error>\n<Code> NoSuchKey </Code></Error>", "NoSuchKey"),
        ("<html><body>403</body></html>", ""),
        ("patches: ['<Error><Code>AccessDenied</Code></Error>']", ""),
        ("", ""),
    ],
)
def test_an_error_answer_of_s3_is_recognised(text: str, code: str) -> None:
    assert documents.s3_error(text) == code


@settings(max_examples=200)
@given(st.text(max_size=80) | st.text("[]{}&*:!,- \n'\"?a1", max_size=60), st.booleans())
def test_any_text_is_read_or_refused(text: str, scalars: bool) -> None:
    try:
        load(text, scalars=scalars)
    except InvalidInput as exc:
        assert exc.problems


@settings(max_examples=100)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_all_json_is_read(value: object) -> None:
    if isinstance(value, (list, dict)):
        assert load(json.dumps(value)) == value

# SPDX-License-Identifier: Apache-2.0
"""Reads JSON and YAML text from elsewhere: bounded in size, depth and aliases, no key twice, never building objects."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from .input_errors import refuse

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 50
#: So many aliases (``*name``) cannot blow up; more are taken while all of them together stand for few values.
MAX_ALIASES = 20
MAX_EXPANDED = 100_000
TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
#: What libyaml says of a document that its own limit, which is higher, refuses before ours is asked.
_PARSER_TOO_DEEP = "maximum nesting depth"
#: Where the parser's words begin to quote the document; its own names are in angle brackets.
_QUOTED = re.compile(r"""['"](?!<)|: |;|\Z""")
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_MERGE_KEY = "<<"
_TWICE = "the same key is there twice in one mapping; remove one, or begin a new entry of the list with a dash"
_S3_ERROR = re.compile(r"<Error>.*?<Code>\s*(\w+)\s*</Code>", re.DOTALL)


def s3_error(text: str) -> str:
    """The error code of S3's XML answer where the document should be (``AccessDenied``), else ``""``."""
    if not text.lstrip("\ufeff \t\r\n").startswith("<"):
        return ""
    match = _S3_ERROR.search(text[:10000])
    return match[1] if match else ""


def load(text: str, *, subject: str, scalars: bool = True, code: int | None = None) -> Any:
    """The value of a JSON or YAML document.

    Args:
        text: the document, at most 1 MiB.
        subject: what it is and where it came from, for messages.
        scalars: whether plain numbers, dates and words such as ``yes`` get their YAML meaning; if not they stay text
            as it was written, so that ``1.10`` is not ``1.1``.
        code: the return code of a refusal.

    Raises:
        InvalidInput: it is neither, too large, too deep, has too many aliases, or a mapping has a key twice. Nothing of
            its text is quoted.
    """
    if len(text.encode(errors="replace")) > MAX_BYTES:
        refuse(subject, [f"the document has {len(text)} characters; at most {MAX_BYTES} bytes are allowed"], code=code)
    if text.lstrip("\ufeff \t\r\n")[:1] in ("[", "{"):
        as_written: Any = None if scalars else str
        try:
            value = json.loads(
                text.lstrip("\ufeff"), parse_int=as_written, parse_float=as_written, object_pairs_hook=_mapping
            )
        except _Twice:
            refuse(subject, [_twice(text)], code=code)
        except (ValueError, RecursionError):
            pass  # flow style YAML looks alike; if it is not that either, its parser says where it is wrong
        else:
            if _deeper_than(value, MAX_DEPTH):
                refuse(subject, [TOO_DEEP], code=code)
            return value
    return _load_yaml(text, subject=subject, scalars=scalars, code=code)


def _load_yaml(text: str, *, subject: str, scalars: bool, code: int | None) -> Any:
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = base if scalars else _text_loader(base)
    try:
        _check_events(yaml, base, text)
        return yaml.load(text, Loader=loader)
    except (_TooMuch, _Twice) as exc:
        refuse(subject, [str(exc)], code=code)
    except yaml.YAMLError as exc:
        words = _words(exc)
        too_deep = _PARSER_TOO_DEEP in words
        refuse(subject, [TOO_DEEP if too_deep else f"not valid JSON or YAML: {words}"], code=code)
    except Exception:  # noqa: BLE001 - an explicit tag or a long number lets the library raise anything
        refuse(subject, ["not valid JSON or YAML: a value cannot be read as what its tag or form says"], code=code)


def _deeper_than(value: Any, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    below = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(each, levels - 1) for each in below)


class _TooMuch(Exception):
    """The document goes beyond a limit."""


class _Twice(Exception):
    """A mapping has a key twice: a parser would silently take the last."""


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of JSON."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise _Twice(_TWICE)
    return result


def _twice(text: str) -> str:
    """What is wrong with JSON text that has a key twice, with its line where YAML's parser can tell it."""
    import yaml

    try:
        _check_events(yaml, getattr(yaml, "CSafeLoader", yaml.SafeLoader), text)
    except _Twice as exc:
        return str(exc)
    except (_TooMuch, yaml.YAMLError):
        pass
    return _TWICE


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being walked through: its anchor, the values in it, the lines of its keys."""

    anchor: str | None
    size: int = 1
    keys: dict[str, int] | None = None
    at_key: bool = True

    def take(self, event: Any, size: int) -> None:
        """Count a value; of a mapping every other one is a key."""
        self.size += size
        key = getattr(event, "value", None)
        if self.keys is not None and self.at_key and isinstance(key, str) and key != _MERGE_KEY:
            line = event.start_mark.line + 1
            if key in self.keys:
                raise _Twice(f"lines {self.keys[key]} and {line}: {_TWICE}")
            self.keys[key] = line
        self.at_key = not self.at_key


def _check_events(yaml: Any, loader: Any, text: str) -> None:
    """Walk through the document without building it, and count what building it would make of its aliases."""
    stack = [_Open(None)]
    sizes: dict[str, int] = {}
    aliases = expanded = 0
    for event in yaml.parse(text, Loader=loader):
        size = 0
        if isinstance(event, yaml.MappingStartEvent):
            stack.append(_Open(event.anchor, keys={}))
        elif isinstance(event, yaml.SequenceStartEvent):
            stack.append(_Open(event.anchor))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            done = stack.pop()
            if done.anchor:
                sizes[done.anchor] = done.size
            stack[-1].take(event, done.size)
        elif isinstance(event, yaml.AliasEvent):
            aliases, size = aliases + 1, sizes.get(event.anchor, 1)
            stack[-1].take(event, size)
        elif isinstance(event, yaml.ScalarEvent):
            size = 1
            stack[-1].take(event, size)
        expanded += size
        if len(stack) > MAX_DEPTH + 1:
            raise _TooMuch(TOO_DEEP)
        if aliases > MAX_ALIASES and expanded > MAX_EXPANDED:
            raise _TooMuch(f"more than {MAX_ALIASES} aliases (*name), which stand for more than {MAX_EXPANDED} values")


def _text_loader(base: Any) -> Any:
    """A safe loader that gives every plain scalar as text, null and the merge key apart."""
    resolvers = {
        initial: [(tag, pattern) for tag, pattern in known if tag in (_NULL, _MERGE)]
        for initial, known in base.yaml_implicit_resolvers.items()
    }
    return type("TextLoader", (base,), {"yaml_implicit_resolvers": resolvers})


def _words(error: Any) -> str:
    """The parser's words without what they quote of the document: it may be any file."""
    mark = getattr(error, "problem_mark", None)
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    said = _QUOTED.split(str(getattr(error, "problem", None) or "it cannot be parsed"), maxsplit=1)[0].strip()
    return f"{said}{where}"

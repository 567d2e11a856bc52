# SPDX-License-Identifier: Apache-2.0
"""The arguments of calls, checked by type and value before anything happens, in the words of the settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .config import REBOOT_OPTIONS, UPLOADS, UUID
from .config_reader import Section
from .errors import InvalidInput
from .input_errors import either, near_word, one_of, refuse, show
from .names import MOST_IDS, is_vulnerability_id
from .report import STATES, listed

#: Reads one argument that was given; what is wrong with it goes to the section's problems.
Reader = Callable[[Section, str], Any]

#: The return code for a snapshot id that is none. Rule: docs/rules.md, Return codes.
NO_SNAPSHOT_ID = 150
MOST_ROWS = 1_000_000
_LOCATION = "a location (s3://, https://, salt://, a path)"


def read_arguments(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], readers: Mapping[str, Reader]
) -> dict[str, Any]:
    """Return the arguments of a call by their names, each checked; null has the meaning of an argument left out.

    Args:
        readers: how each argument is read, by ``function.argument`` or by ``argument`` where all functions agree.

    Raises:
        InvalidInput: ``problems`` names every argument that is wrong, missing or none of the function's.
    """
    parameters = inspect.signature(function).parameters
    problems: list[str] = []
    given = Section(_by_name(args, kwargs, tuple(parameters), problems), "", problems)
    found = {}
    for parameter in parameters.values():
        if given.raw(parameter.name) is not None:
            read = readers.get(f"{function.__name__}.{parameter.name}") or readers[parameter.name]
            found[parameter.name] = read(given, parameter.name)
        elif parameter.default is parameter.empty:
            given.lacks(parameter.name, "a value")
        else:
            found[parameter.name] = parameter.default
    if problems:
        refuse(f"ssmpatch.{function.__name__}", problems, code=_code(problems[0].partition(":")[0], given))
    return found


def _by_name(
    args: Sequence[Any], kwargs: Mapping[str, Any], known: Sequence[str], problems: list[str]
) -> dict[str, Any]:
    """Return the arguments that were given, by name; what the function does not take goes to ``problems``."""
    given = dict(zip(known, args, strict=False))
    use = f"use {either(known)}" if known else "it takes none"
    problems += [f"{show(value)}: one value too many; {use}" for value in args[len(known) :]]
    for name, value in kwargs.items():
        if name in given:
            problems.append(f"{name}: given twice; use it once")
        elif name in known:
            given[name] = value
        elif not _is_salts(name, known):
            near = near_word(name.strip("_"), known) if isinstance(name, str) else ""
            problems.append(f"{show(name)[1:-1]}={show(value)}: no such argument; {near or use}")
    return given


def _is_salts(name: str, known: Sequence[str]) -> bool:
    """Return whether Salt itself added an argument, to say what it knows of the call; not one of ``known`` misspelt."""
    return name.startswith("__pub_") or (
        len(name) > 4 and name.startswith("__") and name.endswith("__") and name.strip("_") not in known
    )


def _code(name: str, given: Section) -> int | None:
    """Return the return code for an argument that is wrong, None where AWS has none for it."""
    if name == "baseline_override":
        from .baseline.override import NO_ARRAY, NOT_READ

        return NOT_READ if isinstance(given.raw(name), str) else NO_ARRAY
    return NO_SNAPSHOT_ID if name == "snapshot_id" else None


def of_operation(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a function of the execution module or of a state, as ``read_arguments`` does."""
    return read_arguments(function, args, kwargs, READERS)


def flag(given: Section, name: str) -> bool:
    """A truth value."""
    return given.flag(name)


def anything(given: Section, name: str) -> Any:
    """A value without a meaning."""
    return given.raw(name)


def words(given: Section, name: str) -> Any:
    """Text, or a list of texts, with something in it."""
    value = given.raw(name)
    items = [value] if isinstance(value, str) else value
    if isinstance(items, (list, tuple)) and items and all(map(_is_said, items)):
        return value
    given.problem(name, value, "text in quotes, or a list of such texts")
    return None


def _is_said(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def _ids(given: Section, name: str) -> Any:
    """The ids of CVEs and advisories, in a list or in text with commas."""
    value = given.raw(name)
    said = [value] if isinstance(value, str) else value
    if isinstance(said, (list, tuple)) and all(isinstance(each, str) for each in said):
        found = [each for text in said for each in text.split(",")]
        wrong = [each for each in found if not is_vulnerability_id(each.strip())]
        if 0 < len(found) <= MOST_IDS and not wrong:
            return listed(value)
        if len(found) > 1:
            # A long list would be cut before the one that is wrong.
            value = wrong[0].strip() if wrong else f"{len(found)} ids"
    given.problem(name, value, f"CVE-2024-6387, USN-6859-1, DSA-5514-1 or the like, in a list at most {MOST_IDS}")
    return None


def _name_or_ids(given: Section, name: str) -> Any:
    """The name of a state: ids where it has no ``cves``, else a value without a meaning."""
    return anything(given, name) if given.raw("cves") is not None else _ids(given, name)


def some_text(given: Section, name: str) -> str:
    """Text with something in it."""
    return given.text(name, pattern=r"[^\0]*[^\0\s][^\0]*", allowed="text")


def _states(given: Section, name: str) -> Any:
    value = words(given, name)
    known = {state.lower() for state in STATES}
    unknown = [item for item in listed(value) if item.lower() not in known]
    if unknown:
        given.problem(name, ", ".join(unknown), one_of(STATES, unknown[0]))
    return value


def _upload(given: Section, name: str) -> str:
    value = given.raw(name)
    if isinstance(value, bool):
        return "always" if value else "never"
    return given.choice(name, UPLOADS, "")


def _reboot_option(given: Section, name: str) -> str:
    return given.choice(name, REBOOT_OPTIONS, "")


def _snapshot_id(given: Section, name: str) -> str:
    return given.text(name, pattern=f"(?:{UUID})?", allowed="a UUID, which is the id of a snapshot")


def _root(given: Section, name: str) -> str:
    return str(given.directory(name, Path("/")))


def _limit(given: Section, name: str) -> int:
    return given.integer(name, 1, low=1, high=MOST_ROWS)


def _document(*types: type, allowed: str, none: bool = True) -> Reader:
    """Return the reader of a document of one of ``types`` or of its location; ``none``: empty text means none."""

    def read(given: Section, name: str) -> Any:
        value = given.raw(name)
        if not isinstance(value, (str, *types)) or (value == "" and not none):
            given.problem(name, value, f"{_LOCATION} or {allowed}")
        elif isinstance(value, str) and value:
            _check_location(given, name, value)
        return value

    return read


def _check_location(given: Section, name: str, location: str) -> None:
    from .fetch import check_location

    try:
        check_location(location)
    except InvalidInput as exc:
        given.problems.append(f"{name}: {exc}")


READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "baseline_override": _document(list, tuple, allowed="a list of baselines"),
        "cves": _ids,
        "details": flag,
        "dry_run": flag,
        "explain.name": some_text,
        "force": flag,
        "frozen": _document(Mapping, allowed="a mapping", none=False),
        "ids": _ids,
        "install_override_list": _document(Mapping, allowed="a mapping with the key patches"),
        "limit": _limit,
        "not_vulnerable.name": _name_or_ids,
        "name": anything,
        "reboot_option": _reboot_option,
        "refresh": flag,
        "report.name": words,
        "root": _root,
        "severity": words,
        "snapshot_id": _snapshot_id,
        "states": _states,
        "stored": flag,
        "upload": _upload,
        # What is wrong with it is what validate returns.
        "validate.baseline_override": anything,
    }
)

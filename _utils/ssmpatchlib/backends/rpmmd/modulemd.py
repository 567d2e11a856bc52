# SPDX-License-Identifier: Apache-2.0
"""Reads modules.yaml: the module streams of a repository and the default streams."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ...names import one_line
from .advisory_types import ModuleBuild
from .metadata import DamagedMetadata

#: Bytes of one document beyond which the file counts as damaged; no module has a tenth of it.
_LARGEST = 16 << 20
_MOST_LEVELS = 50
#: A document may be nested more deeply only when it has a longer line, or more brackets.
_LONGEST_USUAL_LINE = 400
_MOST_USUAL_BRACKETS = 100
#: The keys of a document's ``data`` that say something about packages; the rest (build recipes, texts) is skipped.
_WANTED = frozenset(
    {"name", "stream", "version", "context", "arch", "dependencies", "artifacts", "demodularized", "module"}
)
_KEY = re.compile(r"( *)([A-Za-z_][\w-]*|'[^']*'|\"[^\"]*\"):(?=\s|$)")
_ARTIFACT = re.compile(r"^(.+)-(?:(\d+):)?([^-]+)-([^-]+)\.([^.-]+)$")


class Modules(NamedTuple):
    """The module builds of a repository and its default streams by module name."""

    builds: tuple[ModuleBuild, ...] = ()
    defaults: Mapping[str, str] | None = None


def read_modules(pieces: Iterable[bytes], *, on_problem: Callable[[str], None]) -> Modules:
    """Read a modules.yaml.

    ``on_problem`` is told about each document that could not be understood; the others count.

    Raises:
        DamagedMetadata: the file cannot be read to its end.
    """
    builds: list[ModuleBuild] = []
    defaults: dict[str, str] = {}
    for number, lines in enumerate(_documents(pieces)):
        try:
            document = _load(lines)
            kind = document.get("document", "")
            data = document.get("data")
            if kind in ("modulemd", "modulemd-stream") and isinstance(data, dict):
                builds.append(_build(data))
            elif kind == "modulemd-defaults" and isinstance(data, dict) and data.get("stream"):
                defaults[_text(data["module"])] = _text(data["stream"])
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            on_problem(f"modules.yaml: document {number + 1} is not understood: {one_line(str(exc))}")
    return Modules(tuple(builds), defaults)


def read_defaults(text: str) -> dict[str, str]:
    """Return the default streams of an administrator's defaults file (``/etc/dnf/modules.defaults.d``)."""
    found = read_modules([text.encode()], on_problem=lambda words: None)
    return dict(found.defaults or {})


def _documents(pieces: Iterable[bytes]) -> Iterator[list[str]]:
    lines: list[str] = []
    rest = b""
    size = 0
    for piece in pieces:
        size = len(piece) + (size if lines or rest else 0)
        if size > _LARGEST:
            raise DamagedMetadata(f"one document is larger than {_LARGEST >> 20} MiB")
        *complete, rest = (rest + piece).split(b"\n")
        for raw in complete:
            line = raw.decode(errors="replace").rstrip("\r")
            if line == "---" or line.startswith("--- ") or line == "..." or line.startswith("%"):
                if any(map(str.strip, lines)):
                    yield lines
                lines = [line[4:]] if line.startswith("--- ") else []
                size = len(piece)
            else:
                lines.append(line)
    lines.append(rest.decode(errors="replace"))
    if any(map(str.strip, lines)):
        yield lines


def _load(lines: list[str]) -> dict[str, Any]:
    import yaml

    # The base loader keeps every scalar as it is written: stream 1.10 is not the number 1.1.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    needed = list(_needed(lines))
    text = "\n".join(needed)
    try:
        if max(map(len, needed)) > _LONGEST_USUAL_LINE or text.count("[") + text.count("{") > _MOST_USUAL_BRACKETS:
            _check_depth(yaml, text, loader)
        loaded = yaml.load(text, Loader=loader)  # noqa: S506 - makes strings, lists and mappings
    except (yaml.YAMLError, RecursionError) as exc:
        raise ValueError(" ".join(str(exc).split())[:200]) from exc
    if not isinstance(loaded, dict):
        raise ValueError("not a mapping")
    return loaded


def _check_depth(yaml: Any, text: str, loader: Any) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_LEVELS:
            raise ValueError(f"nested more than {_MOST_LEVELS} levels deep")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a list or a mapping where a word must be")
    return value


def _needed(lines: list[str]) -> Iterator[str]:
    """Yield a document's lines without unused keys below ``data``, which are nine tenths of it and slow to parse."""
    in_data = keep = False
    depth = 0
    for line in lines:
        key = _KEY.match(line)
        if key and not key.group(1):
            in_data = key.group(2) == "data"
            keep, depth = True, 0
        elif in_data and key and (not depth or len(key.group(1)) == depth):
            depth = len(key.group(1))
            keep = key.group(2).strip("'\"") in _WANTED
        if keep:
            yield line


def _build(data: Mapping[str, Any]) -> ModuleBuild:
    artifacts, left = ((data.get(key) or {}).get("rpms") or () for key in ("artifacts", "demodularized"))
    dependencies = data.get("dependencies") or ()
    if isinstance(dependencies, dict):  # version 1 of the format has one alternative
        dependencies = (dependencies,)
    return ModuleBuild(
        name=_text(data["name"]),
        stream=_text(data["stream"]),
        version=_text(data.get("version", "")),
        context=_text(data.get("context", "")),
        arch=_text(data.get("arch", "")),
        requires=tuple(_requires(entry) for entry in dependencies),
        artifacts=tuple(parsed for entry in artifacts if (parsed := parse_artifact(_text(entry)))),
        demodularized=tuple(map(_text, left)),
    )


def _requires(entry: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    return {
        _text(name): tuple(map(_text, streams if isinstance(streams, list) else [streams] if streams else []))
        for name, streams in (entry.get("requires") or {}).items()
    }


def parse_artifact(nevra: str) -> tuple[str, str, str] | None:
    """Split ``name-epoch:version-release.arch``; return None for another form or a source package."""
    match = _ARTIFACT.match(nevra)
    if not match or match.group(5) in ("src", "nosrc"):
        return None
    name, epoch, version, release, arch = match.groups()
    return name, arch, f"{epoch or '0'}:{version}-{release}"

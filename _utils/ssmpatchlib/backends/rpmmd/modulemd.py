# SPDX-License-Identifier: Apache-2.0
"""Reads modules.yaml: the module streams of a repository and the default streams."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

#: The keys of a document's ``data`` that say something about packages; the rest (build recipes, texts) is skipped.
_WANTED = frozenset(
    {"name", "stream", "version", "context", "arch", "dependencies", "artifacts", "demodularized", "module"}
)
_KEY = re.compile(r"( *)([A-Za-z_][\w-]*|'[^']*'|\"[^\"]*\"):(?=\s|$)")
_ARTIFACT = re.compile(r"^(.+)-(?:(\d+):)?([^-]+)-([^-]+)\.([^.-]+)$")


class ModuleBuild(NamedTuple):
    """One build of a module stream.

    ``requires`` are the alternatives of its dependencies: each maps module names to the accepted streams (``-stream``
    excludes one, an empty list accepts any). ``artifacts`` are ``(name, arch, epoch:version-release)``.
    ``demodularized`` are the names of packages that left the stream.
    """

    name: str
    stream: str
    version: str
    context: str
    arch: str
    requires: tuple[Mapping[str, tuple[str, ...]], ...]
    artifacts: tuple[tuple[str, str, str], ...]
    demodularized: tuple[str, ...] = ()


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
                defaults[str(data["module"])] = str(data["stream"])
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            on_problem(f"modules.yaml: document {number + 1} is not understood: {exc}")
    return Modules(tuple(builds), defaults)


def read_defaults(text: str) -> dict[str, str]:
    """Return the default streams of an administrator's defaults file (``/etc/dnf/modules.defaults.d``)."""
    found = read_modules([text.encode()], on_problem=lambda words: None)
    return dict(found.defaults or {})


def _documents(pieces: Iterable[bytes]) -> Iterator[list[str]]:
    lines: list[str] = []
    rest = b""
    for piece in pieces:
        *complete, rest = (rest + piece).split(b"\n")
        for raw in complete:
            line = raw.decode(errors="replace").rstrip("\r")
            if line == "---" or line.startswith("--- ") or line == "..." or line.startswith("%"):
                if any(map(str.strip, lines)):
                    yield lines
                lines = [line[4:]] if line.startswith("--- ") else []
            else:
                lines.append(line)
    lines.append(rest.decode(errors="replace"))
    if any(map(str.strip, lines)):
        yield lines


def _load(lines: list[str]) -> dict[str, Any]:
    import yaml

    # The base loader keeps every scalar as it is written: stream 1.10 is not the number 1.1.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        loaded = yaml.load("\n".join(_needed(lines)), Loader=loader)  # noqa: S506 - makes strings, lists and mappings
    except (yaml.YAMLError, RecursionError) as exc:
        raise ValueError(" ".join(str(exc).split())[:200]) from exc
    if not isinstance(loaded, dict):
        raise ValueError("not a mapping")
    return loaded


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
        name=str(data["name"]),
        stream=str(data["stream"]),
        version=str(data.get("version", "")),
        context=str(data.get("context", "")),
        arch=str(data.get("arch", "")),
        requires=tuple(_requires(entry) for entry in dependencies),
        artifacts=tuple(parsed for entry in artifacts if (parsed := parse_artifact(str(entry)))),
        demodularized=tuple(map(str, left)),
    )


def _requires(entry: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    return {
        str(name): tuple(map(str, streams if isinstance(streams, list) else [streams] if streams else []))
        for name, streams in (entry.get("requires") or {}).items()
    }


def parse_artifact(nevra: str) -> tuple[str, str, str] | None:
    """Split ``name-epoch:version-release.arch``; return None for another form or a source package."""
    match = _ARTIFACT.match(nevra)
    if not match or match.group(5) in ("src", "nosrc"):
        return None
    name, epoch, version, release, arch = match.groups()
    return name, arch, f"{epoch or '0'}:{version}-{release}"

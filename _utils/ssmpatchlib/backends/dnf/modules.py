# SPDX-License-Identifier: Apache-2.0
"""dnf's module filter, which hides packages outside of the enabled and default module streams."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ...names import number
from ..rpmmd.advisory_types import ModuleBuild, ModuleRef
from ..rpmmd.metadata import DamagedMetadata, Metadata
from ..rpmmd.offers import architectures
from .streams import TooIntricate, active_builds, excluding_each_other

_STATES = {4: "etc/dnf/modules.d", 5: "usr/lib/sysimage/libdnf5/modules.toml"}
_DEFAULTS = "etc/dnf/modules.defaults.d"
#: dnf 4's copies of the enabled streams' modulemd, below its persistdir; dnf 5 has none.
_FAIL_SAFE = "modulefailsafe"
#: Machines that take packages of no other architecture.
_ALONE = frozenset({"aarch64", "ppc64le", "s390x", "riscv64"})
_PLATFORM = re.compile(r"""^PLATFORM_ID=["']?platform:([^"'\s]+)""", re.M)
_TOML_MODULE = re.compile(r"""^\[modules\.["']?([^"'\]]+)["']?\]\s*$""")
_TOML_VALUE = re.compile(r"""^(\w+)\s*=\s*["'](.*)["']\s*$""")


@dataclass(frozen=True, slots=True)
class ModuleState:
    """The administrator's choice: enabled streams by module, disabled modules, default streams.

    dnf 5 (``generation``) knows neither fail-safe copies nor packages that left a stream, nor streams that a
    requirement excludes. ``machine`` is the architecture, ``""`` where it is not known.
    """

    enabled: Mapping[str, str]
    disabled: frozenset[str]
    defaults: Mapping[str, str]
    platform: str
    generation: int = 4
    machine: str = ""


@dataclass(frozen=True, slots=True)
class ModuleFilter:
    """Says which packages are hidden, and which collections of advisories belong to active streams.

    ``hides(name.arch, name, evr)`` is for repositories without module_hotfixes only; ``touches`` returns the
    ``name.arch`` of a repository of which it may hide a version. With a ``problem`` what is hidden is not certain.
    """

    hides: Callable[[str, str, str], bool]
    applies: Callable[[ModuleRef], bool]
    touches: Callable[[Metadata], Collection[str]]
    problem: str = ""


def read_state(root: Path, *, generation: int, machine: str, platform: str = "") -> ModuleState:
    """Read the administrator's module streams, defaults and the platform id below ``root``.

    ``machine`` is the architecture, ``platform`` dnf.conf's ``module_platform_id``; without it os-release tells it.
    """
    enabled, disabled = _read_streams(root / _STATES[generation], generation)
    defaults = _own_defaults(root / _DEFAULTS)
    return ModuleState(enabled, frozenset(disabled), defaults, _platform(root, platform), generation, machine)


def _own_defaults(directory: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in _listed(directory):
        from ..rpmmd.modulemd import read_defaults

        try:
            found.update(read_defaults(path.read_text(errors="replace")))
        except (OSError, DamagedMetadata):
            continue
    return found


def _read_streams(path: Path, generation: int) -> tuple[dict[str, str], set[str]]:
    records = _toml_records(path) if generation == 5 else _ini_records(path)
    enabled: dict[str, str] = {}
    disabled: set[str] = set()
    for name, values in records:
        state = values.get("state", "").lower()
        stream = values.get("stream") or values.get("enabled_stream") or ""
        if state == "disabled":
            disabled.add(name)
        elif stream and state in ("enabled", ""):
            enabled[name] = stream
    return enabled, disabled


def _ini_records(directory: Path) -> Iterable[tuple[str, Mapping[str, str]]]:
    for path in _listed(directory):
        parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
        try:
            parser.read_string(path.read_text(errors="replace"))
        except (OSError, configparser.Error):
            continue
        for section in parser.sections():
            yield section, dict(parser.items(section))


def _toml_records(path: Path) -> Iterable[tuple[str, Mapping[str, str]]]:
    """Yield the tables of a file that only dnf 5 writes: one for each module, with one string value a line."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return
    name, values = "", dict[str, str]()
    for line in lines:
        if table := _TOML_MODULE.match(line.strip()):
            if name:
                yield name, values
            name, values = table.group(1), {}
        elif value := _TOML_VALUE.match(line.strip()):
            values[value.group(1)] = value.group(2)
    if name:
        yield name, values


def _platform(root: Path, configured: str) -> str:
    if configured:
        return configured.removeprefix("platform:")
    for name in ("etc/os-release", "usr/lib/os-release"):
        try:
            found = _PLATFORM.search((root / name).read_text(errors="replace"))
        except OSError:
            continue
        if found:
            return found.group(1)
    return ""


def _listed(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.is_file())
    except OSError:
        return []


def read_fail_safe(
    directory: Path, state: ModuleState, repositories: Sequence[Metadata], *, warn: Callable[[str], None]
) -> list[ModuleBuild]:
    """Return the builds that dnf kept of enabled streams which no repository has; they keep other packages hidden.

    ``directory`` is dnf's persistdir; ``warn`` takes the problems of files that cannot be read.
    Rule: dnf's documentation of modularity, "Fail-safe mechanisms".
    """
    known = {(build.name, build.stream) for metadata in repositories for build in metadata.builds}
    lost = [(name, stream) for name, stream in state.enabled.items() if (name, stream) not in known]
    if not lost or state.generation != 4:
        return []
    prefixes = tuple(f"{name}:{stream}:" for name, stream in lost)
    found: list[ModuleBuild] = []
    for path in _listed(directory / _FAIL_SAFE):
        if path.name.startswith(prefixes) and path.suffix == ".yaml":
            found.extend(_kept_builds(path, warn))
    return found


def _kept_builds(path: Path, warn: Callable[[str], None]) -> Iterable[ModuleBuild]:
    from ..rpmmd.modulemd import read_modules

    def problem(words: str) -> None:
        warn(f"{path}: {words}; what dnf hides by it is not known")

    try:
        return read_modules([path.read_bytes()], on_problem=problem).builds
    except OSError as exc:
        problem(f"cannot be read: {exc.strerror or exc}")
    except DamagedMetadata as exc:
        problem(str(exc))
    return ()


def _without_exclusions(build: ModuleBuild) -> ModuleBuild:
    """Return a build as dnf 5 reads it: a requirement that only excludes streams is one of any stream."""
    if not any(entry.startswith("-") for one in build.requires for wanted in one.values() for entry in wanted):
        return build
    requires = tuple(
        {name: tuple(entry for entry in wanted if not entry.startswith("-")) for name, wanted in one.items()}
        for one in build.requires
    )
    return build._replace(requires=requires)


def make_filter(
    state: ModuleState, repositories: Sequence[Metadata], kept: Sequence[ModuleBuild] = ()
) -> ModuleFilter | None:
    """Return the filter of the modules that the repositories have; None where there are no modules.

    A package of an active stream is shown. A package of an inactive stream is hidden, and so is a package outside
    of modules that has, or provides, the name of one of an active stream's, unless that name left the stream. ``kept``
    are builds of streams that no repository has. Rule: dnf's documentation of modularity, "Package filtering".
    """
    builds = [*chain.from_iterable(_in_order(metadata.builds) for metadata in repositories), *kept]
    if state.generation == 5:
        builds = list(map(_without_exclusions, builds))
    if not builds:
        return None
    problem = ""
    try:
        active = active_builds(
            [build for build in builds if _fits(build, state.machine)],
            enabled=state.enabled,
            defaults=_default_streams(state, repositories),
            disabled=state.disabled,
            platform=state.platform,
        )
    except TooIntricate as exc:
        active, problem = [], str(exc)
    problem = problem or _clash(state, builds)
    shown = {(f"{name}.{arch}", evr) for build in active for name, arch, evr in build.artifacts}
    left = _demodularized(active) if state.generation == 4 else {}
    names = {
        name for build in active for name, _arch, _evr in build.artifacts if name not in left.get(_place(build), ())
    }
    hidden = {(f"{name}.{arch}", evr) for build in builds for name, arch, evr in build.artifacts} - shown
    for metadata in repositories:
        for id_, evr, provided in metadata.provisions:
            if not names.isdisjoint(provided) and (id_, evr) not in shown:
                hidden.add((id_, evr))
    contexts = {(build.name, build.stream, build.context, build.arch) for build in active}

    def hides(id_: str, name: str, evr: str) -> bool:
        return (id_, evr) in hidden or (name in names and (id_, evr) not in shown)

    def touches(metadata: Metadata) -> Collection[str]:
        named = {f"{name}.{arch}" for name in names for arch in metadata.oldest}
        return {*(id_ for id_, _evr in hidden), *named} & metadata.offers.keys()

    def applies(module: ModuleRef) -> bool:
        wanted = (module.name, module.stream, module.context, module.arch)
        return wanted in contexts or any(
            all(not want or want == have for want, have in zip(wanted, context, strict=True)) for context in contexts
        )

    return ModuleFilter(hides, applies, touches, problem)


def _in_order(builds: Iterable[ModuleBuild]) -> list[ModuleBuild]:
    """Return the builds of a repository in the order in which dnf decides about them."""
    return sorted(builds, key=lambda build: build.name)


def _fits(build: ModuleBuild, machine: str) -> bool:
    """Return whether a build may be active on a machine: repositories may list those of others, too."""
    fitting = architectures(machine) or (frozenset({machine}) if machine in _ALONE else None)
    return fitting is None or build.arch in ("", "noarch") or build.arch in fitting


def _clash(state: ModuleState, builds: Sequence[ModuleBuild]) -> str:
    """Return why dnf 5 installs nothing at all: which packages it counts as active then depends on its release."""
    names = excluding_each_other(builds, state.enabled, state.disabled) if state.generation == 5 else ()
    if not names:
        return ""
    streams = ", ".join(f"{name}:{state.enabled[name]}" for name in sorted(names))
    return f"the enabled streams {streams} exclude each other, so that dnf installs nothing; dnf module reset one"


def _demodularized(active: Iterable[ModuleBuild]) -> dict[tuple[str, str, str], set[str]]:
    """Return the names that left each stream by the newest version of its active builds."""
    newest: dict[tuple[str, str, str], int] = {}
    found: dict[tuple[str, str, str], set[str]] = {}
    for build in active:
        place, version = _place(build), number(build.version) or 0
        if version > newest.get(place, -1):
            newest[place], found[place] = version, set()
        if version == newest[place]:
            found[place].update(build.demodularized)
    return found


def _place(build: ModuleBuild) -> tuple[str, str, str]:
    return build.name, build.stream, build.arch


def _default_streams(state: ModuleState, repositories: Sequence[Metadata]) -> dict[str, str]:
    """Return the default streams: the administrator's, then those on which the repositories agree."""
    defaults: dict[str, str] = {}
    conflicting: set[str] = set()
    for metadata in repositories:
        for name, stream in metadata.default_streams.items():
            if defaults.setdefault(name, stream) != stream:
                conflicting.add(name)
    return {**{name: stream for name, stream in defaults.items() if name not in conflicting}, **state.defaults}

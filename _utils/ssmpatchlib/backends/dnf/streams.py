# SPDX-License-Identifier: Apache-2.0
"""Finds the active builds of module streams: the enabled ones, the default ones, and what these need. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ...errors import SsmpatchError

if TYPE_CHECKING:
    from ..rpmmd.advisory_types import ModuleBuild

_Streams = Mapping[str, str]
_PLATFORM = "platform"
#: Builds that are tried, and how deeply one needs another, beyond which streams are refused: a search can be endless.
_MOST_TRIES = 100_000
_DEEPEST = 50


class TooIntricate(SsmpatchError):
    """The module streams of the repositories need each other in too many ways to find out which are active."""


class _Choice(NamedTuple):
    """The stream of a module, and by what it needs which of the stream's builds; None where that is not decided."""

    stream: str
    needs: str | None = None


#: The choice for each module that is decided.
_Choices = Mapping[str, _Choice]


def active_builds(
    builds: Sequence[ModuleBuild],
    *,
    enabled: _Streams,
    defaults: _Streams,
    disabled: Collection[str],
    platform: str,
) -> list[ModuleBuild]:
    """Return the builds that dnf would activate.

    Enabled streams and the streams that they need are active, then the default streams that go with these. Of a stream
    whose builds need different things, only those that need one of them are active, and only with all that they need.
    Enabled streams that exclude each other are inactive; of default streams that do, the first in ``builds`` counts.

    Args:
        platform: the stream of the module ``platform``, ``""`` where it is not known.

    Raises:
        TooIntricate: there are too many ways to try.
    """
    by_stream = _by_stream(builds)
    search = _Search(by_stream, defaults, disabled, platform)
    chosen = {name: stream for name, stream in enabled.items() if name not in disabled}
    clashing = _clashing(by_stream, chosen)
    choices: _Choices = {name: _Choice(stream) for name, stream in chosen.items() if name not in clashing}
    for name, choice in sorted(choices.items()):
        choices = search.with_stream(name, choice.stream, choices)
    places: dict[tuple[str, str], int] = {}
    for place, build in enumerate(builds):
        places.setdefault((build.name, build.stream), place)
    for name, stream in sorted(defaults.items(), key=lambda default: places.get(default, len(builds))):
        if name not in choices and name not in clashing:
            choices = search.with_stream(name, stream, choices)
    return _with_requirements([build for build in builds if _is_chosen(build, choices)], search)


def excluding_each_other(builds: Sequence[ModuleBuild], enabled: _Streams, disabled: Collection[str]) -> set[str]:
    """Return the modules whose enabled streams exclude each other, because one needs another stream of the other."""
    chosen = {name: stream for name, stream in enabled.items() if name not in disabled}
    return _clashing(_by_stream(builds), chosen)


def _by_stream(builds: Sequence[ModuleBuild]) -> dict[tuple[str, str], list[ModuleBuild]]:
    found: dict[tuple[str, str], list[ModuleBuild]] = {}
    for build in builds:
        found.setdefault((build.name, build.stream), []).append(build)
    return found


def _is_chosen(build: ModuleBuild, choices: _Choices) -> bool:
    choice = choices.get(build.name)
    return choice is not None and choice.stream == build.stream and choice.needs == _needs(build)


def _with_requirements(builds: Sequence[ModuleBuild], search: _Search) -> list[ModuleBuild]:
    """Return the builds of decided streams whose requirements are active, too, each through all that it needs."""
    found = list(builds)
    while True:
        active = {build.name: build.stream for build in found}
        left = [build for build in found if search.holds(build, active)]
        if len(left) == len(found):
            return found
        found = left


@dataclass(frozen=True, slots=True)
class _Search:
    """The builds to choose from, and the choices that are made in advance."""

    builds: Mapping[tuple[str, str], Sequence[ModuleBuild]]
    defaults: _Streams
    disabled: Collection[str]
    platform: str
    tries: list[int] = field(default_factory=lambda: [0])

    def with_stream(self, name: str, stream: str, choices: _Choices) -> _Choices:
        """Return the choices with one more stream and what its builds need; one that cannot be active adds none."""
        attempts = (self._with(build, choices, 0) for build in self._ordered(name, stream))
        return next((found for found in attempts if found is not None), choices)

    def holds(self, build: ModuleBuild, streams: _Streams) -> bool:
        """Return whether all that a build requires is among the active streams."""
        return any(
            all(
                self._fits_platform(wanted) if name == _PLATFORM else name in streams and _allows(wanted, streams[name])
                for name, wanted in alternative.items()
            )
            for alternative in build.requires or ({},)
        )

    def _with(self, build: ModuleBuild, choices: _Choices, depth: int) -> _Choices | None:
        """Return the choices with a build's and all that it needs; None where the build cannot be active."""
        self.tries[0] += 1
        if depth > _DEEPEST or self.tries[0] > _MOST_TRIES:
            raise TooIntricate(f"the streams of module {build.name[:60]!r} need each other in too many ways")
        needs = _needs(build)
        known = choices.get(build.name, _Choice(build.stream))
        if build.name in self.disabled or known.stream != build.stream or known.needs not in (None, needs):
            return None
        choices = {**choices, build.name: _Choice(build.stream, needs)}
        attempts = (self._with_all(alternative, choices, depth + 1) for alternative in build.requires or ({},))
        return next((found for found in attempts if found is not None), None)

    def _with_all(self, required: Mapping[str, Sequence[str]], choices: _Choices, depth: int) -> _Choices | None:
        for name, wanted in required.items():
            if name == _PLATFORM:
                if not self._fits_platform(wanted):
                    return None
            elif name in choices:
                stream = choices[name].stream
                if not _allows(wanted, stream) or (name, stream) not in self.builds:
                    return None
            else:
                attempts = (self._with(build, choices, depth) for build in self._candidates(name, wanted))
                found = next((each for each in attempts if each is not None), None)
                if found is None:
                    return None
                choices = found
        return choices

    def _fits_platform(self, wanted: Sequence[str]) -> bool:
        return not self.platform or _allows(wanted, self.platform)

    def _candidates(self, name: str, wanted: Sequence[str]) -> list[ModuleBuild]:
        """Return the builds that meet a requirement, those of the default stream first."""
        streams = {stream for module, stream in self.builds if module == name and _allows(wanted, stream)}
        order = sorted(streams, key=lambda stream: (self.defaults.get(name) != stream, stream))
        return [build for stream in order for build in self._ordered(name, stream)]

    def _ordered(self, name: str, stream: str) -> list[ModuleBuild]:
        """Return the builds of a stream, the preferred first: by conflicts with defaults, then by what they need."""
        return sorted(self.builds.get((name, stream), ()), key=lambda build: (self._strangeness(build), _needs(build)))

    def _strangeness(self, build: ModuleBuild) -> int:
        """Return how many default streams a build conflicts with; the build with the fewest is preferred."""
        against = [
            sum(name in self.defaults and not _allows(wanted, self.defaults[name]) for name, wanted in one.items())
            for one in build.requires
        ]
        return min(against, default=0)


def _needs(build: ModuleBuild) -> str:
    """Return what a build needs, apart from the platform, as a text that orders builds as dnf prefers them."""
    return ",".join(
        sorted(
            f"{name}:[{','.join(sorted(wanted))}]" if wanted else name
            for alternative in build.requires
            for name, wanted in alternative.items()
            if name != _PLATFORM
        )
    )


def _clashing(builds: Mapping[tuple[str, str], Sequence[ModuleBuild]], chosen: _Streams) -> set[str]:
    """Return the enabled modules that exclude each other, because one needs another stream of the other."""
    found: set[str] = set()
    for name, stream in chosen.items():
        against = [_against(build, chosen) for build in builds.get((name, stream), ())]
        if against and all(against):
            found.update({name}.union(*against))
    return found


def _against(build: ModuleBuild, chosen: _Streams) -> set[str]:
    """Return the enabled modules that a build cannot be active with in any of its alternatives."""
    found = [
        {name for name, wanted in alternative.items() if name in chosen and not _allows(wanted, chosen[name])}
        for alternative in build.requires
    ]
    return set().union(*found) if found and all(found) else set()


def _allows(wanted: Sequence[str], stream: str) -> bool:
    """Return whether a stream meets a requirement: named, or not excluded by ``-`` where none is named."""
    if any(entry.startswith("-") for entry in wanted):
        return f"-{stream}" not in wanted
    return not wanted or stream in wanted

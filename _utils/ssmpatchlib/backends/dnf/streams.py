# SPDX-License-Identifier: Apache-2.0
"""Finds the active builds of module streams: the enabled ones, the default ones, and what these need. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...errors import SsmpatchError

if TYPE_CHECKING:
    from ..rpmmd.advisory_types import ModuleBuild

#: The stream of each module that is decided.
_Streams = Mapping[str, str]
_PLATFORM = "platform"
#: Builds that are tried, and how deeply one needs another, beyond which streams are refused: a search can be endless.
_MOST_TRIES = 100_000
_DEEPEST = 50


class TooIntricate(SsmpatchError):
    """The module streams of the repositories need each other in too many ways to find out which are active."""


def active_builds(
    builds: Sequence[ModuleBuild],
    *,
    enabled: _Streams,
    defaults: _Streams,
    disabled: Collection[str],
    platform: str,
) -> list[ModuleBuild]:
    """Return the builds that dnf would activate.

    Enabled streams and the streams that they need are active, then the default streams that go with these. A build is
    active when its stream and all its requirements are. Enabled streams that exclude each other are inactive.

    Args:
        platform: the stream of the module ``platform``, ``""`` where it is not known.

    Raises:
        TooIntricate: there are too many ways to try.
    """
    by_stream: dict[tuple[str, str], list[ModuleBuild]] = {}
    for build in builds:
        by_stream.setdefault((build.name, build.stream), []).append(build)
    search = _Search(by_stream, defaults, disabled, platform)
    chosen = {name: stream for name, stream in enabled.items() if name not in disabled}
    clashing = _clashing(by_stream, chosen)
    streams: _Streams = {name: stream for name, stream in chosen.items() if name not in clashing}
    for name, stream in sorted(streams.items()):
        streams = search.with_stream(name, stream, streams)
    for name, stream in sorted(defaults.items()):
        if name not in streams and name not in clashing:
            streams = search.with_stream(name, stream, streams)
    return [build for build in builds if streams.get(build.name) == build.stream and search.holds(build, streams)]


@dataclass(frozen=True, slots=True)
class _Search:
    """The builds to choose from, and the choices that are made in advance."""

    builds: Mapping[tuple[str, str], Sequence[ModuleBuild]]
    defaults: _Streams
    disabled: Collection[str]
    platform: str
    tries: list[int] = field(default_factory=lambda: [0])

    def with_stream(self, name: str, stream: str, streams: _Streams) -> _Streams:
        """Return the streams with one more and those that its builds need; builds that cannot be active add none."""
        for build in sorted(self.builds.get((name, stream), ()), key=self._strangeness):
            streams = self._with(build, streams, 0) or streams
        return streams

    def holds(self, build: ModuleBuild, streams: _Streams) -> bool:
        """Return whether all that a build requires is among the streams."""
        return any(
            all(
                self._fits_platform(wanted) if name == _PLATFORM else name in streams and _allows(wanted, streams[name])
                for name, wanted in alternative.items()
            )
            for alternative in build.requires or ({},)
        )

    def _with(self, build: ModuleBuild, streams: _Streams, depth: int) -> _Streams | None:
        """Return the streams with a build's and all that it needs; None where the build cannot be active."""
        self.tries[0] += 1
        if depth > _DEEPEST or self.tries[0] > _MOST_TRIES:
            raise TooIntricate(f"the streams of module {build.name[:60]!r} need each other in too many ways")
        if build.name in self.disabled or streams.get(build.name, build.stream) != build.stream:
            return None
        streams = {**streams, build.name: build.stream}
        attempts = (self._with_all(alternative, streams, depth + 1) for alternative in build.requires or ({},))
        return next((found for found in attempts if found is not None), None)

    def _with_all(self, required: Mapping[str, Sequence[str]], streams: _Streams, depth: int) -> _Streams | None:
        for name, wanted in required.items():
            if name == _PLATFORM:
                if not self._fits_platform(wanted):
                    return None
            elif name in streams:
                if not _allows(wanted, streams[name]):
                    return None
            else:
                attempts = (self._with(build, streams, depth) for build in self._candidates(name, wanted))
                found = next((each for each in attempts if each is not None), None)
                if found is None:
                    return None
                streams = found
        return streams

    def _fits_platform(self, wanted: Sequence[str]) -> bool:
        return not self.platform or _allows(wanted, self.platform)

    def _candidates(self, name: str, wanted: Sequence[str]) -> list[ModuleBuild]:
        """Return the builds that meet a requirement, those of the default stream first."""
        streams = {stream for module, stream in self.builds if module == name and _allows(wanted, stream)}
        order = sorted(streams, key=lambda stream: (self.defaults.get(name) != stream, stream))
        return [build for stream in order for build in self.builds[(name, stream)]]

    def _strangeness(self, build: ModuleBuild) -> int:
        """Return how many default streams a build conflicts with; the build with the fewest is preferred."""
        against = [
            sum(name in self.defaults and not _allows(wanted, self.defaults[name]) for name, wanted in one.items())
            for one in build.requires
        ]
        return min(against, default=0)


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

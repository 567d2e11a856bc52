# SPDX-License-Identifier: Apache-2.0
"""Generated rpm systems: packages, advisories and modules in every relation to each other, many cases in one root."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

REPOSITORIES = ("base", "updates")
TYPES = ("security", "security", "bugfix", "enhancement", "newpackage", "")
SEVERITIES = ("Critical", "Important", "Moderate", "Low", "None", "")
STREAMS = ("1", "2")
#: What a build needs of another module, by its context: one context stands for one set of requirements.
NEEDS = {"cc02": [], "cc03": ["1"], "cc04": ["2"], "cc05": ["-1"], "cc06": ["1", "2"]}
NEEDS_NOTHING = "cc01"

Package = dict[str, Any]


@dataclass
class Case:
    """One small system; all its names begin with ``c`` and its number, so that many fit into one root."""

    number: int
    random: Random
    #: Whether streams may need streams of another module, which may not be there.
    needing: bool = True
    installed: list[Package] = field(default_factory=list)
    offered: dict[str, list[Package]] = field(default_factory=lambda: {name: [] for name in REPOSITORIES})
    advisories: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in REPOSITORIES})
    modules: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in REPOSITORIES})
    enabled: dict[str, dict[str, str]] = field(default_factory=dict)
    kept: list[dict[str, Any]] = field(default_factory=list)
    protected: list[str] = field(default_factory=list)
    #: The installed name that a package of another name takes the place of.
    replaced: dict[str, str] = field(default_factory=dict)
    #: The installed name whose updates obsolete another installed one.
    both: dict[str, str] = field(default_factory=dict)

    def name(self, word: str) -> str:
        """Return a name of this case."""
        return f"c{self.number}{word}"

    def owns(self, name: str) -> bool:
        """Return whether a package belongs to this case."""
        return name.startswith(f"c{self.number}") and not name[len(f"c{self.number}")].isdigit()

    def likely(self, chance: float) -> bool:
        """Return True as often as the chance says."""
        return self.random.random() < chance

    def described(self) -> str:
        """Return the case in words, for the message of a failure."""
        return "\n".join(
            [
                f"installed {', '.join(map(nevra, self.installed))}",
                *(f"{name}: {', '.join(map(_told, offered))}" for name, offered in self.offered.items()),
                *(f"{name}: {advisory}" for name, found in self.advisories.items() for advisory in found),
                *(f"{name}: {module}" for name, found in self.modules.items() for module in found),
                f"enabled {self.enabled}, kept {self.kept}, protected {self.protected}",
            ]
        )


def nevra(package: Package) -> str:
    """Return a package as advisories and modules name it."""
    return f"{package['name']}-{package.get('epoch') or 0}:{package['version']}-{package['release']}.{package['arch']}"


def _told(package: Package) -> str:
    more = {key: package[key] for key in ("obsoletes", "provides") if package.get(key)}
    return f"{nevra(package)} {more}" if more else nevra(package)


def make_case(number: int, random: Random, *, needing: bool = True) -> Case:
    """Return a case: plain packages, some that change their architecture or replace others, and modules."""
    case = Case(number, random, needing)
    for word in ("a", "b")[: random.randint(1, 2)]:
        _plain(case, case.name(word))
    if case.likely(0.35):
        _changing_architecture(case, case.name("n"))
    if case.likely(0.35):
        _replacing(case, case.name("old"), case.name("new"))
    if case.likely(0.6):
        _modular(case)
    return case


def _package(name: str, version: int, arch: str, **more: Any) -> Package:
    return {"name": name, "epoch": "0", "version": str(version), "release": "1", "arch": arch, **more}


def _offer(case: Case, packages: Iterable[Package]) -> None:
    for package in packages:
        for repository in case.random.sample(REPOSITORIES, case.random.choice((1, 1, 1, 2))):
            case.offered[repository].append(package)


def _advise(case: Case, packages: Iterable[Package], *, module: dict[str, str] | None = None) -> None:
    """Add advisories for some versions: several for one, several versions in one, on offer or gone."""
    wanted = list(packages)
    for _ in range(case.random.randint(0, 3)):
        named = case.random.sample(wanted, min(len(wanted), case.random.choice((1, 1, 2))))
        repository = case.random.choice(REPOSITORIES)
        type_ = case.random.choice(TYPES)
        advisory: dict[str, Any] = {
            "id": f"UPD-{case.number}-{len(case.advisories['base']) + len(case.advisories['updates'])}",
            "type": type_,
            "issued": "2020-01-01 00:00:00",
            "reboot_suggested": case.likely(0.2),
            "collections": [{"module": module, "packages": list(map(nevra, named))}],
        }
        if case.likely(0.8):
            advisory["severity"] = case.random.choice(SEVERITIES)
        if module and case.likely(0.3):
            others = case.random.sample(wanted, 1)
            advisory["collections"].append({"module": None, "packages": list(map(nevra, others))})
        case.advisories[repository].append(advisory)


def _plain(case: Case, name: str) -> None:
    """A package; some of its versions are on offer, some only have advisories."""
    arch = case.random.choice(("x86_64", "x86_64", "noarch"))
    versions = case.random.sample(range(1, 7), 4)
    shown = versions[: case.random.randint(1, 4)]
    case.installed.append(_package(name, min(versions) if case.likely(0.7) else versions[0], arch))
    _offer(case, (_package(name, version, arch) for version in shown))
    _advise(case, (_package(name, version, arch) for version in versions))
    if case.likely(0.1):
        case.protected.append(name)


def _changing_architecture(case: Case, name: str) -> None:
    """A package that becomes noarch, or stops to be it."""
    here, there = case.random.choice((("x86_64", "noarch"), ("noarch", "x86_64")))
    case.installed.append(_package(name, 2, here))
    same = [_package(name, version, here) for version in case.random.sample((1, 2, 3, 4), case.random.randint(0, 2))]
    other = [_package(name, version, there) for version in case.random.sample((1, 2, 3, 4), case.random.randint(1, 2))]
    _offer(case, [*same, *other])
    _advise(case, [*same, *other, _package(name, 5, there)])


def _replacing(case: Case, old: str, new: str) -> None:
    """A package that another one obsoletes, in the same architecture or from or to noarch."""
    here, there = (case.random.choice(("x86_64", "noarch")) for _ in range(2))
    case.installed.append(_package(old, 1, here))
    case.replaced[new] = old
    fixes = [_package(old, version, here) for version in case.random.sample((2, 3), case.random.randint(0, 2))]
    obsoletes = case.random.choice((old, f"{old} < 2", f"{old} < 3", f"{old} <= 1-1", f"{old} > 5"))
    heirs = [
        _package(new, version, there, obsoletes=[obsoletes] if case.likely(0.8) else [])
        for version in case.random.sample((1, 2, 3), case.random.randint(1, 2))
    ]
    if case.likely(0.15):
        case.installed.append(_package(new, 1, there))
        del case.replaced[new]
        case.both[old] = new
    _offer(case, [*fixes, *heirs])
    _advise(case, [*fixes, *heirs, _package(old, 4, here)])
    _advise(case, heirs)


def _modular(case: Case) -> None:
    """A module with streams, contexts and versions, packages of its names outside of it, and what dnf kept of it."""
    module, other = case.name("m"), case.name("k")
    names = [case.name(word) for word in ("p", "q")]
    for name in names:
        case.installed.append(_package(name, 1, "x86_64"))
    for stream in STREAMS[: case.random.randint(1, 2)]:
        for number in range(case.random.randint(1, 2)):
            _module_build(case, module, other, stream, number, names)
    others = STREAMS[: case.random.randint(0, 2)] if case.likely(0.6) else ()
    if others:
        for stream in others:
            build = _build(case, other, stream, 1, case.likely(0.3))
            case.modules[case.random.choice(REPOSITORIES)].append(build)
    for name in (module, other):
        choice = case.random.choice(("enabled", "enabled", "disabled", "", ""))
        if choice:
            # dnf does nothing at all where a stream needs a module of which a stream is enabled that is not there.
            there = (*STREAMS, "3") if name == module else others or STREAMS
            stream = case.random.choice(there) if choice == "enabled" else ""
            case.enabled[name] = {"stream": stream, "state": choice}
    outside = [_package(name, case.random.randint(1, 9), "x86_64") for name in names if case.likely(0.7)]
    if case.likely(0.2):
        outside.append(_package(case.name("x"), 2, "x86_64", provides=[case.random.choice(names)]))
        case.installed.append(_package(case.name("x"), 1, "x86_64"))
    _offer(case, outside)
    if outside:
        _advise(case, outside)
    if case.likely(0.3):
        build = _build(case, module, case.random.choice((*STREAMS, "3")), 1, False)
        case.kept.append({**build, "artifacts": [nevra(_package(name, 1, "x86_64")) for name in names]})


def _build(case: Case, name: str, stream: str, version: int, default: bool, *, needing: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "stream": stream,
        "version": version,
        "context": case.random.choice((NEEDS_NOTHING, NEEDS_NOTHING, *NEEDS)) if needing else NEEDS_NOTHING,
        "arch": "x86_64",
        "default": default,
        "requires": {},
        "artifacts": [],
    }


def _module_build(case: Case, module: str, other: str, stream: str, number: int, names: list[str]) -> None:
    """Add one build of a stream, with packages that are on offer and advisories for them."""
    build = _build(case, module, stream, number + 1, case.likely(0.3), needing=case.needing)
    if build["context"] != NEEDS_NOTHING:
        build["requires"] = {other: NEEDS[build["context"]]}
    packages = [
        _package(name, case.random.randint(1, 5), "x86_64", release=f"1.m{stream}{number}{build['context']}")
        for name in names
        if case.likely(0.75)
    ]
    build["artifacts"] = list(map(nevra, packages))
    if case.likely(0.3):
        build["demodularized"] = [case.random.choice(names)]
    repository = case.random.choice(REPOSITORIES)
    case.modules[repository].append(build)
    case.offered[repository] += packages
    if packages:
        reference = {key: str(build[key]) for key in ("name", "stream", "version", "context", "arch")}
        _advise(case, packages, module=case.random.choice((reference, reference, None)))

# SPDX-License-Identifier: Apache-2.0
"""Plans for generated archives: apt-get does exactly what is planned, and what is left out it cannot do.

That something cannot be done is found out by trying all versions of all packages that may change, so that it does not
depend on what apt-get itself finds; that something can be done is shown by apt-get.
"""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support import apt_root
from support.generated import Cases
from support.operations import Operations

pytestmark = pytest.mark.root

#: So many cases share a root; their packages have names of their own.
TOGETHER = 8
SUITES: Mapping[str, Mapping[str, Any]] = {
    "rel": {"suite": "stable"},
    "sec": {"suite": "stable-security", "label": "Debian-Security"},
    "upd": {"suite": "stable-updates"},
    "bpo": {"suite": "stable-backports", "not_automatic": True, "but_automatic_upgrades": True},
}
VERSIONS = ("1", "2", "3", "4")
_INST = re.compile(r"^Inst (\S+?)(?::\S+)? (?:\[\S+\] )?\((\S+) ", re.M)
_REMV = re.compile(r"^(?:Remv|Purg) (\S+)", re.M)
_RELATION = re.compile(r"(\S+)(?: \((<<|<=|=|>=|>>) (\S+)\))?")


@dataclass
class Universe:
    """The packages of one case: what each version says, where it is on offer, what is installed and what must stay."""

    number: int
    fields: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    places: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    installed: dict[str, str] = field(default_factory=dict)
    auto: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)
    pins: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return sorted({name for name, _ in self.fields})

    def versions(self, name: str) -> list[str]:
        return sorted(version for each, version in self.fields if each == name)


def relation(random: Random, names: Sequence[str], virtual: str, version: str) -> str:
    """One package with or without a version, most often the version of what needs it."""
    other = random.choice(VERSIONS)
    forms = [f"(= {version})"] * 5 + [f"(>= {version})"] * 3 + ["", f"(>= {other})", f"(<< {other})", f"(= {other})"]
    name = random.choice([*names, *names, virtual])
    return f"{name} {random.choice(forms)}".strip()


def universe(number: int, random: Random) -> Universe:
    """A small archive whose packages need and exclude each other, with a consistent set of them installed."""
    found = Universe(number)
    names = [f"c{number}{letter}" for letter in "abcdef"[: random.randint(3, 6)]]
    virtual = f"c{number}virtual"
    for name in names:
        others = [other for other in names if other != name]
        for version in sorted(random.sample(VERSIONS, random.randint(2, 4))):
            said: dict[str, Any] = {"arch": random.choice(["amd64", "amd64", "all"])}
            if random.random() < 0.55 and name != names[-1]:
                parts = []
                for _ in range(random.randint(1, 2)):
                    ways = [relation(random, others, virtual, version) for _ in range(random.choice([1, 1, 1, 2]))]
                    parts.append(" | ".join(ways))
                said["depends"] = parts
            # What is needed before needs nothing itself, since archives have no circles of it.
            if random.random() < 0.1 and name != names[-1]:
                said["pre_depends"] = [relation(random, names[-1:], names[-1], version)]
            if random.random() < 0.2:
                key = random.choice(["breaks", "conflicts"])
                said[key] = [f"{random.choice(others)} (<< {version})"]
                if random.random() < 0.5:
                    said["replaces"] = said[key]
            if random.random() < 0.05:
                said["conflicts"] = [random.choice([*others, virtual])]
            if random.random() < 0.15:
                said["provides"] = [random.choice([virtual, f"{virtual} (= {version})", random.choice(others)])]
            if random.random() < 0.2:
                said["recommends"] = [relation(random, others, virtual, version)]
            found.fields[name, version] = said
            usual = {"1": "rel", "2": "sec", "3": "upd", "4": "bpo"}[version]
            found.places[name, version] = {usual if random.random() < 0.8 else random.choice(list(SUITES))}
            if random.random() < 0.1:
                found.places[name, version].add(random.choice(list(SUITES)))
    found.installed = installed_set(found, random)
    for name in found.installed:
        found.auto |= {name} if random.random() < 0.4 else set()
        found.held |= {name} if random.random() < 0.07 else set()
    found.rejected = {name for name in names if random.random() < 0.07}
    for name in names:
        if random.random() < 0.08:
            pin = random.choice(["version 2", "version 3", "release a=stable-updates", "release a=stable-security"])
            found.pins[name] = pin, random.choice([-10, 500, 990])
    return found


def installed_set(found: Universe, random: Random) -> dict[str, str]:
    """Some packages in old versions whose relations hold."""
    names = found.names
    for _ in range(200):
        chosen = {
            name: min(found.versions(name)[: random.choice([1, 1, 2])], key=lambda _: random.random()) for name in names
        }
        some = {name: version for name, version in chosen.items() if random.random() < 0.6}
        if some and not problems(found, some):
            return some
    return {}


def read(text: str) -> tuple[str, str, str]:
    match = _RELATION.fullmatch(text)
    assert match is not None
    return match[1], match[2] or "", match[3] or ""


def compare(version: str, operator: str, wanted: str) -> bool:
    order = (version > wanted) - (version < wanted)
    return {"": True, "<<": order < 0, "<=": order <= 0, "=": order == 0, ">=": order >= 0, ">>": order > 0}[operator]


def fulfils(found: Universe, name: str, version: str, text: str) -> bool:
    """Whether a version of a package is, or provides, what a relation names."""
    wanted, operator, number = read(text)
    if name == wanted and compare(version, operator, number):
        return True
    for provided in found.fields[name, version].get("provides", ()):
        given, has, what = read(provided)
        if given == wanted and (not operator or (has == "=" and compare(what, operator, number))):
            return True
    return False


def problems(found: Universe, chosen: Mapping[str, str]) -> bool:
    """Whether some installed packages need what is not there, or exclude what is there."""
    for name, version in chosen.items():
        said = found.fields[name, version]
        for part in (*said.get("depends", ()), *said.get("pre_depends", ())):
            if not any(fulfils(found, n, v, way) for way in part.split(" | ") for n, v in chosen.items()):
                return True
        for text in (*said.get("conflicts", ()), *said.get("breaks", ())):
            if any(n != name and fulfils(found, n, v, text) for n, v in chosen.items()):
                return True
    return False


# --- the root --------------------------------------------------------------------------------------


def build(root: Path, universes: Sequence[Universe]) -> None:
    """One root with the archives of all universes."""
    repositories = [{"id": id_, **more, "packages": []} for id_, more in SUITES.items()]
    installed = []
    preferences = []
    for found in universes:
        for (name, version), said in found.fields.items():
            for repository in repositories:
                if repository["id"] in found.places[name, version]:
                    repository["packages"].append(apt_root.package(name, version, **said))
            if found.installed.get(name) == version:
                status = {"status": "hold ok installed"} if name in found.held else {}
                installed.append(apt_root.package(name, version, auto=name in found.auto, **said, **status))
        preferences += [{"package": name, "pin": pin, "priority": n} for name, (pin, n) in found.pins.items()]
    installed = installed or [apt_root.package("nothing", "1")]
    case = {"installed": installed, "repositories": repositories, "preferences": preferences}
    apt_root.build(case, str(root))


def plan(root: Path, universes: Sequence[Universe], *, security: bool) -> dict[str, Any]:
    """What an install into the root would do."""
    rule = {"filterGroup": {"filters": [{"key": "PRODUCT", "values": ["*"]}]}, "enableNonSecurity": not security}
    baseline = {
        "operatingSystem": "DEBIAN",
        "approvalRules": {"rules": [rule]},
        "rejectedPatches": sorted(name for found in universes for name in found.rejected),
        "rejectedPatchesAction": "BLOCK",
    }
    given = {"operating_system": "DEBIAN", "product": "Debian12", "package_manager": "apt", "baseline": baseline}
    places = {"state_dir": str(root / "state"), "aws_dir": str(root / "aws")}
    return Operations({**given, **places}).plan(root)


def simulate(root: Path, versions: Mapping[str, str]) -> tuple[dict[str, str], list[str], str]:
    """What apt-get does with just these versions: what it installs, what it removes, and why it does not."""
    words = [f"{name}={version}" for name, version in versions.items()]
    argv = ["apt-get", "-s", "-y", "--no-install-recommends", "install", *words]
    done = subprocess.run(argv, env=apt_root.environment(str(root)), capture_output=True, text=True, timeout=120)
    error = done.stdout[-1500:] + done.stderr if done.returncode else ""
    return dict(_INST.findall(done.stdout)), _REMV.findall(done.stdout), error


def priorities(root: Path, names: Iterable[str]) -> dict[str, tuple[str, dict[str, int]]]:
    """apt's candidate, and its priorities by version."""
    argv = ["apt-cache", "policy", *names]
    done = subprocess.run(
        argv, env=apt_root.environment(str(root)), capture_output=True, text=True, check=True, timeout=120
    )
    found = {}
    for block in re.split(r"^(?=\S)", done.stdout, flags=re.M)[1:]:
        rows = re.findall(r"^ (?:\*\*\*|   ) (\S+) (-?\d+)$", block, re.M)
        candidate = re.search(r"Candidate: (\S+)", block)
        assert candidate is not None
        found[block.partition(":")[0]] = candidate[1], {version: int(priority) for version, priority in rows}
    return found


# --- what can be done ------------------------------------------------------------------------------


def solution(
    found: Universe, fixed: Mapping[str, str], policy: Mapping[str, tuple[str, Mapping[str, int]]]
) -> dict[str, str] | None:
    """Return versions of all packages that have some fixed ones, keep what must stay, remove and downgrade nothing."""
    domains: list[list[tuple[str, str | None]]] = []
    for name in found.names:
        present = found.installed.get(name)
        if name in fixed:
            domains.append([(name, fixed[name])])
            continue
        choices: list[str | None] = [present]
        if name not in found.held | found.rejected and name in policy:
            candidate, known = policy[name]
            choices += [
                version
                for version, priority in known.items()
                if (version == candidate or priority >= 500) and version > (present or "") and priority >= 0
            ]
        domains.append([(name, version) for version in choices])
    for each in itertools.product(*domains):
        chosen = {name: version for name, version in each if version is not None}
        if not problems(found, chosen):
            return chosen
    return None


def changed(found: Universe, chosen: Mapping[str, str]) -> dict[str, str]:
    return {name: version for name, version in chosen.items() if found.installed.get(name) != version}


#: apt's simulation stops at an order in which packages cannot be unpacked or configured one by one. That is no answer
#: about the packages; dpkg most often goes on.
_ORDER = ("E: Conf Broken", "E: Fatal, conflicts violated", "E: Could not configure")


def does_otherwise(root: Path, found: Universe, planned: Mapping[str, str], targets: Collection[str]) -> str:
    """Return what apt-get does with these versions, ``""`` where it does just what is planned.

    Its answer depends on what it is told beside the targets, and in which order: one that is as planned is enough.
    Where packages exclude each other's old versions, apt takes one away and installs it anew in the same run.
    """
    sound = not problems(found, {**found.installed, **planned})
    words = ""
    orders = itertools.islice(itertools.permutations(planned), 120)
    for names in itertools.chain([[name for name in planned if name in targets]], orders):
        done, removed, error = simulate(root, {name: planned[name] for name in names})
        answered = not error or any(mark in error for mark in _ORDER)
        if sound and answered and done == planned and {*removed} <= {*planned}:
            return ""
        words = words or f"planned {planned}, apt-get does {done}, removes {removed}, says {error}"
    return words


def differences(
    root: Path, universes: Sequence[Universe], planned: Mapping[str, Any]
) -> Iterator[tuple[Universe, str]]:
    """Yield what a plan does otherwise than apt-get, or leaves out although apt-get could do it."""
    by_name = {name: found for found in universes for name in found.names}
    wanted = {change["name"]: change["new"] for change in planned["packages"]}
    targets = {change["name"]: change["new"] for change in planned["packages"] if change["target"]}
    assert planned["removals"] == []
    if simulate(root, wanted) != (wanted, [], ""):
        for found in universes:
            mine = {name: version for name, version in wanted.items() if by_name[name] is found}
            words = does_otherwise(root, found, mine, targets)
            if words:
                yield found, words
    policy = priorities(root, sorted(by_name)) if planned["blocked"] else {}
    for blocked in planned["blocked"]:
        name, version = blocked["id"].rpartition(".")[0], blocked["version"]
        found = by_name[name]
        if name in found.held | found.rejected:
            continue
        fixed = {each: targets[each] for each in found.names if each in targets}
        possible = solution(found, {**fixed, name: version}, policy)
        if possible is not None:
            step = changed(found, possible)
            done, removed, error = simulate(root, step)
            if not removed and not error and done == step:
                yield found, f"{name} {version} is left out ({blocked['reason']}), but apt-get does {step}"


@pytest.mark.cases(24)
def test_apt_plans(cases: Cases, tmp_path: Path) -> None:
    found: list[str] = []
    for security in (True, False):
        universes = [universe(number, random) for number, random in cases if (number % 2 == 0) == security]
        for at in range(0, len(universes), TOGETHER):
            some = [each for each in universes[at : at + TOGETHER] if each.installed]
            root = tmp_path / "root"
            build(root, some)
            for each, words in differences(root, some, plan(root, some, security=security)):
                found.append(f"{words}; {cases.again(each.number)}")
    assert not found, "\n".join(found)

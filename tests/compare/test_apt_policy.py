# SPDX-License-Identifier: Apache-2.0
"""Random sources, pins and holds: the highest version that we allow is apt's candidate, and apt-get takes it.

Each case is one package; forty share a root, its sources and its general pins. A candidate below the installed version
is no target here: nothing is ever downgraded. Rule: docs/rules.md, Baselines; Install.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ssmpatchlib.backends import Context
from ssmpatchlib.backends.apt import Apt
from ssmpatchlib.host import Host
from ssmpatchlib.model import Inventory, Package, Target
from ssmpatchlib.versions.deb import sort_key
from support import apt_root
from support.generated import Cases

SHARING = 40
#: How many forms of patterns there are; a root has few of them, so that apt is not asked for everything.
FORMS = 13
VERSIONS = ("1.0", "1.0-1", "1.1", "1.1~rc1", "1:0.9", "1.2+b1", "1.10", "2.0")
PRIORITIES = (-10, -1, 1, 50, 99, 100, 101, 499, 500, 501, 989, 990, 991, 999, 1000, 1001, 1500)
SITES = ("", "", "archive.example", "security.debian.org")
WORDS = ("alpha", "beta", "gamma", "delta", "lib", "kernel", "python", "ruby", "perl", "font", "x")


def sources(random: Random) -> list[dict[str, Any]]:
    """Some repositories, as Debian, Ubuntu and others have them."""
    kinds: list[dict[str, Any]] = [
        {"suite": "stable", "codename": "noble", "origin": "Debian", "label": "Debian", "version": "12.1"},
        {"suite": "stable-security", "codename": "noble-security", "origin": "Debian", "label": "Debian-Security"},
        {"suite": "stable-updates", "codename": "noble-updates", "origin": "Debian", "label": "Debian"},
        {"suite": "stable-backports", "origin": "Debian", "not_automatic": True, "but_automatic_upgrades": True},
        {"suite": "experimental", "origin": "Debian", "not_automatic": True},
        {"suite": "vendor", "origin": "Vendor, Inc.", "label": "Vendor tools", "component": "contrib"},
    ]
    chosen = random.sample(kinds, random.randint(1, len(kinds)))
    return [{**each, "id": f"r{n}", "site": random.choice(SITES), "packages": []} for n, each in enumerate(chosen)]


def packages(number: int, random: Random, repositories: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """An installed package, which random repositories have in random versions."""
    name = f"{random.choice(WORDS)}{number}{random.choice(['', '-dev', '+c'])}"
    common = {"arch": random.choice(["amd64", "amd64", "all", "i386"]), "source": random.choice(["", f"src-{name}"])}
    for repository in repositories:
        for version in random.sample(VERSIONS, random.choice([0, 1, 1, 2])):
            digest = hashlib.sha256(f"{name} {version}".encode()).hexdigest()
            repository["packages"].append(apt_root.package(name, version, sha256=digest, **common))
    held = {"status": "hold ok installed"} if random.random() < 0.05 else {}
    return apt_root.package(name, random.choice(VERSIONS), **common, **held)


def pin(random: Random) -> str:
    """What a stanza is for, of every kind that apt_preferences(5) knows."""
    release = [
        f"a={random.choice(['stable', 'stable*', 'stable-security', 'now', '*', 'experimental'])}",
        f"n={random.choice(['noble', 'noble-*', '/security$/'])}",
        f"o={random.choice(['Debian', 'Vendor*', '/^Vendor/'])}",
        f"l={random.choice(['Debian', 'Debian-Security', 'Vendor tools'])}",
        f"c={random.choice(['main', 'contrib'])}",
        f"v={random.choice(['12*', '12.1', '13'])}",
        f"b={random.choice(['amd64', 'i386'])}",
    ]
    kinds = [
        f"release {','.join(random.sample(release, random.choice([1, 1, 1, 2])))}",
        f"release {random.choice(['stable', '12.1', 'noble', '*'])}",
        f"origin {random.choice(['archive.example', '*.example', chr(34) * 2, 'security.debian.org'])}",
        f"version {random.choice([*VERSIONS, '1.*', '*', '2*', '/^1[.]1/', '1.1?*'])}",
    ]
    return random.choice(kinds)


def patterns(name: str, arch: str, random: Random) -> list[str]:
    """Names of packages in a stanza, in every form; not all of them name the package."""
    base, arch = re.sub(r"\d.*", "", name), random.choice([arch, "any", "amd64"])
    return [
        name,
        f"{name[:-1]}*",
        f"{name[:3]}?{name[4:]}",
        f"/{base}[0-9]+/",
        f"/^{re.escape(name)}$/",
        f"/{base.upper()}/",
        f"/^[[:alpha:]]+{name[len(base) :].replace('+', '[+]')}$/",
        f"[{name[0]}z]{name[1:]}",
        f"src:src-{name}",
        f"src:{name}",
        f"{name}:{arch}",
        f"nothing {name} other*",
        f"{base}*",
    ]


def stanza(names: str, random: Random) -> str:
    """One stanza of a preferences file in one of its spellings."""
    lines = [f"Package: {names}", f"Pin: {pin(random)}", f"Pin-Priority: {random.choice(PRIORITIES)}"]
    if random.random() < 0.2:
        random.shuffle(lines)
    if random.random() < 0.2:
        lines = [line.replace("Pin", "pin").replace("Package", "PACKAGE") for line in lines]
    if random.random() < 0.2:
        line = random.choice(["Explanation: why not: so", "Explanation: because\n of this", "# Pin-Priority: 5", "#"])
        lines.insert(random.randint(0, 3), line)
    if random.random() < 0.1:
        lines = [line.replace(": ", ":") for line in lines]
    return "\n".join(lines) + "\n"


def preferences(installed: Sequence[dict[str, Any]], random: Random) -> dict[str, str]:
    """The preferences files by name; apt reads some of them not at all."""
    forms = random.sample(range(FORMS), 2)
    stanzas = [stanza("*", random) for _ in range(random.choice([0, 0, 1, 2]))]
    for package in installed:
        for _ in range(random.choice([0, 0, 1, 1, 2])):
            names = patterns(package["name"], package["arch"], random)[random.choice(forms)]
            stanzas.append(stanza(names, random))
    random.shuffle(stanzas)
    names = ("preferences", "preferences.d/10-first", "preferences.d/20.pref", "preferences.d/not.read")
    files = dict.fromkeys(names, "")
    for text in stanzas:
        files[random.choice(names)] += text + random.choice(["\n", "\n\n", "\n# a comment\n\n"])
    return {name: text for name, text in files.items() if text.strip()}


def build(numbers: Sequence[int], cases: Cases, root: Path) -> list[str]:
    """Build the root of some cases and return the names of its packages as apt spells them."""
    random = cases.random(-1 - numbers[0] // SHARING)
    repositories = sources(random)
    installed = [packages(number, cases.random(number), repositories) for number in numbers]
    conf = ['Acquire::AllowInsecureRepositories "true";']
    if random.random() < 0.25:
        chosen = random.choice(repositories)
        conf.append(f'APT::Default-Release "{chosen.get(random.choice(["suite", "codename"]), chosen["suite"])}";')
    architectures = ["amd64", "i386"]
    case = {"installed": installed, "repositories": repositories, "apt_conf": conf, "architectures": architectures}
    apt_root.build(case, str(root))
    for name, text in preferences(installed, random).items():
        (root / "etc/apt" / name).write_text(text)
    return [f"{p['name']}:i386" if p["arch"] == "i386" else p["name"] for p in installed]


def candidates(root: Path, names: Sequence[str]) -> dict[str, str]:
    """apt's candidates by ``name.arch``."""
    argv = ["apt-cache", "policy", "--", *names]
    done = subprocess.run(argv, env=apt_root.environment(str(root)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = {}
    for block in re.split(r"\n(?=\S)", done.stdout):
        name, _, arch = block.partition("\n")[0].rstrip(":").partition(":")
        match = re.search(r"^  Candidate: (\S+)$", block, re.M)
        assert match, block
        found[f"{name}.{arch or 'amd64'}"] = match[1]
    return found


def target(package: Package) -> str:
    """The version that a baseline which approves everything would have installed, else the installed one."""
    assert package.installed is not None
    return [package.installed, *package.versions][-1].version


def security_target(package: Package) -> str:
    """The same for a baseline that approves security updates only."""
    assert package.installed is not None
    found = [v.version for v in package.versions if any(a.metadata for a in v.advisories)]
    return [package.installed.version, *found][-1]


def differences(apt: Apt, root: Path, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield ``name.arch`` and what differs from apt."""
    everything, security = inventory(apt, True), inventory(apt, False)
    wanted = candidates(root, names)
    targets = []
    for id_, package in everything.items():
        assert package.installed is not None
        installed, ours = package.installed.version, target(package)
        theirs = wanted[id_] if wanted[id_] != "(none)" and not is_older(wanted[id_], installed) else installed
        if ours != theirs:
            yield id_, f"installed {installed}, apt's candidate {wanted[id_]}, ours {ours}"
        elif ours != installed and not package.locked:
            targets.append(Target(package.name, package.arch, ours))
        if security_target(package) != security_target(security[id_]):
            said = f"{security_target(security[id_])}, by all indexes {security_target(package)}"
            yield id_, f"by security indexes alone {said}"
    if targets:
        solution = apt.solve(targets, hidden={}, hold=False)
        steps = {(step.id, step.new) for step in solution.steps}
        if solution.words or steps != {(each.id, each.version) for each in targets}:
            yield "", f"apt-get does not take {targets}: {solution.words or steps}"


def inventory(apt: Apt, non_security: bool) -> dict[str, Package]:
    found: Inventory = apt.inventory(non_security=non_security)
    assert not found.unread and not found.warnings
    return {package.id: package for package in found.packages}


def is_older(version: str, other: str) -> bool:
    return sort_key(version) < sort_key(other)


@pytest.mark.cases(400)
def test_the_highest_allowed_version_is_apts_candidate(cases: Cases, tmp_path: Path) -> None:
    for group, together in groupby(sorted(cases.numbers), key=lambda number: number // SHARING):
        asked = set(together)
        numbers = range(group * SHARING, (group + 1) * SHARING)
        root = tmp_path / f"root{group}"
        names = build(numbers, cases, root)
        apt = Apt(Context(Host(), root, tmp_path / f"work{group}"))
        for id_, words in differences(apt, root, names):
            number = int(re.sub(r"\D.*", "", re.sub(r"^\D+", "", id_)) or min(asked))
            if number in asked:
                pytest.fail(f"{id_}: {words}; {root}; {cases.again(number)}")

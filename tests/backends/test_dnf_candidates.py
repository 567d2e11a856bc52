# SPDX-License-Identifier: Apache-2.0
"""What counts as an update is what dnf itself would upgrade: random systems, a baseline that approves everything."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest

from ssmpatchlib.backends import Context
from ssmpatchlib.backends.dnf import Dnf, answer
from ssmpatchlib.host import Host
from support import rpm_root

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")]

VERSIONS = ["1.0~rc1", "1.0", "1.0^git1", "1.0.1", "1.1", "1.10", "2.0"]
SYSTEM = {
    "operating_system": "REDHAT_ENTERPRISE_LINUX",
    "product": "RedhatEnterpriseLinux8.5",
    "releasever": "8",
    "platform_id": "platform:el8",
}


def make_case(seed):
    """A random system: several repositories, excludes, modules, obsoletes, several architectures."""
    rng = random.Random(seed)
    names = [f"p{number}" for number in range(12)]
    installed, repositories = [], []
    arches = {name: rng.choice(("x86_64", "x86_64", "noarch", "i686")) for name in names}
    for name in names:
        if rng.random() < 0.8:
            installed.append(package(name, rng.choice(VERSIONS[:4]), arches[name], rng.choice((0, 0, 1))))
    for number in range(rng.randint(1, 3)):
        packages = {}
        for name in names:
            for version in rng.sample(VERSIONS, rng.randint(0, 3)):
                changed = arches[name] != "i686" and rng.random() < 0.2
                arch = {"x86_64": "noarch", "noarch": "x86_64"}[arches[name]] if changed else arches[name]
                made = package(name, version, arch, rng.choice((0, 0, 0, 1)))
                packages[nevra(made)] = made
        if rng.random() < 0.4:
            gone = rng.choice(names)
            made = package(f"new-{gone}", "5", "x86_64", 0)
            made["obsoletes"] = [rng.choice((gone, f"{gone} < 1.1", f"{gone} < 2:0"))]
            packages[nevra(made)] = made
        repository = {"id": f"r{number}", "packages": list(packages.values()), "advisories": []}
        if rng.random() < 0.3:
            repository["excludepkgs"] = rng.choice((names[0], "p1*", f"{names[2]}.x86_64", f"{names[3]}-2.0-1"))
        if rng.random() < 0.2:
            repository["includepkgs"] = "p[0-7]"
        repositories.append(repository)
    modules, enabled = make_modules(rng)
    if modules:
        repositories[0]["modules"] = modules
        repositories[0]["packages"] += [made for module in modules for made in map(as_package, module["artifacts"])]
        repositories[0]["module_hotfixes"] = int(rng.random() < 0.2)
        installed.append(package("m0", "1.0", "x86_64", 0))
    case = {
        "manager": "dnf",
        "os": SYSTEM,
        "installed": installed,
        "repositories": repositories,
        "enabled_modules": enabled,
        "dnf_conf": {"best": "False"},
    }
    if rng.random() < 0.3:
        case["excludes"] = [rng.choice((names[4], "p5*", f"{names[6]}-*2.0*"))]
    return case


def make_modules(rng):
    """Streams of one module, one of them the default or enabled or none, whose packages also exist outside of it."""
    if rng.random() < 0.4:
        return [], {}
    modules = [
        {
            "name": "mod",
            "stream": stream,
            "version": build,
            "context": f"c{stream}",
            "artifacts": [f"m0-0:{stream}.{build}-1.x86_64", f"m1-0:{stream}.{build}-1.noarch"],
            "default": stream == "2" and rng.random() < 0.6,
        }
        for stream in ("1", "2", "3")
        for build in (1, 2)
    ]
    enabled = rng.choice(({}, {}, {"mod": {"stream": "1"}}, {"mod": {"stream": "", "state": "disabled"}}))
    return modules, enabled


def package(name, version, arch, epoch):
    return {"name": name, "version": version, "release": "1", "arch": arch, "epoch": str(epoch)}


def as_package(text):
    name, _, rest = text.partition("-0:")
    version, _, arch = rest.partition("-1.")
    return package(name, version, arch, 0)


def nevra(made):
    return f"{made['name']}-{made['epoch']}:{made['version']}-1.{made['arch']}"


@pytest.mark.parametrize("seed", [*range(16), 49, 81, 82, 267, 362])
def test_updates_are_what_dnf_would_upgrade(seed, tmp_path):
    case = make_case(seed)
    root = rpm_root.build(case, tmp_path / "root")
    backend = Dnf(Context(host=Host(), root=root, work_dir=tmp_path / "work"))
    assert backend.refresh().unread == ()
    inventory = backend.inventory(non_security=True)
    ours = set()
    for found in inventory.packages:
        allowed = [version for version in found.versions if not version.blocked] if found.installed else []
        if allowed and allowed[-1].version != found.installed.version:
            newest = allowed[-1]
            ours.add(f"{newest.name or found.name}-{newest.version}.{newest.arch or found.arch}")
    done = subprocess.run(
        ["dnf", f"--installroot={root}", "-C", "--assumeno", "upgrade"], capture_output=True, text=True
    )
    reply = answer.read_reply(done.stdout, done.stderr)
    theirs = {
        f"{row.name}-{row.evr}.{row.arch}" for row in reply.rows if row.action in (answer.INSTALL, answer.UPGRADE)
    }
    assert ours == theirs, done.stdout

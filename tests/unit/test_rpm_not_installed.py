# SPDX-License-Identifier: Apache-2.0
"""Packages that are not installed are counted in groups: the count is that of looking at each of them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence

import pytest

from ssmpatchlib.backends.rpmmd import reader
from ssmpatchlib.backends.rpmmd.advisory_types import AdvisoryRecord, Collection, ModuleRef, PackageRef
from ssmpatchlib.backends.rpmmd.metadata import Metadata
from ssmpatchlib.backends.rpmmd.not_installed import find_not_installed
from ssmpatchlib.backends.rpmmd.offers import Offering, Rules, Search
from ssmpatchlib.backends.rpmmd.primary import OfferedPackage
from ssmpatchlib.evaluate import evaluate, make_judge
from ssmpatchlib.model import Baseline, Family, Filter, Inventory, NotInstalled, Rule

DAY = 86400
NOW = dt.datetime(2024, 5, 15, 12, tzinfo=dt.timezone.utc).timestamp()
FAMILY = Family("dnf", version_order="rpm", name_forms="rpm")
RULES = Rules(native="x86_64")


def make_advisories(rng: random.Random, offered: Sequence[OfferedPackage]) -> list[AdvisoryRecord]:
    """Advisories of versions on offer, some of versions that are gone, of modules, or taken back."""
    found = []
    for number in range(rng.randint(0, 12)):
        named = [PackageRef(p.name, p.arch, p.evr) for p in rng.sample(offered, min(len(offered), rng.randint(1, 4)))]
        if rng.random() < 0.2:
            named.append(PackageRef(named[0].name, named[0].arch, "0:9-9"))
        module = ModuleRef("m", "1", "1", "c", "x86_64") if rng.random() < 0.1 else None
        found.append(
            AdvisoryRecord(
                id=f"A-{number}",
                type=rng.choice(("security", "bugfix", "")),
                severity=rng.choice((None, "Important", "Low")),
                status="retracted" if rng.random() < 0.1 else "final",
                version="1",
                title="",
                issued=rng.choice((None, int(NOW) - rng.randint(0, 20) * DAY)),
                updated=None,
                references=(),
                reboot_suggested=False,
                restart_suggested=False,
                collections=(Collection(module, tuple(named)),),
            )
        )
    return found


def make_repository(rng: random.Random) -> Metadata:
    offered = [
        OfferedPackage(f"p{number}", arch, f"0:{version}-1", int(NOW) - rng.randint(0, 20) * DAY, "", (), ())
        for number in rng.sample(range(12), 7)
        for arch in rng.sample(("x86_64", "noarch", "i686", "s390x"), rng.randint(1, 2))
        for version in rng.sample(range(1, 6), rng.randint(1, 3))
    ]
    return reader.assemble(offered, make_advisories(rng, offered))


def make_baseline(rng: random.Random) -> Baseline:
    rules = [
        Rule(
            rng.choice(((Filter("CLASSIFICATION", ("Security",)),), (Filter("SEVERITY", ("Low", "Important")),), ())),
            approve_after_days=rng.choice((None, 0, 7)),
            enable_non_security=rng.random() < 0.4,
        )
        for _ in range(rng.randint(1, 2))
    ]
    return Baseline("pb-1", "test", "REDHAT_ENTERPRISE_LINUX", "test", rules=tuple(rules))


@pytest.mark.parametrize("seed", range(150))
def test_counted_in_groups_and_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    priorities = rng.choice(((99, 99, 99), (10, 99, 50)))
    offerings = [Offering(f"r{n}", make_repository(rng), priorities[n]) for n in range(rng.randint(1, 3))]
    hidden = {f"p{number}.x86_64" for number in rng.sample(range(12), 3)}
    if rng.random() < 0.3:
        hiding = {"hides": lambda id_, name, evr: id_ in hidden, "touches": lambda found: hidden & found.offers.keys()}
        offerings[0] = Offering("r0", offerings[0].metadata, priorities[0], **hiding)
    baseline = make_baseline(rng)
    without = {f"p{number}.x86_64" for number in rng.sample(range(12), 2)}
    not_installed = find_not_installed(Search(offerings, RULES), without=without, non_security=baseline.non_security)
    packages = tuple(not_installed.build())
    assert not without & {package.id for package in packages}
    assert len({package.id for package in packages}) == len(packages)
    assert not any(package.arch == "s390x" for package in packages)
    counts = []
    for inventory in (
        Inventory(FAMILY, (), not_installed=not_installed),
        Inventory(FAMILY, packages),
    ):
        judge = make_judge(baseline=baseline, inventory=inventory, products=(), now=NOW)
        counts.append(evaluate(judge=judge, baseline=baseline, inventory=inventory).not_applicable)
    assert counts[0] == counts[1]


def test_nothing_on_offer() -> None:
    not_installed = find_not_installed(Search((), RULES), without=(), non_security=True)
    assert (not_installed.advisories, not_installed.groups, tuple(not_installed.build())) == (
        NotInstalled().advisories,
        NotInstalled().groups,
        (),
    )

# SPDX-License-Identifier: Apache-2.0
"""Answers many questions to dnf 4's own solver in one process of the system's Python; run as a program by tests.

Standard input is ``{"root": …, "questions": [{"wanted": [nevra…], "hidden": [nevra…]}…]}``. Standard output has for
each question ``{"in": [nevra…], "out": [nevra…]}``, or null where dnf refuses.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import dnf


def open_base(root: str) -> Any:
    """Return dnf with the configuration and the cached repositories of a root."""
    base = dnf.Base()
    base.conf.read(f"{root}/etc/dnf/dnf.conf")
    base.conf.installroot = root
    base.conf.cachedir = f"{root}/var/cache/dnf"
    base.conf.reposdir = [f"{root}/etc/yum.repos.d"]
    base.conf.substitutions["releasever"] = "8"
    base.conf.strict = True
    base.conf.clean_requirements_on_remove = False
    base.read_all_repos()
    for repo in base.repos.iter_enabled():
        repo.set_or_append_opt_value("metadata_expire", "-1")
    base.fill_sack()
    return base


def ask(base: Any, wanted: list[str], hidden: list[str]) -> dict[str, list[str]] | None:
    """Return what dnf would do to bring in just the wanted packages; None where it cannot or leaves one out.

    Neither with ``best`` nor without it does dnf find everything that it can do.
    """
    answers = (_resolve(base, wanted, hidden, best=best) for best in (True, False))
    return next((found for found in answers if found and set(wanted) <= set(found["in"])), None)


def _resolve(base: Any, wanted: list[str], hidden: list[str], *, best: bool) -> dict[str, list[str]] | None:
    base.conf.best = best
    base.reset(goal=True)
    unseen = base.sack.query().available().filterm(nevra=hidden)
    base.sack.add_excludes(unseen)
    try:
        for nevra in wanted:
            try:
                base.upgrade(nevra)
            except dnf.exceptions.MarkingError:
                base.install(nevra)
        base.resolve(allow_erasing=False)
    except dnf.exceptions.Error:
        return None
    finally:
        base.sack.remove_excludes(unseen)
    incoming = sorted(map(_nevra, base.transaction.install_set))
    return {"in": incoming, "out": sorted(map(_nevra, base.transaction.remove_set))}


def _nevra(package: Any) -> str:
    return f"{package.name}-{package.epoch}:{package.version}-{package.release}.{package.arch}"


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    opened = open_base(asked["root"])
    json.dump([ask(opened, each["wanted"], each["hidden"]) for each in asked["questions"]], sys.stdout)

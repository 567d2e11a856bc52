# SPDX-License-Identifier: Apache-2.0
"""The command ``explain``: how each version of a package is judged, and why; or what a CVE or an advisory means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import patterns
from ..config import Settings
from ..errors import InvalidInput
from ..evaluate import Judged, best_advisory, judge_package
from ..host import Host
from ..input_errors import show
from ..masking import masked_plain
from ..model import NOT_APPLICABLE, Judgement, Package
from ..names import is_vulnerability_id
from ..versions import sort_key
from ..wording import some_of
from .caller import Caller
from .judge import judge_host
from .session import Session, open_session

#: The most packages of a source that are named.
_MOST_NAMES = 10


def explain(
    settings: Settings, *, caller: Caller, host: Host | None = None, name: str, baseline_override: Any = None
) -> list[dict[str, Any]] | dict[str, Any]:
    """Return for every package that matches ``name`` how each of its versions is judged, and why.

    Where no package matches a CVE or an advisory, return what that means for this host.

    Raises:
        InvalidInput: no package matches, and it is no CVE and no advisory.
    """
    host = host or Host()
    session = open_session(settings, host=host, caller=caller, baseline_override=baseline_override)
    inventory = session.backend.inventory(non_security=True)
    judged = judge_host(session, now=host.now(), inventory=inventory)
    on_offer = (*judged.inventory.packages, *judged.inventory.not_installed.build())
    wanted = name if isinstance(name, str) else show(name)
    packages = [p for p in on_offer if patterns.names_package(wanted, p)]
    if not packages:
        found = _of_vulnerability(session, judged, wanted)
        if found is None:
            built = _built_from(wanted, on_offer)
            raise InvalidInput(f"name: no package that is installed or on offer matches {show(name)}{built}")
        return found
    return [masked_plain(_explained(session, judged, package)) for package in packages]


def _built_from(name: str, packages: Iterable[Package]) -> str:
    """What is said of a name that is one of a source package only, as rows of cve have it."""
    source = name.strip().lower()
    names = {
        package.name
        for package in packages
        for version in (package.installed, *package.versions, *package.outranked)
        if version is not None and version.source.lower() == source
    }
    return f"; built from the source {source}: {some_of(sorted(names), _MOST_NAMES)}" if names else ""


def _of_vulnerability(session: Session, judged: Judged, name: str) -> dict[str, Any] | None:
    """Return what a CVE or an advisory means for this host, None where the name is none."""
    id_ = name.strip().upper()
    if not is_vulnerability_id(id_):
        return None
    from . import explain_cve

    answer = explain_cve.answer(session, judged, id_)
    if answer is None:
        return None
    least = explain_cve.first_fixed(judged, answer["cves"])
    order = sort_key(judged.inventory.family.version_order)

    def with_fix(package: Package, first: str) -> dict[str, Any]:
        form = _explained(session, judged, package)
        versions = [each for each in form["versions"] if first and order(each["version"]) >= order(first)]
        return {**form, "versions": versions}

    concerned = [package for package in judged.inventory.packages if package.installed and package.id in least]
    packages = [masked_plain(with_fix(package, least[package.id])) for package in concerned]
    return {**answer, "packages": packages}


def _explained(session: Session, judged: Judged, package: Package) -> dict[str, Any]:
    key = sort_key(judged.inventory.family.version_order)
    on_offer = (*package.versions, *package.outranked)
    in_order = sorted(on_offer, key=lambda version: (version.name != package.name, key(version.version)))
    versions = [judged.judge.answer(package, version) for version in in_order]
    installed = package.installed
    if installed is not None and not any(j.version is installed for j in versions):
        versions.insert(0, judged.judge.answer(package, installed))
    if installed is None:
        approved = any(j.approved for j in versions)
        state, reason = (NOT_APPLICABLE, "not installed") if approved else ("", "not installed and not approved")
    else:
        verdict = judge_package(
            judge=judged.judge, baseline=session.baseline, inventory=judged.inventory, package=package
        )
        state, reason = verdict.state, verdict.reason
    return {
        "id": package.id,
        "installed": installed.version if installed else "",
        "state": state,
        "reason": reason,
        "versions": [_explained_version(judgement) for judgement in versions],
    }


def _explained_version(judgement: Judgement) -> dict[str, Any]:
    advisory = judgement.advisory or best_advisory(judgement.version.advisories)
    return {
        "version": judgement.version.version,
        "origin": judgement.version.origin,
        "approved": judgement.approved,
        "rejected": judgement.rejected,
        "level": judgement.level if judgement.approved else "",
        "reason": judgement.reason,
        "kept_out": judgement.kept_out,
        "released": advisory.released.strftime("%Y-%m-%dT%H:%M:%SZ") if advisory.released else "",
        "advisory": advisory.id,
    }

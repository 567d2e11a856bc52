# SPDX-License-Identifier: Apache-2.0
"""Questions that change nothing: what the baseline says, of what, and why."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import __version__, config, osinfo, patterns
from ..baseline import frozen
from ..baseline.export import to_api
from ..config import Settings
from ..errors import InvalidInput, SsmpatchError
from ..evaluate import judge_package
from ..host import Host
from ..model import NOT_APPLICABLE, Judgement, Package
from .caller import Caller
from .result import describe_baseline
from .session import Judged, Session, judge_host, open_session


def explain(
    settings: Settings, *, caller: Caller, host: Host | None = None, name: str, baseline_override: Any = None
) -> list[dict[str, Any]]:
    """Return for every package that matches ``name`` what each of its versions is judged to be, and why.

    Raises:
        InvalidInput: no package matches.
    """
    host = host or Host()
    session = open_session(settings, host=host, caller=caller, baseline_override=baseline_override)
    inventory = session.backend.inventory(non_security=True)
    judged = judge_host(session, now=host.now(), inventory=inventory)
    on_offer = (*inventory.packages, *inventory.not_installed.build())
    packages = [p for p in on_offer if patterns.names_package(str(name), p)]
    if not packages:
        raise InvalidInput(f"name: no package that is installed or on offer matches {name!r}")
    return [_explained(session, judged, package) for package in packages]


def _explained(session: Session, judged: Judged, package: Package) -> dict[str, Any]:
    versions = [judged.judge.judge(package, version) for version in package.versions]
    installed = package.installed
    if installed is not None and not any(j.version is installed for j in versions):
        versions.insert(0, judged.judge.judge(package, installed))
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
    advisory = judgement.advisory or judgement.version.advisories[0]
    return {
        "version": judgement.version.version,
        "origin": judgement.version.origin,
        "approved": judgement.approved,
        "rejected": judgement.rejected,
        "level": judgement.level if judgement.approved else "",
        "reason": judgement.reason,
        "released": advisory.released.strftime("%Y-%m-%dT%H:%M:%SZ") if advisory.released else "",
        "advisory": advisory.id,
    }


def baseline(
    settings: Settings, *, caller: Caller, host: Host | None = None, baseline_override: Any = None
) -> dict[str, Any]:
    """Return the effective baseline in the form of AWS's API, and where it came from."""
    session = open_session(settings, host=host or Host(), caller=caller, baseline_override=baseline_override)
    return {"baseline": to_api(session.baseline), **describe_baseline(session)}


def validate(
    minion: Mapping[str, Any] | None,
    pillar: Mapping[str, Any] | None,
    *,
    caller: Caller,
    baseline_override: Any = None,
) -> list[str]:
    """Return every problem of configuration and baseline, as ``path: what`` lines; an empty list means valid."""
    found = config.problems(minion, pillar)
    if found:
        return found
    try:
        settings = config.load(minion=minion, pillar=pillar)
        open_session(settings, host=Host(), caller=caller, baseline_override=baseline_override)
    except InvalidInput as exc:
        return [line if ": " in line else str(exc) for line in exc.problems] or [str(exc)]
    except SsmpatchError as exc:
        return [str(exc)]
    return []


def freeze(settings: Settings, *, caller: Caller, host: Host | None = None) -> dict[str, Any]:
    """Return the approved versions of the installed packages, as a document for the setting ``frozen``.

    A package without an approved update is frozen at its installed version.
    """
    host = host or Host()
    session = open_session(settings, host=host, caller=caller)
    judged = judge_host(session, now=host.now())
    versions = {
        v.package.id: (v.target or v.package.installed or v.version).version for v in judged.evaluation.verdicts
    }
    return frozen.build_frozen(
        operating_system=session.os_info.operating_system,
        product=session.os_info.product,
        created=host.now(),
        baseline=session.baseline.id,
        packages=versions,
    )


def version(settings: Settings, *, caller: Caller, host: Host | None = None) -> dict[str, Any]:
    """Return the version, where the engine is, and what was recognised of the host."""
    found: dict[str, Any] = {"version": __version__, "engine": str(Path(__file__).parents[1])}
    with contextlib.suppress(SsmpatchError):
        os_info = osinfo.detect(
            root=settings.root,
            operating_system=settings.operating_system,
            product=settings.product,
            package_manager=settings.package_manager,
        )
        found |= {
            "backend": os_info.package_manager,
            "operating_system": os_info.operating_system,
            "product": os_info.product,
        }
    return found

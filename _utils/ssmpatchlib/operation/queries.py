# SPDX-License-Identifier: Apache-2.0
"""Questions that change nothing: what was reported, what is open, what the baseline says."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import __version__, config, osinfo, patterns
from .. import report as reports_of
from ..baseline import frozen
from ..baseline.export import to_api
from ..config import Settings
from ..errors import InvalidInput, NoReport, SsmpatchError
from ..evaluate import judge_package
from ..host import Host
from ..model import NOT_APPLICABLE, Judgement, Package
from ..store import journal, pending, reports
from ..store.lock import current
from .outcome import describe_baseline
from .session import Judged, Session, Surface, judge_host, open_session


def report(
    settings: Settings,
    *,
    surface: Surface,
    host: Host | None = None,
    states: Sequence[str] | str | None = None,
    severity: Sequence[str] | str | None = None,
    name: Sequence[str] | str | None = None,
    details: bool = False,
) -> dict[str, Any]:
    """Return the last stored report with the rows asked for; never scan.

    Raises:
        NoReport: none is stored.
        InvalidInput: a state that does not exist.
    """
    stored, warnings = reports.load_report(state_dir=settings.state_dir, root=settings.root, now=(host or Host()).now())
    if stored is None:
        said = f" ({'; '.join(warnings)})" if warnings else ""
        raise NoReport(f"no report is stored in {settings.state_dir}{said}; run ssmpatch.scan first")
    chosen = reports_of.select(stored.report, states=states, severity=severity, name=name, details=details)
    return {**chosen, "warnings": [*chosen["warnings"], *warnings]}


def history(settings: Settings, *, surface: Surface, host: Host | None = None, limit: int = 20) -> list[dict[str, Any]]:
    """Return past operations, newest first.

    Raises:
        InvalidInput: ``limit`` is no positive number.
    """
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise InvalidInput(f"limit: {limit!r} is not allowed; use a number from 1 on")
    found, warnings = reports.read_history(
        state_dir=settings.state_dir, root=settings.root, now=(host or Host()).now(), limit=limit
    )
    for warning in warnings:
        surface.log.warning("ssmpatch: %s", warning)
    return [dict(row) for row in found]


def status(settings: Settings, *, surface: Surface, host: Host | None = None) -> dict[str, Any]:
    """Return what runs, what ran last, what waits for a reboot and what was interrupted."""
    host = host or Host()
    place: dict[str, Any] = {"state_dir": settings.state_dir, "root": settings.root, "now": host.now()}
    running = current(settings.state_dir, settings.root)
    last, said = reports.read_history(**place, limit=1)
    record, more = pending.load_pending(**place)
    entry, warnings = (None, ()) if running else journal.load_open(**place)
    return {
        "running": None if running is None else {**running, "since": _when(running.get("since"))},
        "last": dict(last[0]) if last else None,
        "reboot_pending": _pending(record, host),
        "journal": None if entry is None else _entry(entry),
        "boot_id": host.boot_id(),
        "warnings": [*said, *more, *warnings],
    }


def _pending(record: pending.PendingReboot | None, host: Host) -> dict[str, Any] | None:
    from ..reboot import same_boot

    if record is None or not record.titles:
        return None
    now_id, now_time = host.boot_id(), host.boot_time()
    if not same_boot(recorded_id=record.boot_id, recorded_at=record.since, boot_id=now_id, boot_time=now_time):
        return None
    return {
        "packages": list(record.titles),
        "since": reports_of.utc(record.since),
        "boot_id": record.boot_id,
        "attempts": record.requests.attempts,
    }


def _entry(entry: journal.JournalEntry) -> dict[str, Any]:
    return {
        "run_id": entry.run_id,
        "operation": entry.operation,
        "phase": entry.phase,
        "batch": entry.batch,
        "batches": entry.batches,
        "started": reports_of.utc(entry.started),
    }


def _when(epoch: Any) -> str | None:
    return reports_of.utc(epoch) if isinstance(epoch, (int, float)) else None


def explain(
    settings: Settings, *, surface: Surface, host: Host | None = None, name: str, baseline_override: Any = None
) -> list[dict[str, Any]]:
    """Return for every package that matches ``name`` what each of its versions is judged to be, and why.

    Raises:
        InvalidInput: no package matches.
    """
    host = host or Host()
    session = open_session(settings, host=host, surface=surface, baseline_override=baseline_override)
    inventory = session.backend.inventory(non_security=True)
    judged = judge_host(session, now=host.now(), inventory=inventory)
    on_offer = (*inventory.packages, *inventory.absent.build())
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
    notice = judgement.notice or judgement.version.notices[0]
    return {
        "version": judgement.version.version,
        "origin": judgement.version.origin,
        "approved": judgement.approved,
        "rejected": judgement.rejected,
        "level": judgement.level if judgement.approved else "",
        "reason": judgement.reason,
        "released": notice.released.strftime("%Y-%m-%dT%H:%M:%SZ") if notice.released else "",
        "advisory": notice.id,
    }


def baseline(
    settings: Settings, *, surface: Surface, host: Host | None = None, baseline_override: Any = None
) -> dict[str, Any]:
    """Return the effective baseline in the form of AWS's API, and where it came from."""
    session = open_session(settings, host=host or Host(), surface=surface, baseline_override=baseline_override)
    return {"baseline": to_api(session.baseline), **describe_baseline(session)}


def validate(
    minion: Mapping[str, Any] | None,
    pillar: Mapping[str, Any] | None,
    *,
    surface: Surface,
    baseline_override: Any = None,
) -> list[str]:
    """Return every problem of configuration and baseline, as ``path: what`` lines; an empty list means valid."""
    found = config.problems(minion, pillar)
    if found:
        return found
    try:
        settings = config.load(minion=minion, pillar=pillar)
        open_session(settings, host=Host(), surface=surface, baseline_override=baseline_override)
    except InvalidInput as exc:
        return list(exc.problems) or [str(exc)]
    except SsmpatchError as exc:
        return [str(exc)]
    return []


def freeze(settings: Settings, *, surface: Surface, host: Host | None = None) -> dict[str, Any]:
    """Return the approved versions of the installed packages, as a document for the setting ``frozen``.

    A package without an approved update is frozen at its installed version.
    """
    host = host or Host()
    session = open_session(settings, host=host, surface=surface)
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


def version(settings: Settings, *, surface: Surface, host: Host | None = None) -> dict[str, Any]:
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

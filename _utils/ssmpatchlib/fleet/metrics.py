# SPDX-License-Identifier: Apache-2.0
"""A fleet report as a Prometheus text file. Pieces of text, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..model import COMPLIANT, NON_COMPLIANT
from ..times import epoch_of
from .fleetreport import FleetReport
from .hosts import VERDICTS, HostReport
from .standing import STATUSES, RolloutStanding

Labels = tuple[tuple[str, str], ...]


def prometheus_text(report: FleetReport) -> Iterator[str]:
    """Gauges in Prometheus' text format, for node_exporter's textfile directory."""
    totals, hosts = report.totals, report.hosts
    reported = [host for host in hosts if host.ended is not None]
    yield from _metric("ssmpatch_report_time_seconds", "When this file was made.", [((), report.made)])
    yield from _metric(
        "ssmpatch_hosts", "Hosts by verdict.", [((("compliance", v.lower()),), totals.verdicts[v]) for v in VERDICTS]
    )
    yield from _metric("ssmpatch_stale_hosts", "Hosts whose report is too old.", [((), len(totals.stale))])
    yield from _metric("ssmpatch_reboot_pending_hosts", "Hosts that wait for a reboot.", [((), len(totals.reboots))])
    yield from _metric(
        "ssmpatch_old_code_hosts", "Hosts that run code which an update replaced.", [((), len(totals.old_code))]
    )
    yield from _cves(report)
    yield from _metric(
        "ssmpatch_noncompliant_patches",
        "Non-compliant patches of all hosts by compliance level.",
        [((("level", level.lower()),), number) for level, number in totals.levels.items()],
    )
    yield from _metric(
        "ssmpatch_held_back_patches",
        "Missing patches of all hosts that their frozen sets hold back.",
        [((), totals.patches["held_back"])],
    )
    yield from _metric(
        "ssmpatch_frozen_compliant_hosts",
        "Hosts that are compliant without what their frozen sets hold back.",
        [((), totals.let_in)],
    )
    yield from _metric(
        "ssmpatch_host_compliant",
        "1 when the host's report says compliant, 0 when it says anything else or there is none.",
        [(_host(host), int(host.verdict == COMPLIANT)) for host in hosts],
    )
    yield from _metric(
        "ssmpatch_host_noncompliant_patches",
        "Non-compliant patches of the host by state.",
        [
            ((*_host(host), ("state", state)), number)
            for host in reported
            if host.verdict == NON_COMPLIANT
            for state, number in zip(host.counts._fields[:4], host.counts[:4], strict=True)
            if number
        ],
    )
    yield from _metric(
        "ssmpatch_host_held_back_patches",
        "Missing patches of the host that its frozen set holds back.",
        [(_host(host), host.counts.held_back) for host in reported if host.frozen],
    )
    yield from _metric(
        "ssmpatch_host_reboot_pending",
        "1 when the host waits for a reboot.",
        [(_host(host), 1) for host in hosts if host.reboot_pending],
    )
    yield from _metric(
        "ssmpatch_host_old_code",
        "What of the host runs code that an update replaced, by kind.",
        [
            ((*_host(host), ("kind", kind)), len(names))
            for host in hosts
            if host.old_code
            for kind, names in host.old_code._asdict().items()
            if names
        ],
    )
    yield from _metric(
        "ssmpatch_host_report_time_seconds",
        "When the host's report was made.",
        [(_host(host), host.ended or 0.0) for host in reported],
    )
    yield from _host_cves(hosts)
    if report.rollout:
        yield from _rollout(report.rollout)


def _cves(report: FleetReport) -> Iterator[str]:
    """The open CVEs of the fleet; those of which no host says anything are unknown, and not none."""
    cves = report.totals.cves
    yield from _metric(
        "ssmpatch_cves_unknown_hosts",
        "Hosts of which it is not known which CVEs are open.",
        [((), report.totals.hosts - cves.known)],
    )
    if not cves.any:
        return
    yield from _metric(
        "ssmpatch_open_cves",
        "CVEs that are open on any host, each counted once, by severity.",
        [((("severity", severity),), number) for severity, number in cves.by_severity.items()],
    )
    yield from _metric(
        "ssmpatch_open_exploited_cves",
        "CVEs that are open on any host and known to be exploited.",
        [((), cves.exploited)],
    )
    oldest, exploited = _oldest(report)
    yield from _metric(
        "ssmpatch_oldest_open_cve_time_seconds",
        "When the oldest CVE that is open was first seen open, by severity.",
        [((("severity", severity),), since) for severity, since in oldest.items()],
    )
    yield from _metric(
        "ssmpatch_oldest_open_exploited_cve_time_seconds",
        "When the oldest CVE that is open and known to be exploited was first seen open.",
        [((), exploited)] if exploited is not None else [],
    )


def _oldest(report: FleetReport) -> tuple[dict[str, float], float | None]:
    """Since when the oldest open CVE of each severity is known, and that of those that are exploited.

    Without a history it is the time of its publication.
    """
    first = {each.id: each.first for each in report.trends.cves}
    found: dict[str, float] = {}
    exploited: float | None = None
    for cve in report.totals.cves.open:
        since = first.get(cve.id, epoch_of(cve.published))
        if since is None:
            continue
        since = min(max(since, 0.0), report.made)
        found[cve.severity] = min(since, found.get(cve.severity, since))
        if cve.exploited:
            exploited = since if exploited is None else min(since, exploited)
    return found, exploited


def _host_cves(hosts: Sequence[HostReport]) -> Iterator[str]:
    known = [(host, host.cves) for host in hosts if host.cves is not None]
    yield from _metric(
        "ssmpatch_host_open_cves",
        "CVEs that are open on the host, each counted once.",
        [(_host(host), cves.counts.open) for host, cves in known if cves.counts.open or not cves.problem],
    )
    yield from _metric(
        "ssmpatch_host_open_exploited_cves",
        "CVEs that are open on the host and known to be exploited.",
        [(_host(host), cves.counts.exploited) for host, cves in known if cves.counts.exploited],
    )


def _rollout(rollout: RolloutStanding) -> Iterator[str]:
    """How the last rollout stands; a time that is not yet is left out."""
    yield from _metric(
        "ssmpatch_rollout_status",
        "1 for the status that the last rollout has, 0 for the others.",
        [((("status", status),), int(status == rollout.status)) for status in STATUSES],
    )
    whole = [("started", rollout.started), ("ended", rollout.ended)]
    for word, value in whole:
        yield from _metric(
            f"ssmpatch_rollout_{word}_time_seconds",
            f"When the last rollout {word}.",
            [((), value)] if value else [],
        )
    yield from _metric(
        "ssmpatch_rollout_ring_hosts",
        "Hosts of each ring of the last rollout by phase.",
        [((("ring", r.name), ("state", phase)), number) for r in rollout.rings for phase, number in r.hosts.items()],
    )
    rings = [
        ("started", [(ring.name, ring.started) for ring in rollout.rings]),
        ("ended", [(ring.name, ring.ended) for ring in rollout.rings]),
    ]
    for word, times in rings:
        yield from _metric(
            f"ssmpatch_rollout_ring_{word}_time_seconds",
            f"When each ring of the last rollout {word}.",
            [((("ring", name),), value) for name, value in times if value],
        )


def _host(host: HostReport) -> Labels:
    """The labels of a host; an empty one is none to Prometheus."""
    return (
        ("minion", host.id),
        ("system", host.system),
        ("patch_group", host.patch_group),
        ("group", host.group),
        ("ring", host.ring),
    )


def _metric(name: str, text: str, samples: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    """A metric with its samples, in pieces."""
    lines = [f"# HELP {name} {text}\n# TYPE {name} gauge\n"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_label(text)}"' for key, text in labels if text)
        shown = f"{value:d}" if isinstance(value, int) else f"{value:.0f}"
        lines.append(f"{name}{{{inside}}} {shown}\n" if inside else f"{name} {shown}\n")
        if len(lines) >= 1000:
            yield "".join(lines)
            lines.clear()
    yield "".join(lines)


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

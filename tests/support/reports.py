# SPDX-License-Identifier: Apache-2.0
"""Makes realistic minion returns: a fleet of any size, the same for the same seed."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

SYSTEMS = (
    ("Debian", "12.14", "DEBIAN", "Debian12", "amd64", "{upstream}-{n}+deb12u{fix}"),
    ("Ubuntu", "24.04", "UBUNTU", "Ubuntu24.04", "amd64", "{upstream}-{n}ubuntu0.{fix}"),
    ("Rocky", "9.6", "ROCKY_LINUX", "RockyLinux9.6", "x86_64", "0:{upstream}-{n}.el9_6.{fix}"),
    ("SLES", "15.6", "SUSE", "SuseLinuxEnterpriseServer15.6", "x86_64", "0:{upstream}-150600.{n}.{fix}"),
)
ADVISORIES = {SYSTEMS[2][5]: "RLSA-2026:{}", SYSTEMS[3][5]: "SUSE-SU-2026:{}-1"}
STEMS = tuple(
    word
    for line in (
        "openssl libssl3 curl libcurl4 openssh-server openssh-client bash glibc sudo python3.11 perl git vim",
        "nginx apache2 php8.2 postgresql-15 mariadb-server redis bind9 samba krb5 systemd linux-image dbus",
        "expat zlib libxml2 gnutls nghttp2 c-ares sqlite3 tiff libpng freetype cups gnupg tar gzip xz-utils",
        "rsync wget ffmpeg imagemagick nodejs ruby3.1 golang-1.22 openjdk-17 tomcat10 haproxy squid dovecot",
        "exim4 postfix unbound dnsmasq firefox-esr",
    )
    for word in line.split()
)
NAMES = [stem + suffix for suffix in ("", "-common", "-dev", "-doc", "-utils") for stem in STEMS]
LEVELS = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNSPECIFIED")
SEVERITIES = ("Critical", "Important", "Moderate", "Low", "None", "")
SITES = ("fra", "ams", "nyc", "sin", "syd")
ROLES = ("web", "db", "app", "cache", "build")
NOW = dt.datetime(2026, 11, 20, 6, 30, tzinfo=dt.timezone.utc).timestamp()


def utc(epoch: float) -> str:
    return dt.datetime.fromtimestamp(epoch, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def patch(rng: random.Random, *, arch: str, form: str, name: str, state: str = "Missing") -> dict[str, Any]:
    """One non-compliant row."""
    steady = random.Random(name + form)
    upstream = f"{steady.randint(1, 12)}.{steady.randint(0, 30)}.{steady.randint(0, 9)}"
    build = steady.randint(1, 9)
    old, new = (form.format(upstream=upstream, n=build, fix=fix) for fix in (1, steady.randint(2, 6)))
    level = steady.choices(range(6), (1, 3, 6, 4, 1, 2))[0]
    security = steady.random() < 0.8
    installed = state != "Missing"
    row = {
        "Id": f"{name}.{arch}",
        "Title": f"{name}.{arch}:{old if state == 'InstalledRejected' else new}",
        "PatchState": state,
        "Status": "NON_COMPLIANT",
        "Severity": LEVELS[level],
        "Classification": "Security" if security else "",
        "PatchSeverity": SEVERITIES[level],
        "InstalledTime": utc(NOW - rng.randint(3600, 86400 * 40)) if installed else "",
        "installed_version": old,
        "available_version": new if state in ("Missing", "Failed") else "",
        "reason": f"rule 1 approves {new}" + (" (security)" if security else ""),
    }
    if security and state in ("Missing", "Failed"):
        row["CVEIds"] = ",".join(sorted(f"CVE-2026-{steady.randint(1000, 9999)}" for _ in range(steady.randint(1, 4))))
        vendor = ADVISORIES.get(form)
        if vendor:
            row["advisories"] = vendor.format(steady.randint(1000, 9999))
    return row


def minion_return(
    number: int, *, seed: int = 1, rows: int | None = None, now: float = NOW
) -> tuple[str, dict[str, Any] | None]:
    """A minion's id and what it returns for report, status and grains; None when it does not answer.

    Args:
        rows: how many non-compliant rows; None makes a mixed fleet, most of it compliant, some of it silent.
    """
    rng = random.Random(seed * 1_000_003 + number)
    role, site = ROLES[number % len(ROLES)], SITES[number % 7 % len(SITES)]
    minion = f"{role}-{number:05d}.{site}.example.net"
    if rows is None and rng.random() < 0.015:
        return minion, None
    grain_os, release, system, product, arch, form = SYSTEMS[min(rng.randrange(7) // 2, 3)]
    wanted = rows if rows is not None else rng.choice((0, 0, 0, 0, 0, 0, 1, 2, 4, 9, 30))
    patches = [
        patch(rng, arch=arch, form=form, name=name, state=state)
        for name in rng.sample(NAMES, min(wanted, len(NAMES)))
        for state in rng.choices(("Missing", "InstalledPendingReboot", "Failed", "InstalledRejected"), (90, 6, 3, 1))
    ]
    age = rng.choice((1, 2, 5, 9, 20, 30, 24 * 9)) * 3600 + rng.randint(0, 3000)
    if rows is None and rng.random() < 0.01:
        report: Any = (
            "Traceback (most recent call last):\n  …\nsalt.exceptions.CommandExecutionError: no report is stored yet"
        )
    else:
        unknown = not patches and rng.random() < 0.03
        report = _report(rng, patches, ended=now - age, system=system, product=product, unknown=unknown)
        if number % 12 == 5:
            report["restarts"] = {"units": ["cron.service", "nginx.service"], "sessions": ["root"], "reboot": ["init"]}
    pending = any(row["PatchState"] == "InstalledPendingReboot" for row in patches)
    return minion, {
        "ssmpatch.report": report,
        "ssmpatch.status": {
            "running": None,
            "last": None,
            "reboot_pending": {"packages": ["linux-image"], "since": now - age} if pending else None,
            "journal": None,
            "boot_id": f"{number:08x}-0000-4000-8000-000000000000",
        },
        "grains.item": {
            "host": minion.partition(".")[0],
            "os": grain_os,
            "osrelease": release,
            "fqdn_ip4": [f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"],
            "ipv4": ["127.0.0.1"],
            "saltversion": "3008.3",
            "role": role,
        },
    }


def _report(
    rng: random.Random, patches: list[dict[str, Any]], *, ended: float, system: str, product: str, unknown: bool
) -> dict[str, Any]:
    states = [row["PatchState"] for row in patches]
    name = f"AWS-{system.title().replace('_', '')}DefaultPatchBaseline" if rng.random() < 0.7 else "company-standard"
    summary = {
        "BaselineId": f"pb-{abs(hash_of(name)):017x}"[:20],
        "PatchGroup": rng.choice(("", "production", "staging")),
        "SnapshotId": "11111111-2222-4333-8444-555555555555",
        "ExecutionId": f"{rng.getrandbits(128):032x}",
        "InstalledCount": str(rng.randint(150, 400)),
        "InstalledOtherCount": str(rng.randint(300, 900)),
        "InstalledRejectedCount": str(states.count("InstalledRejected")),
        "InstalledPendingRebootCount": str(states.count("InstalledPendingReboot")),
        "NotApplicableCount": str(rng.randint(5000, 12000)),
        "MissingCount": str(states.count("Missing")),
        "FailedCount": str(states.count("Failed")),
        "CriticalNonCompliantCount": str(sum(row["Severity"] == "CRITICAL" for row in patches)),
        "SecurityNonCompliantCount": str(sum(row["Classification"] == "Security" for row in patches)),
        "OtherNonCompliantCount": "0",
        "OperationType": rng.choice(("Scan", "Scan", "Scan", "Install")),
        "OperationStartTime": utc(ended - 20),
        "OperationEndTime": utc(ended),
        "RebootOption": "RebootIfNeeded",
    }
    return {
        "compliance": "NON_COMPLIANT" if patches else "UNKNOWN" if unknown else "COMPLIANT",
        "summary": summary,
        "patches": patches,
        "baseline": {
            "id": summary["BaselineId"],
            "name": name,
            "operating_system": system,
            "product": product,
            "origin": "built-in",
            "frozen": False,
        },
        "warnings": ["security: could not be read: connection refused; a copy from 3 days ago was used"] * unknown,
        "run": {"id": summary["ExecutionId"], "duration": 20.1},
    }


def hash_of(text: str) -> int:
    """A number for a text that is the same in every process."""
    return int.from_bytes(text.encode()[:7].ljust(7, b"."), "big")


def fleet(size: int, *, seed: int = 1, rows: int | None = None) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """``size`` minions with their returns."""
    return (minion_return(number, seed=seed, rows=rows) for number in range(size))

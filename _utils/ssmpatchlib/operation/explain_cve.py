# SPDX-License-Identifier: Apache-2.0
"""What ``explain`` says of a CVE or an advisory: what it is, and which packages of this host it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..advisories.record import link_of
from ..cve_words import FIXED, NOT_KNOWN
from ..evaluate import Judged
from ..versions import sort_key
from .cve import cves_of
from .session import Session

#: What an id says of itself by its beginning.
_KINDS = {
    "CVE-": "a CVE",
    "DEBIAN-CVE-": "Debian's record of a CVE",
    "UBUNTU-CVE-": "Ubuntu's record of a CVE",
    "USN-": "a security notice of Ubuntu",
    "DSA-": "a security advisory of Debian",
    "DLA-": "a security advisory of Debian LTS",
    "RHSA-": "a security advisory of Red Hat",
    "RHBA-": "a bug fix advisory of Red Hat",
    "RHEA-": "an enhancement advisory of Red Hat",
    "CESA-": "a security advisory of CentOS",
    "ALSA-": "a security advisory of AlmaLinux",
    "ALBA-": "a bug fix advisory of AlmaLinux",
    "RLSA-": "a security advisory of Rocky Linux",
    "RLBA-": "a bug fix advisory of Rocky Linux",
    "RXSA-": "a security advisory of Rocky Linux",
    "ELSA-": "a security advisory of Oracle Linux",
    "ELBA-": "a bug fix advisory of Oracle Linux",
    "ALAS": "a security advisory of Amazon Linux",
    "SUSE-": "an update of SUSE",
    "OPENSUSE-": "an update of openSUSE",
    "FEDORA-": "an update of Fedora",
}
_OF_A_REPOSITORY = "an advisory of a repository"


def answer(session: Session, judged: Judged, id_: str) -> dict[str, Any] | None:
    """Return what is known of an id in capitals; None where it looks like none and nothing names it.

    An id of which nothing is known has a row that says so.
    """
    found = cves_of(session, judged, frozenset({id_}))
    rows: Sequence[Mapping[str, Any]] = found["cves"]
    kind = next((words for beginning, words in _KINDS.items() if id_.startswith(beginning)), "")
    if not kind and all(row["state"] == NOT_KNOWN and not row["package"] for row in rows):
        return None
    links = (link_of(id_), *(url for row in rows for url in row["references"]))
    references = [url for url in dict.fromkeys(links) if url]
    return {"id": id_, "kind": kind or _OF_A_REPOSITORY, **found, "references": references}


def first_fixed(judged: Judged, rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return by ``name.arch`` of the packages that the rows concern the first version with every fix.

    ``""`` where no version on offer has it. What is fixed already has it in the installed version.
    """
    order = sort_key(judged.inventory.family.version_order)
    installed = {package.id: package.installed.version for package in judged.inventory.packages if package.installed}
    rows = list(rows)
    least = {id_: "" for row in rows for id_ in row["packages"] if id_ in installed}
    least |= {id_: installed[id_] for row in rows if row["state"] == FIXED for id_ in row["packages"] if id_ in least}
    named = {row["cve"] for row in rows if row["state"] != FIXED}
    for group in judged.cves.open:
        if named.isdisjoint(group.cves):
            continue
        for carrier in group.carriers:
            if carrier.id in least:
                least[carrier.id] = max(filter(None, (least[carrier.id], carrier.version)), key=order)
    return least

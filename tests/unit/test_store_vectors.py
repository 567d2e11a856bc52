# SPDX-License-Identifier: Apache-2.0
"""The state files of the conformance vectors: which packages wait for a reboot, against the decided results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ssmpatchlib.model import Boot
from ssmpatchlib.store.pending import still_pending
from ssmpatchlib.store.states import STATES_FILE, read_states

VECTORS = Path(__file__).parents[1] / "conformance" / "apt"
SCANS = {
    path.name: (case, decided["states"])
    for path in sorted((VECTORS / "cases").glob("*.json"))
    if (case := json.loads(path.read_text()))["operation"] == "Scan"
    and (decided := json.loads((VECTORS / "decided" / path.name).read_text()))["states"]
}
NOW = 1_795_471_200.0
BOOT_TIME = 1_700_000_000.0  # where a case names none


@pytest.mark.parametrize("name", SCANS)
def test_pending_reboots_are_as_decided(tmp_path, name):
    case, decided = SCANS[name]
    previous = case["previous_state"]
    if previous is not None:
        text = previous if isinstance(previous, str) else json.dumps(previous)
        (tmp_path / STATES_FILE).write_text(text)
    native = case.get("architectures", ["amd64"])[0]
    installed = {
        f"{item['name']}.{native if item['arch'] == 'all' else item['arch']}:{item['version']}"
        for item in case["installed"]
        if not item.get("status", "").startswith("deinstall")
    }
    states, _ = read_states(tmp_path, now=NOW)
    boot = Boot("", case.get("boot_time", BOOT_TIME))
    waiting = still_pending(None, states, installed=installed, boot=boot)
    by_id = {f"{row['name']}.{row['arch']}": row for row in decided.values()}
    # A package whose update is missing is reported as Missing, whether its installed version waits for a reboot or not.
    shown = {title for title in waiting if by_id[title.partition(":")[0]]["state"] != "Missing"}
    expected = {
        f"{row['name']}.{row['arch']}:{row['version']}"
        for row in decided.values()
        if row["state"] == "InstalledPendingReboot"
    }
    assert shown == expected


def test_there_are_vectors():
    assert len(SCANS) > 100

# SPDX-License-Identifier: Apache-2.0
"""On a machine that boots: a requested reboot happens, is verified and reported, and never becomes a loop."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from support.faults.debs import Deb
from support.machine_host import BASELINE, MachineHost

pytestmark = [pytest.mark.root, pytest.mark.network, pytest.mark.slow]
#: A package that asks for a reboot as Debian's do.
UPDATE = Deb("kernelish", "2.0", scripts={"postinst": "touch /run/reboot-required"})
#: What stays after every boot, as on a host that keeps booting its old kernel.
STUBBORN = "f /run/reboot-required 0644 root root - -\n"
PATCHED = {"patched": {"ssmpatch": ["compliant"]}, "rebooted": {"ssmpatch": ["rebooted"]}}


def settings(**policy: Any) -> dict[str, Any]:
    return {"baseline": BASELINE, "reboot": {"option": "RebootIfRequired", **policy}}


def begin(host: MachineHost, *, minion: dict[str, Any] | None = None, **policy: Any) -> str:
    """A host that misses one update, and the run id of its scan."""
    host.has_debs([Deb(UPDATE.name, "1.0")], [UPDATE])
    host.begin(settings=settings(**policy), minion=minion)
    return host.scanned("NON_COMPLIANT")["run"]["id"]


def requests(host: MachineHost) -> str:
    """What the system has planned, as systemd says it."""
    path = host.vm.root / "run/systemd/shutdown/scheduled"
    return host.vm.run("cat", f"/{path.relative_to(host.vm.root)}", check=False).stdout


def test_a_requested_reboot_happens_and_its_report_is_verified(host: MachineHost) -> None:
    run_id = begin(host, delay=0)
    host.asynchronously("ssmpatch.install")
    host.vm.reboots()
    began = time.monotonic()

    report = host.finished(run_id)
    print(f"from the reboot to the verified report: {time.monotonic() - began:.0f} s")
    assert host.vm.boots == 2
    assert (report["compliance"], report["reboot"]["pending"]) == ("COMPLIANT", []), report
    assert any("requested has happened" in text for text in report["warnings"])
    assert host.call("ssmpatch.reboot", "dry_run=True")["action"] == "none"


def test_a_cancelled_reboot_is_no_attempt_and_comes_again(host: MachineHost) -> None:
    begin(host, delay=30, max_attempts=1)
    installed = host.call("ssmpatch.install")
    assert installed["reboot"]["action"] == "reboot", installed
    assert "MODE=reboot" in requests(host)
    assert host.call("ssmpatch.reboot", "dry_run=True")["action"] == "deferred"

    host.vm.run("shutdown", "-c")

    assert requests(host) == ""
    assert any("was cancelled" in text for text in host.call("ssmpatch.resume")["warnings"])
    assert host.call("ssmpatch.reboot")["action"] == "reboot"
    assert "MODE=reboot" in requests(host)
    host.vm.run("shutdown", "-c")


def test_a_hint_that_no_boot_clears_reboots_once(host: MachineHost) -> None:
    host.master.state("patched", PATCHED)
    host.vm.write("etc/tmpfiles.d/stubborn.conf", STUBBORN)
    begin(host, minion={"startup_states": "sls", "sls_list": ["patched"]}, delay=0)
    host.asynchronously("state.apply", "patched")
    host.vm.reboots()
    host.finished()

    for _again in range(2):
        applied = host.call("state.apply", "patched", timeout=180)
        assert isinstance(applied, dict), applied
        said = {key.split("_|-")[1]: (row["result"], row["comment"]) for key, row in applied.items()}
        assert said["patched"][0] is True, said
        assert said["rebooted"][0] is False and "has not changed that" in said["rebooted"][1], said
    assert host.vm.is_running() and host.vm.boots == 2


def test_a_machine_that_does_not_boot_is_asked_so_often_and_no_more(host: MachineHost) -> None:
    def later() -> None:
        """Let the last request have been long ago."""
        path = host.vm.root / "var/lib/ssmpatch/pending-system.json"
        record = json.loads(path.read_text())
        record["requests"]["requested_at"] -= 3600
        path.write_text(json.dumps(record))

    begin(host, delay=0, max_attempts=2)
    host.vm.run("systemctl", "mask", "--runtime", "reboot.target")
    assert host.call("ssmpatch.install")["reboot"]["action"] == "reboot"
    assert host.call("ssmpatch.reboot")["action"] == "deferred"
    later()
    assert host.call("ssmpatch.reboot")["action"] == "reboot"
    later()
    for _again in range(2):
        said = host.call("ssmpatch.reboot")
        assert "2 reboots were requested and the machine did not boot" in said, said
    assert host.vm.is_running() and host.vm.boots == 1

# SPDX-License-Identifier: Apache-2.0
"""On a machine that boots: the package manager outlives the minion that started it, and the run is finished."""

from __future__ import annotations

from typing import Any

import pytest

from support import dnf_root
from support.faults.debs import Deb
from support.generated import Cases
from support.machine import MINION_UNIT, minion_unit
from support.machine_host import BASELINE, MachineHost
from support.rpm_build import Spec

pytestmark = [pytest.mark.root, pytest.mark.network, pytest.mark.slow]
SETTINGS: dict[str, Any] = {"baseline": BASELINE, "reboot": {"option": "RebootIfRequired"}}
INTERRUPTED = "this run was interrupted in phase installing and finished later"
#: Long enough for a restart of the minion in between; what has begun here twice, or has not ended, was not left alone.
SLOW = "echo begun >> /var/tmp/scripts; sleep 15; echo done >> /var/tmp/scripts"
#: As Salt's own packages do it.
RESTART = "if [ -d /run/systemd/system ]; then systemctl daemon-reload; systemctl restart salt-minion; fi"


def scripts(host: MachineHost) -> list[str]:
    """What the slow scripts have written so far."""
    path = host.vm.root / "var/tmp/scripts"
    return path.read_text().split() if path.exists() else []


def test_a_restart_of_the_minion_leaves_apt_alone(host: MachineHost) -> None:
    slow = Deb("slow", "2.0", scripts={"postinst": SLOW})
    others = [Deb(name, "2.0", {"Depends": "slow (>= 2.0)"}) for name in ("one", "two")]
    host.has_debs([Deb(deb.name, "1.0") for deb in (slow, *others)], [slow, *others])
    host.begin(settings=SETTINGS)
    host.scanned("NON_COMPLIANT")
    host.asynchronously("ssmpatch.install")
    host.vm.wait(lambda: scripts(host), "the postinst")

    host.vm.run("systemctl", "restart", "salt-minion")

    report = host.finished()
    assert scripts(host) == ["begun", "done"]
    assert [host.vm.version(name) for name in ("slow", "one", "two")] == ["ii  2.0"] * 3, report
    assert host.vm.run("dpkg", "--audit").stdout == ""
    assert (report["compliance"], report["warnings"]) == ("COMPLIANT", [INTERRUPTED]), report


def minion_deb(version: str) -> Deb:
    """A package of the minion, which restarts it."""
    unit = f"# {version}\n{minion_unit()}"
    return Deb("salt-minion", version, files={MINION_UNIT: unit}, scripts={"postinst": RESTART})


def round_of(number: int) -> list[Deb]:
    """What is on offer in a round: in every second one a package goes on after the minion's."""
    needs = {"Depends": f"salt-minion (>= {number})"} if number % 2 else {}
    return [minion_deb(str(number)), Deb("before", str(number)), Deb("zlast", str(number), needs)]


@pytest.mark.cases(2)
def test_a_minion_that_updates_itself_reports_to_its_master(host: MachineHost, cases: Cases) -> None:
    host.has_debs(round_of(1), round_of(1))
    host.begin(settings=SETTINGS)
    run_id = host.scanned("COMPLIANT")["run"]["id"]
    for case, _random in cases:
        number = str(case + 2)
        host.vm.offer(round_of(case + 2))
        host.asynchronously("ssmpatch.install")

        report = host.finished(run_id)
        run_id = report["run"]["id"]
        assert report["compliance"] == "COMPLIANT", report
        assert [host.vm.version(deb.name) for deb in round_of(1)] == [f"ii  {number}"] * 3
        brought = {name: change["new"] for name, change in report["changes"].items()}
        assert brought == dict.fromkeys(("before", "salt-minion", "zlast"), number)
        assert host.vm.run("dpkg", "--audit").stdout == ""
        host.answers()


def test_a_restart_of_the_minion_leaves_dnf_alone(host: MachineHost) -> None:
    place = "srv/redhat"
    slow = Spec("slow", lua_post="f = io.open('/begun', 'a'); f:write('begun\\n'); f:close(); posix.sleep(15)")
    root = dnf_root.build(
        host.vm.root / place,
        os={**dnf_root.SYSTEM, "id": "rhel", "releasever": "8.6"},
        installed=["slow-1-1.noarch", "one-1-1.noarch"],
        specs=[slow, Spec("one", requires=["slow >= 2"])],
    )
    for path in root.glob("etc/yum.repos.d/*.repo"):
        path.write_text(path.read_text().replace(str(host.vm.root), ""))
    host.begin(
        settings={
            **SETTINGS,
            "root": f"/{place}",
            "baseline": {**BASELINE, "OperatingSystem": "REDHAT_ENTERPRISE_LINUX"},
        }
    )
    host.scanned("NON_COMPLIANT")
    host.asynchronously("ssmpatch.install")
    host.vm.wait(lambda: (root / "begun").exists(), "the scriptlet")

    host.vm.run("systemctl", "restart", "salt-minion")

    report = host.finished()
    assert (root / "begun").read_text() == "begun\n"
    query = host.vm.run("rpm", "--root", f"/{place}", "--dbpath", "/var/lib/rpm", "-qa").stdout
    assert sorted(query.split()) == ["one-2-1.noarch", "slow-2-1.noarch"]
    assert (report["compliance"], report["warnings"]) == ("COMPLIANT", [INTERRUPTED]), report

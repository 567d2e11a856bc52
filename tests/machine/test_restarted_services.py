# SPDX-License-Identifier: Apache-2.0
"""On a machine that boots: services that run an updated library are named, restarted, and then gone from the list."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import osv
from support.faults.children import DRIVER
from support.faults.debs import Deb
from support.machine import Machine
from support.machine_host import BASELINE, MachineHost
from support.rpm_build import Spec, build_rpm
from support.store import environment

pytestmark = [pytest.mark.root, pytest.mark.network, pytest.mark.slow]
#: Where packages have their libraries.
PLACE = "usr/lib/old"
LIBRARY = f"{PLACE}/libdeb.so.1"
UNIT = """[Unit]
Description=A service with a library of a package
{more}
[Service]
{service}
Environment=LD_PRELOAD=/{library}
ExecStart=/usr/bin/sleep infinity
"""
#: Services by name: what their unit files have besides.
SERVICES = {
    "plain": ("", ""),
    "other": ("", ""),
    "stubborn": ("RefuseManualStop=yes", ""),
    "broken": ("", "ExecStartPre=/usr/bin/test ! -e /run/broken"),
}
SESSION = "session-9.scope"
#: The programs of init and of a service that is never restarted.
SYSTEMS = ("usr/lib/systemd/systemd", "usr/bin/dbus-daemon")
LISTS = ("units", "sessions", "processes", "containers", "reboot")


def library(root: Path) -> bytes:
    """A library that the program sleep does not have by itself."""
    return next(iter(sorted(root.glob("usr/lib/*/libz.so.1")))).read_bytes()


def prepare(vm: Machine) -> None:
    """Let the machine, before it is started, have services and a library with an update."""
    debs = [Deb("old", version, files={LIBRARY: library(vm.root)}) for version in ("1.0", "2.0")]
    vm.install_debs(debs[:1])
    vm.offer(debs[1:])
    for name, (more, service) in SERVICES.items():
        vm.write(f"usr/lib/systemd/system/{name}.service", UNIT.format(more=more, service=service, library=LIBRARY))


def start_services(vm: Machine) -> None:
    """Start the services, and a program of a user who has logged in."""
    vm.run("systemctl", "start", *SERVICES)
    scope = ["systemd-run", "--quiet", "--scope", "--slice=user-0.slice", f"--unit={SESSION}"]
    vm.run("systemd-run", "--quiet", "--unit=login", *scope, "env", f"LD_PRELOAD=/{LIBRARY}", "sleep", "600")
    vm.wait(lambda: SESSION in vm.run("systemctl", "list-units", "--type=scope").stdout, "the session")


def operate(vm: Machine, operation: str, arguments: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """Run an operation in the machine, without Salt; return its result."""
    path = os.pathsep.join((environment()["PYTHONPATH"], sysconfig.get_path("purelib")))
    argv = ["env", f"PYTHONPATH={path}", os.path.realpath(sys.executable), str(DRIVER)]
    spec = {"operation": operation, "settings": {"baseline": BASELINE, **settings}, "arguments": arguments or {}}
    done = subprocess.run(vm.command(*argv), input=json.dumps(spec), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert "error" not in said, said["error"]
    return dict(said["result"])


def replace(vm: Machine, name: str) -> None:
    """Replace a program by a copy of itself, as an update does."""
    path = vm.root / name
    new = path.with_name(f"{path.name}.dpkg-new")
    shutil.copy2(path, new)
    new.rename(path)


def of_needrestart(vm: Machine) -> tuple[set[str], set[str]]:
    """The services and the users of the sessions that needrestart names; init is ``init`` here."""
    lines = vm.run("needrestart", "-b", "-r", "l").stdout.splitlines()
    assert any(line.startswith("NEEDRESTART-VER:") for line in lines), lines
    said = [line.partition(": ") for line in lines]
    services = {value for key, _, value in said if key == "NEEDRESTART-SVC"}
    users = {value.split()[0] for key, _, value in said if key == "NEEDRESTART-SESS"}
    return {"init" if name == "systemd-manager" else name for name in services}, users


def of_zypper(vm: Machine) -> set[str]:
    """The services and sessions of the processes that ``zypper ps`` names; init is ``init`` here.

    It names the services too, but not where the machine's host has the first version of control groups.
    """
    pids = re.findall(r"^([0-9]+) +\|", vm.run("zypper", "--non-interactive", "ps", "-s").stdout, re.MULTILINE)
    groups = [vm.run("cat", f"/proc/{pid}/cgroup").stdout.splitlines()[-1] for pid in pids]
    return {group.rpartition("/")[2].replace("init.scope", "init") for group in groups}


def compare(vm: Machine) -> dict[str, Any]:
    """What ssmpatch finds, after needrestart and zypper were asked for the same."""
    found = operate(vm, "restarts")
    services = {*found["units"], *found["reboot"]}
    assert of_needrestart(vm) == (services, set(found["sessions"])), found
    assert of_zypper(vm) == services | ({SESSION} if found["sessions"] else set()), found
    return {kind: found[kind] for kind in LISTS}


def main_pid(vm: Machine, unit: str) -> str:
    """The process of a service."""
    return vm.run("systemctl", "show", "--value", "--property=MainPID", unit).stdout.strip()


def test_needrestart_and_zypper_name_the_same(vm: Machine) -> None:
    prepare(vm)
    # What lies below an overlay is not deleted, which zypper looks for; a copy of it is above.
    for program in SYSTEMS:
        replace(vm, program)
    vm.boot()
    start_services(vm)
    nothing: dict[str, list[str]] = {kind: [] for kind in LISTS}
    assert compare(vm) == nothing

    report = operate(vm, "install", reboot={"option": "RebootIfRequired"})

    said = osv.debian_cve("CVE-2026-1001", "old", "2.0", modified="2026-11-01T00:00:00Z")
    (vm.root / "srv/DEBIAN-12.jsonl.gz").write_bytes(osv.compiled("DEBIAN-12", [said], until="2026-11-30T00:00:00Z"))
    feed = {"location": "/srv/DEBIAN-12.jsonl.gz", "max_age": "3650d"}
    operate(vm, "scan", advisories=feed)
    for stored in (False, True):
        (row,) = operate(vm, "cve", {"ids": ["CVE-2026-1001"], "stored": stored}, advisories=feed)["cves"]
        assert (row["state"], row["installed"]) == ("fixed", "2.0")
        assert row["restart"] == ["broken.service", "other.service", "plain.service", "root", "stubborn.service"]

    services = ["broken.service", "other.service", "plain.service"]
    old = {**nothing, "units": services, "sessions": ["root"], "reboot": ["stubborn.service"]}
    assert report["restarts"] == {**old, "restarted": [], "later": []}, report
    assert (report["reboot"]["action"], report["reboot"]["required_hints"]) == ("none", [])
    assert compare(vm) == old

    for program in SYSTEMS:
        replace(vm, program)
    vm.run("systemctl", "restart", "plain")
    vm.run("systemctl", "stop", SESSION)
    reboot = ["dbus.service", "init", "stubborn.service"]
    assert compare(vm) == {**nothing, "units": ["broken.service", "other.service"], "reboot": reboot}


@contextlib.contextmanager
def on_a_disk(vm: Machine, directory: Path) -> Iterator[None]:
    """Let the libraries of packages be on this host's disk: dnf knows no mapped files of an overlay."""
    if not os.major(os.stat(directory).st_dev):
        pytest.skip(f"dnf needs-restarting knows mapped files of disks only, and {directory} is on none")
    (vm.root / PLACE).mkdir(parents=True)
    subprocess.run(["mount", "--bind", str(directory), str(vm.root / PLACE)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(vm.root / PLACE)], check=True)


def test_dnf_names_the_same(vm: Machine, tmp_path: Path) -> None:
    if not Path("/proc/self/ns/time").exists():
        pytest.skip("needs time namespaces (Linux 5.6): dnf mistakes the boot of a container")
    name = f"{PLACE}/librpm.so.1"
    # The rpms of the tests have texts in them, which their scripts replace.
    script = f"cp /usr/lib/*/libz.so.1 /{name}.new && mv /{name}.new /{name}"
    (tmp_path / "disk").mkdir()
    for version in ("1", "2"):
        spec = Spec("old", version, files={f"/{name}": "a library"}, post=script)
        build_rpm(vm.root / "srv/rpms", spec, work=tmp_path / "rpmbuild")
    for service in ("used", "unused"):
        used = name if service == "used" else ""
        vm.write(f"usr/lib/systemd/system/{service}.service", UNIT.format(more="", service="", library=used))

    def services() -> set[str]:
        # dnf adds the time from the boot of the kernel to the time of the boot of the machine, which is another one.
        ticks = vm.run("cat", "/proc/1/stat").stdout.rpartition(")")[2].split()[19]
        offset = -int(ticks) // os.sysconf("SC_CLK_TCK")
        argv = ["dnf", "-q", "--releasever=1", "--disablerepo=*", "needs-restarting", "--services"]
        return set(vm.run("unshare", "--fork", "--time", "--boottime", str(offset), *argv).stdout.split())

    with on_a_disk(vm, tmp_path / "disk"):
        vm.boot()
        vm.run("rpm", "--install", "--nodeps", "/srv/rpms/old-1-1.noarch.rpm")
        # Of what begins within the second of an installation dnf does not know which was first.
        vm.run("sleep", "2")
        vm.run("systemctl", "start", "used", "unused")
        assert services() == set(operate(vm, "restarts")["units"]) == set()
        vm.run("sleep", "2")
        vm.run("rpm", "--upgrade", "--nodeps", "/srv/rpms/old-2-1.noarch.rpm")
        assert services() == set(operate(vm, "restarts")["units"]) == {"used.service"}
        assert operate(vm, "restarts")["files"] == {"used.service": [f"/{name}"]}
        vm.run("sleep", "2")
        vm.run("systemctl", "restart", "used")
        assert services() == set(operate(vm, "restarts")["units"]) == set()
        vm.stop()


def test_services_are_restarted_and_salts_own_after_the_run(host: MachineHost) -> None:
    vm = host.vm
    prepare(vm)
    vm.write("etc/systemd/system/salt-minion.service.d/old.conf", f"[Service]\nEnvironment=LD_PRELOAD=/{LIBRARY}\n")
    settings = {"baseline": BASELINE, "restart": "services", "reboot": {"option": "NoReboot"}}
    host.begin(settings=settings, schedule=False)
    start_services(vm)
    before = {unit: main_pid(vm, unit) for unit in ("plain", "other", "stubborn", "salt-minion")}
    vm.run("touch", "/run/broken")

    report = host.call("ssmpatch.install")

    restarts = report["restarts"]
    assert restarts["restarted"] == ["other.service", "plain.service"], report
    assert restarts["later"] == ["salt-minion.service"]
    assert (restarts["units"], restarts["reboot"], restarts["sessions"]) == ([], ["stubborn.service"], ["root"])
    assert [text for text in report["warnings"] if text.startswith("broken.service could not be restarted: ")]
    reasons = [f"{what} still runs code that an update replaced" for what in ("stubborn.service", "a session of root")]
    assert report["reboot"]["required_hints"] == reasons

    vm.wait(lambda: main_pid(vm, "salt-minion") not in ("0", before["salt-minion"]), "the minion's restart")
    host.answers()
    kept = [unit for unit, pid in before.items() if main_pid(vm, unit) == pid]
    assert kept == ["stubborn"]
    found = host.call("ssmpatch.restarts")
    assert (found["units"], found["reboot"], found["sessions"]) == ([], ["stubborn.service"], ["root"])
    assert of_needrestart(vm) == ({"stubborn.service"}, {"root"})
    assert host.call("ssmpatch.status")["journal"] is None

    host.settings({**settings, "reboot": {"option": "RebootIfRequired"}}, schedule=False)
    host.call("saltutil.refresh_pillar")
    decided = host.call("ssmpatch.reboot", "dry_run=True")
    assert decided["action"] == "reboot" and reasons[0] in decided["reason"], decided

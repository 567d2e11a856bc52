# SPDX-License-Identifier: Apache-2.0
"""What processes with old code belong to, by their control groups, and what of that can be restarted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ssmpatchlib.host import CommandResult, Host
from ssmpatchlib.processes.old_code import (
    CONTAINER,
    INIT,
    PROGRAM,
    SESSION,
    UNIT,
    Facts,
    OldCode,
    in_order,
    is_last,
    old_code,
    owner,
    unit_of,
    units_of,
)
from ssmpatchlib.processes.proc import Process
from ssmpatchlib.processes.systemd import read_facts

LIBRARY = "/usr/lib/libssl.so.3"


def process(cgroup: str, *, pid: int = 100, contained: bool = False, program: str = "/usr/sbin/daemon") -> Process:
    return Process(pid, program, cgroup, (LIBRARY,), other_pids=contained, other_root=contained)


def found(*processes: Process, **facts: Facts) -> OldCode:
    """What is found where systemd knows all services, and says of some of them what is given."""
    said = dict.fromkeys(units_of(processes), Facts())
    said |= {name.replace("_", "-") + ".service": fact for name, fact in facts.items()}
    return old_code(processes, facts=said, user=lambda uid: f"user{uid}", shown=str)


@pytest.mark.parametrize(
    ("cgroup", "belongs"),
    [
        ("/system.slice/nginx.service", (UNIT, "nginx.service")),
        ("/system.slice/nginx.service/worker", (UNIT, "nginx.service")),
        ("/system.slice/system-postgresql.slice/postgresql@15-main.service", (UNIT, "postgresql@15-main.service")),
        ("/system.slice/_cpu.service", (UNIT, "cpu.service")),
        (r"/system.slice/a\x2db.service", (UNIT, r"a\x2db.service")),
        ("/web.slice/nginx.service", (UNIT, "nginx.service")),
        ("/nginx.service", (UNIT, "nginx.service")),
        ("/user.slice/user-1000.slice/session-3.scope", (SESSION, "1000")),
        ("/user.slice/user-0.slice/user@0.service/app.slice/app.service", (SESSION, "0")),
        ("/system.slice/run-u12.scope", (PROGRAM, "/usr/sbin/daemon")),
        ("/machine.slice/machine-qemu-1.scope", (PROGRAM, "/usr/sbin/daemon")),
        ("/", (PROGRAM, "/usr/sbin/daemon")),
        ("", (PROGRAM, "/usr/sbin/daemon")),
        # What is no name of systemd's is never given to it.
        ("/system.slice/--force.service", (PROGRAM, "/usr/sbin/daemon")),
        ("/system.slice/a b.service", (PROGRAM, "/usr/sbin/daemon")),
        (f"/system.slice/{'x' * 300}.service", (PROGRAM, "/usr/sbin/daemon")),
    ],
)
def test_a_process_belongs_to_what_its_control_group_says(cgroup: str, belongs: tuple[str, str]) -> None:
    assert owner(process(cgroup)) == belongs


@pytest.mark.parametrize(
    ("cgroup", "name"),
    [
        ("/system.slice/docker-0123abcd.scope", "docker-0123abcd.scope"),
        ("/docker/0123abcd", "docker/0123abcd"),
        ("/lxc.payload.web/init.scope", "lxc.payload.web"),
        ("/machine.slice/systemd-nspawn@web.service/payload/system.slice/cron.service", "systemd-nspawn@web.service"),
        ("/kubepods.slice/kubepods-pod1.slice/cri-containerd-0123.scope", "cri-containerd-0123.scope"),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-01.scope", "user@1000.service"),
        ("/", "/usr/sbin/daemon"),
    ],
)
def test_a_container_is_no_service_of_the_host(cgroup: str, name: str) -> None:
    assert owner(process(cgroup, contained=True)) == (CONTAINER, name)


def test_a_container_with_the_hosts_process_ids_is_known_by_its_engine() -> None:
    inside = Process(100, "/bin/sh", "/system.slice/docker-01.scope", (LIBRARY,), other_root=True)
    chroot = Process(100, "/bin/sh", "/system.slice/postfix.service", (LIBRARY,), other_root=True)
    assert owner(inside) == (CONTAINER, "docker-01.scope")
    assert owner(chroot) == (UNIT, "postfix.service")


def test_what_a_user_mounts_is_no_update_of_the_host() -> None:
    mounted = Process(100, "/usr/bin/x", "/user.slice/user-9.slice/session-3.scope", (LIBRARY,), other_users=True)
    service = Process(100, "/usr/bin/x", "/system.slice/nginx.service", (LIBRARY,), other_users=True)
    assert owner(mounted) == (CONTAINER, "session-3.scope")
    assert owner(service) == (UNIT, "nginx.service")


def test_a_service_with_process_ids_of_its_own_is_a_service() -> None:
    private = Process(100, "/usr/sbin/nginx", "/system.slice/nginx.service", (LIBRARY,), other_pids=True)
    assert owner(private) == (UNIT, "nginx.service")


def test_everything_has_its_list_and_its_files() -> None:
    answer = found(
        process("/init.scope", pid=1, program="/usr/lib/systemd/systemd"),
        process("/system.slice/dbus.service"),
        process("/system.slice/nginx.service"),
        process("/system.slice/nginx.service", pid=101),
        process("/user.slice/user-1000.slice/session-3.scope"),
        process("/system.slice/docker-01.scope", contained=True),
        process("/", program="/opt/app/server"),
    )
    assert answer.units == ("nginx.service",)
    assert answer.sessions == ("user1000",)
    assert answer.processes == ("/opt/app/server",)
    assert answer.containers == ("docker-01.scope",)
    assert answer.reboot == ("dbus.service", "init")
    assert answer.files["nginx.service"] == answer.files["init"] == (LIBRARY,)
    assert found() == OldCode()


@pytest.mark.parametrize(
    "name",
    [
        "dbus", "dbus-broker", "systemd-logind", "getty@tty1", "serial-getty@ttyS0", "user@1000", "gdm3", "lightdm",
        "display-manager", "NetworkManager", "systemd-networkd", "wpa_supplicant@wlan0", "docker", "libvirtd",
        "virtlogd", "strongswan-starter", "openvpn@office", "openvpn-server@office", "networking", "auditd",
        "dbus-daemon", "messagebus", "containerd", "crio", "lxc@web", "pve-container@101", "systemd-nspawn@web",
        "ipsec", "iwd", "connman", "pacemaker_remote", "ly@tty2", "vncserver@:1",
        "tigervncserver@:2", "teleport",
    ],
)  # fmt: skip
def test_what_others_depend_on_is_left_to_a_reboot(name: str) -> None:
    assert found(process(f"/system.slice/{name}.service")).reboot == (f"{name}.service",)


@pytest.mark.parametrize(
    "name",
    [
        "nginx",
        "cron",
        "ssh",
        "dbus-tools",
        "systemd-udevd",
        "postgresql@15-main",
        "virtual",
        "mosquitto@1-2",
        "systemd-machined",
    ],
)  # fmt: skip
def test_other_services_may_be_restarted(name: str) -> None:
    assert found(process(f"/system.slice/{name}.service")).units == (f"{name}.service",)


def test_a_service_that_refuses_to_be_stopped_is_left_to_a_reboot() -> None:
    assert found(process("/system.slice/nginx.service"), nginx=Facts(refuses=True)).reboot == ("nginx.service",)


@pytest.mark.parametrize(
    "unit",
    [
        # What a socket unit starts for one connection ends with it, and cannot be started without it.
        "sshd@0-192.0.2.1:22-192.0.2.9:50022.service",
        "sshd@12-4711-2001:db8::1:22-2001:db8::9:50022.service",
        "backup@3-4711-1000.service",
        # The local script of the boot, with all that it does once.
        "rc-local.service",
    ],
)
def test_what_would_not_come_back_is_a_program(unit: str) -> None:
    said = {unit: Facts(type="forking", loaded=True)}
    answer = old_code([process(f"/system.slice/{unit}")], facts=said, user=str, shown=str)
    assert (answer.units, answer.processes) == ((), ("/usr/sbin/daemon",))


def test_what_systemd_says_nothing_of_is_not_restarted() -> None:
    answer = old_code([process("/system.slice/nginx.service")], facts={}, user=str, shown=str)
    assert (answer.units, answer.processes) == ((), ("/usr/sbin/daemon",))


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        ("Type=notify\nTriggeredBy=\nTransient=no\nLoadState=loaded\nRefuseManualStop=no", Facts(type="notify")),
        ("Type=oneshot\nTransient=yes\nLoadState=masked", Facts(type="oneshot", transient=True, loaded=False)),
        ("Type=simple\nLoadState=loaded\nRefuseManualStop=yes", Facts(type="simple", refuses=True)),
        ("Type=simple\nLoadState=loaded\nTriggeredBy=x.socket backup.timer", Facts(type="simple", timed=True)),
        ("Type=simple\nLoadState=loaded\nTriggeredBy=x.timer.socket", Facts(type="simple")),
    ],
)
def test_what_systemd_says_of_a_service_is_read(said: str, fact: Facts) -> None:
    class Systemd(Host):
        def has_systemd(self) -> bool:
            return True

        def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
            assert argv[:2] == ["systemctl", "show"] and argv[3:] == ["--", "a.service", "b.service"]
            wanted = argv[2].partition("=")[2].split(",")
            assert set(wanted) >= {line.partition("=")[0] for line in said.split("\n")}
            return CommandResult(tuple(argv), 0, f"Id=a.service\n{said}\n\nId=b.service\nLoadState=loaded\n", "")

    assert read_facts(Systemd(), ["a.service", "b.service"]) == {"a.service": fact, "b.service": Facts()}


@pytest.mark.parametrize(
    "fact", [Facts(type="oneshot"), Facts(transient=True), Facts(loaded=False), Facts(type="simple", timed=True)]
)
def test_what_is_started_once_is_a_program(fact: Facts) -> None:
    answer = found(process("/system.slice/nginx.service"), nginx=fact)
    assert answer.units == answer.reboot == ()
    assert answer.processes == ("/usr/sbin/daemon",)


def test_a_package_manager_of_ours_is_never_restarted() -> None:
    answer = found(process("/system.slice/ssmpatch-system-0123-1.service", program="/usr/bin/dpkg"))
    assert answer.units == ()
    assert answer.processes == ("/usr/bin/dpkg",)


def test_salts_services_and_the_one_of_this_run_come_last() -> None:
    salts = ["salt-minion.service", "salt-master.service", "venv-salt-minion.service", "salt-proxy@switch.service"]
    assert all(is_last(unit, "") for unit in salts)
    assert is_last("cron.service", "cron.service")
    assert not is_last("cron.service", "salt-minion.service")
    assert not is_last("salt-minion-helper.service", "")
    assert unit_of("/system.slice/salt-minion.service") == "salt-minion.service"
    assert unit_of("/user.slice/user-0.slice/session-1.scope") == unit_of("") == ""


def test_systemds_own_services_come_first() -> None:
    assert in_order({"apache2.service", "systemd-udevd.service", "cron.service"}) == (
        "systemd-udevd.service",
        "apache2.service",
        "cron.service",
    )


def test_the_first_process_is_init_whatever_its_group() -> None:
    assert owner(process("/system.slice/nginx.service", pid=1)) == (INIT, "init")

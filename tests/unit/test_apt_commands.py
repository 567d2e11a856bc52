# SPDX-License-Identifier: Apache-2.0
"""How apt's programs are called, and how their answers are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssmpatchlib.backends import Context, detached
from ssmpatchlib.backends.apt import again, answer, install, kernel, policy, solver, targets
from ssmpatchlib.backends.apt.config import AptCommand, AptPaths
from ssmpatchlib.host import CommandResult, Host
from ssmpatchlib.model import Target
from ssmpatchlib.patching.progress import BatchWatch


class RecordingHost(Host):
    """Runs nothing; remembers what would have been run."""

    def __init__(self, *, systemd=True, root=True, release=252, result=(0, "")):
        self.calls, self._systemd, self._root, self._result, self._release = [], systemd, root, result, release

    def has_systemd(self):
        return self._systemd

    def has_system_bus(self):
        return self._systemd

    def is_root(self):
        return self._root

    def run(self, argv, **kwargs):
        if argv == ["systemctl", "--version"]:
            return CommandResult(tuple(argv), 0, f"systemd {self._release} ({self._release}.1)\n+PAM", "")
        self.calls.append((list(argv), kwargs))
        return CommandResult(tuple(argv), self._result[0], self._result[1], "")


def installer(tmp_path, host):
    status = tmp_path / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text("Package: foo\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n")
    context = Context(host=host, root=tmp_path, work_dir=tmp_path / "work", lock_timeout=77, run_id="run")
    paths = AptPaths(tmp_path, status, tmp_path, "amd64", "", tmp_path, tmp_path / "extended_states", (), (), ())
    return install.Installer(AptCommand(host, tmp_path, {}, ()), paths, context)


def test_an_install_asks_nothing_removes_nothing_and_survives_its_service(tmp_path):
    host = RecordingHost()
    watch = BatchWatch(host, (1, 1), 1, 0.0, lambda _: None)
    run = install.install(installer(tmp_path, host), [Target("foo", "amd64", "2")], watch)
    assert run.said == "apt-get ended without an error and did not install it: it did not say why"
    argv, kwargs = host.calls[0]
    options, command = argv[: argv.index("--")], argv[argv.index("--") + 1 :]
    assert options[0] == "systemd-run" and {"--wait", "--pipe", "--collect"} <= set(options)
    assert any(option.startswith("--unit=ssmpatch-") and "-run-" in option for option in options)
    assert command[0] == "apt-get" and argv[-4:] == ["-y", "install", "--", "foo:amd64=2"]
    for option in (
        "APT::Get::Remove=false",
        "APT::Get::allow-downgrades=false",
        "APT::Get::allow-change-held-packages=false",
        "APT::Get::AllowUnauthenticated=false",
        "Dpkg::Options::=--force-confdef",
        "Dpkg::Options::=--force-confold",
        "DPkg::Lock::Timeout=77",
    ):
        assert argv[argv.index(option) - 1] == "-o"
    assert kwargs["env"]["DEBIAN_FRONTEND"] == "noninteractive"
    assert kwargs["env"]["NEEDRESTART_MODE"] == "l"
    assert kwargs["output"] and kwargs["timeout"]


def argv_of(tmp_path, host):
    """What is really run where apt-get is to be run."""
    context = Context(host=host, root=tmp_path, work_dir=tmp_path, run_id="run")
    detached.run(context, ["apt-get"], output=tmp_path / "log", timeout=1, env={"SECRET_URL": 'x "$y\\'})
    return host.calls[0][0]


@pytest.mark.parametrize("host", [RecordingHost(systemd=False), RecordingHost(root=False)])
def test_without_systemd_or_root_there_is_no_service(tmp_path, host):
    assert argv_of(tmp_path, host) == ["apt-get"]


def test_an_old_systemd_has_scopes_only(tmp_path):
    argv = argv_of(tmp_path, RecordingHost(release=219))
    assert argv == ["systemd-run", "--scope", "--quiet", "--collect", "--", "apt-get"]


def test_the_environment_of_a_service_is_in_a_private_file(tmp_path):
    argv = argv_of(tmp_path, RecordingHost())
    assert not any("SECRET" in word for word in argv)
    (option,) = (word for word in argv if "EnvironmentFile=" in word)
    path = Path(option.partition("EnvironmentFile=")[2])
    assert path.stat().st_mode & 0o777 == 0o600
    assert 'SECRET_URL="x \\"\\$y\\\\"' in path.read_text().splitlines()


def test_each_service_has_a_name_of_its_own(tmp_path):
    names = {next(word for word in argv_of(tmp_path, RecordingHost()) if "--unit=" in word) for _ in range(3)}
    assert len(names) == 3


SIMULATION = """\
Inst libfoo1:i386 [1.0-1] (1.0-2 Debian-Security:12/stable-security [i386]) []
Inst foo [1.0-1] (1.0-2 Debian:12/stable, Debian-Security:12/stable-security [amd64]) [bar:amd64 ]
Inst foo-data (3 Debian:12/stable [all])
Remv old [0.9-1] [foo:amd64 ]
Conf foo (1.0-2 Debian:12/stable [amd64])
"""


def test_a_simulation_is_read():
    assert answer.simulated_steps(SIMULATION, "amd64") == (
        ("libfoo1", "i386", "1.0-1", "1.0-2"),
        ("foo", "amd64", "1.0-1", "1.0-2"),
        ("foo-data", "amd64", None, "3"),
        ("old", "amd64", "0.9-1", None),
    )


UNMET = """\
The following packages have unmet dependencies:
 foo : Depends: bar (>= 2) but 1 is to be installed
       Recommends: baz
 libfoo1:i386 : Breaks: qux
E: Unable to correct problems, you have held broken packages.
"""


def test_blame_names_the_targets_with_apts_words():
    wanted = [Target("foo", "amd64", "2"), Target("libfoo1", "i386", "2"), Target("bar", "amd64", "2")]
    blame = solver._blame(UNMET, wanted, "amd64")
    assert blame == {
        "foo.amd64": "foo : Depends: bar (>= 2) but 1 is to be installed, Recommends: baz",
        "libfoo1.i386": "libfoo1 : Breaks: qux",
    }


@pytest.mark.parametrize(
    ("trusted", "suite", "site", "label", "security"),
    [
        (True, "bookworm-security", "deb.debian.org", "Debian-Security", True),
        (True, "security", "", "", True),
        (True, "focal-apps-security", "esm.ubuntu.com", "", True),
        (True, "oldoldstable", "mirror.example", "Debian-Security", True),
        (True, "stable", "security.debian.org", "", True),
        (False, "bookworm-security", "security.debian.org", "Debian-Security", False),
        (True, "security-tools", "not-security.debian.org.example", "Debian", False),
        (True, "insecurity", "", "", False),
    ],
)
def test_what_is_a_security_archive(trusted, suite, site, label, security):
    assert targets.is_security(trusted=trusted, suite=suite, site=site, label=label) == security


@pytest.mark.parametrize(
    ("running", "installed", "hint"),
    [
        ("6.1.0-28-amd64", ["6.1.0-28-amd64", "6.1.0-30-amd64"], True),
        ("6.1.0-30-amd64", ["6.1.0-28-amd64", "6.1.0-30-amd64"], False),
        ("6.1.0-9-amd64", ["6.1.0-9-amd64", "6.1.0-10-amd64"], True),
        ("6.1.0-28-amd64", ["6.1.0-28-amd64", "6.1.0-30-cloud-amd64"], False),
        ("6.6.1-custom", ["6.1.0-30-amd64"], False),
        ("6.12.90+deb13-amd64", ["6.12.90+deb13-amd64", "6.12.90+deb13.1-amd64"], True),
        ("6.12.90+deb13.1-amd64", ["6.12.90+deb13-amd64", "6.12.90+deb13.1-amd64"], False),
        ("6.12.90+deb13.1-amd64", ["6.12.90+deb13.1-amd64", "6.12.96+deb13-amd64"], True),
        ("6.12.90+deb13-amd64", ["6.12.90+deb13-amd64", "6.12.96+deb13-cloud-amd64"], False),
        ("6.12.90+deb13-cloud-amd64", ["6.12.90+deb13-cloud-amd64", "6.12.96+deb13.1-cloud-amd64"], True),
        ("6.1.0-0.deb11.25-amd64", ["6.1.0-0.deb11.25-amd64", "6.1.0-0.deb11.26-amd64"], True),
        ("5.10.0-30-amd64", ["5.10.0-30-amd64", "6.1.0-0.deb11.26-amd64"], True),
        ("5.10.0-0.bpo.3-amd64", ["5.10.0-0.bpo.3-amd64", "5.10.0-0.bpo.5-amd64"], True),
        ("6.9.7+bpo-amd64", ["6.9.7+bpo-amd64", "6.12.12+bpo-amd64"], True),
        ("6.1.0-25-amd64", ["6.1.0-25-amd64", "6.12.101+deb13-amd64"], True),
        ("6.12.101+deb13-amd64", ["6.1.0-25-amd64", "6.12.101+deb13-amd64"], False),
        ("6.1.0-25-amd64", ["6.1.0-25-amd64", "6.12.101+deb13-rt-amd64", "6.12.101+deb13-amd64-dbg"], False),
        ("6.1.0-25-686-pae", ["6.1.0-25-686-pae", "6.12.107+deb12-686-pae"], True),
        ("6.1.0-25-686", ["6.1.0-25-686", "6.12.107+deb12-686-pae", "6.1.0-26-686-pae"], False),
        ("6.12.90+deb13-amd64", ["6.12.90+deb13-amd64", "6.12.96+deb13-amd64-unsigned"], True),
        ("6.12~rc5-amd64", ["6.12~rc5-amd64", "6.12-amd64"], True),
        ("6.8.0-45-generic", ["6.8.0-45-generic", "6.8.0-47-generic"], True),
        ("6.8.0-45-generic", ["6.8.0-45-generic", "6.8.0-1016-aws", "6.8.0-47-generic-64k"], False),
        ("5.15.0-120-generic", ["5.15.0-120-generic", "6.8.0-45-generic"], True),
        ("6.8.0-1016-aws", ["6.8.0-1016-aws", "6.8.0-1017-aws"], True),
        ("6.8.0-45-generic-64k", ["6.8.0-45-generic-64k", "6.8.0-47-generic-64k"], True),
        ("6.8.0-060800-generic", ["6.8.0-060800-generic", "6.8.1-060801-generic"], True),
        ("6.1.0-rpi7-rpi-v8", ["6.1.0-rpi7-rpi-v8", "6.6.51+rpt-rpi-v8"], True),
        ("6.6.51+rpt-rpi-v8", ["6.6.51+rpt-rpi-v8", "6.12.25+rpt-rpi-v8", "6.12.25+rpt-rpi-2712"], True),
        ("6.6.51+rpt-rpi-v8", ["6.6.51+rpt-rpi-v8", "6.12.25+rpt-rpi-2712"], False),
    ],
)
def test_a_newer_kernel_is_a_hint(running, installed, hint):
    versions = {f"linux-image-{release}.amd64": "1" for release in installed}
    assert bool(kernel.newer_kernel(versions, running=running)) == hint


def test_an_unsigned_kernel_counts():
    versions = dict.fromkeys(("linux-image-6.8.0-45-generic.amd64", "linux-image-unsigned-6.8.0-47-generic.amd64"), "1")
    assert kernel.newer_kernel(versions, running="6.8.0-45-generic") == (
        "kernel 6.8.0-47-generic is installed, 6.8.0-45-generic is running",
    )


ARCHIVE = "http://deb.debian.org/debian bookworm/main amd64 Packages"
POLICY = f"""\
foo:
  Installed: 1.0-1
  Candidate: 1.0-1
  Version table:
     1.1-1 -1
        500 {ARCHIVE}
 *** 1.0-1 1001
        100 /var/lib/dpkg/status
libfoo:i386:
  Installed: (none)
  Candidate: 0:2
  Version table:
     0:2 990
        500 {ARCHIVE}
"""


def test_apts_priorities_are_read():
    index = targets.IndexTarget("", ARCHIVE, "", "", "", "", trusted=True, security=False, priority=500)
    found = policy.Policy(100, policy._parse_versions(POLICY, "amd64"))
    foo, libfoo = ("foo", "amd64"), ("libfoo", "i386")
    assert (found.installed(foo, "1.0-1", ()).priority, found.offered(foo, "1.1-1", [index]).priority) == (1001, -1)
    assert found.offered(libfoo, "2", [index]).priority == 990
    assert found.offered(("bar", "amd64"), "2", [index]).priority == 500


@pytest.mark.parametrize(
    ("text", "name", "named", "general", "forbids"),
    [
        ("Package: foo*\nPin: version 1\nPin-Priority: -1", "foobar", True, False, True),
        ("Package: *\nPin: release a=x\nPin-Priority: 100", "foo", True, True, False),
        ("Package: /^lib/\nPin: version 1\nPin-Priority: 1", "libc6", True, False, False),
        ("Package: src:glibc\nPin: version 1\nPin-Priority: 1", "libc6", True, False, False),
        ("Explanation: x\nPackage: bar\nPin: origin y\nPin-Priority: 600", "foo", False, False, False),
        ("Package: *\nPin: version 1.9\nPin-Priority: -1", "foo", True, False, True),
        ("package:Foo:any\nPIN:\n version 1\n# no\nPin-Priority:-1\n", "foo", True, False, True),
        ("Package: /^[[:alpha:]]+$/\nPin: version 1\nPin-Priority: 1", "foo", True, False, False),
        ("Package: /^LIB/\nPin: version 1\nPin-Priority: 1", "libc6", True, False, False),
        ("Package: *\nPin: release a=now\nPin-Priority: 600", "foo", True, True, False),
    ],
)
def test_pins_are_read(text, name, named, general, forbids):
    (pin,) = policy._parse_pins(text)
    assert (pin.names_package(name), pin.general, pin.forbids) == (named, general, forbids)


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[1]", '{"again": 5}', '{"again": [["foo"]]}', "\x00\xff", "[" * 99999]
)
def test_a_damaged_list_of_vain_attempts_is_none(tmp_path, text):
    (tmp_path / "again").write_text(text, encoding="latin-1")
    assert again.read_again(tmp_path / "again") == {}
    assert again.read_again(tmp_path) == {}

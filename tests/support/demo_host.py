# SPDX-License-Identifier: Apache-2.0
"""The small Debian host of the documentation: a package root with real packages, and an archive with updates for it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support import screens

MINION = "web-1"
SHOWN_ROOT = "/srv/web-host"
SECURITY = "bookworm-security"
LOADED_FROM = {"module_dirs": "_modules", "states_dirs": "_states", "utils_dirs": "_utils", "outputter_dirs": "_output"}
# package: (section, priority, installed version, version in the security archive, dependencies of the new version)
PACKAGES = {
    "bash": ("shells", "required", "5.2.15-2+b7", "", ""),
    "curl": ("web", "optional", "7.88.1-10+deb12u8", "7.88.1-10+deb12u14", "libcurl4 (>= 7.88.1-10+deb12u14)"),
    "libcurl4": ("libs", "optional", "7.88.1-10+deb12u8", "7.88.1-10+deb12u14", "libnghttp2-14 (>= 1.52.0)"),
    "libnghttp2-14": ("libs", "optional", "", "1.52.0-1+deb12u2", ""),
    "libssl3": ("libs", "optional", "3.0.15-1~deb12u1", "3.0.17-1~deb12u2", ""),
    "nginx": ("httpd", "optional", "1.22.1-9+deb12u2", "1.22.1-9+deb12u3", ""),
    "openssl": ("utils", "optional", "3.0.15-1~deb12u1", "3.0.17-1~deb12u2", "libssl3 (>= 3.0.17)"),
    "passwd": ("admin", "required", "1:4.13+dfsg1-1", "1:4.13+dfsg1-1+deb12u1", ""),
    "vim": ("editors", "optional", "2:9.0.1378-2", "", ""),
}
# Of which source package they are built, where it has another name.
SOURCES = {"libcurl4": "curl", "libnghttp2-14": "nghttp2", "libssl3": "openssl", "passwd": "shadow"}
# Updates that are no security updates.
POINT_RELEASE = {"tzdata": ("localization", "required", "2024b-0+deb12u1", "2025b-0+deb12u2", "")}

# An apt transport that answers http:// from a directory: the archive has its usual address and needs no network.
TRANSPORT = """\
#!{python} -IS
import hashlib, pathlib, sys, urllib.parse

def send(head, **fields):
    lines = [head, *(name.replace("_", "-") + ": " + str(value) for name, value in fields.items())]
    print("\\n".join(lines) + "\\n", flush=True)

send("100 Capabilities", Version="1.2", Single_Instance="true")
message = {{}}
for line in sys.stdin:
    name, colon, value = line.rstrip("\\n").partition(": ")
    if colon:
        message[name] = value
    elif not name and "URI" in message:
        uri, target = message["URI"], pathlib.Path(message["Filename"])
        source = pathlib.Path("{archive}") / urllib.parse.unquote(urllib.parse.urlsplit(uri).path).lstrip("/")
        if source.is_file():
            data = source.read_bytes()
            send("200 URI Start", URI=uri, Size=len(data))
            target.write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            send("201 URI Done", URI=uri, Filename=target, Size=len(data), SHA256_Hash=digest)
        else:
            send("400 URI Failure", URI=uri, Message="404 Not Found", FailReason="HttpError404")
        message = {{}}
"""

OS_RELEASE = """\
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
"""


@dataclass(frozen=True, slots=True)
class DemoHost:
    """One host below ``root``, with a minion configuration that tests may extend by a pillar and states."""

    root: Path
    configuration: Path
    states: Path
    options: dict[str, Any] = field(default_factory=dict)
    programs: Path = Path(sys.executable).parent

    def pillar(self, document: dict[str, Any]) -> None:
        """Make ``document`` the pillar of the host; where the root is and where files lie stays as it is."""
        merged = {**document, "ssmpatch": {**document.get("ssmpatch", {}), **self.options}}
        pillar = self.configuration.parent / "pillar"
        pillar.mkdir(exist_ok=True)
        (pillar / "top.sls").write_text(json.dumps({"base": {"*": ["host"]}}))
        (pillar / "host.sls").write_text(json.dumps(merged))

    def salt_call(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run ``salt-call --local`` on the host."""
        environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
        return subprocess.run(self.command(*argv), capture_output=True, text=True, timeout=300, env=environment)

    def salt_call_on_terminal(self, *argv: str, columns: int) -> screens.Screen:
        """Run ``salt-call --local`` on the host, on a terminal of this width."""
        return screens.run(self.command(*argv), columns=columns)

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line as its administrator types it."""
        argv, environment = ["bash", "-c", line], self._environment()
        return subprocess.run(argv, capture_output=True, text=True, timeout=300, env=environment)

    def shell_on_terminal(self, line: str, *, columns: int) -> screens.Screen:
        """Run a line as its administrator types it, on a terminal of this width."""
        return screens.run(["bash", "-c", line], columns=columns, env=self._environment())

    def _environment(self) -> dict[str, str]:
        """Salt's programs are found, and find their configuration as if it lay in /etc/salt."""
        own = {"PATH": f"{self.programs}:{os.environ['PATH']}", "SALT_CONFIG_DIR": str(self.configuration)}
        return {key: value for key, value in {**os.environ, **own}.items() if key != "COLUMNS"}

    def command(self, *argv: str) -> list[str]:
        """The command line of ``salt-call --local`` on the host."""
        return [str(self.programs / "salt-call"), "--local", f"--config-dir={self.configuration}", *argv]


def build_archive(directory: Path) -> Path:
    """Write the Debian archive and its security archive, and return where they are."""
    installed = {name: facts for name, facts in {**PACKAGES, **POINT_RELEASE}.items() if facts[2]}
    _build_repository(
        directory / "debian",
        {"Origin": "Debian", "Label": "Debian", "Suite": "oldstable", "Codename": "bookworm"},
        [(name, facts[2], facts, "") for name, facts in installed.items()]
        + [(name, facts[3], facts, facts[4]) for name, facts in POINT_RELEASE.items()],
    )
    _build_repository(
        directory / "debian-security",
        {
            "Origin": "Debian",
            "Label": "Debian-Security",
            "Suite": "oldstable-security",
            "Codename": "bookworm-security",
        },
        [(name, facts[3], facts, facts[4]) for name, facts in PACKAGES.items() if facts[3]],
    )
    return directory


def build_host(root: Path, directory: Path, archive: Path, repo: Path | None) -> DemoHost:
    """Make a host in ``root`` on which the old versions are really installed; its minion lives in ``directory``.

    The minion loads the checkout ``repo``, or nothing but what is installed beside Salt when there is none.
    """
    for each in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "var/lib/apt/lists/partial"):
        (root / each).mkdir(parents=True)
    for each in ("var/cache/apt/archives/partial", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log/apt"):
        (root / each).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "var/lib/dpkg/available").touch()
    (root / "etc/os-release").write_text(OS_RELEASE)
    directory.mkdir(exist_ok=True)
    transport = directory / "transport"
    transport.write_text(TRANSPORT.format(python=sys.executable, archive=archive))
    transport.chmod(0o755)
    (root / "etc/apt/apt.conf").write_text(
        f'Dir "{root}";\n'
        'Dir::Etc::main "apt.conf.unused";\n'
        f'Dir::State::status "{root}/var/lib/dpkg/status";\n'
        f'Dir::Log "{root}/var/log/apt";\n'
        f'DPkg::Options {{ "--root={root}"; "--force-not-root"; "--force-script-chrootless"; }};\n'
        'APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\n'
        'APT::Sandbox::User "root";\nAcquire::Languages "none";\n'
        f'Dir::Bin::Methods::http "{transport}";\n'
    )
    (root / "etc/apt/sources.list").write_text(
        "deb [trusted=yes] http://deb.debian.org/debian bookworm main\n"
        f"deb [trusted=yes] http://deb.debian.org/debian-security {SECURITY} main\n"
    )
    old = [
        f"{archive}/debian/pool/{name}_{facts[2].split(':')[-1]}_amd64.deb"
        for name, facts in {**PACKAGES, **POINT_RELEASE}.items()
        if facts[2]
    ]
    _run("dpkg", f"--root={root}", "--force-not-root", "--force-script-chrootless", "--force-depends", "-i", *old)
    return _configure(directory, root, repo)


def _configure(directory: Path, root: Path, repo: Path | None) -> DemoHost:
    configuration, states = directory / "minion" / "etc", directory / "states"
    configuration.mkdir(parents=True)
    states.mkdir()
    options = {
        "root": str(root),
        "aws_dir": str(root / "var/log/amazon/ssm/patch-configuration"),
        "state_dir": str(root / "var/lib/ssmpatch"),
    }
    minion: dict[str, Any] = {
        "id": MINION,
        "root_dir": str(directory / "minion"),
        "file_client": "local",
        "file_roots": {"base": [str(states)]},
        "pillar_roots": {"base": [str(directory / "minion" / "pillar")]},
    }
    if repo is not None:
        for option, folder in LOADED_FROM.items():
            minion[option] = [str(repo / folder)]
    (configuration / "minion").write_text(json.dumps(minion))
    host = DemoHost(root=root, configuration=configuration, states=states, options=options)
    host.pillar({})
    return host


def _build_repository(base: Path, release: dict[str, str], packages: list[tuple[str, str, Any, str]]) -> None:
    index = base / "dists" / release["Codename"] / "main" / "binary-amd64"
    index.mkdir(parents=True)
    (base / "pool").mkdir()
    stanzas = [_build_package(base, *each) for each in packages]
    (index / "Packages").write_text("\n".join(stanzas))
    data = (index / "Packages").read_bytes()
    lines = [f"{key}: {value}" for key, value in release.items()]
    lines += ["Date: Sat, 01 Aug 2026 00:00:00 UTC", "Architectures: amd64", "Components: main", "SHA256:"]
    lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} main/binary-amd64/Packages")
    (index.parents[1] / "Release").write_text("\n".join(lines) + "\n")


def _build_package(base: Path, name: str, version: str, facts: Any, depends: str) -> str:
    section, priority = facts[:2]
    control = [f"Package: {name}", f"Version: {version}", "Architecture: amd64", f"Section: {section}"]
    control += [f"Priority: {priority}", "Installed-Size: 100", "Maintainer: Nobody <nobody@example.invalid>"]
    control += [f"Source: {SOURCES[name]}"] if name in SOURCES else []
    control += [f"Depends: {depends}"] if depends else []
    control.append(f"Description: {name} of the documentation's host")
    deb = base / "pool" / f"{name}_{version.split(':')[-1]}_amd64.deb"
    work = base / "work" / deb.stem
    (work / "DEBIAN").mkdir(parents=True)
    (work / "DEBIAN" / "control").write_text("\n".join(control) + "\n")
    document = work / "usr/share/doc" / name / "version"
    document.parent.mkdir(parents=True)
    document.write_text(version + "\n")
    _run("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(work), str(deb))
    data = deb.read_bytes()
    facts_of_file = [f"Filename: {deb.relative_to(base)}", f"Size: {len(data)}"]
    return "\n".join([*control, *facts_of_file, f"SHA256: {hashlib.sha256(data).hexdigest()}"]) + "\n"


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{' '.join(argv)}:\n{done.stdout}{done.stderr}"

# SPDX-License-Identifier: Apache-2.0
"""The hosts of the benchmark: package roots with a whole Debian release on offer, minimal and with 700 packages."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from measure import environment

from support import real_root

#: apt's configuration: compressed lists and no cache on disk as in container images, or as on an ordinary server.
CONFIGURATIONS = {
    "lz4 lists": 'Acquire::GzipIndexes "true";\nDir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n',
    "plain lists": "",
}
SIZES = {"minimal": 120, "700 packages": 700}
DIRECTORIES = (
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "etc/apt/trusted.gpg.d",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/lib/dpkg/info",
    "var/lib/dpkg/updates",
)
OS_RELEASE = 'ID=debian\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'


@dataclass(frozen=True)
class BenchHost:
    """A package root."""

    path: Path

    @property
    def env(self) -> dict[str, str]:
        """The environment in which apt's programs work on it."""
        return environment(
            APT_CONFIG=str(self.path / "etc/apt/apt.conf"), DPKG_ADMINDIR=str(self.path / "var/lib/dpkg")
        )


def make_root(path: Path, configuration: str, sources: str) -> BenchHost:
    """Make a root without packages and fetch its lists."""
    for each in DIRECTORIES:
        (path / each).mkdir(parents=True, exist_ok=True)
    (path / "etc/os-release").write_text(OS_RELEASE)
    (path / "etc/apt/sources.list").write_text(sources)
    (path / "etc/apt/apt.conf").write_text(
        f'Dir "{path}";\nDir::State::status "{path}/var/lib/dpkg/status";\nDir::Etc::main "apt.conf.unused";\n'
        f'APT::Architecture "{real_root.native_architecture()}";\nAPT::Sandbox::User "root";\n'
        f'Acquire::Languages "none";\n{real_root.proxies()}{configuration}'
    )
    (path / "var/lib/dpkg/status").touch()
    host = BenchHost(path)
    subprocess.run(["apt-get", "-qq", "update"], env=host.env, check=True)
    return host


def network_sources() -> str:
    """The release and its security updates, from where this machine gets its own packages."""
    found = real_root.archives()
    if found is None:
        raise SystemExit("this host's own apt sources name no Debian archive with its security updates")
    main, security = found
    option = f"[signed-by={real_root.KEYRING}]"
    release = real_root.RELEASE
    return f"deb {option} {main} {release} main\ndeb {option} {security} {release}-security main\n"


def install_packages(host: BenchHost, lists: Path, number: int) -> int:
    """Let dpkg's status say that ``number`` packages of the release are installed; return how many have an update.

    The essential ones come first, then every eighth is one with a security update.
    """
    (main,) = lists.glob(f"*_{real_root.RELEASE}_main_*_Packages")
    (security,) = lists.glob(f"*_{real_root.RELEASE}-security_main_*_Packages")
    updated = {name for name, _ in _paragraphs(security)}
    first, plain, behind = [], [], []
    for name, text in _paragraphs(main):
        if re.search(r"^Priority: (required|important|standard)$", text, re.M):
            first.append((name, text))
        elif name in updated:
            behind.append((name, text))
        elif re.search(r"^Section: (libs|utils|admin|net|python)$", text, re.M):
            plain.append((name, text))
    left = max(0, number - len(first))
    with_update = behind[:: max(1, len(behind) // max(1, left // 8))][: left // 8]
    chosen = [*first[:number], *with_update, *plain[:: max(1, len(plain) // max(1, left))]][:number]
    status = [text.replace("\n", "\nStatus: install ok installed\n", 1) for _name, text in chosen]
    (host.path / "var/lib/dpkg/status").write_text("\n".join(status))
    return sum(name in updated for name, _ in chosen)


def _paragraphs(path: Path) -> Iterator[tuple[str, str]]:
    for paragraph in path.read_text(errors="replace").split("\n\n"):
        name = paragraph.partition("\n")[0].removeprefix("Package: ")
        if name:
            yield name, paragraph.strip("\n") + "\n"


def grow_lists(source: BenchHost, target: Path, times: int) -> BenchHost:
    """A root of the same host whose archives have ``times`` as many packages: each again under further names."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source.path), str(target)], check=True)
    host = BenchHost(target)
    configuration = target / "etc/apt/apt.conf"
    configuration.write_text(configuration.read_text().replace(str(source.path), str(target)))
    for path in (target / "var/lib/apt/lists").glob("*_Packages"):
        text = path.read_text(errors="surrogateescape")
        copies = [re.sub(r"^Package: (\S+)$", rf"Package: \1-copy{n}", text, flags=re.M) for n in range(1, times)]
        path.write_text("\n".join([text.rstrip("\n") + "\n", *copies]), errors="surrogateescape")
    return host

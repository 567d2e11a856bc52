# SPDX-License-Identifier: Apache-2.0
"""A Debian release in a directory, for its newer package managers: unpacked, not installed, entered by chroot."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import real_root
from support.real_root import CHROOT, KEYRING, REPO

#: What the tests of rpm systems run with, beside the package managers themselves.
PACKAGES = (
    *("rpm", "createrepo-c", "dash", "coreutils", "sed", "util-linux", "libc-bin", "gpg", "gpg-agent", "gpgconf"),
    *("python3", "python3-yaml", "python3-distro", "python3-pytest", "python3-hypothesis"),
)
#: Debian's packages no longer have files in these, and expect them to be links.
_MERGED = ("bin", "sbin", "lib", "lib64")
_LIMIT = 600


@dataclass(frozen=True)
class UnpackedRoot:
    """A Debian system below ``path``."""

    path: Path

    def run(self, *argv: str, timeout: float = _LIMIT) -> subprocess.CompletedProcess[str]:
        """Run a program in it, with the checkout mounted read-only; both outputs are in ``stdout``."""
        unshare = ["unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-euc", CHROOT, "sh"]
        env = {**real_root.environment(), "PYTHONPYCACHEPREFIX": "/var/cache/python"}
        whole = [*unshare, str(self.path), str(REPO), "--", *argv]
        return subprocess.run(
            whole, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, timeout=timeout
        )

    def pytest(self, *arguments: str, timeout: float = _LIMIT) -> subprocess.CompletedProcess[str]:
        """Run tests of this checkout with its own Python and package managers."""
        argv = ["python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp=/tmp/pytest", *arguments]
        return self.run("/usr/bin/env", "-C", str(REPO), *argv, timeout=timeout)


def build(directory: Path, suite: str, *managers: str) -> UnpackedRoot:
    """Fetch a suite's package managers and unpack them below ``directory``; skip, in apt's words, where apt cannot."""
    packages = _fetch(directory / "apt", suite, managers)
    root = UnpackedRoot(directory / suite)
    for name in _MERGED:
        (root.path / "usr" / name).mkdir(parents=True)
        (root.path / name).symlink_to(f"usr/{name}")
    for name in ("proc", "dev", "run", "tmp", "root", "var/cache", "var/lib", "var/tmp"):
        (root.path / name).mkdir(parents=True, exist_ok=True)
    (root.path / "tmp").chmod(0o1777)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda package: _unpack(package, root.path), packages))
    shutil.rmtree(directory / "apt")
    return root


def _fetch(state: Path, suite: str, managers: Sequence[str]) -> list[Path]:
    """Let apt find and fetch the packages with all that they need, as for a system that has none."""
    found = real_root.archives()
    assert found is not None
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True)
    (state / "status").touch()
    (state / "sources.list").write_text(f"deb [signed-by={KEYRING}] {found[0]} {suite} main\n")
    (state / "apt.conf").write_text(
        f'Dir::State "{state}";\nDir::State::status "{state}/status";\nDir::Cache "{state}";\n'
        f'Dir::Etc::sourcelist "{state}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
        'Dir::Etc::preferencesparts "/dev/null";\nAPT::Sandbox::User "root";\nAPT::Install-Recommends "false";\n'
        'APT::Default-Release "";\nAcquire::Languages "none";\nAcquire::Retries "2";\n'
    )
    for arguments in (["--error-on=any", "update"], ["-y", "--download-only", "install", *managers, *PACKAGES]):
        argv = ["apt-get", f"--config-file={state}/apt.conf", "-q", *arguments]
        env = {**os.environ, "LC_ALL": "C.UTF-8"}
        done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=_LIMIT)
        if done.returncode:
            pytest.skip(f"needs packages of Debian {suite}: {' '.join(done.stderr.split())}")
    return sorted((state / "archives").glob("*.deb"))


def _unpack(package: Path, target: Path) -> None:
    argv = ["dpkg-deb", "--extract", str(package), str(target)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_LIMIT)
    assert done.returncode == 0, done.stderr

# SPDX-License-Identifier: Apache-2.0
"""A real sshd on loopback, with keys and a configuration of its own: the machine's sshd, if any, has no part in it."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.daemons import await_port, end, free_ports

_PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/sbin"
#: sshd of Debian wants this directory, which its service makes.
_PRIVILEGE_SEPARATION = Path("/run/sshd")


@dataclass(frozen=True, slots=True)
class SshHost:
    """Where sshd listens, and what a client needs to come in as this user."""

    port: int
    key: Path
    known_hosts: Path
    user: str


@contextlib.contextmanager
def running(directory: Path) -> Iterator[SshHost]:
    """An sshd that only this ``directory``'s client key opens; skips the test where there is no sshd."""
    sshd = shutil.which("sshd", path=_PLACES)
    if not sshd:
        pytest.skip("needs sshd (Debian: openssh-server)")
    directory.mkdir(mode=0o700)
    (port,) = free_ports(1)
    for name in ("host_key", "client_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True, timeout=30)
    shutil.copy(directory / "client_key.pub", directory / "authorized_keys")
    kind, key = (directory / "host_key.pub").read_text().split()[:2]
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    (directory / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\n"
        f"HostKey {directory}/host_key\n"
        f"AuthorizedKeysFile {directory}/authorized_keys\n"
        f"PidFile {directory}/sshd.pid\n"
        # Nothing of this machine's shells (a Python of somebody's own in PATH) has a part in it either.
        f"SetEnv HOME={directory} PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
        "Subsystem sftp internal-sftp\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    with _place(_PRIVILEGE_SEPARATION), (directory / "log").open("wb") as log:
        argv = [sshd, "-D", "-e", "-f", str(directory / "sshd_config")]
        daemon = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            await_port(port, daemon, log=directory / "log", seconds=10)
            yield SshHost(port, directory / "client_key", directory / "known_hosts", getpass.getuser())
        finally:
            end(daemon)


@contextlib.contextmanager
def _place(directory: Path) -> Iterator[None]:
    """A directory for as long as it is needed, if nobody has made it."""
    made = not directory.exists()
    if made:
        directory.mkdir(mode=0o755)
    yield
    if made:
        with contextlib.suppress(OSError):
            directory.rmdir()

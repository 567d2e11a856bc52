# SPDX-License-Identifier: Apache-2.0
"""Keys, signed rpms and signed repositories, for tests of what package managers trust."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import rpm_root

PROGRAMS = ("gpg", "rpmsign", "createrepo_c")


def about_keys(report: Mapping[str, Any]) -> list[str]:
    """The warnings that speak of keys."""
    return [words for words in report["warnings"] if "key" in words]


def imported_keys(root: Path) -> str:
    """The keys that rpm has, in capitals; nothing without any."""
    argv = [*rpm_root.rpm(root), "-qa", "gpg-pubkey*"]
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout.upper()


@dataclass(frozen=True)
class Key:
    """A signing key: its fingerprint and its public part, armored."""

    home: Path
    fingerprint: str
    public: str

    @property
    def short(self) -> str:
        """The last eight digits of the fingerprint, as dnf shows a key."""
        return self.fingerprint[-8:]

    def sign_rpms(self, directory: Path) -> None:
        """Sign all rpms of a directory; its metadata have to be made anew."""
        macros = {"_gpg_name": self.fingerprint, "_gpg_path": self.home, "__gpg": shutil.which("gpg")}
        options = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
        _run(["rpmsign", *options, "--addsign", *map(str, sorted(directory.glob("*.rpm")))], home=self.home)

    def sign_index(self, directory: Path) -> None:
        """Sign a repository's repomd.xml."""
        index = directory / "repodata/repomd.xml"
        index.with_name("repomd.xml.asc").unlink(missing_ok=True)
        _run(["gpg", "--batch", "-u", self.fingerprint, "--detach-sign", "--armor", str(index)], home=self.home)


@contextmanager
def keys(*names: str) -> Iterator[list[Key]]:
    """Yield a new key for each name."""
    # gpg's agent listens on a socket below its home, whose path must be short.
    home = Path(tempfile.mkdtemp(prefix="k", dir="/tmp"))
    home.chmod(0o700)
    try:
        yield [_new_key(home, name) for name in names]
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


def _new_key(home: Path, name: str) -> Key:
    made = ["--quick-generate-key", "--passphrase", "", f"{name} <{name}@invalid>", "rsa2048", "sign", "never"]
    _run(["gpg", "--batch", *made], home=home)
    listed = _run(["gpg", "--batch", "--with-colons", "--list-keys", f"<{name}@invalid>"], home=home)
    fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
    return Key(home, fingerprint, _run(["gpg", "--batch", "--armor", "--export", fingerprint], home=home))


def _run(argv: list[str], *, home: Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "GNUPGHOME": str(home)})
    if done.returncode:
        raise RuntimeError(f"{argv} failed ({done.returncode}): {done.stderr}")
    return done.stdout

# SPDX-License-Identifier: Apache-2.0
"""Real debs with maintainer scripts and configuration files, repositories of them, and a shell for the scripts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ARCHITECTURE = subprocess.run(
    ["dpkg", "--print-architecture"], check=True, stdout=subprocess.PIPE, text=True, timeout=60
).stdout.strip()


@dataclass(frozen=True, slots=True)
class Deb:
    """One version of a package. ``files`` are contents by path, ``scripts`` shell commands by maintainer script.

    A file of bytes is a program or a library.

    ``downloadable`` False: the index names it and the pool does not have it.
    """

    name: str
    version: str
    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    conffiles: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    downloadable: bool = True

    @property
    def file_name(self) -> str:
        return f"{self.name}_{self.version.partition(':')[2] or self.version}_{ARCHITECTURE}.deb"

    def control(self) -> str:
        """The control paragraph."""
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": ARCHITECTURE,
            "Maintainer": "Nobody <nobody@example.invalid>",
            "Section": "misc",
            "Priority": "optional",
            "Description": f"test package {self.name}",
            **self.fields,
        }
        return "".join(f"{key}: {value}\n" for key, value in fields.items())


def build_deb(deb: Deb, directory: Path) -> Path:
    """Write the deb into ``directory``."""
    work, target = directory / f"{deb.name}.work", directory / deb.file_name
    for name, text in {f"usr/share/{deb.name}/version": deb.version, **deb.files, **deb.conffiles}.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            (work / name).write_bytes(text)
            (work / name).chmod(0o755)
        else:
            (work / name).write_text(text)
    control = work / "DEBIAN"
    control.mkdir(parents=True)
    (control / "control").write_text(deb.control())
    if deb.conffiles:
        (control / "conffiles").write_text("".join(f"/{name}\n" for name in deb.conffiles))
    for name, commands in deb.scripts.items():
        (control / name).write_text(f"#!/bin/sh\nset -e\n{commands}\n")
        (control / name).chmod(0o755)
    build = ["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(work), str(target)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL, timeout=60)
    shutil.rmtree(work)
    return target


def build_repository(
    directory: Path, debs: Sequence[Deb], *, suite: str = "stable-security", trusted: bool = True
) -> str:
    """Write a repository of debs and return its line for sources.list."""
    pool = directory / "pool"
    pool.mkdir(parents=True)
    paragraphs = []
    for deb in debs:
        path = build_deb(deb, pool)
        data = path.read_bytes()
        paragraphs.append(
            f"{deb.control()}Filename: pool/{deb.file_name}\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
        )
        if not deb.downloadable:
            path.unlink()
    dist = directory / "dists" / suite
    index = dist / "main" / f"binary-{ARCHITECTURE}" / "Packages"
    index.parent.mkdir(parents=True)
    index.write_text("\n".join(paragraphs))
    write_release(dist)
    option = "trusted=yes" if trusted else "allow-insecure=yes"
    return f"deb [{option}] file:{directory} {suite} main"


def write_release(dist: Path, *, more: str = "") -> None:
    """Write the Release file over the index of a distribution, with further fields."""
    name = f"main/binary-{ARCHITECTURE}/Packages"
    data = (dist / name).read_bytes()
    (dist / "Release").write_text(
        f"Origin: Debian\nLabel: Debian-Security\nSuite: {dist.name}\nCodename: {dist.name}\n"
        f"Date: Sat, 01 Jan 2022 00:00:00 UTC\nAcquire-By-Hash: no\n{more}"
        f"Architectures: {ARCHITECTURE}\nComponents: main\nSHA256:\n"
        f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n"
    )


def install_debs(root: Path, debs: Sequence[Deb], directory: Path) -> None:
    """Let dpkg install the debs into a root, whatever they depend on."""
    directory.mkdir(parents=True)
    paths = [str(build_deb(deb, directory)) for deb in debs]
    command = ["dpkg", f"--root={root}", "--force-unsafe-io", "--force-depends", "-i", *paths]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    shutil.rmtree(directory)


def give_shell(root: Path) -> None:
    """Copy ``sh`` and ``sleep`` into a root, so that its maintainer scripts can run."""
    for program in ("sh", "sleep"):
        found = shutil.which(program)
        assert found is not None
        linked = subprocess.run(["ldd", found], check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout
        _copy(Path(found), root / "bin" / program)
        for library in re.findall(r"(/\S+) \(0x", linked):
            _copy(Path(library), root / library.lstrip("/"))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(os.path.realpath(source), target)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs indexes with a key of its own: ``keyring`` is what apt has to be told, ``armoured`` what rpm and dnf."""

    home: Path

    @property
    def keyring(self) -> Path:
        return self.home / "public.gpg"

    @property
    def armoured(self) -> Path:
        return self.home / "public.asc"

    def make_key(self) -> None:
        """Make the key."""
        self._gpg("--passphrase", "", "--quick-generate-key", "Nobody <nobody@example.invalid>", "ed25519", "sign")
        self._gpg("--output", str(self.keyring), "--export")
        self._gpg("--armor", "--output", str(self.armoured), "--export")

    def sign(self, dist: Path) -> None:
        """Sign the Release file of a distribution."""
        (dist / "InRelease").unlink(missing_ok=True)
        self._gpg("--output", str(dist / "InRelease"), "--clear-sign", str(dist / "Release"))

    def sign_beside(self, path: Path) -> None:
        """Write the signature of a file into another one beside it."""
        self._gpg("--yes", "--armor", "--output", f"{path}.asc", "--detach-sign", str(path))

    def _gpg(self, *arguments: str) -> None:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", *arguments]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)


@contextlib.contextmanager
def signer() -> Iterator[Signer]:
    """A key that lasts as long as the with statement."""
    # The agent's socket lies in it: its path must be short.
    with tempfile.TemporaryDirectory(prefix="gpg-") as name:
        found = Signer(Path(name))
        found.make_key()
        yield found
        stop = ["gpgconf", "--homedir", name, "--kill", "all"]
        subprocess.run(stop, check=True, capture_output=True, timeout=60)

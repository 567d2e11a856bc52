# SPDX-License-Identifier: Apache-2.0
"""A stand-in for yum 3, which no longer exists: ``python yum_program.py --installroot=ROOT ... COMMAND``.

What is played: its solver, which knows what packages require by name and what is excluded, by rpm's own test of a
transaction; its downloads, which are copies of what is in directories, without a look at it; its lock; its signing
keys, of which only matters whether they were imported: of packages into rpm's database, of an index into yum's own.

What it prints is what yum 3.4.3 prints: yum(8), yum.conf(5) and the logs of real
systems are where it comes from. What is real: the rpm transactions. It needs nothing but the standard library.
"""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CACHE = "var/cache/yum/x86_64/2"
LOCK = "var/run/yum.pid"
_RPM = ("--dbpath", "/var/lib/rpm", "-U", "--nodeps", "--nosignature", "--force")


@dataclass(slots=True)
class Yum:
    """One run of yum on a root; ``say`` takes what it prints."""

    root: Path
    say: Callable[[str], object]
    options: dict[str, str] = field(default_factory=dict)

    agrees: bool = False

    def run(self, words: Sequence[str]) -> int:
        """Do what the arguments of a command line ask for; the exit code."""
        self.agrees = "-y" in words and "--assumeno" not in words
        for word in words:
            if word.startswith("--setopt="):
                key, _, value = word.removeprefix("--setopt=").partition("=")
                self.options[key] = value
        if os.geteuid():
            self.say("You need to be root to perform this command.\n")
            return 1
        lock = self.root / LOCK
        holder = lock.read_text().strip() if lock.exists() else ""
        if Path(f"/proc/{holder or 'nobody'}").exists():
            self.say(f"Existing lock {lock}: another copy is running as pid {holder}.\n")
            return 200
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text(str(os.getpid()))
        try:
            return self._command(words)
        finally:
            lock.unlink()

    def _command(self, words: Sequence[str]) -> int:
        if "clean" in words:
            for cookie in self._cache.glob("*/cachecookie"):
                cookie.unlink()
            return 0
        if "makecache" in words:
            return self._makecache()
        hidden = {short(word.removeprefix("--exclude=")) for word in words if word.startswith("--exclude=")}
        return self._install(words[words.index("--") + 1 :], hidden, only_asked="--assumeno" in words)

    @property
    def _cache(self) -> Path:
        return Path(self.options.get("cachedir") or self.root / CACHE)

    def _configured(self) -> configparser.RawConfigParser:
        parser = configparser.RawConfigParser(strict=False)
        for directory in self.options.get("reposdir", f"{self.root}/etc/yum.repos.d").split(","):
            parser.read(sorted(Path(directory).glob("*.repo")))
        return parser

    def _trusts(self, name: str, check: str) -> bool:
        """Whether the key of a repository is imported, or need not be; it is, where the user agrees."""
        options = self._configured()[name]
        if options.get(check, "0") != "1":
            return True
        place = options.get("gpgkey", "")
        if not place:
            return False
        file = Path(place.removeprefix("file://"))
        id_, user, fingerprint = _described(file)
        own = self.root / f"var/lib/yum/repos/{name}/gpgdir/{fingerprint}"
        rpm = ["--root", str(self.root), "--dbpath", "/var/lib/rpm"]
        known = subprocess.run(["rpm", *rpm, "-q", f"gpg-pubkey-{id_}"], capture_output=True).returncode == 0
        if own.exists() if check == "repo_gpgcheck" else known:
            return True
        self.say(f"Retrieving key from {place}\nImporting GPG key 0x{id_.upper()}:\n")
        self.say(f' Userid     : "{user}"\n Fingerprint: {fingerprint}\n From       : {file}\n')
        if self.agrees and check == "repo_gpgcheck":
            own.parent.mkdir(parents=True, exist_ok=True)
            own.touch()
        elif self.agrees:
            subprocess.run(["rpmkeys", *rpm, "--import", str(file)], check=True)
        return self.agrees

    def _repositories(self) -> dict[str, Path]:
        """The directories of the enabled repositories."""
        parser = self._configured()
        enabled = [name for name in parser.sections() if parser.get(name, "enabled", fallback="1") == "1"]
        return {name: Path(parser.get(name, "baseurl").removeprefix("file://")) for name in enabled}

    def _makecache(self) -> int:
        for name, place in self._repositories().items():
            source, target = place / "repodata", self._cache / name
            if not source.is_dir():
                words = f'[Errno 14] curl#37 - "Couldn\'t open file {source}/repomd.xml"'
                self.say(f"file://{source}/repomd.xml: {words}\nTrying other mirror.\n")
                continue
            if not self._trusts(name, "repo_gpgcheck"):
                self.say(
                    f"file://{source}/repomd.xml: [Errno -1] repomd.xml signature could not be verified for {name}\n"
                )
                self.say("Trying other mirror.\n")
                continue
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
            (target / "cachecookie").touch()
        return 0

    def _install(self, wanted: Sequence[str], hidden: set[str], *, only_asked: bool) -> int:
        names = [name for name in wanted if short(name) not in hidden]
        while unmet := self._unmet(names):
            needed, by = unmet[0]
            offer = next((path.stem for path in self._offers(needed.split()[0]) if path.stem not in hidden), "")
            if not offer:
                self.say(f"Error: Package: {by} (updates)\n           Requires: {needed}\n")
                self.say(" You could try using --skip-broken to work around the problem\n")
                return 1
            name, _, version = offer.rpartition(".")[0].partition("-")
            names = [f"{name}-0:{version}.{offer.rpartition('.')[2]}", *names]
        self.say(table(names))
        if only_asked:
            self.say("Exiting on user command\n")
            return 1
        self.say("Downloading packages:\n")
        files = [self._file(name) for name in names]
        lost = [short(name) for name, path in zip(names, files, strict=True) if path is None]
        if lost:
            self.say("\n\nError downloading packages:\n")
            self.say("".join(f"  {name}: [Errno 256] No more mirrors to try.\n" for name in lost))
            return 1
        if not all(self._trusts(name, "gpgcheck") for name in self._repositories()):
            self.say("\n\nPublic key for packages is not installed\n")
            return 1
        self.say("Running transaction\n")
        subprocess.run(
            ["rpm", "--root", str(self.root), *_RPM, *map(str, files)], check=True, stdout=subprocess.DEVNULL
        )
        self.say(steps(names) + "\n\nComplete!\n")
        return 0

    def _unmet(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """What rpm says that packages require and nothing has, and which."""
        files = [str(path) for path in map(self._file, names) if path]
        argv = ["rpm", "--root", str(self.root), "--dbpath", "/var/lib/rpm", "-U", "--test", "--nosignature", *files]
        said = subprocess.run(argv, capture_output=True, text=True).stderr if files else ""
        lines = (line.strip().partition(" is needed by ") for line in said.splitlines())
        return [(needed, by) for needed, word, by in lines if word and not by.startswith("(installed)")]

    def _offers(self, name: str) -> list[Path]:
        """The files of a package."""
        return [path for place in self._repositories().values() for path in place.glob(f"{name}-[0-9]*.rpm")]

    def _file(self, nevra: str) -> Path | None:
        found = (place / f"{short(nevra)}.rpm" for place in self._repositories().values())
        return next((path for path in found if path.exists()), None)


def _described(file: Path) -> tuple[str, str, str]:
    """The id, the user and the fingerprint of a key."""
    argv = ["gpg", "--batch", "--with-colons", "--show-keys", str(file)]
    lines = [line.split(":") for line in subprocess.run(argv, capture_output=True, text=True).stdout.splitlines()]
    fingerprint = next(line[9] for line in lines if line[0] == "fpr")
    return fingerprint[-8:].lower(), next(line[9] for line in lines if line[0] == "uid"), fingerprint


def short(nevra: str) -> str:
    """A package's name as its file has it: without its epoch."""
    name, _, rest = nevra.partition(":")
    return f"{name.rpartition('-')[0]}-{rest}"


def table(names: Sequence[str], *, heading: str = "Updating", more: str = "") -> str:
    """The table of a transaction."""
    rows = ""
    for nevra in names:
        rest, _, arch = nevra.rpartition(".")
        name, _, evr = rest.rpartition(":")
        name, _, epoch = name.rpartition("-")
        rows += f" {name:<24} {arch:<10} {evr if epoch == '0' else f'{epoch}:{evr}':<28} updates {'1.0 k':>10}\n"
    rule = "=" * 80
    return (
        f"Dependencies Resolved\n\n{rule}\n Package                  Arch       Version                      "
        f"Repository    Size\n{rule}\n{heading}:\n{rows}{more}\nTransaction Summary\n{rule}\n"
        f"Upgrade  {len(names)} Packages\n\nTotal download size: {len(names)}.0 k\n"
    )


def steps(names: Sequence[str]) -> str:
    """The progress of a transaction."""
    all_ = 2 * len(names)
    lines = [f"  Updating   : {name:<50} {number}/{all_} " for number, name in enumerate(names, 1)]
    lines += [f"  Cleanup    : {name:<50} {number}/{all_} " for number, name in enumerate(names, len(names) + 1)]
    return "\n".join(lines)


def main() -> int:
    """Run as the program that the command line of this process asks for."""
    words = sys.argv[1:]
    root = next(word.partition("=")[2] for word in words if word.startswith("--installroot="))
    return Yum(Path(root), lambda text: print(text, end="", flush=True)).run(words)


if __name__ == "__main__":
    sys.exit(main())

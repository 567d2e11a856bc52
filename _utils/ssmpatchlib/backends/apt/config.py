# SPDX-License-Identifier: Apache-2.0
"""The way to call apt's programs for a root: environment, options, and the paths that apt itself names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import SsmpatchError
from ...files import ensure_directory, read_bytes, write_text
from ...host import CommandResult, Host
from .. import Context
from .release_file import YES

#: Options that keep apt's programs from what they must never do or ask, whatever the system's configuration says.
SAFE_OPTIONS = (
    "APT::Get::AutomaticRemove=false",
    "APT::Get::Remove=false",
    "APT::Get::allow-downgrades=false",
    "APT::Get::allow-remove-essential=false",
    "APT::Get::allow-change-held-packages=false",
    "APT::Get::force-yes=false",
    "APT::Ignore-Hold=false",
    "APT::Get::Upgrade=true",
    "APT::Get::Only-Upgrade=false",
    "APT::Get::Fix-Missing=false",
    "Debug::NoLocking=false",
    "APT::Get::AllowUnauthenticated=false",
    "APT::Install-Suggests=false",
    "APT::Get::Always-Include-Phased-Updates=true",
    "Dpkg::Use-Pty=0",
    "quiet=1",
)
#: For every program: answers in the form that is read here, and what is asked for is done, not printed or simulated.
_COMMON_OPTIONS = (
    "APT::Output-Version=0",
    "APT::Get::Simulate=false",
    "APT::Get::Print-URIs=false",
    "APT::Get::Download-Only=false",
    "APT::Get::Trivial-Only=false",
    "APT::Get::Assume-No=false",
    "APT::Get::Download=true",
    "Debug::pkgDPkgPM=false",
)
_KEYS = {
    "LISTS": "Dir::State::lists/d",
    "STATUS": "Dir::State::status/f",
    "ARCHIVES": "Dir::Cache::archives/d",
    "SOURCES": "Dir::Etc::sourcelist/f",
    "SOURCEPARTS": "Dir::Etc::sourceparts/d",
    "PREFERENCES": "Dir::Etc::preferences/f",
    "PREFERENCESPARTS": "Dir::Etc::preferencesparts/d",
    "CONFPARTS": "Dir::Etc::parts/d",
    "MAIN": "Dir::Etc::main/f",
    "METHODS": "Dir::Bin::methods/d",
    "STATES": "Dir::State::extended_states/f",
    "ARCHITECTURE": "APT::Architecture",
    "DEFAULT_RELEASE": "APT::Default-Release",
    "RECOMMENDS": "APT::Install-Recommends",
    "OWN_RECOMMENDS": "Binary::apt-get::APT::Install-Recommends",
}
#: Of these there may be nothing.
_OPTIONAL = frozenset({"DEFAULT_RELEASE", "RECOMMENDS", "OWN_RECOMMENDS"})
#: What apt itself has without a word of the administrator.
_DEFAULT_RECOMMENDS = "1"
#: A string, a comment, or what asks for recommended packages in the words of the default.
_RECOMMENDS = re.compile(
    r"\bInstall-Recommends\s+\"?(?P<asked>1)\b|\"[^\"\n]*\"|//[^\n]*|/\*.*?\*/|^\s*#[^\n]*", re.M | re.S | re.I
)
#: The names of files of configuration and of preferences that apt reads in a directory, without their endings.
_NAME = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9_:.-]*")
#: The names of files of sources that apt reads in a directory, and what is like them.
_SOURCES_NAME = re.compile(r"[A-Za-z0-9_.:-]+\.(?:list|sources)")
_LIKE_SOURCES = re.compile(r"\.(?:lists?|sources?)$", re.I)


@dataclass(frozen=True, slots=True)
class AptCommand:
    """The way to call apt's programs for one root."""

    host: Host
    root: Path
    env: Mapping[str, str]
    options: tuple[str, ...]

    def argv(self, program: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """Return the argv list of an apt program with every option given by ``-o``."""
        settings = [part for option in (*_COMMON_OPTIONS, *self.options, *options) for part in ("-o", option)]
        return [program, *settings, *arguments]

    def run(self, program: str, *arguments: str, options: Sequence[str] = (), timeout: float = 300) -> CommandResult:
        """Run an apt program that only reads."""
        return self.host.run(self.argv(program, *arguments, options=options), env=self.env, timeout=timeout)

    @property
    def dpkg_root(self) -> list[str]:
        """dpkg's options for the root."""
        return [] if self.root == Path("/") else [f"--root={self.root}"]


@dataclass(frozen=True, slots=True)
class AptPaths:
    """The paths of apt's files for this root, as apt itself names them, its native architecture and two settings.

    ``recommends`` is what apt-get has for ``APT::Install-Recommends``.
    """

    lists: Path
    status: Path
    archives: Path
    architecture: str
    default_release: str
    methods: Path
    extended_states: Path
    preference_files: tuple[Path, ...]
    source_files: tuple[Path, ...]
    configuration_files: tuple[Path, ...]
    recommends: str = ""


def make_command(context: Context) -> AptCommand:
    """Return the AptCommand of a context; for another root or alternative sources private files are written first.

    Raises:
        SsmpatchError: the root has no ``etc/apt`` or ``var/lib/dpkg/status``.
        Unwritable: the private files cannot be written.
    """
    env = {} if context.root == Path("/") else _root_environment(context)
    return AptCommand(context.host, context.root, env, _source_options(context))


def _root_environment(context: Context) -> dict[str, str]:
    root = context.root
    for needed in ("etc/apt", "var/lib/dpkg/status"):
        if not (root / needed).exists():
            raise SsmpatchError(f"root {root}: no {needed} in it; name a directory that holds a Debian system")
    configuration = context.work_dir / "apt-root.conf"
    text = f'Dir "{root}";\nDir::State::status "{root}/var/lib/dpkg/status";\nDPkg::Options:: "--root={root}";\n'
    _write_if_changed(configuration, text)
    return {"APT_CONFIG": str(configuration), "DPKG_ADMINDIR": str(root / "var/lib/dpkg")}


def _source_options(context: Context) -> tuple[str, ...]:
    """Return the options that make apt read the baseline's Sources, from private files, instead of the system's."""
    if not context.sources:
        return ()
    directory = context.work_dir / "apt-sources"
    lists = directory / "lists"
    ensure_directory(context.work_dir)
    ensure_directory(lists / "partial")
    text = "".join(source.configuration.rstrip("\n") + "\n" for source in context.sources)
    _write_if_changed(directory / "sources.list", text)
    return (
        f"Dir::Etc::sourcelist={directory / 'sources.list'}",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::State::lists={lists}",
        "Dir::Cache::pkgcache=",
        "Dir::Cache::srcpkgcache=",
        "APT::Sandbox::User=root",
    )


def _write_if_changed(path: Path, text: str) -> None:
    try:
        if read_bytes(path) == text.encode():
            return
    except (OSError, ValueError):
        pass
    ensure_directory(path.parent)
    write_text(path, text)


def read_paths(command: AptCommand) -> AptPaths:
    """Ask apt where its files are (``apt-config shell``).

    Raises:
        SsmpatchError: apt's configuration cannot be read; the message has apt's words.
    """
    arguments = [part for name, key in _KEYS.items() for part in (name, key)]
    result = command.run("apt-config", "shell", *arguments)
    if result.code:
        raise SsmpatchError(f"apt-config: {result.words}")
    values = dict(word.split("=", 1) for word in shlex.split(result.stdout) if "=" in word)
    missing = [key for name, key in _KEYS.items() if name not in values and name not in _OPTIONAL]
    if missing:
        raise SsmpatchError(f"apt-config: does not name {', '.join(missing)}; is apt installed completely?")
    return AptPaths(
        lists=Path(values["LISTS"]),
        status=Path(values["STATUS"]),
        archives=Path(values["ARCHIVES"]),
        architecture=values["ARCHITECTURE"],
        default_release=values.get("DEFAULT_RELEASE", ""),
        methods=Path(values["METHODS"]),
        extended_states=Path(values["STATES"]),
        preference_files=_files(values["PREFERENCES"], values["PREFERENCESPARTS"], ".pref"),
        source_files=_files(values["SOURCES"], values["SOURCEPARTS"]),
        configuration_files=_configuration_files(command, values["MAIN"], values["CONFPARTS"]),
        recommends=values.get("OWN_RECOMMENDS") or values.get("RECOMMENDS", ""),
    )


def read_architectures(command: AptCommand) -> tuple[str, ...]:
    """Ask apt which architectures the host has packages of, its own first.

    Raises:
        SsmpatchError: apt's configuration cannot be read; the message has apt's words.
    """
    result = command.run("apt-config", "dump", "--format", "%v%n", "APT::Architectures")
    if result.code:
        raise SsmpatchError(f"apt-config: {result.words}")
    return tuple(dict.fromkeys(result.stdout.split()))


def _configuration_files(command: AptCommand, main: str, parts: str) -> tuple[Path, ...]:
    """Return the files of apt's configuration; the usual main one may itself name another."""
    usual = command.root / "etc/apt/apt.conf"
    found = (*_files(main, parts, ".conf"), *_files(str(usual), ""), *map(Path, command.env.values()))
    return tuple(dict.fromkeys(found))


def ignored_sources(paths: AptPaths) -> Iterable[Path]:
    """Return the files among the sources that apt does not read, and says nothing of, because of their names."""
    named = (path for path in paths.source_files if path.parent.name.endswith(".d") and _LIKE_SOURCES.search(path.name))
    return (path for path in named if not _SOURCES_NAME.fullmatch(path.name))


def asks_for_recommended(paths: AptPaths) -> bool:
    """Return whether the configuration asks for recommended packages; apt's own default is not asked for.

    Where apt has the words of its default, files that it reads are searched for them; those that cannot be read ask for
    nothing.
    """
    if paths.recommends != _DEFAULT_RECOMMENDS:
        return paths.recommends.lower() in YES
    return any(map(_asks_in_default_words, paths.configuration_files))


def _asks_in_default_words(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(match["asked"] for match in _RECOMMENDS.finditer(text))


def recommends_option(wanted: bool) -> tuple[str, ...]:
    """Return the option that makes apt install recommended packages, or keeps it from that."""
    return (f"APT::Install-Recommends={str(wanted).lower()}",)


def _files(main: str, parts: str, ending: str = "") -> tuple[Path, ...]:
    """Return the files that are there; of a directory those that apt reads by their names, where an ending is given."""
    found = [Path(main)] if Path(main).is_file() else []
    if parts and Path(parts).is_dir():
        files = sorted(path for path in Path(parts).iterdir() if path.is_file())
        found.extend(path for path in files if not ending or path.suffix in ("", ending) and _NAME.fullmatch(path.name))
    return tuple(found)

# SPDX-License-Identifier: Apache-2.0
"""Reads the installed packages from dpkg's database, and their times from dpkg's file lists."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import SsmpatchError
from ...files import read_bytes
from ...names import is_deb, one_line
from .paragraphs import reader

#: dpkg's states of a package that works; in a trigger state only work remains that dpkg does by itself.
WORKING = frozenset({"installed", "triggers-pending", "triggers-awaited"})
_BROKEN = frozenset({"half-installed", "unpacked", "half-configured"})
#: The state of a package that dpkg was removing when it was interrupted, however far it came.
HALF_REMOVED = "half-removed"
#: The state of a package that works by its state, and is to be installed again all the same.
REINSTALL = "reinst-required"
#: The states in which dpkg refuses to configure a package, since its update was interrupted in the first script.
_REFUSED = frozenset({f"unpacked, {REINSTALL}", f"half-configured, {REINSTALL}"})
BROKEN = _BROKEN | _REFUSED | {HALF_REMOVED}
#: The states that dpkg --configure -a does not mend.
HALF_INSTALLED = _REFUSED | {"half-installed", REINSTALL}
_STATES = WORKING | _BROKEN | {"config-files"}
_WANTS = frozenset({"unknown", "install", "hold", "deinstall", "purge"})
_FLAGS = frozenset({"ok", "reinstreq"})
#: A line that is no field, nor more of one, nor blank.
_NO_FIELD = re.compile(r"\n([^: \t\n][^:\n]*)\n")
#: The fields that a package has, as dpkg writes them; it reads them in other spellings too.
_USUAL = ("\nPackage: ", "\nStatus: ", "\nVersion: ")
_FIELD = re.compile(r"\n(Package|Status|Version|Architecture|Priority|Section|Multi-Arch)[ \t]*:[ \t]*", re.I)
_PRESENT = re.compile(r"^Status[ \t]*:[ \t]*\S+[ \t]+\S+[ \t]+(?!not-installed|config-files)\S", re.M | re.I)
_BUILD_FIELDS = ("Installed-Size", "Depends", "Pre-Depends", "Conflicts", "Breaks", "Replaces")
_NOT_COMPARED = dict.fromkeys(map(ord, " \t\r\n\v\f="))
_read_build = reader(*_BUILD_FIELDS)


@dataclass(frozen=True, slots=True)
class Installed:
    """One paragraph of dpkg's status file. ``arch`` is the native one for ``Architecture: all``."""

    name: str
    arch: str
    version: str
    priority: str
    section: str
    want: str
    status: str
    declared_arch: str
    multi_arch_same: bool
    paragraph: str = field(repr=False, compare=False)

    @property
    def held(self) -> bool:
        """Whether the administrator holds it (apt-mark hold)."""
        return self.want == "hold"


def read_status(path: Path, *, architecture: str, prefix: str = "") -> tuple[Installed, ...]:
    """Return the packages in dpkg's database, with those of which only configuration files are left.

    What dpkg has not yet put into its status file stands in ``updates`` beside it: a dpkg that was killed leaves it so.

    Args:
        prefix: the beginning of the names of the packages to return.

    Raises:
        SsmpatchError: the file cannot be read, or is damaged: empty, cut short, or no text.
    """
    try:
        text = read_bytes(path).decode("utf-8", errors="replace")
    except OSError as exc:
        raise SsmpatchError(f"{path}: cannot be read: {exc.strerror}; dpkg's database is needed") from exc
    except ValueError as exc:
        raise _damaged(path, str(exc)) from exc
    if not text.strip() or "\0" in text or not text.endswith("\n"):
        raise _damaged(path, "empty, cut short, or no text")
    if line := _NO_FIELD.search(f"\n{text}"):
        raise _damaged(path, f"its line {one_line(line[1], 60)!r} is no field")
    if not _PRESENT.search(text):
        raise _damaged(path, "no package is installed by it, dpkg among them")
    try:
        found = tuple(_parse(_with_updates(text, path.parent, architecture), architecture, prefix))
        _check_once(found)
    except ValueError as exc:
        raise _damaged(path, str(exc)) from exc
    return found


def _check_once(found: Sequence[Installed]) -> None:
    """Raise ValueError where a package has several paragraphs, of which nobody knows which one is true."""
    counts = Counter((each.name, each.declared_arch) for each in found)
    if len(counts) < len(found):
        (name, arch), count = counts.most_common(1)[0]
        raise ValueError(f"it has {count} paragraphs of {name}:{arch}")


def doubts(path: Path, found: Iterable[Installed]) -> Iterator[str]:
    """Yield why dpkg's database may not be whole, although it can be read.

    Args:
        found: the packages in it.
    """
    if cut := [each for each in sorted((path.parent / "updates").glob("[0-9]*")) if not _is_whole(each)]:
        yield f"{cut[0]} is damaged, and dpkg does nothing with it: remove it, then run dpkg --configure -a"
    names = {package.name for package in found}
    try:
        files = os.listdir(path.parent / "info")
    except OSError:
        return
    lists = {file.removesuffix(".list").partition(":")[0] for file in files if file.endswith(".list")}
    if lost := sorted(lists - names):
        more = f" and of {len(lost) - 5} more" if len(lost) > 5 else ""
        told = one_line(", ".join(lost[:5]), 200)
        yield (
            f"{path} has nothing of {told}{more}, of which {path.parent}/info has lists of files: restore it from "
            "status-old beside it or from /var/backups/dpkg.status*, or remove the lists of packages that are gone"
        )


def _is_whole(path: Path) -> bool:
    try:
        data = read_bytes(path)
    except (OSError, ValueError):
        return False
    return b"\0" not in data and (not data or data.endswith(b"\n"))


def _with_updates(text: str, directory: Path, architecture: str) -> str:
    """Return the text of dpkg's status file with the paragraphs that stand in ``updates`` in place of its own."""
    newer: dict[tuple[str, str], str] = {}
    for path in sorted((directory / "updates").glob("[0-9]*")):
        try:
            found = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # dpkg itself says so where one of them is damaged, when it is to repair.
        if "\0" not in found and found.endswith("\n"):
            newer |= {_key(each, architecture): each for each in found.strip("\n").split("\n\n")}
    if not newer:
        return text
    older = (each for each in text.strip("\n").split("\n\n") if _key(each, architecture) not in newer)
    return "\n\n".join((*older, *newer.values())) + "\n"


def _key(paragraph: str, native: str) -> tuple[str, str]:
    block = f"\n{paragraph}\n"
    arch = get_field(block, "Architecture")
    return get_field(block, "Package"), native if arch in ("all", "") else arch


def _damaged(path: Path, problem: str) -> SsmpatchError:
    remedy = "restore it from status-old beside it or from /var/backups/dpkg.status*"
    return SsmpatchError(f"{path}: dpkg's database is damaged: {problem}; {remedy}")


def working_versions(path: Path, *, architecture: str, prefix: str = "") -> dict[str, str]:
    """Return ``{name.arch: version}`` of the installed packages that work and whose names begin with ``prefix``."""
    found = read_status(path, architecture=architecture, prefix=prefix)
    return {f"{p.name}.{p.arch}": p.version for p in found if p.status not in BROKEN | {"config-files"}}


def broken_packages(path: Path, *, architecture: str) -> dict[str, str]:
    """Return ``{name.arch: dpkg state}`` of the packages that are not completely installed."""
    found = read_status(path, architecture=architecture)
    return {f"{p.name}.{p.arch}": p.status for p in found if p.status in BROKEN | HALF_INSTALLED}


def present_versions(packages: Iterable[Installed]) -> dict[str, str]:
    """Return ``{name.arch: version}`` of what is there, whether it works or not."""
    return {f"{p.name}.{p.arch}": p.version for p in packages if p.status != "config-files"}


def _parse(text: str, architecture: str, prefix: str) -> Iterator[Installed]:
    for paragraph in text.split("\n\n"):
        if prefix and f"Package: {prefix}" not in paragraph:
            continue
        block = "\n" + paragraph.strip("\n") + "\n"
        if any(name not in block for name in _USUAL):
            block = _FIELD.sub(lambda match: f"\n{match[1].title()}: ", block)
        words = get_field(block, "Status").split()
        if not words or words[-1] == "not-installed":
            continue
        name, version, declared = (
            get_field(block, "Package"),
            get_field(block, "Version"),
            get_field(block, "Architecture"),
        )
        if not _is_state(words) or not is_deb(name, version, declared or architecture):
            told = one_line(" ".join((name, declared, version, *words)), 100)
            raise ValueError(f"it says {told!r} of a package")
        if block.count("\nPackage: ") > 1:
            raise ValueError(f"the paragraph of {name} runs into the next one")
        yield Installed(
            name=name,
            arch=architecture if declared in ("all", "") else declared,
            version=version,
            priority=get_field(block, "Priority"),
            section=get_field(block, "Section"),
            want=words[0],
            status=_state(*words),
            declared_arch=declared,
            multi_arch_same=get_field(block, "Multi-Arch") == "same",
            paragraph=block,
        )


def _is_state(words: Sequence[str]) -> bool:
    return len(words) == 3 and words[0] in _WANTS and words[1] in _FLAGS and words[2] in _STATES


def _state(want: str, flag: str, state: str) -> str:
    if want in ("deinstall", "purge") and state in _BROKEN:
        return HALF_REMOVED
    if flag == "ok" or state in ("half-installed", "config-files"):
        return state
    return f"{state}, {REINSTALL}" if state in _BROKEN else REINSTALL


def get_field(block: str, name: str) -> str:
    """Return a one-line field of a control paragraph that starts and ends with a newline; ``""`` without it."""
    start = block.find(f"\n{name}: ")
    if start < 0:
        return ""
    start += len(name) + 3
    return block[start : block.find("\n", start)].strip()


def build_of(block: str) -> str:
    """Return a text that differs between builds of one version, from the fields and in the way that apt compares.

    Blanks, case, ``=`` and epochs of 0 do not count, since dpkg writes relations in another way than it reads them.
    """
    found = _read_build(block)
    content = "".join(found.get(name, "") for name in _BUILD_FIELDS).replace("0:", "").lower().translate(_NOT_COMPARED)
    return hashlib.sha1(content.encode(), usedforsecurity=False).hexdigest()[:12]


def installed_time(info_dir: str, package: Installed) -> float | None:
    """Return when dpkg last unpacked the package: the time of its file list, epoch seconds; None when there is none."""
    names = [f"{package.name}.list", f"{package.name}:{package.arch}.list"]
    if package.multi_arch_same:
        names.reverse()
    for name in names:
        try:
            return os.stat(f"{info_dir}/{name}").st_mtime
        except OSError:
            continue
    return None

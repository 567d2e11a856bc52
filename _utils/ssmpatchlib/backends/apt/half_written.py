# SPDX-License-Identifier: Apache-2.0
"""Finds copies of indexes that a power cut left half-written: apt does not wait until they are on the disk.

With one of them apt reads no repository at all, and ``apt-get update`` does not mend it: the server says that nothing
has changed since, and apt believes that it has the rest.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from .release_file import COMPRESSED, read_release
from .targets import IndexTarget

#: What a repository is known by; a Release file that lists them says what they were before it was made.
_RELEASE_FILES = ("InRelease", "Release", "Release.gpg")
_SIGNED_END = b"-----END PGP SIGNATURE-----"
#: The last line of a Release file without its end: a part of a hash, of a size or of the name of a field.
_CUT_LINE = re.compile(rb"\s+[0-9a-fA-F]*(?:\s+[0-9]*)?|[^\s:]+")
#: More than any Release file has.
_MOST_BYTES = 64 * 1024 * 1024
#: No file of apt has so many bytes of zeros at its end, compressed or not.
_LAST_BYTES = 64
#: Size and name of what a Release file lists.
_LISTED = re.compile(r"(?<=\n)[ \t]+[0-9a-fA-F]{32,}[ \t]+([0-9]{1,18})[ \t]+(\S+)(?=\s)")


def half_written(lists: Path, targets: Sequence[IndexTarget]) -> Iterator[Path]:
    """Yield the half-written copies, without which a refresh reads those repositories anew.

    Where the Release file is one nothing tells what the others must be, and all of the repository's are yielded. What
    ``apt-cdrom`` has written is not: it leaves out what the disc does not have, and no refresh writes it again.
    """
    prefixes = {Path(target.prefix).name: target for target in targets if target.prefix}
    copies: dict[str, list[tuple[str, Path, int]]] = {}
    for path, size in _regular_files(lists):
        # The names of one repository's files may begin with the prefix of another one's.
        name = max((each for each in prefixes if path.name.startswith(each)), key=len, default="")
        copies.setdefault(name, []).append((path.name.removeprefix(name), path, size))
    for name, target in prefixes.items():
        if target.repository.startswith("cdrom:"):
            continue
        whole = not any(_is_cut(Path(target.prefix + each)) for each in _RELEASE_FILES)
        sizes = {listed.replace("/", "_"): int(size) for size, listed in _LISTED.findall(read_release(target.prefix))}
        for rest, path, size in copies.get(name, ()):
            # apt may compress a copy by itself: then its size is another one.
            known = None if rest.endswith(COMPRESSED) else sizes.get(rest)
            if (
                not whole
                or rest not in _RELEASE_FILES
                and (size != (size or -1 if known is None else known) or _ends_in_nothing(path, size))
            ):
                yield path


def _ends_in_nothing(path: Path, size: int) -> bool:
    """Return whether the end of a copy has its place on the disk and was never written there."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, size - _LAST_BYTES))
            return size > 0 and not stream.read(_LAST_BYTES).strip(b"\0")
    except OSError:
        return False


def _is_cut(path: Path) -> bool:
    """Return whether a Release file, signed or not, or its signature, lacks its end; a link leads to no copy."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError:
        return False
    if len(data) > _MOST_BYTES:
        return False
    if not data.strip():
        return True
    if data.startswith(b"-----BEGIN"):
        return not data.rstrip().endswith(_SIGNED_END)
    if path.name.endswith(".gpg"):
        return b"\0\0\0\0" in data
    # With the end of its last line it is whole, or was cut just there.
    return b"\0" in data or _CUT_LINE.fullmatch(data[data.rfind(b"\n") + 1 :]) is not None


def _regular_files(lists: Path) -> Iterator[tuple[Path, int]]:
    """Yield the files with their sizes; a link leads to no copy, and apt may just have removed one."""
    for path in sorted(lists.glob("*")):
        try:
            status = path.lstat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield path, status.st_size

# SPDX-License-Identifier: Apache-2.0
"""Files that are whole or absent: written atomically, read with damage set aside instead of failing."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import glob
import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .errors import SsmpatchError

MAX_BYTES = 64 * 1024 * 1024
KEPT_DAMAGED = 5
_STALE_TEMP_SECONDS = 3600
_MAX_RECALLED_BYTES = 16 * 1024 * 1024
_PIECE = 1 << 16
_T = TypeVar("_T")

#: What is wrong with the form of a parsed document; empty when nothing is.
Shape = Callable[[Any], str]

_CHOOSE = "choose another directory with ssmpatch:state_dir or ssmpatch:aws_dir"
_REMEDIES = {
    errno.ENOENT: "make the directory above it, which does not exist",
    errno.ENOSPC: "free some space there and try again",
    errno.EDQUOT: "raise the quota or free some space there and try again",
    errno.EROFS: f"make it writable or {_CHOOSE}",
    errno.EACCES: f"run as root or {_CHOOSE}",
    errno.EPERM: f"run as root or {_CHOOSE}",
    errno.ENOTDIR: f"move away the file that stands where a directory is needed or {_CHOOSE}",
    errno.EEXIST: f"move away the file that stands where a directory is needed or {_CHOOSE}",
    errno.EISDIR: "move away the directory that stands where the file is needed",
    errno.ELOOP: "move away the symbolic link that stands where the file is needed",
}


class Unwritable(SsmpatchError):
    """A file or directory could not be written; what was there before is unchanged."""

    def __init__(self, path: Path, exc: OSError) -> None:
        remedy = _REMEDIES.get(exc.errno or 0, "see that the file system is sound")
        super().__init__(f"{path}: could not be written: {_reason(exc)}; {remedy}; what was stored before is unchanged")


def require_private(path: Path) -> None:
    """Refuse a directory that others own or may write, since root acts on what is in it; one to be made is right.

    Raises:
        SsmpatchError: it belongs to another user than this one and root, others may write it, or it is no directory.
    """
    try:
        status = path.stat()
    except OSError:
        return
    problem = ""
    if not stat.S_ISDIR(status.st_mode):
        problem, remedy = "is no directory", "move it away"
    elif status.st_uid not in (0, os.geteuid()):
        problem, remedy = f"belongs to the user {status.st_uid}", f"chown {os.geteuid()} it once its content is checked"
    elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(status.st_mode)
        problem, remedy = f"may be written by others (mode {mode:04o})", "chmod 0700 it once its content is checked"
    if problem:
        raise SsmpatchError(f"{path}: {problem}, who could change what is done on this host; {remedy}, or {_CHOOSE}")


def ensure_parents(path: Path) -> None:
    """Create, with ordinary modes, what is missing above a directory that is not ours alone.

    Raises:
        Unwritable: it cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise Unwritable(path, exc) from exc


def ensure_directory(path: Path) -> None:
    """Create a directory and its parent with mode 0700 and, with ordinary modes, what is missing above them.

    An existing one stays as it is.

    Raises:
        Unwritable: it cannot be created.
    """
    try:
        if not path.is_dir():
            ensure_parents(path.parent)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
    except OSError as exc:
        raise Unwritable(path, exc) from exc


def write_text(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace the content of ``path`` by text, as ``write_bytes`` does; errors as there."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"), mode=mode)


def write_bytes(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace the content of ``path``: after a crash or an error it holds the old content or the new, nothing between.

    A directory in its place is set aside.

    Raises:
        Unwritable: it could not be written.
    """
    ensure_directory(path.parent)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with open(handle, "wb") as stream:
                os.fchmod(stream.fileno(), mode)
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
                written = os.fstat(stream.fileno()).st_mtime
            if path.is_dir() and not path.is_symlink():
                set_aside(path, "a directory", now=written)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_directory(path.parent)
    except OSError as exc:
        raise Unwritable(path, exc) from exc
    _sweep(path, written)


def write_json(path: Path, value: Any, *, mode: int = 0o600, indent: int | None = None) -> None:
    """Replace the content of ``path`` by ``value`` as ASCII JSON with a line end; errors as ``write_text``."""
    write_text(path, json.dumps(value, indent=indent, allow_nan=False) + "\n", mode=mode)


def remove(path: Path) -> None:
    """Delete a file durably; one that is not there is no error.

    Raises:
        Unwritable: it could not be deleted.
    """
    try:
        path.unlink()
        _sync_directory(path.parent)
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise Unwritable(path, exc) from exc


def read_text(path: Path, *, now: float, max_bytes: int = MAX_BYTES) -> tuple[str | None, tuple[str, ...]]:
    """Return the text of ``path`` and warnings; never raises for what it finds there.

    Returns:
        ``(None, ())`` when there is no file; ``(None, (warning,))`` when it cannot be read, or is no regular file of at
        most ``max_bytes`` of UTF-8 text: such a one was set aside.
    """
    try:
        return read_bytes(path, max_bytes=max_bytes).decode(), ()
    except FileNotFoundError:
        return None, ()
    except OSError as exc:
        if exc.errno not in (errno.ENXIO, errno.ELOOP):
            return None, (f"{path}: cannot be read: {_reason(exc)}",)
        problem = "not a regular file"
    except UnicodeDecodeError:
        problem = "not UTF-8 text"
    except ValueError as exc:
        problem = str(exc)
    return None, (set_aside(path, problem, now=now),)


def read_bytes(path: Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file; memory is taken for what is there, and nothing is waited for.

    Raises:
        OSError: it cannot be opened or read.
        ValueError: it is no regular file, or larger than ``max_bytes``.
    """
    # Without O_NONBLOCK, opening a FIFO would wait for a writer.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        pieces = [os.read(handle, min(status.st_size, max_bytes) + 1)]
        while pieces[-1] and sum(map(len, pieces)) <= max_bytes:
            pieces.append(os.read(handle, _PIECE))
    finally:
        os.close(handle)
    data = b"".join(filter(None, pieces))
    if len(data) > max_bytes:
        raise ValueError(f"larger than {max_bytes} bytes")
    return data


def read_json(path: Path, *, shape: Shape, now: float, max_bytes: int = MAX_BYTES) -> tuple[Any, tuple[str, ...]]:
    """Return the document in ``path`` and warnings; never raises for what it finds there.

    Args:
        shape: says what is wrong with the parsed document, empty when it is what the caller reads.
        now: epoch seconds, for the name under which a damaged file is set aside.

    Returns:
        ``(document, ())``; ``(None, ())`` when there is no file; ``(None, (warning,))`` when it cannot be read or is
        damaged; a damaged one is then at ``<name>.damaged-<time>``.
    """
    text, warnings = read_text(path, now=now, max_bytes=max_bytes)
    if text is None:
        return None, warnings
    try:
        document = parse_json(text)
        problem = shape(document)
    except ValueError:
        problem = "not a JSON document" if text.strip() else "empty"
    if problem:
        return None, (set_aside(path, problem, now=now),)
    return document, ()


def recall(path: Path, make: Callable[[Any], _T], *, parse: Callable[[bytes], Any] | None = None) -> _T | None:
    """Return what ``make`` makes of the JSON document in ``path``, a file of whose loss nobody needs to hear.

    None when there is none, it cannot be read, or ``make`` fails because it has another form.

    Args:
        parse: what reads the document where it is not JSON as a whole.
    """
    try:
        return make((parse or parse_json)(read_bytes(path, max_bytes=_MAX_RECALLED_BYTES)))
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def parse_json(text: str | bytes) -> Any:
    """Return a JSON document.

    Raises:
        ValueError: it is none, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def set_aside(path: Path, problem: str, *, now: float) -> str:
    """Rename a damaged file so that nothing is lost, keep the last few such files, and return the warning about it."""
    stamp = dt.datetime.fromtimestamp(now, dt.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    target = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while os.path.lexists(target):
        number += 1
        target = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    try:
        os.rename(path, target)
    except OSError as exc:
        return f"{path}: damaged ({problem}) and ignored; it could not be set aside: {_reason(exc)}"
    others = sorted(set(glob.glob(glob.escape(f"{path}.damaged-") + "*")) - {str(target)})
    for old in others[: max(0, len(others) - KEPT_DAMAGED + 1)]:
        with contextlib.suppress(OSError):
            os.unlink(old)
    return f"{path}: damaged ({problem}); set aside as {target.name}"


def _reason(exc: OSError) -> str:
    return (exc.strerror or str(exc)).lower()


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as exc:
        # Some file systems cannot sync a directory; they have no other way to make the rename durable either.
        if exc.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _sweep(path: Path, written: float) -> None:
    """Delete what killed writers of ``path`` left behind long before ``written``."""
    for name in glob.glob(glob.escape(f"{path.parent}/.{path.name}.") + "*.tmp"):
        with contextlib.suppress(OSError):
            if os.stat(name).st_mtime < written - _STALE_TEMP_SECONDS:
                os.unlink(name)

# SPDX-License-Identifier: Apache-2.0
"""Reads a text document from a path, file://, salt://, https:// or s3://, bounded in size and time."""

from __future__ import annotations

import os
import stat
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from .errors import InvalidInput, SsmpatchError
from .input_errors import show
from .locations import AccessDenied, FetchError, shown, too_large, too_slow, within

if TYPE_CHECKING:
    import ssl

#: AWS refuses these in the file names of override documents.
FORBIDDEN = "`'\"$"
_NAME_ANOTHER = "name a file that is on this host"
SCHEMES = "an absolute path, file://, salt://, https:// or s3://"


class S3Text(Protocol):
    """Reads an ``s3://bucket/key`` location. Raises AccessDenied or another SsmpatchError."""

    def __call__(self, location: str, *, max_bytes: int, timeout: float) -> str: ...


class Fetcher:
    """Reads documents wherever they are.

    Args:
        salt: returns the text of a ``salt://`` location, or None, False or ``""`` when there is no such file
            (``cp.get_file_str``); without it ``salt://`` is refused.
        s3: reads ``s3://`` locations; without it they are refused.
        ssl_context: how servers prove who they are; default: the system's certificate authorities.
    """

    def __init__(
        self,
        *,
        salt: Callable[[str], Any] | None = None,
        s3: S3Text | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._salt = salt
        self._s3 = s3
        self._ssl_context = ssl_context

    def text(self, location: str, *, max_bytes: int, timeout: float) -> str:
        """The document at ``location``, UTF-8, of at most ``max_bytes``, read within ``timeout`` seconds in all.

        Raises:
            InvalidInput: no location that can be read from.
            AccessDenied: this node may not read it.
            FetchError: there is no such document, it is too large, too slow or not text, or the transfer failed.
        """
        check_location(location)
        scheme, separator, _ = location.partition("://")
        if not separator or scheme == "file":
            return _file(local_path(location), max_bytes=max_bytes)
        if scheme == "salt":
            return self._from_salt(location, max_bytes=max_bytes)
        if scheme == "https":
            return self._from_https(location, max_bytes=max_bytes, timeout=timeout)
        return self._from_s3(location, max_bytes=max_bytes, timeout=timeout)

    def _from_salt(self, location: str, *, max_bytes: int) -> str:
        if self._salt is None:
            raise FetchError(f"{location}: no Salt file server to ask here; use {SCHEMES}")
        text = self._salt(location)
        if not isinstance(text, str) or not text:
            raise FetchError(f"{location}: not found on the Salt file server, or empty; see file_roots, and its path")
        if len(text.encode(errors="replace")) > max_bytes:
            raise too_large(location, max_bytes)
        return text

    def _from_s3(self, location: str, *, max_bytes: int, timeout: float) -> str:
        if self._s3 is None:
            raise FetchError(f"{location}: S3 cannot be read here; use https:// or salt://")
        return self._s3(location, max_bytes=max_bytes, timeout=timeout)

    def _from_https(self, location: str, *, max_bytes: int, timeout: float) -> str:
        from . import fetch_https

        try:
            data = within(
                timeout,
                lambda: fetch_https.download(location, max_bytes, timeout, self._ssl_context),
                late=too_slow(location, timeout),
            )
        except SsmpatchError:
            raise
        except Exception as exc:  # noqa: BLE001 - a transfer can end with anything
            raise fetch_https.explained(location, exc, timeout) from exc
        return _decoded(data, location)


def check_location(location: str) -> None:
    """Refuse what is no location that a document can be read from; nothing is read.

    Raises:
        InvalidInput: it is none.
    """
    _check_file_name(location)
    scheme, separator, rest = location.partition("://")
    if not (rest if separator else location.startswith("/")):
        raise InvalidInput(f"{show(location)} is no location; use {SCHEMES}")
    if not separator or scheme in ("salt", "https"):
        return
    if scheme == "file":
        _file_path(location, rest)
    elif scheme == "s3":
        bucket, _, key = rest.partition("/")
        if not bucket or not key:
            raise InvalidInput(f"{show(location)} is no S3 location; use s3://bucket/key")
    elif scheme == "http":
        raise InvalidInput(f"{shown(location)}: http:// is neither encrypted nor authenticated; use https://")
    else:
        raise InvalidInput(f"{shown(location)}: {scheme}:// is not supported; use {SCHEMES}")


def local_path(location: str) -> str:
    """Return the path of a location that is a path or begins with ``file://``.

    Raises:
        InvalidInput: it names another host.
    """
    _, separator, rest = location.partition("://")
    return _file_path(location, rest) if separator else location


def _check_file_name(location: str) -> None:
    if "\0" in location or "\n" in location:
        raise InvalidInput(f"{show(location)} is no location; use {SCHEMES}")
    path = location.partition("?")[0] if "://" in location else location
    name = urllib.parse.unquote(path.rpartition("/")[2])
    bad = [character for character in FORBIDDEN if character in name]
    if bad:
        raise InvalidInput(f"file name {show(name)}: the characters {' '.join(bad)} are not allowed; rename the file")


def _file_path(location: str, rest: str) -> str:
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost") or not slash:
        raise InvalidInput(f"{show(location)} is no local file; use file:///path")
    return "/" + urllib.parse.unquote(path)


def _file(path: str, *, max_bytes: int) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as handle:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise FetchError(f"{path}: not a regular file; {_NAME_ANOTHER}")
            data = handle.read(min(status.st_size, max_bytes) + 1)
    except PermissionError as exc:
        raise AccessDenied(f"{path}: {exc.strerror}; run as root, or let this user read it") from exc
    except (OSError, ValueError) as exc:
        raise FetchError(f"{path}: {getattr(exc, 'strerror', None) or exc}; {_NAME_ANOTHER}") from exc
    if len(data) > max_bytes:
        raise too_large(path, max_bytes)
    return _decoded(data, path)


def _decoded(data: bytes, location: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        name = shown(location)
        raise FetchError(f"{name}: not a text document (it is not UTF-8); write it as JSON or YAML") from None

# SPDX-License-Identifier: Apache-2.0
"""What the ways of reading a document have in common: their errors, and how a location is shown."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from .errors import SsmpatchError


class FetchError(SsmpatchError):
    """A document could not be read."""


class AccessDenied(FetchError):
    """The document is there, or may be, but this node may not read it."""


def scheme_of(location: str) -> str:
    """Return the scheme in lower case, ``""`` without one; unlike ``urlsplit`` it takes every text."""
    scheme, separator, _ = location.partition("://")
    return scheme.lower() if separator else ""


def shown(location: str) -> str:
    """Return the location without query and password, which may be secrets; a path as it is."""
    scheme, separator, rest = location.partition("://")
    if not separator:
        return location
    rest = rest.partition("#")[0]
    rest, question, _ = rest.partition("?")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}{'?…' if question else ''}"


def too_large(location: str, max_bytes: int) -> FetchError:
    """Return the error for a document that is larger than allowed."""
    return FetchError(f"{shown(location) if '://' in location else location}: larger than {max_bytes} bytes; refused")


def too_slow(location: str, timeout: float) -> FetchError:
    """Return the error for a transfer that takes too long."""
    return FetchError(f"{shown(location)}: no complete answer within {timeout:g} s")


def within(timeout: float, work: Callable[[], bytes], *, late: FetchError) -> bytes:
    """Return the result of ``work`` or raise its error; after ``timeout`` seconds raise ``late``.

    It is done in a thread of its own: no slow name server, handshake, retry or dripping body can take longer.
    """
    answers: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(work())
        except Exception as exc:  # noqa: BLE001 - handed over and raised below
            answers.put(exc)

    threading.Thread(target=run, daemon=True, name="ssmpatch-fetch").start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise late from None
    if isinstance(answer, Exception):
        raise answer
    return answer

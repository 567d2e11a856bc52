# SPDX-License-Identifier: Apache-2.0
"""The https part of ``fetch``: apart, because its libraries take longer to load than a small scan takes."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import IO, Any

from .errors import InvalidInput, SsmpatchError
from .locations import AccessDenied, FetchError, scheme_of, shown, too_large, too_slow

MAX_REDIRECTS = 5
CHUNK = 65536
_SEE = "see that the address is right and this host reaches it"


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects, to https only."""

    max_redirections = MAX_REDIRECTS

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        if scheme_of(newurl) != "https":
            raise FetchError(f"{shown(req.full_url)}: redirects to {shown(newurl)}, which is not https; refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_308(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """A permanent redirect, which Python 3.10 does not follow by itself."""
        return self.http_error_302(req, fp, 301, msg, headers)


def download(location: str, max_bytes: int, timeout: float, context: ssl.SSLContext | None) -> bytes:
    """The body of the answer to a GET; raises as ``transfer``."""
    parts: list[bytes] = []
    transfer(location, parts.append, max_bytes, timeout, context)
    return b"".join(parts)


def transfer(
    location: str, write: Callable[[bytes], Any], max_bytes: int, timeout: float, context: ssl.SSLContext | None
) -> None:
    """Hand the body of the answer to a GET to ``write``, part by part.

    Raises:
        FetchError: it is too large, too slow or incomplete, or a redirect leads away from https.
        Exception: whatever else a transfer can end with; ``explained`` has the words for it.
    """
    deadline = time.monotonic() + timeout
    handler = urllib.request.HTTPSHandler(context=context or ssl.create_default_context())
    opener = urllib.request.build_opener(handler, _SafeRedirects())
    request = urllib.request.Request(location, headers={"User-Agent": "ssmpatch", "Accept-Encoding": "identity"})
    size = 0
    with opener.open(request, timeout=timeout) as response:
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > max_bytes:
            raise too_large(location, max_bytes)
        while part := response.read1(CHUNK):
            size += len(part)
            if size > max_bytes:
                raise too_large(location, max_bytes)
            if time.monotonic() > deadline:
                raise too_slow(location, timeout)
            write(part)
        if length.isdecimal() and size < int(length):
            raise FetchError(f"{shown(location)}: the connection ended after {size} of {length} bytes")


def explained(location: str, error: Exception, timeout: float) -> SsmpatchError:
    """The error of a transfer as one sentence, without the location's secrets."""
    name = shown(location)
    if isinstance(error, urllib.error.HTTPError):
        if error.code in (401, 403):
            return AccessDenied(
                f"{name}: access denied (HTTP {error.code}); the document must be readable without login"
            )
        if 300 <= error.code < 400:
            return FetchError(f"{name}: more than {MAX_REDIRECTS} redirects, or one that leads nowhere")
        words = f"HTTP {error.code} {str(error.reason)[:200]}"
        return FetchError(f"{name}: the server answered {words}; {_SEE}")
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return too_slow(location, timeout)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return FetchError(
            f"{name}: the server's certificate is not trusted: {reason.verify_message}; let this host trust it"
        )
    if isinstance(error, (http.client.InvalidURL, UnicodeError)):
        return InvalidInput(f"{name} is no address that can be asked for; use https://host/path")
    if isinstance(reason, OSError):
        return FetchError(f"{name}: the transfer failed: {str(reason.strerror or reason)[:200]}; {_SEE}")
    return FetchError(f"{name}: the transfer failed: {type(error).__name__}; {_SEE}")

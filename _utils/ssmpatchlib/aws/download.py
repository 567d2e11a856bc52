# SPDX-License-Identifier: Apache-2.0
"""Downloads what a pre-signed address of AWS's points to: bounded in size and time, compressed or not."""

from __future__ import annotations

import http.client
import os
import ssl
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from typing import IO, Any

from .. import locations
from ..errors import SsmpatchError
from ..locations import scheme_of

TRIES = 3
MAX_REDIRECTS = 5
CHUNK = 65536
_GZIP = b"\x1f\x8b"


class DownloadError(SsmpatchError):
    """The file was not had.

    ``passing`` says whether it may be had later, with nothing changed; ``refused``, that the server does not take the
    address: its signature may have expired.
    """

    def __init__(self, message: str, *, passing: bool, refused: bool = False) -> None:
        super().__init__(message)
        self.passing = passing
        self.refused = refused


def download(
    url: str, *, max_bytes: int, timeout: float, sleep: Callable[[float], None], allow_http: bool = False
) -> bytes:
    """The file at ``url``, decompressed.

    Args:
        max_bytes: how large it may be, before and after decompression.
        timeout: seconds for all tries together.
        allow_http: take an address without TLS, as local stand-ins for AWS give; redirects go to https in any case.

    Raises:
        DownloadError: the message does not show the address's signature.
    """
    scheme = scheme_of(url)
    if scheme != "https" and not (scheme == "http" and allow_http):
        raise DownloadError(f"{shown(url)}: only https:// is taken", passing=False)
    deadline = time.monotonic() + timeout
    attempt = 1
    while True:
        try:
            return _decompressed(_once(url, max_bytes, deadline), url, max_bytes)
        except DownloadError as exc:
            pause = 0.5 * attempt
            if not exc.passing or attempt == TRIES or time.monotonic() + pause >= deadline:
                raise
        sleep(pause)
        attempt += 1


def shown(url: str) -> str:
    """The address without its query, which holds the signature, and without its password."""
    return locations.shown(url).partition("?")[0]


class _OnlyToHttps(urllib.request.HTTPRedirectHandler):
    max_redirections = MAX_REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if scheme_of(newurl) != "https":
            raise DownloadError(
                f"{shown(req.full_url)}: redirects to {shown(newurl)}, which is not https; refused", passing=False
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _once(url: str, max_bytes: int, deadline: float) -> bytes:
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=_context()), _OnlyToHttps())
    try:
        request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
        with opener.open(request, timeout=max(0.1, deadline - time.monotonic())) as response:
            return _body(response, url, max_bytes, deadline)
    except urllib.error.HTTPError as exc:
        with exc:
            passing = exc.code >= 500 or exc.code == 429
            refused = 400 <= exc.code < 500 and not passing
            raise DownloadError(_answered(exc, url), passing=passing, refused=refused) from exc
    except TimeoutError as exc:
        raise _too_slow(url) from exc
    except (OSError, http.client.HTTPException, ValueError) as exc:
        reason = getattr(exc, "reason", exc)
        if isinstance(reason, TimeoutError):
            raise _too_slow(url) from exc
        words = getattr(reason, "verify_message", None) or getattr(reason, "strerror", None) or reason
        raise DownloadError(f"{shown(url)}: the transfer failed: {words or type(exc).__name__}", passing=True) from exc


def _body(response: Any, url: str, max_bytes: int, deadline: float) -> bytes:
    length = response.headers.get("Content-Length") or ""
    expected = int(length) if length.isdecimal() else None
    if expected is not None and expected > max_bytes:
        raise _too_large(url, max_bytes)
    data = bytearray()
    while part := response.read1(CHUNK):
        data += part
        if len(data) > max_bytes:
            raise _too_large(url, max_bytes)
        if time.monotonic() > deadline:
            raise _too_slow(url)
    if expected is not None and len(data) < expected:
        raise DownloadError(f"{shown(url)}: the transfer ended after {len(data)} of {expected} bytes", passing=True)
    return bytes(data)


def _context() -> ssl.SSLContext:
    """Who is trusted: what ``AWS_CA_BUNDLE`` names, as in boto3; else the system's authorities and botocore's."""
    bundle = os.environ.get("AWS_CA_BUNDLE")
    if bundle:
        return ssl.create_default_context(cafile=bundle)
    from botocore.httpsession import get_cert_path

    context = ssl.create_default_context()
    context.load_verify_locations(get_cert_path(True))
    return context


def _decompressed(data: bytes, url: str, max_bytes: int) -> bytes:
    if not data.startswith(_GZIP):
        return data
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(data, max_bytes + 1)
    except zlib.error as exc:
        raise DownloadError(f"{shown(url)}: damaged gzip data ({exc})", passing=True) from exc
    if len(plain) > max_bytes:
        raise _too_large(url, max_bytes)
    if not stream.eof:
        raise DownloadError(f"{shown(url)}: damaged gzip data (it ends too early)", passing=True)
    return plain


def _answered(exc: urllib.error.HTTPError, url: str) -> str:
    if exc.code in (301, 302, 303, 307, 308):
        return f"{shown(url)}: redirects more than {MAX_REDIRECTS} times, or to nowhere"
    try:
        text = exc.read(4096).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        text = ""
    from ..documents import s3_error

    said = s3_error(text)
    return f"{shown(url)}: HTTP {exc.code}{f' {said}' if said else ''}"


def _too_large(url: str, max_bytes: int) -> DownloadError:
    return DownloadError(f"{shown(url)}: larger than {max_bytes} bytes; refused", passing=False)


def _too_slow(url: str) -> DownloadError:
    return DownloadError(f"{shown(url)}: no complete answer in time", passing=True)

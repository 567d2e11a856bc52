# SPDX-License-Identifier: Apache-2.0
"""Asks EC2's instance metadata service which instance this is: version 2 of it, version 1 only where allowed."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from ..files import parse_json
from ..locations import scheme_of

#: botocore's own variables, so that both find the same service.
ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
ENDPOINT_MODE = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"
DISABLED = "AWS_EC2_METADATA_DISABLED"
TIMEOUT = "AWS_METADATA_SERVICE_TIMEOUT"
ATTEMPTS = "AWS_METADATA_SERVICE_NUM_ATTEMPTS"

IPV4 = "http://169.254.169.254"
IPV6 = "http://[fd00:ec2::254]"
DOCUMENT = "/latest/dynamic/instance-identity/document"
TOKEN = "/latest/api/token"
TOKEN_SECONDS = 300
PAUSE_SECONDS = 0.2
MAX_BYTES = 65536


class Unavailable(Exception):
    """The service did not give the document; the text says why."""


def identity_document(*, allow_v1: bool, sleep: Callable[[float], None]) -> Mapping[str, Any]:
    """The instance identity document (``instanceId``, ``region``, ``accountId``, …) as the service gives it.

    Args:
        allow_v1: whether to ask without a session token where the service gives none.
        sleep: waits between attempts.

    Raises:
        Unavailable: switched off, not reachable, or answering something else.
    """
    if os.environ.get(DISABLED, "").lower() == "true":
        raise Unavailable(f"switched off by {DISABLED}")
    base = endpoint()
    token = _token(base, allow_v1=allow_v1, sleep=sleep)
    headers = {"X-aws-ec2-metadata-token": token} if token else {}
    text = _ask(base + DOCUMENT, method="GET", headers=headers, sleep=sleep)
    try:
        document = parse_json(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Unavailable(f"{base} answered something that is no instance identity document")
    return document


def endpoint() -> str:
    """The address of the service, without a slash at its end; botocore's variables choose another one.

    Raises:
        Unavailable: what the environment names is no http address.
    """
    chosen = os.environ.get(ENDPOINT, "").strip().rstrip("/")
    if chosen:
        if scheme_of(chosen) not in ("http", "https"):
            raise Unavailable(f"{ENDPOINT}={chosen} is no http address")
        return chosen
    return IPV6 if os.environ.get(ENDPOINT_MODE, "").lower() == "ipv6" else IPV4


def _token(base: str, *, allow_v1: bool, sleep: Callable[[float], None]) -> str:
    """A session token, or ``""`` where version 1 may be used because the service gives none."""
    headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
    try:
        token = _ask(base + TOKEN, method="PUT", headers=headers, sleep=sleep).strip()
    except Unavailable:
        if allow_v1:
            return ""
        raise
    if token and token.isascii() and token.isprintable():
        return token
    raise Unavailable(f"{base} answered something that is no session token")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The service never redirects; what does is something else."""

    def redirect_request(self, *_args: Any) -> None:
        return None


def _ask(url: str, *, method: str, headers: Mapping[str, str], sleep: Callable[[float], None]) -> str:
    """One answer as text. Proxies are not used: the address means this very machine."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    problem = ""
    for attempt in range(max(1, int(_number(ATTEMPTS, 2)))):
        if attempt:
            sleep(PAUSE_SECONDS)
        request = urllib.request.Request(url, method=method, headers=dict(headers))
        try:
            with opener.open(request, timeout=max(0.1, _number(TIMEOUT, 1))) as response:
                data: bytes = response.read(MAX_BYTES)
                return data.decode(errors="replace")
        except urllib.error.HTTPError as exc:
            with exc:
                _refused(url, exc)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            problem = _words(exc)
    raise Unavailable(f"{url} cannot be reached: {problem}")


def _refused(url: str, exc: urllib.error.HTTPError) -> NoReturn:
    if exc.code == 401:
        raise Unavailable(f"{url} wants a session token (IMDSv2), which it did not give") from exc
    raise Unavailable(f"{url} answered HTTP {exc.code}") from exc


def _words(exc: Exception) -> str:
    reason = getattr(exc, "reason", exc)
    if isinstance(reason, TimeoutError):
        return "no answer in time (inside a container, raise the instance's metadata hop limit to 2)"
    return str(getattr(reason, "strerror", None) or reason or type(exc).__name__).lower()


def _number(variable: str, default: float) -> float:
    try:
        return float(os.environ.get(variable, ""))
    except ValueError:
        return default

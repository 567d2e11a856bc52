# SPDX-License-Identifier: Apache-2.0
"""EC2's instance metadata service on loopback, version 2 and, if told so, version 1."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import json
import time
from collections.abc import Iterator
from typing import Any

from support.serving import Server, answering

TOKEN = "AQAEAtestToken=="


class ImdsServer:
    """What the service says."""

    def __init__(self) -> None:
        self.url = ""
        self.version_1 = False
        self.version_2 = True
        self.document: Any = {
            "instanceId": "i-0123456789abcdef0",
            "region": "eu-central-1",
            "accountId": "123456789012",
        }
        self.raw: bytes | None = None
        self.status = 200
        self.seconds = 0.0
        self.role: str | None = "node-role"
        self.access_key = "ASIAINSTANCEROLE0000"
        self.requests: list[str] = []

    def credentials(self) -> dict[str, str]:
        """What the role's path answers."""
        later = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=6)
        return {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": self.access_key,
            "SecretAccessKey": "instance-secret",
            "Token": "instance-token",
            "Expiration": later.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "LastUpdated": "2026-01-01T00:00:00Z",
        }


class _Handler(http.server.BaseHTTPRequestHandler):
    service: ImdsServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_PUT(self) -> None:  # noqa: N802 - the name that http.server looks for
        self.service.requests.append(f"PUT {self.path}")
        if not self.service.version_2 or self.path != "/latest/api/token":
            self._send(404, b"not here")
        elif not (self.headers.get("X-aws-ec2-metadata-token-ttl-seconds") or "").isdecimal():
            self._send(400, b"how long?")
        else:
            self._send(200, TOKEN.encode())

    def do_GET(self) -> None:  # noqa: N802
        self.service.requests.append(f"GET {self.path}")
        time.sleep(self.service.seconds)
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN and not self.service.version_1:
            self._send(401, b"")
            return
        roles = "/latest/meta-data/iam/security-credentials/"
        if self.path == "/latest/dynamic/instance-identity/document":
            raw = self.service.raw
            self._send(self.service.status, json.dumps(self.service.document).encode() if raw is None else raw)
        elif self.path == roles and self.service.role:
            self._send(200, self.service.role.encode())
        elif self.path == f"{roles}{self.service.role}":
            self._send(200, json.dumps(self.service.credentials()).encode())
        else:
            self._send(404, b"not here")

    def _send(self, status: int, body: bytes) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


@contextlib.contextmanager
def serving() -> Iterator[ImdsServer]:
    """A server on loopback until the block ends."""
    service = ImdsServer()
    server = Server(type("Handler", (_Handler,), {"service": service}))
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    with answering(server):
        yield service

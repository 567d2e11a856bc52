# SPDX-License-Identifier: Apache-2.0
"""A web server that answers a byte at a time."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Dripping(http.server.BaseHTTPRequestHandler):
    """Sends a byte now and then, of an answer that is said to be large."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"\n")
                self.wfile.flush()
                time.sleep(0.2)
        except OSError:
            pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def dripping_server() -> Iterator[str]:
    """Serve on a free port of this host; yield the address."""
    Dripping.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

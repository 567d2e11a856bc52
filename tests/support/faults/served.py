# SPDX-License-Identifier: Apache-2.0
"""A web server on this host that serves a directory, or fails in the way it is told."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Server:
    """Such a server, on the same port for as long as it lives.

    ``mode``: ``serve`` the ``directory``, which is below ``/moved`` too, by redirections; ``lose``: nothing is found;
    ``hang``: requests are taken and not answered. ``asked`` are the paths that were asked for.
    """

    def __init__(self) -> None:
        self.directory = Path("/nonexistent")
        self.mode = "serve"
        self.asked: list[str] = []
        self._done = threading.Event()
        self._http: ThreadingHTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Accept connections, if this is not done already."""
        self.mode = "serve"
        if self._http is None:
            self._http = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
            self.port = self._http.server_port
            threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def refuse(self) -> None:
        """Accept no connection any more."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def close(self) -> None:
        """End everything."""
        self._done.set()
        self.refuse()

    def _handler(self) -> Any:
        server = self

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments, directory=str(server.directory))

            def do_GET(self) -> None:
                server.asked.append(self.path)
                if server.mode == "hang":
                    server._done.wait()
                elif server.mode == "lose":
                    self.send_error(404)
                elif self.path.startswith("/moved/"):
                    self.send_response(302)
                    self.send_header("Location", f"{server.url}/{self.path.removeprefix('/moved/')}")
                    self.end_headers()
                else:
                    super().do_GET()

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        return Handler


@contextlib.contextmanager
def served() -> Iterator[Server]:
    """A server that lasts as long as the with statement."""
    server = Server()
    server.open()
    try:
        yield server
    finally:
        server.close()

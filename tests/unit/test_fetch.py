# SPDX-License-Identifier: Apache-2.0
"""Documents from paths, the Salt file server, S3 and real HTTPS servers: bounds, refusals, clear errors."""

from __future__ import annotations

import http.server
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssmpatchlib.errors import InvalidInput, SsmpatchError
from ssmpatchlib.fetch import Fetcher
from ssmpatchlib.locations import AccessDenied, FetchError
from support.https import HttpsServer, https_server

LIMIT = 1000


def read(fetcher: Fetcher, location: str, *, timeout: float = 10) -> str:
    return fetcher.text(location, max_bytes=LIMIT, timeout=timeout)


# --- paths -----------------------------------------------------------------------------------------


def test_a_path_and_a_file_address_are_read(tmp_path: Path) -> None:
    (tmp_path / "list of mine.yaml").write_text("patches: [ü]\n", encoding="utf-8")
    assert read(Fetcher(), f"{tmp_path}/list of mine.yaml") == "patches: [ü]\n"
    assert read(Fetcher(), f"file://{tmp_path}/list%20of%20mine.yaml") == "patches: [ü]\n"
    assert read(Fetcher(), f"file://localhost{tmp_path}/list%20of%20mine.yaml") == "patches: [ü]\n"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbf[]")
    assert read(Fetcher(), str(tmp_path / "x")) == "[]"


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * LIMIT)
    assert len(read(Fetcher(), str(path))) == LIMIT
    path.write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(FetchError, match="larger than 1000 bytes"):
        read(Fetcher(), str(path))


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (str(tmp_path / "pipe"), "/dev/zero", str(tmp_path)):
        with pytest.raises(FetchError, match="(not a regular file|Is a directory); name a file that is on this host"):
            read(Fetcher(), path)


def test_a_missing_file_and_binary_data_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FetchError, match="binary: not a text document"):
        read(Fetcher(), str(tmp_path / "binary"))
    with pytest.raises(FetchError, match="none: No such file"):
        read(Fetcher(), str(tmp_path / "none"))


@pytest.mark.parametrize(
    "location",
    [
        "relative.yaml",
        "",
        "ftp://host/x",
        "gopher://host/x",
        "http://host/x",
        "file://host/x",
        "s3://bucket",
        "s3:///key",
        "/tmp/\0x",
    ],
)
def test_what_is_no_location_is_refused_with_what_to_use(location: str) -> None:
    with pytest.raises(InvalidInput, match="use "):
        read(Fetcher(s3=lambda location, *, max_bytes, timeout: "never"), location)


def test_unencrypted_http_is_refused_with_its_reason() -> None:
    with pytest.raises(InvalidInput, match="http:// is neither encrypted nor authenticated; use https://"):
        read(Fetcher(), "http://host/x")
    with pytest.raises(InvalidInput, match="ftp:// is not supported; use an absolute path"):
        read(Fetcher(), "ftp://host/x")


@pytest.mark.parametrize("character", ["`", "'", '"', "$", "%24"])
@pytest.mark.parametrize("place", ["/srv/{}", "file:///srv/{}", "salt://patch/{}", "https://host/{}", "s3://bucket/{}"])
def test_characters_that_aws_forbids_in_file_names_are_refused(place: str, character: str) -> None:
    with pytest.raises(InvalidInput, match="file name"):
        read(Fetcher(salt=lambda location: "never"), place.format(f"list{character}.yaml"))


# --- the Salt file server and S3 ---------------------------------------------------------------------


def test_salt_locations_are_asked_of_salt() -> None:
    asked: list[str] = []

    def salt(location: str) -> str:
        asked.append(location)
        return "text"

    assert read(Fetcher(salt=salt), "salt://patch/web.yaml?saltenv=prod") == "text"
    assert asked == ["salt://patch/web.yaml?saltenv=prod"]


@pytest.mark.parametrize("answer", [None, False, ""])
def test_a_file_that_salt_does_not_have_is_an_error(answer: object) -> None:
    with pytest.raises(FetchError, match=r"salt://none: not found"):
        read(Fetcher(salt=lambda location: answer), "salt://none")


def test_salt_files_are_bounded_too() -> None:
    assert read(Fetcher(salt=lambda location: "ü" * 500), "salt://big") == "ü" * 500
    with pytest.raises(FetchError, match="larger than"):
        read(Fetcher(salt=lambda location: "ü" * 501), "salt://big")


def test_without_a_reader_salt_and_s3_are_refused() -> None:
    with pytest.raises(FetchError, match="no Salt file server"):
        read(Fetcher(), "salt://x")
    with pytest.raises(FetchError, match="S3 cannot be read here"):
        read(Fetcher(), "s3://bucket/x")


def test_s3_locations_are_given_to_the_s3_reader_with_the_bounds() -> None:
    def s3(location: str, *, max_bytes: int, timeout: float) -> str:
        return f"{location} {max_bytes} {timeout}"

    assert read(Fetcher(s3=s3), "s3://bucket/a/b.json", timeout=7) == "s3://bucket/a/b.json 1000 7"


# --- https -------------------------------------------------------------------------------------------


def answer(request: http.server.BaseHTTPRequestHandler) -> None:
    path, _, query = request.path.partition("?")
    name, _, number = path.strip("/").partition("/")
    behaviour = {
        "ok": lambda: send(request, b"text"),
        "query": lambda: send(request, query.encode()),
        "agent": lambda: send(request, request.headers["User-Agent"].encode()),
        "size": lambda: send(request, b"x" * int(number)),
        "chunked": lambda: chunked(request, int(number)),
        "endless": lambda: endless(request),
        "status": lambda: send(request, b"<Error>secret body</Error>", status=int(number)),
        "hops": lambda: redirect(request, f"/hops/{int(number) - 1}" if int(number) else "/ok"),
        "permanent": lambda: redirect(request, "/ok", status=308),
        "insecure": lambda: redirect(request, "http://127.0.0.1:9/x?token=secret"),
        "to-file": lambda: redirect(request, "file:///etc/passwd"),
        "loop": lambda: redirect(request, "/loop"),
        "nowhere": lambda: request.send_response(302) or request.end_headers(),
        "short": lambda: send(request, b"abc", length=100),
        "binary": lambda: send(request, b"\xff\xfe"),
        "silent": lambda: time.sleep(20),
        "drip": lambda: drip(request),
        "garbage": lambda: request.wfile.write(b"\x00\x01\x02\r\n\r\n"),
        "hang-up": lambda: request.connection.close(),
    }
    behaviour[name]()


def send(
    request: http.server.BaseHTTPRequestHandler, body: bytes, *, status: int = 200, length: int | None = None
) -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body) if length is None else length))
    request.end_headers()
    request.wfile.write(body)


def redirect(request: http.server.BaseHTTPRequestHandler, to: str, *, status: int = 302) -> None:
    request.send_response(status)
    request.send_header("Location", to)
    request.send_header("Content-Length", "0")
    request.end_headers()


def chunked(request: http.server.BaseHTTPRequestHandler, size: int) -> None:
    request.protocol_version = "HTTP/1.1"
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size))


def endless(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"x" * 4096)


def drip(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(400):
        request.wfile.write(b"x")
        request.wfile.flush()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpsServer]:
    with https_server(tmp_path_factory.mktemp("https"), answer) as running:
        yield running


@pytest.fixture
def fetcher(server: HttpsServer, monkeypatch: pytest.MonkeyPatch) -> Fetcher:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return Fetcher(ssl_context=server.context)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ok", "text"),
        ("query?X-Amz-Signature=a%2Fb&c=d", "X-Amz-Signature=a%2Fb&c=d"),
        ("agent", "ssmpatch"),
        (f"size/{LIMIT}", "x" * LIMIT),
        (f"chunked/{LIMIT}", "x" * LIMIT),
        ("hops/0", "text"),
        ("hops/4", "text"),
        ("permanent", "text"),
    ],
)
def test_https_documents_are_read(server: HttpsServer, fetcher: Fetcher, path: str, text: str) -> None:
    assert read(fetcher, f"{server.url}/{path}") == text


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"size/{LIMIT + 1}", "larger than 1000 bytes"),
        (f"chunked/{LIMIT + 1}", "larger than 1000 bytes"),
        ("endless", "larger than 1000 bytes"),
        ("status/404", "HTTP 404 .*; see that the address is right and this host reaches it"),
        ("status/500", "HTTP 500"),
        ("hops/5", "more than 5 redirects"),
        ("loop", "more than 5 redirects"),
        ("nowhere", "leads nowhere"),
        ("insecure", "which is not https"),
        ("to-file", "leads nowhere"),
        ("short", "ended after 3 of 100 bytes"),
        ("binary", "not a text document"),
        ("garbage", "transfer failed"),
        ("hang-up", "transfer failed"),
    ],
)
def test_what_goes_wrong_is_said_without_the_secrets_of_the_address(
    server: HttpsServer, fetcher: Fetcher, path: str, message: str
) -> None:
    with pytest.raises(FetchError, match=message) as caught:
        read(fetcher, f"{server.url}/{path}?token=secret")
    assert f"{server.url}/{path}?…" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_denial_is_an_error_of_its_own(server: HttpsServer, fetcher: Fetcher, status: int) -> None:
    with pytest.raises(AccessDenied, match=f"HTTP {status}"):
        read(fetcher, f"{server.url}/status/{status}")


@pytest.mark.parametrize("path", ["silent", "drip"])
def test_the_time_limit_is_for_the_whole_transfer(server: HttpsServer, fetcher: Fetcher, path: str) -> None:
    start = time.monotonic()
    with pytest.raises(FetchError, match=r"no complete answer within 0\.5 s"):
        read(fetcher, f"{server.url}/{path}", timeout=0.5)
    assert time.monotonic() - start < 8


def test_a_server_that_never_shakes_hands_is_given_up(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        with pytest.raises(FetchError, match="no complete answer"):
            read(fetcher, f"https://127.0.0.1:{silent.getsockname()[1]}/x", timeout=0.3)
        assert time.monotonic() - start < 8


def test_a_certificate_that_is_not_trusted_ends_the_transfer(server: HttpsServer, fetcher: Fetcher) -> None:
    with pytest.raises(FetchError, match="certificate is not trusted"):
        read(Fetcher(), f"{server.url}/ok")


def test_a_port_where_nobody_listens_is_an_error(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(FetchError, match="Connection refused"):
        read(fetcher, f"https://127.0.0.1:{port}/x")


@pytest.mark.parametrize("location", ["https://", "https:///x", "https://host:port/x", "https://a b/x", "https://[/x"])
def test_an_address_that_cannot_be_asked_for_is_refused(fetcher: Fetcher, location: str) -> None:
    with pytest.raises(SsmpatchError, match="https://"):
        read(fetcher, location, timeout=5)


def test_passwords_in_addresses_are_not_shown(fetcher: Fetcher) -> None:
    with pytest.raises(SsmpatchError) as caught:
        read(fetcher, "https://user:password@127.0.0.1:1/x", timeout=5)
    assert "password" not in str(caught.value)

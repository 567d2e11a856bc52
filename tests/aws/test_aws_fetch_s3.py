# SPDX-License-Identifier: Apache-2.0
"""Override documents in S3, read from moto's server and from one that misbehaves."""

from __future__ import annotations

import contextlib
import http.server
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ssmpatchlib.aws import fetch_s3, sessions
from ssmpatchlib.config import Settings
from ssmpatchlib.errors import InvalidInput
from ssmpatchlib.fetch import Fetcher
from ssmpatchlib.fleet.osv_fetch import Reach, at_hand
from ssmpatchlib.locations import AccessDenied, FetchError
from support.aws.basics import REGION
from support.serving import Server, answering

Make = Callable[..., Settings]


@pytest.fixture
def bucket(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto)
    s3 = boto3.resource("s3", region_name=REGION, endpoint_url=moto)
    found = s3.Bucket("overrides")
    try:
        found.create(CreateBucketConfiguration={"LocationConstraint": REGION})
    except ClientError as exc:
        assert exc.response["Error"]["Code"] == "BucketAlreadyOwnedByYou"
    return found


def read(location: str, settings: Settings, *, max_bytes: int = 1000, timeout: float = 20) -> str:
    return fetch_s3.read(location, settings, max_bytes=max_bytes, timeout=timeout)


def test_an_object_is_read(bucket: Any, settings: Make) -> None:
    bucket.put_object(Key="patch/web list.yaml", Body="patches:\n- id: 'bash.é'\n".encode())
    assert read("s3://overrides/patch/web list.yaml", settings()) == "patches:\n- id: 'bash.é'\n"


def test_it_is_read_without_aws_being_configured(bucket: Any, settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put_object(Key="a.json", Body=b"[]")
    monkeypatch.setenv("AWS_REGION", REGION)
    assert read("s3://overrides/a.json", settings(aws=None)) == "[]"


def test_it_is_what_the_fetcher_reads_with(bucket: Any, settings: Make) -> None:
    bucket.put_object(Key="a.json", Body=b"[]")
    chosen = settings()
    fetcher = Fetcher(
        s3=lambda location, max_bytes, timeout: fetch_s3.read(location, chosen, max_bytes=max_bytes, timeout=timeout)
    )
    assert fetcher.text("s3://overrides/a.json", max_bytes=10, timeout=20) == "[]"
    with pytest.raises(InvalidInput, match="are not allowed"):
        fetcher.text("s3://overrides/a$(id).json", max_bytes=10, timeout=20)


@pytest.mark.parametrize("location", ["s3://", "s3://bucket", "s3://bucket/", "s3:///key", "https://a/b"])
def test_what_is_no_location_is_refused(settings: Make, location: str) -> None:
    with pytest.raises(InvalidInput, match="use s3://bucket/key") as caught:
        read(location, settings())
    assert caught.value.code == 162


@pytest.mark.parametrize(
    ("location", "words"),
    [("s3://overrides/none.json", "NoSuchKey"), ("s3://no-such-bucket-here/none.json", "NoSuchBucket")],
)
def test_what_is_not_there(bucket: Any, settings: Make, location: str, words: str) -> None:
    with pytest.raises(FetchError, match=words) as caught:
        read(location, settings())
    assert caught.value.code == 162


def test_too_large_objects_are_refused(bucket: Any, settings: Make) -> None:
    bucket.put_object(Key="large.json", Body=b" " * 1001)
    bucket.put_object(Key="fits.json", Body=b" " * 1000)
    assert len(read("s3://overrides/fits.json", settings())) == 1000
    with pytest.raises(FetchError, match="larger than 1000 bytes; refused") as caught:
        read("s3://overrides/large.json", settings())
    assert caught.value.code == 162


def test_what_is_no_text_is_refused(bucket: Any, settings: Make) -> None:
    bucket.put_object(Key="binary", Body=b"\xff\xfe\x00")
    with pytest.raises(FetchError, match="not UTF-8") as caught:
        read("s3://overrides/binary", settings())
    assert caught.value.code == 162


def test_an_access_denied_body_in_place_of_the_document_is_told_apart(bucket: Any, settings: Make) -> None:
    bucket.put_object(
        Key="denied.json", Body=b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><Message>no</Message></Error>'
    )
    with pytest.raises(AccessDenied) as caught:
        read("s3://overrides/denied.json", settings())
    assert caught.value.code == 160


# --- a server that misbehaves ---------------------------------------------------------------------------------


class Misbehaving:
    """Answers GET requests as told."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""
        self.claim: int | None = None
        self.headers: dict[str, str] = {"x-amz-request-id": "4442587FB7D0A2F9"}
        self.pause = 0.0
        self.asked = 0

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.asked += 1
        handler.send_response(self.status)
        handler.send_header("Content-Length", str(len(self.body) if self.claim is None else self.claim))
        for key, value in self.headers.items():
            handler.send_header(key, value)
        handler.end_headers()
        for number in range(len(self.body) if self.pause else 1):
            handler.wfile.write(self.body[number : number + 1] if self.pause else self.body)
            handler.wfile.flush()
            time.sleep(self.pause)


@pytest.fixture
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Misbehaving]:
    service = Misbehaving()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server looks for
            with contextlib.suppress(OSError):
                service.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = Server(Handler)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_address[1]}")
    with answering(server):
        yield service


DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


@pytest.mark.parametrize(
    ("status", "body", "error", "code", "words"),
    [
        (403, DENIED, AccessDenied, 160, "AccessDenied: Access Denied; allow s3:GetObject"),
        (403, DENIED.replace(b"AccessDenied", b"ExpiredToken"), FetchError, 162, "ExpiredToken"),
        (403, DENIED.replace(b"AccessDenied", b"RequestTimeTooSkewed"), FetchError, 162, "set this host's clock right"),
        (403, DENIED.replace(b"AccessDenied", b"InvalidAccessKeyId"), FetchError, 162, "renew these credentials"),
        (503, DENIED.replace(b"AccessDenied", b"SlowDown"), FetchError, 162, "SlowDown"),
        (500, b"", FetchError, 162, "AWS itself failed"),
    ],
)
def test_the_errors_of_s3(
    misbehaving: Misbehaving, settings: Make, status: int, body: bytes, error: type[FetchError], code: int, words: str
) -> None:
    misbehaving.status, misbehaving.body = status, body
    with pytest.raises(error) as caught:
        read("s3://overrides/a.json", settings())
    assert type(caught.value) is error
    assert caught.value.code == code
    assert words in str(caught.value)


def test_a_login_page_is_not_access_denied(misbehaving: Misbehaving, settings: Make) -> None:
    misbehaving.status, misbehaving.body, misbehaving.headers = 403, b"<html>log in</html>", {}
    with pytest.raises(FetchError, match="whether a proxy or a login page") as caught:
        read("s3://overrides/a.json", settings())
    assert not isinstance(caught.value, AccessDenied)


def test_a_transfer_that_ends_early_is_an_error(misbehaving: Misbehaving, settings: Make) -> None:
    misbehaving.body, misbehaving.claim = b"[", 400
    with pytest.raises(FetchError, match="ended after 1 of 400 bytes") as caught:
        read("s3://overrides/a.json", settings())
    assert caught.value.code == 162


def test_a_dripping_body_ends_with_the_time(misbehaving: Misbehaving, settings: Make) -> None:
    misbehaving.body, misbehaving.pause = b" " * 200, 0.05
    began = time.monotonic()
    with pytest.raises(FetchError, match="no complete answer within 1 s") as caught:
        read("s3://overrides/a.json", settings(), timeout=1)
    assert time.monotonic() - began < 6
    assert caught.value.code == 162


def test_nobody_listening(settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setattr(sessions, "CONNECT_SECONDS", 1.0)
    with pytest.raises(FetchError, match="allow this address in firewall and proxy") as caught:
        read("s3://overrides/a.json", settings())
    assert caught.value.code == 162


# --- into a file ----------------------------------------------------------------------------------------------


def test_a_large_object_is_written_part_by_part(bucket: Any, settings: Make, tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    bucket.put_object(Key="all.zip", Body=content)
    with open(tmp_path / "all.zip", "w+b") as handle:
        handle.write(b"what an answer before it has left" * 100_000)
        fetch_s3.save("s3://overrides/all.zip", settings(), handle, max_bytes=len(content), timeout=20)
        handle.seek(0)
        assert handle.read() == content
        with pytest.raises(FetchError, match="larger than 2559999 bytes; refused"):
            fetch_s3.save("s3://overrides/all.zip", settings(), handle, max_bytes=len(content) - 1, timeout=20)


def test_an_export_of_advisories_is_read_from_a_bucket(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", REGION)
    bucket.put_object(Key="osv/all.zip", Body=b"content")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    reach = Reach(salt_file=lambda location: "")
    with at_hand("s3://overrides/osv/all.zip", reach=reach, scratch=scratch, max_bytes=10, timeout=20) as path:
        assert path.read_bytes() == b"content" and list(scratch.iterdir()) == []

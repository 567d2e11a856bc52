# SPDX-License-Identifier: Apache-2.0
"""Secrets in text are masked wherever a URL or a credential can stand, and everything else stays as it is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib.errors import InvalidInput, SsmpatchError
from ssmpatchlib.host import CommandResult
from ssmpatchlib.masking import masked, masked_plain
from ssmpatchlib.model import UnreadSource

#: How package managers, configuration and messages write a URL with USER, PASS and QUERY.
PLACES = (
    "http://USER:PASS@host/x",
    "https://host/x?token=QUERY",
    "http://USER:PASS@host/x?token=QUERY stable main",
    "deb [trusted=yes] http://USER:PASS@host/x?token=QUERY stable main",
    "E: The repository 'http://USER:PASS@host/x?token=QUERY stable Release' does not have a Release file.",
    "Failed to fetch http://USER:PASS@host/x?token=QUERY/dists/stable/InRelease  404  Not Found [IP: 127.0.0.1 80]",
    "Cannot download 'https://USER:PASS@host:8443/?a=1&token=QUERY': Curl error (6) for https://USER:PASS@host/?QUERY",
    "proxy=http://USER:PASS@proxy:3128",
    "proxy=USER:PASS@proxy:3128",
    "http://host/repo?proxy=http://USER:PASS@proxy:3128&proxyuser=USER&proxypass=PASS",
    "proxy_password=PASS",
    "password = PASS",
    "token=QUERY; password='PASS'",
    "Proxy-Authorization: Basic PASS",
    "ftp://PASS@host/",
    "mirror+https://USER:PASS@host/list.txt#QUERY",
    "baseurl=http://a/,http://USER:PASS@b/?QUERY",
    'baseurl="http://USER:PASS@b/?QUERY"',
    "['https://USER:PASS@host/x?QUERY', 'https://USER:PASS@other/x?QUERY']",
    "index /var/lib/apt/lists/host_x?token%3dQUERY_dists_stable_main_binary-amd64_Packages is damaged",
    "/var/lib/apt/lists/host_x?QUERY_dists_stable_InRelease: cannot be read",
    "tor+http://USER:PASS/p@host/x",
    "\x1b[31mhttp://USER:PASS@host\x1b[0m",
    "hTTp://USER:PASS@[::1]:80/?QUERY#QUERY",
    "s3://bucket/key?versionId=QUERY",
    "Could not resolve proxy: USER:PASS@proxy:3128",
    "proxy: 'USER:PASS@proxy'",
    "//USER:PASS@host/x",
    "http:\\/\\/USER:PASS@host\\/x",
    "password: PASS",
    "{'password': 'PASS', \"passphrase\": \"PASS\"}",
    "aws_secret_access_key=PASS",
    "api-key: PASS",
    "X-Api-Key: PASS",
    "X-Auth-Token: PASS",
    "x-vault-token: PASS",
    "PRIVATE-TOKEN: PASS",
    "session_token: PASS",
    "Authorization: PASS",
    "authorization: PASS failed",
    "Cookie: session=PASS",
    "curl: Set-Cookie: id=1; session=PASS",
    "{\"token\": \"PASS\", 'SessionToken': 'PASS'}",
    "machine host login me password PASS",
    "curl --password PASS https://host/",
    "http://host/x;auth=QUERY/dists/stable: 404 Not Found",
    "deb https://host/x;a=QUERY;b=PASS/y?c=QUERY stable main",
    "index /var/lib/apt/lists/host_x;auth%3dQUERY_dists_stable_main_binary-amd64_Packages is damaged",
    "dnf --token PASS",
)
SECRET = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/?#@&'\",;"), min_size=3).map(
    lambda text: f"xX{text}Xx"
)


@pytest.mark.parametrize("place", PLACES)
@given(user=SECRET, password=SECRET, query=SECRET)
def test_no_secret_is_left(place: str, user: str, password: str, query: str) -> None:
    text = place.replace("PASS", password).replace("USER", user).replace("QUERY", query)
    said = masked(text)
    assert password not in said and query not in said
    assert masked(said) == said


def test_what_is_said_steers_no_terminal() -> None:
    said = "E: \x1b]0;x\x07\u202e a\tb\r\nsecond \x9b2J line"
    error = InvalidInput(said, problems=[said])
    plain = masked_plain({"a": [said]})
    for found in (
        str(error),
        *error.problems,
        SsmpatchError("x", info={"warnings": [said]}).info["warnings"][0],
        UnreadSource(said, "x").name,
        UnreadSource("x", said).problem,
        CommandResult(("x",), 1, "", said).words,
        CommandResult(("x",), 1, said, "").words,
        plain["a"][0],
    ):
        assert found == "E: ?]0;x?? a\tb \nsecond ?2J line"


@pytest.mark.parametrize("place", PLACES)
def test_what_fails_and_what_is_unread_is_masked(place: str) -> None:
    text = place.replace("PASS", "hunter2").replace("QUERY", "hunter3")
    error = InvalidInput(text, problems=[text])
    result = CommandResult(("x",), 1, text, text)
    plain = masked_plain({"a": [text, {"b": (text,)}], "c": 1, "d": None})
    for said in (
        str(error),
        *error.problems,
        SsmpatchError("x", info={"warnings": [text]}).info,
        UnreadSource(text, text),
        result.words,
        plain,
    ):
        assert "hunter" not in str(said)


@pytest.mark.parametrize(
    "text",
    [
        "http://deb.debian.org/debian bookworm/main amd64 Packages",
        "did you mean Security?",
        "use 'name.arch' (?), or https://example.invalid/page.html.",
        "Missing: bash.x86_64:0:5.1-1; approved by rule 1, held back: 3 packages?",
        "http://host:8080/path@version/x",
        "libc6:amd64 2.36-9+deb12u1 => 2.36-9",
        "APT::Get::List=x",
        "a lock is not understood here (solvable_name: lib*?)",
        "user@host.invalid",
        "mailto:user@host.invalid",
        "openssh-server 1:9.2p1-2 of https://deb.invalid, key: no",
        "passwd:amd64 1:4.13 is Missing; the signing key is wanted",
        "bash=5.1-1",
        "passwd: the postinst script failed",
        "file:///etc/passwd: only https:// is taken",
        "unexpected token: ')' in line 3",
        "a new token is needed; the token of the session ends",
        "the login of root, password and all",
        "pam_cookie: no",
        "http://host/a;b/c: 404; see x=y",
        "did not start; x%3dy",
        "libapache2-mod-authorization: Depends: libc6",
        "use at most 256 letters, digits or _.:/=+-@, in quotes",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert masked(text) == text


def test_an_address_stays_readable() -> None:
    said = masked("E: The repository 'http://user:pw@host/x?token=T stable Release' does not have a Release file.")
    assert said == "E: The repository 'http://host/x?… stable Release' does not have a Release file."


@given(st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    assert masked(masked(text)) == masked(text)


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "://",
        "a://",
        "@",
        "?",
        "=",
        "a=b:",
        "?a",
        "password=",
        "password ",
        "/",
        " a@",
        "login a ",
        "cookie:",
        "x-",
    ],
)
def test_long_text_takes_time_by_its_length(part: str) -> None:
    text = "http://" + part * (600_000 // len(part))
    began = time.process_time()
    masked(text)
    masked(part * (600_000 // len(part)))
    assert time.process_time() - began < 3

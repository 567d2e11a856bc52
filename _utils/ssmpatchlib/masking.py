# SPDX-License-Identifier: Apache-2.0
"""Masks secrets in text: user info and queries of URLs, credentials of proxies, passwords and tokens; and what steers a
terminal. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_WORD = re.compile(r"\S+")
#: What every secret that can be told has in or before it; each alternative begins with a plain letter, for speed.
_SIGN = re.compile(r"""\?|=|@|:[/\s]|"[ \t]*:|'[ \t]*:|n:|N:|e:|E:|login[ \t]|--[pst]|;[^;=%/?#\s]{1,60}%3[dD]""")
#: Texts without any of these hold no secret that can be told.
_SIGNS = (
    *("://", "?", "=", "@", "uthorization:", "assw", "ASSW", "assphrase", "ecret", "SECRET", "key", "KEY", "Key"),
    *("oken", "TOKEN", "ookie:", "%3d", "%3D"),
)
_AUTHORITY_END = re.compile(r"[/?#]")
_QUERY = re.compile(r"[?#]")
_PORT = re.compile(r":[0-9]*[^\w@]*$")
#: A parameter of a part of a path, as it is written in a URL and in the name of a file that is made of one.
_PATH_PARAMETER = re.compile(r"""(;[^;=%/?#\s]{1,60}(?:=|%3[dD]))[^;/?#\s'")>\],]+""")
_QUERY_SIGN = re.compile(r"=|%3[dD]")
_MASK = "…"
_NAMED = re.compile(
    rf"""((?:pass(?:word|wd|phrase)?|pwd|token|secret|(?:api|access|private|secret)[_-]?key)["']?\s*=\s*
    |(?:pass(?:word|wd|phrase)|secret|token|(?:api|access|private|secret)[_-]?key)["'][ \t]*:[ \t]*
    |(?:password|passphrase|secret|(?:api|access|private|session|auth|x|job)[_-]?(?:[a-z]{{1,20}}-)?token
        |(?:api|access|private|secret)[_-]?key):[ \t]+
    |--(?:password|passwd|passphrase|token|secret)[ \t]+
    |login[ \t]+\S{{1,200}}[ \t]+passw(?:or)?d[ \t]+)
    (?:{_MASK}|"[^"]*"|'[^']*'|[^\s&,;'"]+)""",
    re.IGNORECASE | re.VERBOSE,
)
#: ``user:`` before ``password@host``, after a key (``proxy=``) or opening signs; an epoch is no user.
_LOGIN = re.compile(r"""((?:[^:=]*=)+["']*|["'(\[<{/]*(?!mailto:|[0-9]*:))[^:=]*:""")
#: What a header of HTTP has of them, to the end of the line or of the quotation; the scheme may be told.
_HEADER = re.compile(
    r"""((?<![\w-])(?:(?:proxy-)?authorization:[ \t]*(?:(?:basic|bearer|digest|negotiate|ntlm|token)[ \t]+)?
    |(?:set-)?cookie:[ \t]*))[^\s'"][^\r\n'"]*""",
    re.IGNORECASE | re.VERBOSE,
)
_CLOSING = "'\")]>,;:."


def masked(text: str) -> str:
    """Return text without the secrets in it; also text in which a package manager quotes a URL.

    ``http://user:password@host/path?token=1`` becomes ``http://host/path?…``. Text without secrets stays as it is.
    """
    if not _SIGN.search(text) or not any(sign in text for sign in _SIGNS):
        return text
    if "://" in text or "?" in text or "@" in text or "%3" in text:
        text = _WORD.sub(_masked_word, text)
    return _HEADER.sub(rf"\1{_MASK}", _NAMED.sub(rf"\1{_MASK}", text))


def harmless(text: str) -> str:
    """Return text with ``?`` for every character that steers a terminal; its lines and tabs stay as they are.

    Servers, scripts of packages and documents have a say in what programs print.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else " " if char.isspace() else "?" for char in text)


def masked_plain(value: Any) -> Any:
    """Return plain data (mappings, lists and text) with every text in it masked and harmless."""
    return _masked_plain(value, Masked())


class Masked(dict[str, str]):
    """The masked, harmless form of every text, each made once: the rows of a report have most of theirs in common."""

    def __missing__(self, text: str) -> str:
        found = self[text] = masked(harmless(text))
        return found


def _masked_plain(value: Any, known: Masked) -> Any:
    if type(value) is str:
        return known[value]
    if type(value) in (list, tuple):
        return type(value)([_masked_plain(item, known) for item in value])
    if isinstance(value, Mapping):
        return {key: _masked_plain(item, known) for key, item in value.items()}
    return masked(value) if isinstance(value, str) else value


def _masked_word(match: re.Match[str]) -> str:
    word = match[0]
    head, *urls = word.split("://")
    if not urls:
        return _without_url(word)
    done = [_without_url(head)]
    for url in urls:
        shown, secret = _without_user(url)
        done.append(shown)
        if secret:
            # A query may hold anything, another URL too, so it ends with the word.
            return f"{'://'.join(done)}{_MASK}{word[len(word.rstrip(_CLOSING)) :]}"
    return "://".join(done)


def _without_user(url: str) -> tuple[str, bool]:
    """Return what follows ``://`` without user info and query, and whether there was a query."""
    host, tail = _divided(url)
    user, at, plain = host.rpartition("@")
    if not at and ":" in host and "@" in tail and not _PORT.search(host):
        # A password with a slash in it, which is no URL but may have been written as one.
        user, at, rest = url.rpartition("@")
        plain, tail = _divided(rest)
    path = _QUERY.split(tail, maxsplit=1)[0]
    rest = tail[len(path) :]
    path = _PATH_PARAMETER.sub(rf"\1{_MASK}", path)
    if rest[1:].strip(_CLOSING + _MASK):
        return f"{plain}{path}{rest[0]}", True
    return f"{plain}{path}{rest}", False


def _divided(url: str) -> tuple[str, str]:
    end = _AUTHORITY_END.search(url)
    return (url[: end.start()], url[end.start() :]) if end else (url, "")


def _without_url(word: str) -> str:
    """Return a word that holds no URL without a query (in a file's name) and without ``user:password@``."""
    head, mark, query = word.partition("?")
    if mark and query and (_QUERY_SIGN.search(query) or "/lists/" in head):
        word = f"{head}?{_MASK}"
    if "/lists/" in head and "%3" in word:
        word = _PATH_PARAMETER.sub(rf"\1{_MASK}", word)
    user, at, host = word.rpartition("@")
    login = _LOGIN.match(user) if at and (host[:1].isalnum() or host[:1] == "[") else None
    return f"{login[1]}{_MASK}@{host}" if login else word

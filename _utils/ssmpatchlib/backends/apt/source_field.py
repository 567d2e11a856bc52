# SPDX-License-Identifier: Apache-2.0
"""Which source package a binary package was built from (deb-control(5), Source). Pure."""

from __future__ import annotations

import re

from ...names import DEB_NAME, DEB_VERSION
from .paragraphs import reader

_VALUE = re.compile(rf"({DEB_NAME})(?:\s*\(\s*({DEB_VERSION})\s*\))?")
_LINE = re.compile(rf"\nSource: ({DEB_NAME})(?: \(({DEB_VERSION})\))?\n(?![ \t])")
_ANY = re.compile(r"\n\r*[Ss][Oo][Uu][Rr][Cc][Ee]")
_read = reader("Source")


def read_source(paragraph: str) -> tuple[str, str]:
    """Return name and version of the source package as a paragraph names them.

    ``""`` for what it does not name: a source that is called as the binary package is, or has its version.
    """
    if not _ANY.search(paragraph):
        return "", ""
    match = _LINE.search(paragraph) or _VALUE.fullmatch(_read(paragraph).get("Source", ""))
    return (match[1].lower(), match[2] or "") if match else ("", "")

# SPDX-License-Identifier: Apache-2.0
"""Documents of any content: a value, or a refusal of a bounded length."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from ssmpatchlib import documents
from ssmpatchlib.errors import InvalidInput

WORDS = st.sampled_from(
    ["- ", "a: ", "&x ", "*x ", "{", "}", "[", "]", '"', "\n", "  ", "!!str ", "? ", "|\n", "1", "~"]
)


@given(st.lists(WORDS | st.text(max_size=5), max_size=40).map("".join))
def test_a_document_is_read_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        documents.load(text, subject="document")

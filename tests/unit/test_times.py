# SPDX-License-Identifier: Apache-2.0
"""Times as AWS writes them, and spans of time as people say them."""

from __future__ import annotations

import pytest

from ssmpatchlib import times


def test_a_time_comes_back_without_its_fraction():
    assert times.aws_time(1635826551.9) == "2021-11-02T04:15:51Z"
    assert times.epoch_of("2021-11-02T04:15:51Z") == 1635826551.0


@pytest.mark.parametrize(
    "value", ["", None, 5, "2021-11-02", "2021-11-02 04:15:51Z", "2021-13-02T04:15:51Z", "2021-11-02T04:15:51+01:00"]
)
def test_anything_else_is_no_time(value):
    assert times.epoch_of(value) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(40, "40 s"), (600, "10 min"), (3600 * 5, "5 h"), (86400 * 3, "3 days")]
)
def test_durations(seconds, words):
    assert times.duration(seconds) == words

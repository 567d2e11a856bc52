# SPDX-License-Identifier: Apache-2.0
"""Tests that take ``manager`` run with every package manager, and with one that only tests have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.faults.managers import WITH_TOY, Manager, or_skip


@pytest.fixture(params=sorted(WITH_TOY))
def manager(request: pytest.FixtureRequest) -> Iterator[Manager]:
    """A package manager, by the name that is the parameter."""
    with or_skip(WITH_TOY[request.param]).known() as found:
        yield found

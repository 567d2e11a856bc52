# SPDX-License-Identifier: Apache-2.0
"""Tests that take ``manager`` run with all of ``MANAGERS``, those that take ``any_manager`` with one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from support.faults.debs import Signer, signer
from support.faults.managers import MANAGERS, Manager, or_skip


@pytest.fixture(params=sorted(MANAGERS))
def manager(request: pytest.FixtureRequest) -> Manager:
    """A package manager, by the name that is the parameter."""
    return or_skip(MANAGERS[request.param])


@pytest.fixture(scope="session")
def any_manager() -> Manager:
    """A package manager: which one makes no difference to what is tested."""
    found = next((each for _name, each in sorted(MANAGERS.items()) if not each.missing), None)
    return found or pytest.skip("needs a package manager")


@pytest.fixture(scope="session")
def key() -> Iterator[Signer]:
    """A key for repositories."""
    if not all(map(shutil.which, ("gpg", "gpgv", "gpgconf"))):
        pytest.skip("needs gpg and gpgv")
    with signer() as found:
        yield found

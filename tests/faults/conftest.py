# SPDX-License-Identifier: Apache-2.0
"""Tests that take ``manager`` run with all of ``MANAGERS``, those that take ``any_manager`` with one."""

from __future__ import annotations

import shutil

import pytest
from faults_managers import MANAGERS, Manager


@pytest.fixture(params=sorted(MANAGERS))
def manager(request: pytest.FixtureRequest) -> Manager:
    """A package manager, by the name that is the parameter."""
    if shutil.which(request.param) is None:
        pytest.skip(f"needs the program {request.param}")
    return MANAGERS[request.param]


@pytest.fixture(scope="session")
def any_manager() -> Manager:
    """A package manager: which one makes no difference to what is tested."""
    found = next((each for name, each in sorted(MANAGERS.items()) if shutil.which(name)), None)
    return found or pytest.skip("needs a package manager")

# SPDX-License-Identifier: Apache-2.0
"""Every test that takes ``manager`` runs with each package manager of ``MANAGERS`` whose programs are here."""

from __future__ import annotations

import shutil

import pytest
from faults_managers import MANAGERS, Manager


@pytest.fixture(params=sorted(MANAGERS))
def manager(request: pytest.FixtureRequest) -> Manager:
    """A package manager."""
    if shutil.which(request.param) is None:
        pytest.skip(f"needs the program {request.param}")
    return MANAGERS[request.param]

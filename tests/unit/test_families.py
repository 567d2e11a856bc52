# SPDX-License-Identifier: Apache-2.0
"""What is known of an operating system's packages without its package manager agrees with what that one says."""

from __future__ import annotations

import importlib

import pytest

from ssmpatchlib import versions
from ssmpatchlib.baseline import schema
from ssmpatchlib.model import Family

MANAGERS = {schema.APT: ("apt",), schema.RPM: ("dnf", "yum"), schema.SUSE: ("zypper",)}


@pytest.mark.parametrize("system", schema.OPERATING_SYSTEMS)
def test_the_version_order_of_a_system_is_that_of_its_package_managers(system: str) -> None:
    for manager in MANAGERS[schema.FAMILIES[system]]:
        family: Family = importlib.import_module(f"ssmpatchlib.backends.{manager}.inventory").FAMILY
        assert family.version_order == schema.VERSION_ORDERS[schema.FAMILIES[system]]
        assert versions.sort_key(family.version_order)("1-2") > versions.sort_key(family.version_order)("1-1")


def test_a_version_order_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="'apk' is no version order; use deb or rpm"):
        versions.sort_key("apk")

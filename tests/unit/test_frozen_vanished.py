# SPDX-License-Identifier: Apache-2.0
"""Frozen versions that have left the repositories are named."""

from __future__ import annotations

import pytest

from ssmpatchlib.model import Advisory, Family, FrozenSet, Inventory, Package, Version
from ssmpatchlib.operation.judge import _vanished

APT = Family(name="apt", version_order="deb", name_forms="deb")


@pytest.mark.parametrize(
    ("limit", "offered", "said"),
    [
        ("2", ("2",), ()),
        ("2", ("3",), ("foo.amd64: the frozen version 2 is not on offer any more",)),
        ("1", ("3",), ()),
        ("10", (), ("foo.amd64: the frozen version 10 is not on offer any more",)),
    ],
)
def test_what_has_vanished_is_named(limit, offered, said):
    def version(text):
        return Version("foo", "amd64", text, (Advisory(metadata=True),))

    package = Package("foo", "amd64", installed=version("1"), versions=tuple(map(version, offered)))
    assert _vanished(FrozenSet({"foo.amd64": limit}), Inventory(APT, (package,))) == said
    assert _vanished(None, Inventory(APT, (package,))) == ()

# SPDX-License-Identifier: Apache-2.0
"""Which release's advisories are those of a host."""

from __future__ import annotations

import pytest

from ssmpatchlib.operation.feed import location_of, release_name
from ssmpatchlib.osinfo import OsInfo


@pytest.mark.parametrize(
    ("system", "product", "name", "release"),
    [
        ("DEBIAN", "Debian12", "Debian GNU/Linux", "DEBIAN-12"),
        ("DEBIAN", "Debian12.7", "Debian GNU/Linux", "DEBIAN-12"),
        ("UBUNTU", "Ubuntu22.04", "Ubuntu", "UBUNTU-22.04"),
        ("ALMA_LINUX", "AlmaLinux9.4", "AlmaLinux", "ALMA_LINUX-9"),
        (
            "REDHAT_ENTERPRISE_LINUX",
            "RedhatEnterpriseLinux8.6",
            "Red Hat Enterprise Linux",
            "REDHAT_ENTERPRISE_LINUX-8",
        ),
        ("SUSE", "Suse15.6", "SLES", "SUSE-15.6"),
        ("SUSE", "Suse15.0", "SLES", "SUSE-15"),
        ("SUSE", "Suse15.6", "openSUSE Leap", ""),
        ("DEBIAN", "Debian", "Debian GNU/Linux", ""),
        ("RASPBIAN", "Raspbian12", "Raspbian GNU/Linux", ""),
        ("AMAZON_LINUX_2023", "AmazonLinux2023", "Amazon Linux", ""),
        ("UNSUPPORTED", "Mint21", "Linux Mint", ""),
    ],
)
def test_the_release_follows_from_the_product(system: str, product: str, name: str, release: str) -> None:
    os_info = OsInfo(
        operating_system=system, product=product, products=(product,), name=name, version="", package_manager="apt"
    )
    assert release_name(os_info) == release


def test_a_location_is_a_directory_or_a_file() -> None:
    assert location_of("salt://advisories/", "DEBIAN-12") == "salt://advisories/DEBIAN-12.jsonl.gz"
    assert location_of("/srv/own.jsonl.gz", "DEBIAN-12") == "/srv/own.jsonl.gz"

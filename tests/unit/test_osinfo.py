# SPDX-License-Identifier: Apache-2.0
"""Operating system, product and package manager from the files of a root."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssmpatchlib.baseline.schema import OPERATING_SYSTEMS
from ssmpatchlib.errors import InvalidInput
from ssmpatchlib.osinfo import UNSUPPORTED, detect

RELEASES = Path(__file__).resolve().parents[1] / "data" / "os-release"

KNOWN = [
    ("amazon-1", "AMAZON_LINUX", ("AmazonLinux2018.03",), "yum"),
    ("amazon-2", "AMAZON_LINUX_2", ("AmazonLinux2", "AmazonLinux2.0"), "yum"),
    ("amazon-2022", "AMAZON_LINUX_2022", ("AmazonLinux2022",), "dnf"),
    ("amazon-2023", "AMAZON_LINUX_2023", ("AmazonLinux2023",), "dnf"),
    ("centos-6", "CENTOS", ("CentOS6.10", "CentOS6"), "yum"),
    ("centos-7", "CENTOS", ("CentOS7.9", "CentOS7"), "yum"),
    ("centos-8", "CENTOS", ("CentOS8",), "dnf"),
    ("centos-stream-8", "CENTOS", ("CentOS8",), "dnf"),
    ("centos-stream-9", "CENTOS", ("CentOS9",), "dnf"),
    ("centos-stream-10", "CENTOS", ("CentOS10",), "dnf"),
    ("rhel-7", "REDHAT_ENTERPRISE_LINUX", ("RedhatEnterpriseLinux7.9", "RedhatEnterpriseLinux7"), "yum"),
    ("rhel-8", "REDHAT_ENTERPRISE_LINUX", ("RedhatEnterpriseLinux8.6", "RedhatEnterpriseLinux8"), "dnf"),
    ("rhel-9", "REDHAT_ENTERPRISE_LINUX", ("RedhatEnterpriseLinux9.4", "RedhatEnterpriseLinux9"), "dnf"),
    ("rhel-10", "REDHAT_ENTERPRISE_LINUX", ("RedhatEnterpriseLinux10.0", "RedhatEnterpriseLinux10"), "dnf"),
    ("rocky-8", "ROCKY_LINUX", ("RockyLinux8.10", "RockyLinux8"), "dnf"),
    ("rocky-9", "ROCKY_LINUX", ("RockyLinux9.3", "RockyLinux9"), "dnf"),
    ("alma-8", "ALMA_LINUX", ("AlmaLinux8.9", "AlmaLinux8"), "dnf"),
    ("alma-9", "ALMA_LINUX", ("AlmaLinux9.3", "AlmaLinux9"), "dnf"),
    ("oracle-7", "ORACLE_LINUX", ("OracleLinux7.9", "OracleLinux7"), "yum"),
    ("oracle-8", "ORACLE_LINUX", ("OracleLinux8.4", "OracleLinux8"), "dnf"),
    ("oracle-9", "ORACLE_LINUX", ("OracleLinux9.4", "OracleLinux9"), "dnf"),
    ("sles-12", "SUSE", ("Suse12.5", "Suse12"), "zypper"),
    ("sles-15-ga", "SUSE", ("Suse15.0", "Suse15"), "zypper"),
    ("sles-15", "SUSE", ("Suse15.3", "Suse15"), "zypper"),
    ("sles-sap-12", "SUSE", ("Suse12.1", "Suse12"), "zypper"),
    ("sles-sap-15", "SUSE", ("Suse15.4", "Suse15"), "zypper"),
    ("opensuse-leap-15", "SUSE", ("Suse15.5", "Suse15"), "zypper"),
    ("debian-10", "DEBIAN", ("Debian10",), "apt"),
    ("debian-11", "DEBIAN", ("Debian11",), "apt"),
    ("debian-12", "DEBIAN", ("Debian12",), "apt"),
    ("debian-13", "DEBIAN", ("Debian13",), "apt"),
    ("debian-sid", "DEBIAN", ("Debian",), "apt"),
    ("raspbian-11", "RASPBIAN", ("Raspbian11",), "apt"),
    ("ubuntu-18.04", "UBUNTU", ("Ubuntu18.04",), "apt"),
    ("ubuntu-20.04", "UBUNTU", ("Ubuntu20.04",), "apt"),
    ("ubuntu-22.04", "UBUNTU", ("Ubuntu22.04",), "apt"),
    ("ubuntu-24.04", "UBUNTU", ("Ubuntu24.04",), "apt"),
]


def root_of(name: str, root: Path) -> Path:
    """A root with nothing but the release files of a distribution."""
    (root / "etc").mkdir(parents=True)
    for suffix, target in (("", "os-release"), (".centos-release", "centos-release")):
        source = RELEASES / f"{name}{suffix}"
        if source.exists():
            (root / "etc" / target).write_text(source.read_text())
    return root


def give(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")


@pytest.mark.parametrize(("release", "system", "products", "manager"), KNOWN, ids=[row[0] for row in KNOWN])
def test_every_system_is_known(
    tmp_path: Path, release: str, system: str, products: tuple[str, ...], manager: str
) -> None:
    found = detect(root=root_of(release, tmp_path / "root"))
    assert (found.operating_system, found.products, found.package_manager) == (system, products, manager)
    assert found.product == products[0]
    found.require_supported()


@pytest.mark.parametrize(
    ("release", "name", "version"),
    [("rhel-8", "Red Hat Enterprise Linux", "8.6"), ("centos-6", "CentOS", "6.10"), ("sles-15-ga", "SLES", "15")],
)
def test_name_and_version_are_the_systems_own(tmp_path: Path, release: str, name: str, version: str) -> None:
    found = detect(root=root_of(release, tmp_path / "root"))
    assert (found.name, found.version) == (name, version)


def test_every_fixture_and_every_operating_system_is_covered() -> None:
    names = {path.name.partition(".centos-release")[0] for path in RELEASES.iterdir()}
    assert names == {row[0] for row in KNOWN} | {"fedora-42", "opensuse-tumbleweed"}
    assert {row[1] for row in KNOWN} == set(OPERATING_SYSTEMS)


def test_the_release_file_may_be_in_usr_lib(tmp_path: Path) -> None:
    give(tmp_path, "usr/lib/os-release")
    (tmp_path / "usr/lib/os-release").write_text((RELEASES / "rocky-9").read_text())
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").symlink_to("../usr/lib/os-release")
    assert detect(root=tmp_path).operating_system == "ROCKY_LINUX"


@pytest.mark.parametrize(("release", "name"), [("fedora-42", "Fedora Linux 42"), ("opensuse-tumbleweed", "openSUSE")])
def test_an_unsupported_system_says_what_to_set(tmp_path: Path, release: str, name: str) -> None:
    found = detect(root=root_of(release, tmp_path / "root"))
    assert found.operating_system == UNSUPPORTED
    with pytest.raises(InvalidInput, match=rf"{name}.*set ssmpatch:operating_system to .*CENTOS.*") as caught:
        found.require_supported()
    assert caught.value.code == 146


def test_an_amazon_linux_to_come_is_not_taken_for_an_old_one(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('ID="amzn"\nVERSION_ID="2027"\n')
    assert detect(root=tmp_path).operating_system == UNSUPPORTED


def test_an_unsupported_system_works_as_what_it_is_set_to(tmp_path: Path) -> None:
    root = root_of("fedora-42", tmp_path / "root")
    found = detect(root=root, operating_system="REDHAT_ENTERPRISE_LINUX")
    found.require_supported()
    assert found.product == "RedhatEnterpriseLinux42"
    assert found.package_manager == "dnf"
    assert found.name == "Fedora Linux"


def test_what_is_set_beats_what_is_found(tmp_path: Path) -> None:
    root = root_of("debian-12", tmp_path / "root")
    found = detect(root=root, operating_system="AMAZON_LINUX_2023", product="AmazonLinux2023.1", package_manager="yum")
    assert found.operating_system == "AMAZON_LINUX_2023"
    assert found.products == ("AmazonLinux2023.1", "AmazonLinux2023")
    assert found.package_manager == "yum"


def test_the_less_exact_form_of_amazon_linux_2_goes_both_ways(tmp_path: Path) -> None:
    found = detect(root=root_of("amazon-2", tmp_path / "root"), product="AmazonLinux2.0")
    assert found.products == ("AmazonLinux2.0", "AmazonLinux2")


@pytest.mark.parametrize("text", ["", 'ID="unbalanced', "\x00\x01\x02", "ID=\nVERSION_ID=\n"])
def test_a_damaged_release_file_is_an_unknown_system(tmp_path: Path, text: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(text)
    found = detect(root=tmp_path)
    assert found.operating_system == UNSUPPORTED
    with pytest.raises(InvalidInput, match="without os-release|do not know"):
        found.require_supported()


def test_a_release_file_that_is_not_text_is_an_unknown_system(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_bytes(b"ID=\xff\xfe\n")
    assert detect(root=tmp_path).operating_system == UNSUPPORTED


def test_a_root_without_release_file_is_an_unknown_system(tmp_path: Path) -> None:
    found = detect(root=tmp_path)
    assert (found.operating_system, found.package_manager) == (UNSUPPORTED, "")


@pytest.mark.parametrize(
    ("files", "manager"),
    [
        (("usr/bin/apt-get",), "apt"),
        (("bin/apt-get", "usr/bin/dnf"), "apt"),
        (("var/lib/dpkg/status",), "apt"),
        (("usr/bin/zypper",), "zypper"),
        (("etc/zypp/zypp.conf",), "zypper"),
        (("usr/bin/dnf",), "dnf"),
        (("usr/bin/dnf5", "usr/bin/yum"), "dnf"),
        (("usr/bin/yum",), "yum"),
        (("etc/yum.conf",), "yum"),
        (("etc/dnf/dnf.conf", "etc/yum.conf"), "dnf"),
    ],
)
def test_the_package_manager_of_an_unknown_system_is_found_by_its_files(
    tmp_path: Path, files: tuple[str, ...], manager: str
) -> None:
    give(tmp_path, *files)
    assert detect(root=tmp_path).package_manager == manager


@pytest.mark.parametrize(
    ("release", "files", "manager"),
    [
        ("rhel-7", ("usr/bin/yum", "usr/bin/dnf"), "yum"),
        ("rhel-7", ("usr/bin/dnf",), "dnf"),
        ("amazon-2", ("usr/bin/dnf",), "dnf"),
        ("rhel-8", ("usr/bin/dnf-3", "usr/bin/yum"), "dnf"),
        ("rhel-8", ("usr/bin/yum",), "yum"),
        ("rhel-9", (), "dnf"),
    ],
)
def test_of_two_rpm_package_managers_the_systems_own_is_used(
    tmp_path: Path, release: str, files: tuple[str, ...], manager: str
) -> None:
    root = root_of(release, tmp_path / "root")
    give(root, *files)
    assert detect(root=root).package_manager == manager

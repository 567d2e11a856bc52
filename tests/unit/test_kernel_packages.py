# SPDX-License-Identifier: Apache-2.0
"""Which packages belong to a kernel, and to which: of the one that runs, or of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssmpatchlib.backends import Context
from ssmpatchlib.backends.apt import kernel as apt
from ssmpatchlib.backends.rpm import kernels as rpm
from ssmpatchlib.backends.rpm.installed import InstalledPackage
from ssmpatchlib.backends.zypper import kernels as suse
from ssmpatchlib.host import Host
from ssmpatchlib.model import Kernels

#: By release what Debian, Ubuntu and Raspbian have of a kernel.
DEBIAN = {
    "6.1.0-18-amd64": ("image-6.1.0-18-amd64", "headers-6.1.0-18-amd64", "headers-6.1.0-18-common"),
    "6.1.0-18-cloud-amd64": ("image-6.1.0-18-cloud-amd64-unsigned",),
    "6.1.0-18-rt-amd64": ("image-6.1.0-18-rt-amd64", "headers-6.1.0-18-common-rt", "image-6.1.0-18-rt-amd64-dbg"),
    "6.12.90+deb13.1-amd64": ("image-6.12.90+deb13.1-amd64", "kbuild-6.12.90+deb13.1", "base-6.12.90+deb13.1-amd64"),
    "6.12~rc5-amd64": ("image-6.12~rc5-amd64", "headers-6.12~rc5-common"),
    "5.15.0-100-generic": (
        "image-5.15.0-100-generic",
        "modules-5.15.0-100-generic",
        "modules-extra-5.15.0-100-generic",
        "modules-nvidia-535-server-5.15.0-100-generic",
        "objects-nvidia-535-5.15.0-100-generic",
        "headers-5.15.0-100",
        "headers-5.15.0-100-generic",
        "tools-5.15.0-100",
        "cloud-tools-5.15.0-100-generic",
        "buildinfo-5.15.0-100-generic",
        "hwe-5.15-headers-5.15.0-100",
        "hwe-5.15-tools-5.15.0-100",
        "lib-rust-5.15.0-100-generic",
    ),
    "5.15.0-1050-aws": (
        "image-unsigned-5.15.0-1050-aws",
        "aws-headers-5.15.0-1050",
        "aws-5.15-cloud-tools-5.15.0-1050",
        "image-unsigned-5.15.0-1050-aws-dbgsym",
    ),
    "5.15.0-1060-azure": ("image-5.15.0-1060-azure",),
    "6.8.0-47-generic-64k": ("image-6.8.0-47-generic-64k", "headers-6.8.0-47"),
    "6.8.0-47-lowlatency": ("image-6.8.0-47-lowlatency", "lowlatency-headers-6.8.0-47"),
    "4.4.0-31-generic": ("image-4.4.0-31-generic", "image-extra-4.4.0-31-generic"),
    "6.12.25+rpt-rpi-v8": ("image-6.12.25+rpt-rpi-v8", "headers-6.12.25+rpt-common-rpi"),
    "6.9.1-my-own": ("image-6.9.1-my-own", "headers-6.9.1-my-own"),
    "6.9.2": ("image-6.9.2", "headers-6.9.2"),
}
#: What is no part of one kernel: what requires the newest one, what is there once, what belongs to a series.
NO_KERNEL = (
    "linux-image-amd64",
    "linux-image-generic",
    "linux-image-generic-6.8",
    "linux-image-generic-hwe-22.04",
    "linux-image-virtual-hwe-22.04-edge",
    "linux-modules-nvidia-535-generic-hwe-22.04",
    "linux-headers-amd64",
    "linux-tools-common",
    "linux-tools-host",
    "linux-kbuild-6.1",
    "linux-base",
    "linux-libc-dev",
    "linux-perf",
    "linux-source-6.1",
    "linux-source-6.8.0",
    "linux-doc-6.1",
    "linux-firmware",
    "linux-compiler-gcc-12-x86",
    "linux-",
    "linux",
    "util-linux",
    "nvidia-kernel-5.15.0-100-generic",
)


def named(*names: str, arch: str = "amd64") -> dict[str, str]:
    """Installed packages by what stands behind ``linux-``; their version is the number of the name's characters."""
    return {f"linux-{name}.{arch}": str(len(name)) for name in names}


def pairs(*names: str) -> frozenset[tuple[str, str]]:
    return frozenset(named(*names).items())


@pytest.mark.parametrize("running", DEBIAN)
def test_of_debians_kernels_the_running_one_is_told_apart(running: str) -> None:
    installed = named(*(name for names in DEBIAN.values() for name in names))
    found = apt.find_kernels(installed | dict.fromkeys(NO_KERNEL, "1"), running=running)
    for_all_flavours = {"headers-6.8.0-47", "lowlatency-headers-6.8.0-47", "headers-6.1.0-18-common"}
    for_all_flavours |= {"headers-6.1.0-18-common-rt"}
    own = pairs(*DEBIAN[running])
    assert own <= found.running
    assert {id_ for id_, _ in found.running - own} <= named(*for_all_flavours).keys()
    assert found.others == frozenset(installed.items()) - found.running


@pytest.mark.parametrize("name", NO_KERNEL)
def test_what_is_no_debian_kernel(name: str) -> None:
    # A newer kernel than any of these could be, so that none of them would be spared.
    installed = {f"{name}.amd64": "1", **named("image-99.1.1-1-amd64")}
    assert apt.find_kernels(installed, running="") == Kernels()


@pytest.mark.parametrize("running", ["", "6.6.6-azure", "6.1.0-20"])
def test_where_the_running_debian_kernel_is_not_known_the_newest_is_none_of_the_others(running: str) -> None:
    older = ("image-6.1.0-9-amd64", "headers-6.1.0-9-common", "headers-6.1.0-9-amd64")
    newest = ("image-6.1.0-20-amd64", "image-6.1.0-20-cloud-amd64", "headers-6.1.0-20-common")
    assert apt.find_kernels(named(*older, *newest), running=running) == Kernels(others=pairs(*older))


def test_a_debian_kernel_of_which_only_the_headers_are_there_does_not_run() -> None:
    installed = named("headers-6.1.0-18-amd64", "image-6.1.0-18-amd64-dbg", "image-6.1.0-9-amd64")
    found = apt.find_kernels(installed, running="6.1.0-18-amd64")
    assert not found.running
    assert apt.find_kernels(named("headers-6.1.0-18-amd64"), running="") == Kernels()


BUILD = "#1 SMP PREEMPT_DYNAMIC Debian {} (2024-08-26)"
UBUNTUS_BUILD = "#129-Ubuntu SMP PREEMPT_DYNAMIC Mon Aug 26 12:00:00 UTC 2024"


@pytest.mark.parametrize(
    ("build", "booted"),
    [(BUILD.format("6.1.106-1"), "6.1.106-1"), (BUILD.format("6.1.106-3"), ""), (UBUNTUS_BUILD, ""), ("", "")],
)
def test_an_image_that_was_replaced_on_disk_does_not_run(build: str, booted: str) -> None:
    image, headers = ("linux-image-6.1.0-25-amd64.amd64", "6.1.106-3"), ("linux-headers-6.1.0-25-amd64.amd64", "1")
    found = apt.as_booted(apt.find_kernels(dict([image, headers]), running="6.1.0-25-amd64"), build)
    expected = Kernels(frozenset({(image[0], booted), headers}), frozenset({image}))
    assert found == (expected if booted else Kernels(frozenset({image, headers})))


def installed(*entries: str) -> list[InstalledPackage]:
    """Packages, ``name-version-release.arch`` each."""
    found = []
    for entry in entries:
        rest, _, arch = entry.rpartition(".")
        name, version, release = rest.rsplit("-", 2)
        found.append(InstalledPackage(name, arch, f"0:{version}-{release}", 0, 0, ""))
    return found


def as_pairs(*entries: str) -> frozenset[tuple[str, str]]:
    return frozenset((package.id, package.evr) for package in installed(*entries))


def of(*names: str, evr: str) -> list[str]:
    """Packages of one version."""
    return [f"{name}-{evr}" for name in names]


RED_HAT = {
    "5.14.0-427.el9.x86_64": of(
        *("kernel", "kernel-core", "kernel-modules", "kernel-modules-core", "kernel-modules-extra", "kernel-devel"),
        "kernel-uki-virt-addons",
        evr="5.14.0-427.el9.x86_64",
    ),
    "5.14.0-427.el9.x86_64+rt": of("kernel-rt-core", "kernel-rt-kvm", evr="5.14.0-427.el9.x86_64"),
    "5.14.0-427.el9.x86_64+debug": of("kernel-debug-core", "kernel-debug-devel-matched", evr="5.14.0-427.el9.x86_64"),
    "5.14.0-503.el9.x86_64": of("kernel", "kernel-core", "kernel-devel", evr="5.14.0-503.el9.x86_64"),
    "4.18.0-305.rt7.72.el8.x86_64": of("kernel-rt-core", "kernel-rt-modules", evr="4.18.0-305.rt7.72.el8.x86_64"),
    "5.4.17-2136.el8uek.x86_64": of(
        "kernel-uek", "kernel-uek-core", "kernel-uek-modules-extra", "kernel-uek-devel", evr="5.4.17-2136.el8uek.x86_64"
    ),
    "6.1.61-85.amzn2023.x86_64": of("kernel", "kernel-modules-extra-common", evr="6.1.61-85.amzn2023.x86_64"),
    "6.12.20-23.amzn2023.x86_64": of("kernel6.12", "kernel6.12-devel", evr="6.12.20-23.amzn2023.x86_64"),
    "6.8.1-1.el9.elrepo.x86_64": of("kernel-ml-core", "kernel-ml-modules", evr="6.8.1-1.el9.elrepo.x86_64"),
}
SINGLE = of(
    *("kernel-headers", "kernel-tools", "kernel-tools-libs", "kernel-firmware", "kernel-doc", "kernel-ml-headers"),
    *(
        "kernel-srpm-macros",
        "kernel-livepatch-repo-s3",
        "kernel-debuginfo-common-x86_64",
        "kernelshark",
        "kernel-uek-doc",
    ),
    *("kernel-abi-stablelists", "linux-firmware", "perf"),
    evr="5.14.0-1.el9.noarch",
)


@pytest.mark.parametrize("running", RED_HAT)
def test_of_red_hats_kernels_the_running_one_is_told_apart(running: str) -> None:
    every = [entry for entries in RED_HAT.values() for entry in entries]
    found = rpm.find_kernels(installed(*every, *SINGLE), running=running)
    assert found == Kernels(as_pairs(*RED_HAT[running]), as_pairs(*every) - as_pairs(*RED_HAT[running]))


@pytest.mark.parametrize("running", ["", "6.6.6.x86_64", "5.14.0-503"])
def test_where_the_running_red_hat_kernel_is_not_known_the_newest_is_none_of_the_others(running: str) -> None:
    older, newest = RED_HAT["5.14.0-427.el9.x86_64"], RED_HAT["5.14.0-503.el9.x86_64"]
    found = rpm.find_kernels(installed(*older, *newest, *SINGLE), running=running)
    assert found == Kernels(others=as_pairs(*older))


SUSE = {
    "5.14.21-150400.24.100-default": (
        "kernel-default-5.14.21-150400.24.100.2.x86_64",
        "kernel-default-base-5.14.21-150400.24.100.2.150400.24.48.1.x86_64",
        "kernel-default-devel-5.14.21-150400.24.100.2.x86_64",
        "kernel-devel-5.14.21-150400.24.100.2.noarch",
        "kernel-source-5.14.21-150400.24.100.1.noarch",
        "kernel-syms-5.14.21-150400.24.100.1.x86_64",
    ),
    "5.14.21-150400.24.10-default": (
        "kernel-default-5.14.21-150400.24.10.1.x86_64",
        "kernel-default-extra-5.14.21-150400.24.10.1.x86_64",
    ),
    "5.14.21-150400.14.100-azure": (
        "kernel-azure-5.14.21-150400.14.100.1.x86_64",
        "kernel-devel-azure-5.14.21-150400.14.100.1.noarch",
    ),
    "6.4.0-150600.10.5-rt": ("kernel-rt-6.4.0-150600.10.5.1.x86_64", "kernel-source-rt-6.4.0-150600.10.5.1.noarch"),
    "6.11.3-1-64kb": ("kernel-64kb-6.11.3-1.1.aarch64",),
}
SINGLE_OF_SUSE = (
    "kernel-macros-5.14.21-150400.24.10.1.noarch",
    "kernel-firmware-all-20220509-1.1.noarch",
    "kernel-docs-5.14.21-150400.24.10.1.noarch",
    "kernel-livepatch-5_14_21-150400_24_10-default-1-1.1.x86_64",
    "kernel-obs-build-5.14.21-150400.24.10.1.x86_64",
)


@pytest.mark.parametrize("running", SUSE)
def test_of_suses_kernels_the_running_one_is_told_apart(running: str) -> None:
    every = [entry for entries in SUSE.values() for entry in entries]
    found = suse.find_kernels(installed(*every, *SINGLE_OF_SUSE), running=running)
    assert found == Kernels(as_pairs(*SUSE[running]), as_pairs(*every) - as_pairs(*SUSE[running]))


@pytest.mark.parametrize("running", ["", "default", "-", "6.6.6-default", "5.14.21-150400.24.100-azure"])
def test_where_the_running_suse_kernel_is_not_known_the_newest_is_none_of_the_others(running: str) -> None:
    newest, older = SUSE["5.14.21-150400.24.100-default"], SUSE["5.14.21-150400.24.10-default"]
    found = suse.find_kernels(installed(*newest, *older, *SINGLE_OF_SUSE), running=running)
    assert found == Kernels(others=as_pairs(*older))
    of_base = suse.find_kernels(installed(*newest[1:], *older), running=running)
    assert of_base == Kernels(others=as_pairs(*older))


def test_releases_without_dots_are_told_apart() -> None:
    found = suse.find_kernels(
        installed("kernel-default-6.4-1.x86_64", "kernel-default-6.4-2.x86_64"), running="6.5-1-default"
    )
    assert found == Kernels(others=as_pairs("kernel-default-6.4-1.x86_64"))


@pytest.mark.parametrize("running", ["", "6.1.0-18-amd64"])
def test_no_kernels(running: str) -> None:
    found = rpm.find_kernels([], running=running), suse.find_kernels([], running=running)
    assert {*found, apt.find_kernels({}, running=running)} == {Kernels()}


def test_below_another_root_nothing_runs(tmp_path: Path) -> None:
    class Machine(Host):
        def kernel_release(self) -> str:
            return "6.1.0-18-amd64"

    assert rpm.running_release(Context(Machine(), Path("/"), tmp_path)) == "6.1.0-18-amd64"
    assert rpm.running_release(Context(Machine(), tmp_path, tmp_path)) == ""

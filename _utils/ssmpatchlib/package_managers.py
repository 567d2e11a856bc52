# SPDX-License-Identifier: Apache-2.0
"""The package managers: what each is recognised by, and where the code that knows it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A package manager: the class that knows it, its programs, and what a root without programs still has of it."""

    module: str
    name: str
    programs: tuple[str, ...]
    traces: tuple[str, ...]


#: The first that a root of an unknown operating system has is the one it is judged by.
PACKAGE_MANAGERS: dict[str, Entry] = {
    "apt": Entry("ssmpatchlib.backends.apt", "Apt", ("apt-get",), ("var/lib/dpkg/status",)),
    "zypper": Entry("ssmpatchlib.backends.zypper", "Zypper", ("zypper",), ("etc/zypp",)),
    "dnf": Entry(
        "ssmpatchlib.backends.dnf",
        "Dnf",
        ("dnf", "dnf5", "dnf-3"),
        ("etc/dnf", "var/lib/dnf", "usr/lib/sysimage/libdnf5"),
    ),
    "yum": Entry("ssmpatchlib.backends.yum", "Yum", ("yum",), ("etc/yum.conf", "var/lib/yum")),
}

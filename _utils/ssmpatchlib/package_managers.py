# SPDX-License-Identifier: Apache-2.0
"""The package managers: the programs and files that each is recognised by, and its class."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A package manager: its class, its programs, and the paths it is recognised by in a root without programs."""

    module: str
    name: str
    programs: tuple[str, ...]
    traces: tuple[str, ...]


#: In order of preference: a root of an unknown operating system is judged by the first one that it has.
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

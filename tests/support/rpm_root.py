# SPDX-License-Identifier: Apache-2.0
"""Build a hermetic RPM root and its repositories from a case: ``build(case, root)``.

``dnf --installroot ROOT`` and ``zypper --root ROOT`` find everything below ROOT; nothing outside it is written.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support import rpmgen
from support.rpm_repo import dnf_generation, run, write_repository

DEFAULT_INSTALLED_TIME = 1600000000
DIRECTORIES = ("var/lib/rpm", "var/cache", "var/log", "repos", "root", "tmp")
STATES_FILE = "var/log/amazon/ssm/patch-configuration/patch-states-configuration.json"


def build(case: dict[str, Any], root: Path) -> Path:
    """Write everything that a case describes and return the root."""
    root = Path(root).absolute()
    manager = case.get("manager") or ("zypper" if case["os"]["operating_system"] == "SUSE" else "dnf")
    for directory in DIRECTORIES:
        (root / directory).mkdir(parents=True, exist_ok=True)
    release = str(case["os"].get("releasever", "15.3" if manager == "zypper" else "8"))
    write_os_release(root, case["os"], release)
    for repository in case.get("repositories", []):
        write_repository(root / "repos" / repository["id"], repository, work=root / "tmp")
        write_configuration(root, repository, manager)
    install(root, case.get("installed", []), case.get("installed_rpms", []))
    if manager == "dnf":
        configure_dnf(root, case, release)
    else:
        configure_zypper(root, case, release)
    write_states(root, case.get("previous_state"))
    shutil.rmtree(root / "tmp")
    (root / "tmp").mkdir(mode=0o1777)
    return root


def put(path: Path, text: str) -> None:
    """Write a file and its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_os_release(root: Path, system: dict[str, Any], release: str) -> None:
    """Write os-release."""
    put(
        root / "etc/os-release",
        f'NAME="{system.get("name", system["operating_system"])}"\nVERSION_ID="{release}"\n'
        f"ID={system.get('id', system['operating_system'].lower())}\n"
        f'PLATFORM_ID="{system.get("platform_id", "platform:el" + release.split(".")[0])}"\n'
        f'PRETTY_NAME="{system.get("product", "")}"\n',
    )


def write_configuration(root: Path, repository: dict[str, Any], manager: str) -> None:
    """Write a repository's .repo file."""
    id_ = repository["id"]
    text = (
        f"[{id_}]\nname={repository.get('name', id_)}\nbaseurl=file://{root}/repos/{id_}\n"
        f"enabled={int(repository.get('enabled', True))}\ngpgcheck=0\n"
    )
    if manager == "dnf":
        text += "metadata_expire=1h\n"
        for key in ("priority", "cost", "excludepkgs", "includepkgs", "module_hotfixes", "skip_if_unavailable"):
            if key in repository:
                text += f"{key}={repository[key]}\n"
        put(root / f"etc/yum.repos.d/{id_}.repo", text)
    else:
        text += f"autorefresh=1\ntype=rpm-md\nkeeppackages=0\npriority={repository.get('priority', 99)}\n"
        put(root / f"etc/zypp/repos.d/{id_}.repo", text)


def rpm(root: Path, program: str = "rpm") -> list[str]:
    """How a command begins with which rpm, or another program of it, works on the database of a root."""
    return [program, "--root", str(root), "--dbpath", "/var/lib/rpm"]


def make_database(root: Path) -> None:
    """Make an rpm database without packages."""
    run([*rpm(root), "--initdb"])
    # Debian's builds of rpm, dnf and zypper look for the database of another root here.
    (root / "root/.rpmdb").symlink_to("../var/lib/rpm")


def install(root: Path, packages: list[dict[str, Any]], files: list[str]) -> None:
    """Fill the rpm database with packages and real rpm files, with the install times that the case gives."""
    staging = root / "tmp/installed"
    staging.mkdir(parents=True, exist_ok=True)
    times, paths = {}, []
    for package in packages:
        epoch = str(package.get("epoch") or "0")
        path = staging / f"e{epoch}-{rpmgen.rpm_filename(package)}"
        rpmgen.write_rpm(path, package)
        paths.append(path)
        key = (package["name"], epoch, package["version"], package["release"], package["arch"])
        times[key] = package.get("installed_time", DEFAULT_INSTALLED_TIME)
    paths += [Path(shutil.copy(file, staging / f"r{n}-{Path(file).name}")) for n, file in enumerate(files)]
    make_database(root)
    options = ["-i", "--justdb", "--nodeps", "--force", "--nosignature", "--noorder", "--ignorearch", "--ignoreos"]
    for start in range(0, len(paths), 400):
        run([*rpm(root), *options, *map(str, paths[start : start + 400])])
    set_install_times(root / "var/lib/rpm/rpmdb.sqlite", times)


def set_install_times(database: Path, times: dict[tuple[str, ...], int]) -> None:
    """rpm keeps INSTALLTIME outside of the header's immutable region; it is changed in place."""
    connection = sqlite3.connect(database)
    for number, blob in connection.execute("select hnum, blob from Packages").fetchall():
        entries, _size = struct.unpack(">II", blob[:8])
        store = 8 + entries * 16
        offsets = {}
        for place in range(8, store, 16):
            tag, _kind, offset, _count = struct.unpack(">IIiI", blob[place : place + 16])
            offsets[tag] = store + offset
        epoch = struct.unpack(">I", blob[offsets[1003] :][:4])[0] if 1003 in offsets else 0
        name, version, release, arch = (
            bytes(blob[offsets[tag] : blob.index(b"\0", offsets[tag])]).decode() for tag in (1000, 1001, 1002, 1022)
        )
        time = times.get((name, str(epoch), version, release, arch))
        if time is not None and 1008 in offsets:
            start = offsets[1008]
            changed = blob[:start] + struct.pack(">I", int(time)) + blob[start + 4 :]
            connection.execute("update Packages set blob=? where hnum=?", (changed, number))
    connection.commit()
    connection.close()


def configure_dnf(root: Path, case: dict[str, Any], release: str) -> None:
    """Write dnf's configuration, variables, module streams and version locks."""
    settings = {
        "gpgcheck": 0,
        "installonly_limit": 3,
        "clean_requirements_on_remove": "True",
        "best": "True",
        "skip_if_unavailable": "False",
        "module_platform_id": case["os"].get("platform_id", f"platform:el{release.split('.')[0]}"),
        **case.get("dnf_conf", {}),
    }
    if case.get("excludes"):
        settings["excludepkgs"] = " ".join(case["excludes"])
    put(root / "etc/dnf/dnf.conf", "[main]\n" + "".join(f"{key}={value}\n" for key, value in settings.items()))
    put(root / "etc/dnf/vars/releasever", f"{release}\n")
    for directory in ("var/cache/dnf", "var/lib/dnf", "etc/dnf/modules.defaults.d", "etc/yum.repos.d"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    chosen = write_dnf5_choices if dnf_generation() == 5 else write_dnf4_choices
    chosen(root, case.get("enabled_modules") or {}, case.get("versionlock") or ())


def write_dnf4_choices(root: Path, modules: Mapping[str, Any], locks: Sequence[str]) -> None:
    """Write module streams and version locks as dnf 4 keeps them."""
    for name, module in modules.items():
        put(
            root / f"etc/dnf/modules.d/{name}.module",
            f"[{name}]\nname={name}\nstream={module['stream']}\nprofiles={','.join(module.get('profiles', []))}\n"
            f"state={module.get('state', 'enabled')}\n",
        )
    if locks:
        put(root / "etc/dnf/plugins/versionlock.list", "\n".join(locks) + "\n")


def write_dnf5_choices(root: Path, modules: Mapping[str, Any], locks: Sequence[str]) -> None:
    """Write module streams and version locks as dnf 5 keeps them."""
    if modules:
        text = 'version = "1.0"\n\n[modules]\n'
        for name, module in modules.items():
            text += (
                f'[modules.{name}]\nenabled_stream = "{module["stream"]}"\n'
                f"installed_profiles = {json.dumps(module.get('profiles', []))}\n"
                f'state = "{module.get("state", "enabled").capitalize()}"\n'
            )
        put(root / "usr/lib/sysimage/libdnf5/modules.toml", text)
    if locks:
        text = 'version = "1.0"\n'
        for lock in locks:
            name, version, release = lock.removesuffix(".*").rsplit("-", 2)
            text += (
                f'\n[[packages]]\nname = "{name}"\n'
                f'[[packages.conditions]]\nkey = "evr"\ncomparator = "="\nvalue = "{version}-{release}"\n'
            )
        put(root / "etc/dnf/versionlock.toml", text)


def configure_zypper(root: Path, case: dict[str, Any], release: str) -> None:
    """Write zypper's product and locks."""
    for directory in ("var/cache/zypp", "var/lib/zypp", "etc/zypp/repos.d"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    put(
        root / "etc/products.d/SLES.prod",
        '<?xml version="1.0" encoding="UTF-8"?>\n<product schemeversion="0">\n<vendor>SUSE</vendor>\n'
        f"<name>SLES</name>\n<version>{release}</version>\n<release>0</release>\n<arch>x86_64</arch>\n"
        "<summary>SLES</summary>\n<register><target>sle-15-x86_64</target></register>\n</product>\n",
    )
    (root / "etc/products.d/baseproduct").symlink_to("SLES.prod")
    if case.get("excludes"):
        lock = "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: {}\n"
        put(root / "etc/zypp/locks", "".join(lock.format(name) for name in case["excludes"]))


def write_states(root: Path, state: dict[str, Any] | None) -> None:
    """Write what an earlier patch operation left, in the AWS agent's form."""
    if not state:
        return
    saved = {
        title: {"id": entry["id"], "state": entry["state"], "installedTime": entry.get("installed_time")}
        for title, entry in state.get("patch_states", {}).items()
    }
    last = state.get("last_no_reboot_install_operation_time", 0)
    put(root / STATES_FILE, json.dumps({"lastNoRebootInstallOperationTime": last, "patchStates": saved}))


def installed(root: Path) -> dict[str, list[str]]:
    """What rpm says is installed: the versions by ``name.arch``, in rpm's own words."""
    form = r"%{NAME}.%{ARCH} %|EPOCH?{%{EPOCH}}:{0}|:%{VERSION}-%{RELEASE}\n"
    query = [*rpm(root), "-qa", "--qf", form]
    found: dict[str, list[str]] = {}
    for line in subprocess.run(query, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
        name, version = line.split()
        found.setdefault(name, []).append(version)
    return {name: sorted(versions) for name, versions in sorted(found.items())}


def database_is_sound(root: Path) -> bool:
    """What rpm says of its database."""
    argv = [*rpm(root, "rpmdb"), "--verifydb"]
    return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT).returncode == 0

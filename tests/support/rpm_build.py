# SPDX-License-Identifier: Apache-2.0
"""Build real rpms with rpmbuild, with files and scripts, and repositories of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.rpm_repo import run, write_updateinfo

_NAME_FORMAT = "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"


@dataclass(frozen=True)
class Spec:
    """A package to build. ``tags`` are lines of the spec's head.

    ``pre`` and ``post`` are shell scripts; ``lua_pre`` and ``lua_post`` are run by rpm itself.
    """

    name: str
    version: str = "2"
    release: str = "1"
    requires: Sequence[str] = ()
    tags: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    lua_pre: str = ""
    lua_post: str = ""
    pre: str = ""
    post: str = ""

    @property
    def nevra(self) -> str:
        """As advisories name it."""
        return f"{self.name}-{self.version}-{self.release}.noarch"


def build_rpm(directory: Path, spec: Spec, *, work: Path) -> Path:
    """Build one noarch package into ``directory`` and return the file."""
    files = {f"/usr/share/{spec.name}/version": spec.version, **spec.files}
    head = [
        f"Name: {spec.name}",
        f"Version: {spec.version}",
        f"Release: {spec.release}",
        f"Summary: {spec.name}",
        "License: MIT",
        "Vendor: Test vendor",
        "BuildArch: noarch",
        *(f"Requires: {name}" for name in spec.requires),
        *spec.tags,
    ]
    body = ["%description", spec.name, "%install"]
    for path, text in files.items():
        body += [f"mkdir -p %{{buildroot}}{Path(path).parent}", f"echo '{text}' > %{{buildroot}}{path}"]
    if spec.pre:
        body += ["%pre", spec.pre]
    if spec.lua_pre:
        body += ["%pre -p <lua>", spec.lua_pre]
    if spec.lua_post:
        body += ["%post -p <lua>", spec.lua_post]
    if spec.post:
        body += ["%post", spec.post]
    work.mkdir(parents=True, exist_ok=True)
    path = work / f"{spec.name}-{spec.version}.spec"
    path.write_text("\n".join([*head, "", *body, "%files", *files, ""]))
    definitions = {
        "_topdir": work,
        "_rpmdir": directory,
        "_build_name_fmt": _NAME_FORMAT,
        "_binary_payload": "w1.gzdio",
        "debug_package": "%{nil}",
        "__os_install_post": "%{nil}",
    }
    options = [word for name, value in definitions.items() for word in ("--define", f"{name} {value}")]
    run(["rpmbuild", "-bb", "--quiet", *options, str(path)])
    return directory / f"{spec.nevra}.rpm"


def build_repository(
    directory: Path, specs: Iterable[Spec], *, advisories: Sequence[dict[str, Any]] = (), work: Path
) -> Path:
    """Build packages and the metadata of a repository of them."""
    directory.mkdir(parents=True, exist_ok=True)
    for spec in specs:
        build_rpm(directory, spec, work=work)
    run(["createrepo_c", "-q", "--no-database", "--workers", "1", str(directory)])
    if advisories:
        write_updateinfo(directory, {"id": directory.name, "advisories": advisories}, work=work)
    return directory


def build_updates(root: Path, specs: Iterable[Spec], advisories: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Build a repository ``updates`` beside a root; what a case says to have it in the root."""
    work = root.parent / f"{root.name}-build"
    made = build_repository(work / "updates", specs, advisories=advisories, work=work)
    return {"id": "updates", "path": str(made)}

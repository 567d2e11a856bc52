# SPDX-License-Identifier: Apache-2.0
"""Write rpm repositories from a case: packages, advisories and modules, exactly as the case words them."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ssmpatchlib.backends.dnf.command import find_program
from ssmpatchlib.host import CommandMissing, Host
from support import rpmgen

NEVRA = re.compile(r"^(?P<name>.+)-(?:(?P<epoch>\d+):)?(?P<version>[^-]+)-(?P<release>[^-]+)\.(?P<arch>[^.-]+)$")
MODULE_DEFAULTS = {"name": "", "stream": "", "version": "1", "context": "c0ffee42", "arch": "x86_64"}


def parse_nevra(package: str | dict[str, Any]) -> dict[str, Any]:
    """``name-[epoch:]version-release.arch`` as a package; a package as it is."""
    if isinstance(package, dict):
        return package
    match = NEVRA.match(package)
    if not match:
        raise ValueError(f"bad nevra {package!r}")
    return {**match.groupdict(), "epoch": match.group("epoch") or "0"}


def package(nevra: str | dict[str, Any], **more: Any) -> dict[str, Any]:
    """``name-[epoch:]version-release.arch`` as a package of a case, with further keys."""
    return {**parse_nevra(nevra), **more}


@functools.cache
def dnf_generation() -> int:
    """Which dnf this system has, 4 or 5; 4 where it has none."""
    try:
        return find_program(Host())[1]
    except CommandMissing:
        return 4


def run(argv: Sequence[str]) -> str:
    """Run a program; its output is in the error when it fails."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        raise RuntimeError(f"{argv} failed ({done.returncode}): {done.stdout}")
    return done.stdout


def write_repository(directory: Path, repository: dict[str, Any], *, work: Path) -> None:
    """Write a repository's packages and metadata; one with a ``path`` is copied from there."""
    if repository.get("path"):
        shutil.copytree(repository["path"], directory, dirs_exist_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    for package in repository.get("packages", []):
        rpmgen.write_rpm(directory / rpmgen.rpm_filename(package), package)
    if not repository.get("path"):
        run(["createrepo_c", "-q", "--no-database", "--workers", "1", "--revision", "1", str(directory)])
    if repository.get("modules"):
        document = work / "modules.yaml"
        document.write_text(modules_yaml(repository["modules"]))
        run(["modifyrepo_c", "--mdtype=modules", str(document), str(directory / "repodata")])
    if repository.get("advisories") or repository.get("empty_updateinfo"):
        write_updateinfo(directory, repository, work=work)
    if repository.get("missing"):
        shutil.rmtree(directory)


def write_updateinfo(directory: Path, repository: dict[str, Any], *, work: Path) -> None:
    """Write a repository's updateinfo, in place of an older one."""
    document = work / "updateinfo.xml"
    document.write_text(updateinfo_xml(repository.get("advisories", []), repository["id"]))
    compression = repository.get("updateinfo_compression", "gz")
    options = ["--no-compress"] if compression == "none" else [f"--compress-type={compression}"]
    run(["modifyrepo_c", *options, str(document), str(directory / "repodata")])


def updateinfo_xml(advisories: Sequence[dict[str, Any]], name: str) -> str:
    """An updateinfo.xml; absent keys make absent elements."""
    body = "\n".join(line for advisory in advisories for line in _update(advisory, name))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<updates>\n{body}\n</updates>\n'


def _update(advisory: dict[str, Any], name: str) -> list[str]:
    kind = f" type={quoteattr(advisory['type'])}" if "type" in advisory else ""
    status, version = advisory.get("status", "final"), advisory.get("version", "1")
    lines = [
        f'  <update from="vendor@invalid" status="{status}"{kind} version="{version}">',
        f"    <id>{escape(advisory['id'])}</id>",
        f"    <title>{escape(advisory.get('title', advisory['id']))}</title>",
    ]
    if "severity" in advisory:
        severity = advisory["severity"]
        lines.append(f"    <severity>{escape(severity)}</severity>" if severity else "    <severity/>")
    for key in ("issued", "updated"):
        if advisory.get(key) is not None:
            lines.append(f"    <{key} date={quoteattr(str(advisory[key]))}/>")
    lines.append(f"    <description>{escape(advisory.get('description', advisory['id']))}</description>")
    if advisory.get("reboot_suggested"):
        lines.append("    <reboot_suggested>True</reboot_suggested>")
    lines.append("    <references>")
    for reference in advisory.get("references", []):
        id_, kind = quoteattr(reference["id"]), quoteattr(reference["type"])
        href, title = quoteattr(f"https://advisory.invalid/{reference['id']}"), quoteattr(reference["id"])
        lines.append(f"      <reference href={href} id={id_} type={kind} title={title}/>")
    lines += ["    </references>", "    <pkglist>"]
    single = {"module": advisory.get("module"), "packages": advisory.get("packages", [])}
    for collection in advisory.get("collections") or [single]:
        lines += _collection(collection, name, bool(advisory.get("reboot_suggested")))
    return [*lines, "    </pkglist>", "  </update>"]


def _collection(collection: dict[str, Any], name: str, reboot: bool) -> list[str]:
    lines = [f"      <collection short={quoteattr(name)}>", f"        <name>{escape(name)}</name>"]
    if module := collection.get("module"):
        values = {key: str(module.get(key, default)) for key, default in MODULE_DEFAULTS.items()}
        lines.append(f"        <module {' '.join(f'{k}={quoteattr(v)}' for k, v in values.items())}/>")
    for entry in collection.get("packages", []):
        package = parse_nevra(entry)
        without_epoch = isinstance(entry, dict) and "epoch" in entry and entry["epoch"] is None
        epoch = "" if without_epoch else f" epoch={quoteattr(str(package.get('epoch') or '0'))}"
        named = " ".join(f"{key}={quoteattr(str(package[key]))}" for key in ("name", "version", "release"))
        source = f"{package['name']}-{package['version']}-{package['release']}.src.rpm"
        lines.append(f"        <package {named}{epoch} arch={quoteattr(package['arch'])} src={quoteattr(source)}>")
        lines.append(f"          <filename>{escape(rpmgen.rpm_filename(package))}</filename>")
        if reboot:
            lines.append("          <reboot_suggested>True</reboot_suggested>")
        lines.append("        </package>")
    return [*lines, "      </collection>"]


def modules_yaml(modules: Sequence[dict[str, Any]]) -> str:
    """A modules.yaml; a build with ``default`` makes its stream the default."""
    documents = [_modulemd(module) for module in modules]
    for name, stream in {m["name"]: m["stream"] for m in modules if m.get("default")}.items():
        documents.append(
            f'---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: {name}\n  stream: "{stream}"\n'
            f'  profiles:\n    "{stream}": [common]\n...'
        )
    return "\n".join(documents) + "\n"


def _modulemd(module: dict[str, Any]) -> str:
    packages = [parse_nevra(artifact) for artifact in module.get("artifacts", [])]
    artifacts = "".join(
        f'\n      - "{p["name"]}-{p.get("epoch") or "0"}:{p["version"]}-{p["release"]}.{p["arch"]}"' for p in packages
    )
    name, requires = module["name"], dict(module.get("requires", {}))
    # Debian's dnf 5 finds no module of the platform, whatever module_platform_id says.
    if dnf_generation() == 4:
        requires = {"platform": [module.get("platform", "el8")], **requires}
    wanted = "".join(f"\n        {other}: [{', '.join(streams)}]" for other, streams in requires.items())
    released = module.get("demodularized") or ()
    demodularized = f"\n  demodularized:\n    rpms: [{', '.join(released)}]" if released else ""
    return f"""---
document: modulemd
version: 2
data:
  name: {name}
  stream: "{module["stream"]}"
  version: {module.get("version", 1)}
  context: {module.get("context", "c0ffee42")}
  arch: {module.get("arch", "x86_64")}
  summary: module {name}
  description: module {name}
  license:
    module: [MIT]
    content: [MIT]
  dependencies:
    - requires:{wanted or " {}"}
  profiles:
    common:
      rpms: [{", ".join(sorted({package["name"] for package in packages}))}]{demodularized}
  artifacts:
    rpms:{artifacts or " []"}
..."""

# SPDX-License-Identifier: Apache-2.0
"""A minion inside this process: Salt's own loaders over the checkout as a file root, and one Debian root to patch."""

from __future__ import annotations

import copy
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import salt.config
import salt.loader
import salt.version
from saltfactories.utils.functional import Loaders

from support import apt_root
from support.apt_root import package

LOADER_DIRECTORIES = ("_modules", "_states", "_beacons", "_output", "_utils")
MASKED = "**********"
OS_RELEASE = 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'


def file_root(repo: Path, directory: Path) -> Path:
    """A Salt file root with nothing in it but the checkout's loader directories."""
    directory.mkdir(parents=True)
    for name in LOADER_DIRECTORIES:
        (directory / name).symlink_to(repo / name)
    return directory


def minion_opts(directory: Path, files: Path) -> dict[str, Any]:
    """The options of a masterless minion that lives in ``directory``."""
    opts: dict[str, Any] = copy.deepcopy(salt.config.DEFAULT_MINION_OPTS)
    opts.update(
        __role="minion",
        id="minion",
        file_client="local",
        file_roots={"base": [str(files)]},
        pillar_roots={"base": [str(directory / "pillar")]},
        root_dir=str(directory),
        cachedir=str(directory / "cache"),
        extension_modules=str(directory / "extmods"),
        conf_file=str(directory / "minion"),
        sock_dir=str(directory / "sock"),
        pki_dir=str(directory / "pki"),
        grains={},
    )
    return opts


def case(installed: list[dict[str, Any]], updates: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A Debian 12 root with these packages, whose security archive has these updates, as real packages."""
    security = {
        "id": "security",
        "origin": "Debian",
        "label": "Debian-Security",
        "suite": "oldstable-security",
        "codename": "bookworm-security",
        "packages": updates,
    }
    return {"architectures": ["amd64"], "real_debs": True, "installed": installed, "repositories": [security], **more}


def build_root(what: dict[str, Any], path: Path) -> Path:
    """Build the root of a case, which says of itself that it is Debian 12."""
    apt_root.build(what, str(path))
    (path / "etc/os-release").write_text(OS_RELEASE)
    return path


def installed_versions(root: Path) -> dict[str, str]:
    """What dpkg says is installed."""
    argv = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", "${Package} ${Version}\\n"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return dict(line.split() for line in done.stdout.splitlines())


@dataclass
class LoaderMinion:
    """Calls functions and states as a minion does that is configured to patch ``root``.

    The pillar is what a minion of this version of Salt has in memory: masked containers where Salt masks.
    """

    loaders: Loaders
    root: Path
    configuration: dict[str, Any] = field(default_factory=dict)
    pillar: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)

    @property
    def functions(self) -> Any:
        """The execution modules."""
        opts = copy.deepcopy(self.loaders.opts)
        opts["ssmpatch"] = {"root": str(self.root), **self.configuration}
        opts["pillar"] = masked(self.pillar)
        pillar = Path(opts["pillar_roots"]["base"][0])
        pillar.mkdir(exist_ok=True)
        (pillar / "top.sls").write_text(json.dumps({"base": {"*": ["minion"]}}))
        (pillar / "minion.sls").write_text(json.dumps(self.pillar))
        return salt.loader.minion_mods(opts, utils=self.loaders.utils, context=self.context)

    def __call__(self, function: str, *args: Any, **kwargs: Any) -> Any:
        """What ``ssmpatch.<function>`` returns; it must be fit to be sent, shown and stored."""
        found = self.functions[f"ssmpatch.{function}"](*args, **kwargs)
        assert_plain(found)
        return found

    @property
    def retcode(self) -> int:
        """The return code that the last call set."""
        return int(self.context.get("retcode", 0))

    def state(self, function: str, name: str = "patched", *, test: bool = False, **kwargs: Any) -> dict[str, Any]:
        """What ``state.single ssmpatch.<function>`` gives for the one state that it runs."""
        found = self.functions["state.single"](f"ssmpatch.{function}", name, test=test, **kwargs)
        assert isinstance(found, dict), found
        (result,) = found.values()
        assert_plain(result)
        return dict(result)

    def sls(self, document: dict[str, Any], *, test: bool = False) -> dict[str, dict[str, Any]]:
        """What a state file gives, by the id of its states."""
        found = self.functions["state.high"](document, test=test)
        assert isinstance(found, dict), found
        return {result["__id__"]: result for result in found.values()}


def masked(pillar: dict[str, Any]) -> dict[str, Any]:
    """The pillar as a minion's modules see it: since 3008 in containers that show asterisks to who formats them."""
    if salt.version.__saltstack_version__.major < 3008:
        return copy.deepcopy(pillar)
    from salt.utils import secret

    return secret.hide(copy.deepcopy(pillar))  # type: ignore[no-any-return]


def assert_plain(value: Any, path: str = "") -> None:
    """Only built-in containers and scalars, no asterisks of Salt's, and JSON that says the same."""
    assert type(value) in (dict, list, str, int, float, bool, type(None)), f"{path}: {type(value)}"
    if isinstance(value, dict):
        for key, each in value.items():
            assert type(key) is str, f"{path}: key {key!r}"
            assert_plain(each, f"{path}:{key}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            assert_plain(each, f"{path}[{number}]")
    elif isinstance(value, str):
        assert MASKED not in value, path
    if not path:
        assert json.loads(json.dumps(value)) == value


def simple_case() -> dict[str, Any]:
    """Two security updates are missing, one of which needs a new package."""
    return case(
        [package("alpha", "1.0"), package("curl", "7.88-1"), package("openssl", "3.0-1", priority="important")],
        [
            package("curl", "7.88-2"),
            package("openssl", "3.0-2", priority="important", depends="libnew"),
            package("libnew", "1.0"),
        ],
    )


def hard_case() -> dict[str, Any]:
    """One update can be installed; one is held, one breaks, and one installed package may be rejected (telnet)."""
    return case(
        [
            package("bash", "5.2-1", status="hold ok installed"),
            package("broken", "1.0"),
            package("curl", "7.88-1"),
            package("telnet", "0.17-1"),
        ],
        [package("bash", "5.2-2"), package("broken", "1.1", postinst="#!/bin/sh\nexit 1\n"), package("curl", "7.88-2")],
    )


#: Approves every update and rejects telnet.
STRICT = {
    "Name": "strict",
    "OperatingSystem": "DEBIAN",
    "ApprovalRules": {
        "PatchRules": [
            {
                "PatchFilterGroup": {"PatchFilters": [{"Key": "SECTION", "Values": ["*"]}]},
                "ComplianceLevel": "HIGH",
                "ApproveAfterDays": 0,
            }
        ]
    },
    "RejectedPatches": ["telnet"],
    "RejectedPatchesAction": "BLOCK",
}

# SPDX-License-Identifier: Apache-2.0
"""A real Debian system in a directory, with a minion whose Python is not the system's and has no apt bindings."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.versions.deb import sort_key
from support import apt_root
from support.loader_minion import LOADER_DIRECTORIES

RELEASE = "bookworm"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
REPO = Path(__file__).resolve().parents[2]
#: Small packages that are installed beside the base system, so that enough security updates are missing.
EXTRA_PACKAGES = 48
LIBRARIES = "/opt/minion-libraries"
LOCAL_ARCHIVE = "srv/file/local"

# Mounts go away with the last process of their namespace.
CHROOT = """
root=$1
shift
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then
        mkdir -p "$root$1"
    else
        mkdir -p "$root${1%/*}"
        touch "$root$1"
    fi
    mount --bind "$1" "$root$1"
    mount -o remount,ro,bind "$root$1"
    shift
done
shift
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
exec chroot "$root" "$@"
"""
# Nothing in here may ever act on the machine that the tests run on.
HARMLESS = '#!/bin/sh\necho "$0 $*" >> /var/log/asked-to-reboot\n'


def require() -> None:
    """Skip where this cannot be done: it needs debootstrap, and what ``require_archive`` wants."""
    if not shutil.which("debootstrap"):
        pytest.skip("needs debootstrap")
    require_archive()


def require_archive() -> None:
    """Skip where no system can be made from Debian's archive: it needs root, mount namespaces and the archive."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not KEYRING.exists():
        pytest.skip("needs the keys of Debian's archive (debian-archive-keyring)")
    unshare = ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt"]
    if not shutil.which("unshare") or subprocess.run(unshare, capture_output=True, check=False).returncode:
        pytest.skip("needs a mount namespace")
    if not archives():
        pytest.skip("this host's own sources name no Debian archive with its security updates")


@functools.cache
def archives() -> tuple[str, str] | None:
    """The URIs of Debian's archive and of its security archive, as this host's own sources have them."""
    form = "$(LABEL)|$(REPO_URI)"
    if not shutil.which("apt-get"):
        return None
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"], capture_output=True, text=True
    )
    found = dict(line.split("|", 1) for line in done.stdout.splitlines() if "|" in line)
    return (found["Debian"], found["Debian-Security"]) if {"Debian", "Debian-Security"} <= set(found) else None


@dataclass(frozen=True)
class RealRoot:
    """A Debian system below ``path``."""

    path: Path

    def argv(self, *argv: str) -> list[str]:
        """The command that runs a program in it, with the interpreter and the checkout mounted read-only."""
        unshare = ["unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-euc", CHROOT, "sh"]
        return [*unshare, str(self.path), *map(str, mounts()), "--", *argv]

    @property
    def env(self) -> dict[str, str]:
        """The environment of programs in it."""
        return environment()

    def run(self, *argv: str, timeout: float = 600, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program in it."""
        done = subprocess.run(self.argv(*argv), capture_output=True, text=True, env=self.env, timeout=timeout)
        assert not check or done.returncode == 0, f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def python_argv(self, *argv: str) -> list[str]:
        """The command that runs the minion's Python in it."""
        packages = sysconfig.get_path("purelib")
        return ["/usr/bin/env", f"PYTHONPATH={packages}", os.path.realpath(sys.executable), *argv]

    def python(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the minion's Python."""
        return self.run(*self.python_argv(*argv), check=check)

    def salt_call(self, *argv: str, check: bool = True) -> Any:
        """What ``salt-call --local`` returns."""
        program = str(Path(sys.executable).with_name("salt-call"))
        done = self.python("-s", program, "--local", "--out=json", *argv, check=False)
        assert not check or done.returncode == 0, f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.stdout.strip(), done.stderr
        return json.loads(done.stdout)["local"]

    def apt_get(self, *argv: str) -> None:
        """Run ``apt-get -y``."""
        self.run("apt-get", "-qq", "-y", *argv)

    def versions(self) -> dict[str, str]:
        """What dpkg says is installed, by ``name.arch``."""
        form = "${Package} ${Architecture} ${Version} ${db:Status-Status}\\n"
        rows = [line.split() for line in self.run("dpkg-query", "-W", "-f", form).stdout.splitlines()]
        native = self.architecture
        return {
            f"{name}.{native if arch == 'all' else arch}": version
            for name, arch, version, status in rows
            if status != "not-installed"
        }

    def upgradable(self) -> dict[str, tuple[str, str]]:
        """What ``apt list --upgradable`` shows from the security archive: from and to, by ``name.arch``."""
        line = re.compile(r"(\S+)/(\S+) (\S+) (\S+) \[upgradable from: (\S+)\]")
        native = self.architecture
        return {
            f"{m[1]}.{native if m[4] == 'all' else m[4]}": (m[5], m[3])
            for m in line.finditer(self.run("apt", "list", "--upgradable").stdout)
            if any(suite.endswith("-security") for suite in m[2].split(","))
        }

    @property
    def architecture(self) -> str:
        """Debian's word for this machine."""
        return native_architecture()

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        """Write a file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def configure(self, **settings: Any) -> None:
        """Write the minion's configuration: masterless, the checkout as its file root, and these settings."""
        states = self.path / "srv/salt"
        states.mkdir(parents=True, exist_ok=True)
        for name in LOADER_DIRECTORIES:
            if not (states / name).is_symlink():
                (states / name).symlink_to(REPO / name)
        self.write("srv/salt/top.sls", json.dumps({"base": {"*": ["patched"]}}))
        self.write("srv/salt/patched.sls", json.dumps({"patched": {"ssmpatch": ["compliant"]}}))
        minion = {
            "id": "real",
            "file_client": "local",
            "master_type": "disable",
            "file_roots": {"base": ["/srv/salt"]},
            "pillar_roots": {"base": []},
            "ssmpatch": {"reboot": {"option": "RebootIfRequired"}, **settings},
        }
        self.write("etc/salt/minion", json.dumps(minion))

    def offer(self, *packages: Mapping[str, Any]) -> None:
        """Put these packages into a local archive, which calls itself a security archive."""
        repository = {
            "id": "local",
            "label": "Debian-Security",
            "suite": f"{RELEASE}-security",
            "codename": f"{RELEASE}-security",
            "packages": [dict(package) for package in packages],
        }
        shutil.rmtree(self.path / LOCAL_ARCHIVE, ignore_errors=True)
        apt_root.build_repo(repository, str(self.path), [self.architecture], real_debs=True)
        source = f"deb [trusted=yes] file:/{LOCAL_ARCHIVE} {RELEASE}-security main\n"
        self.write("etc/apt/sources.list.d/local.list", source)

    def asked_to_reboot(self) -> str:
        """How the programs that reboot a machine were called."""
        path = self.path / "var/log/asked-to-reboot"
        return path.read_text() if path.exists() else ""


def build_bare(directory: Path, suite: str) -> RealRoot:
    """Build the base system of a release, which asks the tests' host for the archive and can reboot nothing."""
    require()
    found = archives()
    assert found is not None
    root = RealRoot(directory / suite)
    shutil.rmtree(root.path, ignore_errors=True)
    root.path.mkdir(parents=True)
    argv = ["debootstrap", "--variant=minbase", f"--keyring={KEYRING}", suite, str(root.path), found[0]]
    made = subprocess.run(argv, capture_output=True, text=True, timeout=900)
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-3000:]
    shutil.copy("/etc/resolv.conf", root.path / "etc/resolv.conf")
    root.write("etc/apt/apt.conf.d/90tests", proxies() + 'Acquire::Languages "none";\n')
    root.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    for name in ("shutdown", "reboot", "systemctl", "init"):
        root.write(f"usr/local/sbin/{name}", HARMLESS, 0o755)
    return root


def build(directory: Path) -> RealRoot:
    """Build the system: the release as it is without security updates, the security archive then enabled.

    It is kept in ``directory`` and built only once. Its minion is not configured yet.
    """
    root, done = RealRoot(directory / RELEASE), directory / f"{RELEASE}.done"
    if done.exists():
        return root
    found = archives()
    assert found is not None
    build_bare(directory, RELEASE)
    security = found[1]
    only_main = ("-o", "Dir::Etc::sourceparts=/dev/null")
    root.write("etc/apt/sources.list.d/security.list", f"deb {security} {RELEASE}-security main\n")
    root.apt_get("update")
    root.apt_get("install", "--no-install-recommends", *only_main, *_leaf_packages(root)[:EXTRA_PACKAGES])
    root.apt_get("update")
    root.apt_get("--download-only", "dist-upgrade")
    done.touch()
    return root


def copy(root: RealRoot, target: Path) -> RealRoot:
    """A copy that a test may change."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(root.path), str(target)], check=True)
    return RealRoot(target)


def _leaf_packages(root: RealRoot) -> list[str]:
    """Packages with a security update that need nothing but the base system, smallest first."""
    lists = root.path / "var/lib/apt/lists"
    (main,) = lists.glob(f"*_dists_{RELEASE}_main_*_Packages")
    (security,) = lists.glob(f"*_dists_{RELEASE}-security_main_*_Packages")
    installed = {name.rpartition(".")[0] for name in root.versions()}
    updates = _paragraphs(security, lambda name: True)
    originals = _paragraphs(main, updates.__contains__)
    found = []
    for name, original in originals.items():
        update = max(updates[name], key=lambda fields: sort_key(fields["Version"]))
        old = max(original, key=lambda fields: sort_key(fields["Version"]))
        if name in installed or sort_key(update["Version"]) <= sort_key(old["Version"]):
            continue
        if all(_needs(fields) <= installed and not {"Conflicts", "Breaks"} & set(fields) for fields in (old, update)):
            found.append((int(old.get("Installed-Size", 0)), name))
    return [name for _size, name in sorted(found)]


def _paragraphs(path: Path, wanted: Any) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for paragraph in path.read_text(errors="replace").split("\n\n"):
        name = paragraph.partition("\n")[0].removeprefix("Package: ")
        if name and wanted(name):
            lines = [line for line in paragraph.splitlines() if ": " in line and line[:1] != " "]
            found.setdefault(name, []).append(dict(line.split(": ", 1) for line in lines))
    return found


def _needs(fields: Mapping[str, str]) -> set[str]:
    words = ",".join(fields.get(key, "") for key in ("Depends", "Pre-Depends"))
    return {re.split(r"[ (:|]", word.strip())[0] for word in words.split(",") if word.strip()}


def environment() -> dict[str, str]:
    """The environment of programs in a root: nothing of the tests' own but what leads to the archive."""
    kept = {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {**kept, "PATH": path, "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def proxies() -> str:
    """The host's own proxy settings of apt."""
    if not shutil.which("apt-config"):
        return ""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    return "".join(f"{line}\n" for line in dump.splitlines() if re.match(r"Acquire::https?::Proxy\b", line))


@functools.cache
def mounts() -> tuple[Path, ...]:
    """What the minion needs: the interpreter, its standard library, the environment that has Salt, the checkout."""
    paths = [Path(os.path.realpath(sys.executable)), Path(sysconfig.get_path("stdlib")), Path(sys.prefix), REPO]
    # The interpreter's own library: a system with another Python has one of the same name.
    library = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME") or "")
    if library.is_file() and not library.is_relative_to("/usr/lib"):
        paths.append(library)
    return tuple(dict.fromkeys(paths))


def add_libraries(root: RealRoot) -> None:
    """Give the minion's Python the shared libraries that it is linked to; the system's own come first for everybody."""
    target = root.path / LIBRARIES.lstrip("/")
    target.mkdir(parents=True, exist_ok=True)
    for library in _libraries():
        shutil.copy(library, target)
    root.write("etc/ld.so.conf.d/zz-minion.conf", f"{LIBRARIES}\n")
    root.run("ldconfig")


@functools.cache
def _libraries() -> tuple[Path, ...]:
    found = Path(sysconfig.get_path("stdlib")).glob("lib-dynload/*.so")
    modules = [path for path in found if "tkinter" not in path.name]
    argv = ["ldd", os.path.realpath(sys.executable), *map(str, modules), *map(str, _extensions())]
    text = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    linked = dict(re.findall(r"(\S+) => (/\S+)", text))
    ours = ("libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libutil.so", "libresolv.so", "ld-linux")
    return tuple(Path(path) for name, path in sorted(linked.items()) if not name.startswith(ours))


def _extensions() -> Iterable[Path]:
    return Path(sysconfig.get_path("purelib")).rglob("*.abi3.so")


def native_architecture() -> str:
    """dpkg's word for this machine."""
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()

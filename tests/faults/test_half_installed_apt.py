# SPDX-License-Identifier: Apache-2.0
"""A dpkg that is killed while it unpacks or configures: what is left is named, and installed again where it may be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import apt_root
from support.faults.children import kill_all, run, start, wait_for, workers
from support.faults.debs import ARCHITECTURE, Deb, build_deb
from support.faults.managers import APT, NEW, OLD, build_apt

pytestmark = pytest.mark.root

FILES = 800
#: Both the update and the new package that it needs take dpkg a moment to unpack and to configure.
SLOW = {"preinst": "sleep 0.1", "postinst": "sleep 0.3"}


def large(name: str, version: str, **more: Any) -> Deb:
    content = {f"usr/share/{name}/{number:04}": version * 500 for number in range(FILES)}
    return Deb(name, version, files=content, **more)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with updates of alpha, which needs a new package, and of beta."""
    root = tmp_path_factory.mktemp("half") / "root"
    alpha = large("alpha", NEW, fields={"Depends": "fresh"}, scripts=SLOW)
    offered = [alpha, large("fresh", NEW, scripts=SLOW), Deb("beta", NEW)]
    build_apt(root, installed=[large("alpha", OLD), Deb("beta", OLD)], offered=offered)
    root.rename(root.with_name("kept"))
    return root


@pytest.fixture
def settings(base: Path) -> dict[str, Any]:
    """The settings of the root, put back to where it was made."""
    shutil.rmtree(base, ignore_errors=True)
    subprocess.run(["cp", "-a", str(base.with_name("kept")), str(base)], check=True, timeout=60)
    return APT.settings(base)


def broken(root: Path) -> dict[str, str]:
    """Return what dpkg itself calls neither installed nor absent, by ``name.arch``."""
    form = "${Package}.${Architecture} ${db:Status-Status} ${db:Status-Eflag}\\n"
    argv = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", form]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    found = (line.split() for line in lines)
    return {name: state for name, state, flag in found if (state, flag) != ("installed", "ok")}


def killed(root: Path, settings: dict[str, Any], reached: Callable[[], Any], after: float = 0) -> None:
    """Kill an install with all that it has started, some seconds after it has reached a point."""
    process = start("install", settings)
    wait_for(reached, "the moment to kill it")
    time.sleep(after)
    # The operation first: it would let dpkg go on.
    process.kill()
    kill_all(root)
    process.communicate(timeout=60)


def step(root: Path, word: str) -> bool:
    """Whether dpkg does this for apt now."""
    return any("dpkg" in words and f"--{word}" in words for words in workers(root).values())


def unpacking(root: Path, name: str) -> Callable[[], bool]:
    """Whether some of a package's files are there, in their new version or beside it."""
    return lambda: len([*(root / "usr/share" / name).glob("*.dpkg-new")]) > 10


MOMENTS = [(word, after / 10) for word in ("unpack", "configure") for after in (0, 1, 2, 4, 6)]


@pytest.mark.parametrize(("word", "after"), MOMENTS)
def test_killed_at_any_moment_of_dpkg(base: Path, settings: dict[str, Any], word: str, after: float) -> None:
    killed(base, settings, lambda: step(base, word), after)
    left = broken(base)
    report = run("resume", settings)["report"]
    said = [text for text in report["warnings"] if text.startswith("dpkg was interrupted")]
    for name, state in left.items():
        assert any(f"{name} ({state}" in text for text in said), (left, said)
    assert broken(base) == {}, said
    assert APT.problems(base).replace("tmp.i", "").strip() == ""
    states = {row["Id"].partition(".")[0]: row["PatchState"] for row in report["patches"]}
    versions = APT.versions(base)
    assert all(states[name] == ("Installed" if versions[name] == NEW else "Failed") for name in versions)
    assert run("install", settings)["compliance"] == "COMPLIANT"
    assert APT.versions(base) == dict.fromkeys(("alpha", "beta", "fresh"), NEW)
    assert APT.problems(base) == ""


@pytest.mark.parametrize("name", ["fresh", "alpha"])
def test_what_is_half_installed_is_named_and_installed_again(base: Path, settings: dict[str, Any], name: str) -> None:
    killed(base, settings, unpacking(base, name))
    package = f"{name}.{ARCHITECTURE}"
    assert broken(base)[package] == "half-installed"
    seen = next(row for row in run("explain", settings, arguments={"name": name}))
    assert "half-installed" in seen["reason"] and f"apt-get install --reinstall {name}" in seen["reason"]
    report = run("resume", settings)["report"]
    (said,) = [text for text in report["warnings"] if text.startswith("dpkg was interrupted")]
    assert f"dpkg --configure -a left {package} (half-installed)" in said and "repaired it" not in said
    assert f"apt-get install --reinstall {name}" in said
    assert APT.versions(base)[name] == NEW
    assert next(row for row in report["patches"] if row["Id"] == package)["PatchState"] == "Installed"
    assert f"fresh:{ARCHITECTURE}" in auto(base)


def auto(root: Path) -> str:
    argv = ["apt-mark", "showauto"]
    env = {"APT_CONFIG": str(root / "etc/apt/apt.conf"), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    found = subprocess.run(argv, env=env, check=True, capture_output=True, text=True, timeout=60).stdout.split()
    return " ".join(name if ":" in name else f"{name}:{ARCHITECTURE}" for name in found)


@pytest.mark.parametrize("follower", ["resume", "install"])
def test_a_dependency_that_no_rule_approves_comes_again(base: Path, settings: dict[str, Any], follower: str) -> None:
    baseline = {"operatingSystem": "DEBIAN", "approvedPatches": ["alpha", "beta"]}
    settings["baseline"] = baseline
    killed(base, settings, unpacking(base, "fresh"))
    run(follower, settings)
    assert APT.versions(base)["fresh"] == NEW
    assert run("install", settings)["compliance"] == "COMPLIANT"
    assert APT.versions(base) == dict.fromkeys(("alpha", "beta", "fresh"), NEW)


def held(root: Path, settings: dict[str, Any]) -> None:
    APT.lock(root, "fresh")


def rejected(root: Path, settings: dict[str, Any]) -> None:
    (journal,) = (root / "var/lib/ssmpatch").glob("journal-*.json")
    found = json.loads(journal.read_text())
    found["settings"]["baseline"] |= {"rejectedPatches": ["fresh"], "rejectedPatchesAction": "BLOCK"}
    journal.write_text(json.dumps(found))


def outside(root: Path, settings: dict[str, Any]) -> None:
    opens = time.strftime("%H:%M", time.gmtime(time.time() + 7200))
    settings["window"] = {"start": opens, "duration": "1h", "timezone": "UTC"}


def gone(root: Path, settings: dict[str, Any]) -> None:
    for path in root.glob("srv/repositories/security/pool/fresh_*"):
        path.unlink()
    for path in root.glob("var/cache/apt/archives/fresh_*"):
        path.unlink()


def pinned(root: Path, settings: dict[str, Any]) -> None:
    preferences = root / "etc/apt/preferences"
    preferences.write_text("Package: fresh\nPin: version *\nPin-Priority: -1\n")


def of_a_pinned_archive(root: Path, settings: dict[str, Any]) -> None:
    preferences = root / "etc/apt/preferences"
    preferences.write_text("Package: fresh\nPin: release l=Debian-Security\nPin-Priority: -1\n")


@pytest.mark.parametrize(
    "kept", [held, rejected, outside, gone, pinned, of_a_pinned_archive], ids=lambda each: each.__name__
)
def test_what_may_not_come_in_is_not_installed_again(
    base: Path, settings: dict[str, Any], kept: Callable[[Path, dict[str, Any]], None]
) -> None:
    killed(base, settings, unpacking(base, "fresh"))
    run("status", settings)
    kept(base, settings)
    report = run("resume", settings)["report"]
    assert broken(base) == {f"fresh.{ARCHITECTURE}": "half-installed"}
    row = next(row for row in report["patches"] if row["Id"] == f"fresh.{ARCHITECTURE}")
    assert row["PatchState"] == "Failed" and "half-installed" in row["reason"]
    assert any(f"left fresh.{ARCHITECTURE} (half-installed)" in text for text in report["warnings"])


def test_a_scan_names_it_and_installs_nothing(base: Path, settings: dict[str, Any]) -> None:
    killed(base, settings, unpacking(base, "fresh"))
    report = run("scan", settings)
    assert broken(base) == {f"fresh.{ARCHITECTURE}": "half-installed"}
    row = next(row for row in report["patches"] if row["Id"] == f"fresh.{ARCHITECTURE}")
    assert row["PatchState"] == "Missing" and "half-installed" in row["reason"]
    assert run("install", settings)["compliance"] == "COMPLIANT"
    assert APT.problems(base) == ""


@pytest.mark.parametrize("offered", [OLD, NEW])
@pytest.mark.parametrize("word", ["remove", "purge"])
@pytest.mark.parametrize("script", ["prerm", "postrm"])
def test_what_was_being_removed_does_not_come_back(tmp_path: Path, script: str, word: str, offered: str) -> None:
    root, settings = tmp_path / "root", APT.settings(tmp_path / "root")
    alpha = Deb("alpha", OLD, scripts={script: f"touch {tmp_path}/began; sleep 60"})
    build_apt(root, installed=[alpha, Deb("beta", OLD)], offered=[Deb("alpha", offered), Deb("beta", NEW)])
    argv = ["dpkg", f"--root={root}", "--force-all", f"--{word}", "alpha"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as dpkg:
        wait_for((tmp_path / "began").exists, "the script")
        os.killpg(dpkg.pid, signal.SIGKILL)
    state = broken(root)[f"alpha.{ARCHITECTURE}"]
    row = next(row for row in run("scan", settings)["patches"] if row["Id"].startswith("alpha."))
    assert row["PatchState"] == "Missing" and f"apt-get remove alpha:{ARCHITECTURE}" in row["reason"]
    report = run("install", settings)
    rows = {row["Id"].partition(".")[0]: row for row in report["patches"]}
    states = {name: row["PatchState"] for name, row in rows.items()}
    assert any("alpha was to be removed (by hand: apt-get remove alpha)" in text for text in report["warnings"])
    if state == "half-configured":
        # Nothing of it is gone yet, and apt-get by itself would configure it together with another package.
        assert broken(root) == {f"alpha.{ARCHITECTURE}": "half-configured"}
        assert APT.versions(root) == {"beta": NEW} and states == {"alpha": "Failed", "beta": "Installed"}
        return
    # apt-get would end the removal, whatever it is asked for.
    assert broken(root) == {f"alpha.{ARCHITECTURE}": "half-installed"}
    assert states == {"alpha": "Failed", "beta": "Failed"} and report["compliance"] == "NON_COMPLIANT"
    assert f"end that with apt-get remove alpha:{ARCHITECTURE}" in rows["beta"]["reason"]
    (root / "var/lib/dpkg/info/alpha.postrm").unlink()
    env = apt_root.environment(str(root))
    subprocess.run(["apt-get", "-y", "remove", "alpha"], env=env, check=True, stdout=subprocess.DEVNULL, timeout=60)
    assert run("install", settings)["compliance"] == "COMPLIANT"
    assert APT.versions(root) == {"beta": NEW}


@pytest.mark.parametrize("offered", [OLD, NEW])
@pytest.mark.parametrize("approved", [["beta"], ["alpha", "beta"]])
def test_an_update_that_was_killed_in_its_first_script_comes_again(
    tmp_path: Path, approved: list[str], offered: str
) -> None:
    """dpkg calls it half-configured then and refuses to configure it: it must be installed again."""
    root, settings = tmp_path / "root", APT.settings(tmp_path / "root")
    settings["baseline"] = {"operatingSystem": "DEBIAN", "approvedPatches": approved}
    # Scripts see this directory only where dpkg does not change its root.
    first = f"[ ! -d {tmp_path} ] || {{ : > {tmp_path}/began; sleep 60; }}"
    offers = [Deb("alpha", version) for version in dict.fromkeys((OLD, offered))]
    build_apt(root, installed=[Deb("alpha", OLD, scripts={"prerm": first}), Deb("beta", OLD)], offered=offers)
    argv = ["dpkg", f"--root={root}", "--force-all", "--unpack", str(build_deb(Deb("alpha", NEW), tmp_path))]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as dpkg:
        wait_for((tmp_path / "began").exists, "the script")
        os.killpg(dpkg.pid, signal.SIGKILL)
    assert broken(root) == {f"alpha.{ARCHITECTURE}": "half-configured"}
    row = next(row for row in run("scan", settings)["patches"] if row["Id"].startswith("alpha."))
    assert row["PatchState"] == "Missing" and f"apt-get install --reinstall alpha:{ARCHITECTURE}" in row["reason"]
    assert run("install", settings)["compliance"] == "COMPLIANT"
    wanted = offered if "alpha" in approved else OLD
    assert APT.versions(root) == {"alpha": wanted, "beta": OLD} and APT.problems(root) == ""

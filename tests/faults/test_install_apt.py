# SPDX-License-Identifier: Apache-2.0
"""What goes wrong while apt installs: what failed is Failed, in apt's or dpkg's own words; the rest is installed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import api, config
from ssmpatchlib.errors import InvalidInput, SsmpatchError
from support.faults.debs import ARCHITECTURE, Deb, build_repository
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, NEW, OLD, REPOSITORIES, build_apt, hashes
from support.store import tmpfs

pytestmark = pytest.mark.root

CALLER = quiet_surface()


def settings(root: Path, **more: Any) -> config.Settings:
    return config.load(minion={**APT.settings(root), **more})


def install(root: Path, **more: Any) -> dict[str, Any]:
    return api.install(settings(root, **more), caller=CALLER, host=FaultHost())


def old(*names: str) -> list[Deb]:
    return [Deb(name, OLD) for name in names]


def new(name: str, **fields: Any) -> Deb:
    return Deb(name, NEW, **fields)


def states(report: dict[str, Any]) -> dict[str, str]:
    return {row["Id"].rpartition(".")[0]: row["PatchState"] for row in report["patches"]}


def reason(report: dict[str, Any], name: str) -> str:
    return next(row["reason"] for row in report["patches"] if row["Id"] == f"{name}.{ARCHITECTURE}")


def changed(*names: str) -> dict[str, dict[str, str]]:
    return {name: {"old": OLD, "new": NEW} for name in names}


def test_what_cannot_be_downloaded_fails_alone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(
        root,
        installed=old("alpha", "beta", "gamma", "delta", "epsilon"),
        offered=[
            new("alpha", downloadable=False),
            new("beta", fields={"Depends": f"alpha (>= {NEW})"}),
            new("gamma", fields={"Depends": "helper"}),
            new("helper", downloadable=False),
            new("delta"),
            new("epsilon"),
        ],
    )
    report = install(root)
    expected = {"alpha": "Failed", "beta": "Failed", "gamma": "Failed", "delta": "Installed", "epsilon": "Installed"}
    assert states(report) == expected
    assert "Failed to fetch" in reason(report, "alpha") and f"alpha_{NEW}" in reason(report, "alpha")
    assert f"alpha_{NEW}" in reason(report, "beta")
    assert f"helper_{NEW}" in reason(report, "gamma")
    assert report["changes"] == changed("delta", "epsilon")
    assert api.return_code(report) == 1
    assert APT.problems(root) == ""


@pytest.mark.parametrize("others", [1, 12])
def test_what_cannot_be_unpacked_fails_alone(tmp_path: Path, others: int) -> None:
    # With many packages apt hands dpkg a directory of numbered links instead of names.
    root = tmp_path / "root"
    names = [f"other{number}" for number in range(others)]
    thief = new("thief", files={"usr/share/owner/version": "stolen"})
    build_apt(root, installed=old("owner", "thief", *names), offered=[thief, new("owner"), *map(new, names)])
    report = install(root)
    assert states(report) == {"thief": "Failed", "owner": "Installed", **dict.fromkeys(names, "Installed")}
    assert "trying to overwrite '/usr/share/owner/version'" in reason(report, "thief")
    assert report["changes"] == changed("owner", *names)
    assert APT.versions(root) == {**dict.fromkeys(["owner", *names], NEW), "thief": OLD}
    assert APT.problems(root) == ""


@pytest.mark.parametrize("script", ["preinst", "postinst"])
def test_a_failing_maintainer_script_fails_alone(tmp_path: Path, script: str) -> None:
    root = tmp_path / "root"
    broken = new("broken", scripts={script: "echo sorry about this >&2; exit 42"})
    build_apt(root, installed=old("alpha", "broken", "zeta"), offered=[new("alpha"), broken, new("zeta")])
    report = install(root)
    assert states(report) == {"alpha": "Installed", "broken": "Failed", "zeta": "Installed"}
    word = "pre-installation" if script == "preinst" else "post-installation"
    assert f"{word} script subprocess returned error exit status 42" in reason(report, "broken")
    row = next(row for row in report["patches"] if row["PatchState"] == "Failed")
    assert row["Title"] == f"broken.{ARCHITECTURE}:{NEW}"
    # Unpacked is changed; nothing looks as if it had been removed.
    assert report["changes"] == changed("alpha", *(["broken"] if script == "postinst" else []), "zeta")
    assert api.return_code(report) == 1
    scan = api.scan(settings(root), caller=CALLER)
    assert scan["compliance"] == "NON_COMPLIANT"
    assert states(scan)["broken"] in ("Missing", "Failed")


def test_what_needs_a_failed_package_fails_with_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    broken = new("broken", scripts={"postinst": "exit 1"})
    needing = new("needing", fields={"Depends": f"broken (>= {NEW})"})
    build_apt(root, installed=old("alpha", "broken", "needing"), offered=[new("alpha"), broken, needing])
    report = install(root)
    assert states(report) == {"alpha": "Installed", "broken": "Failed", "needing": "Failed"}
    assert "broken" in reason(report, "needing")


def test_a_half_configured_package_is_repaired_first(tmp_path: Path) -> None:
    root = tmp_path / "root"
    late = new("late", scripts={"postinst": "test -e /allowed || exit 7"})
    build_apt(root, installed=old("late"), offered=[late])
    assert states(install(root)) == {"late": "Failed"}
    assert "half-configured" in APT.problems(root) or "late" in APT.problems(root)
    (root / "allowed").touch()
    report = install(root)
    assert any("late" in text and "repaired" in text for text in report["warnings"])
    assert (report["compliance"], report["changes"]) == ("COMPLIANT", {})
    assert APT.problems(root) == ""


def test_an_interrupted_unpack_is_made_good(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=old("alpha", "beta"), offered=[new("alpha"), new("beta")])
    status = root / "var/lib/dpkg/status"
    paragraphs = status.read_text().split("\n\n")
    broken = [p.replace("install ok installed", "install reinstreq half-installed") for p in paragraphs if "alpha" in p]
    status.write_text("\n\n".join([*broken, *(p for p in paragraphs if "alpha" not in p)]))
    assert APT.problems(root) != ""
    report = install(root)
    assert report["compliance"] == "COMPLIANT", report["patches"]
    assert APT.versions(root) == {"alpha": NEW, "beta": NEW}
    assert APT.problems(root) == ""


def test_the_administrators_configuration_stays(tmp_path: Path) -> None:
    root = tmp_path / "root"
    files = {"etc/changed.conf": "the package's\n", "etc/unchanged.conf": "the package's\n"}
    before = Deb("daemon", OLD, conffiles=files)
    after = Deb("daemon", NEW, conffiles={name: f"new: {text}" for name, text in files.items()})
    build_apt(root, installed=[before], offered=[after])
    (root / "etc/changed.conf").write_text("the administrator's\n")
    assert install(root)["changes"] == changed("daemon")
    assert (root / "etc/changed.conf").read_text() == "the administrator's\n"
    assert (root / "etc/changed.conf.dpkg-dist").read_text() == "new: the package's\n"
    assert (root / "etc/unchanged.conf").read_text() == "new: the package's\n"


def test_a_held_package_stays(tmp_path: Path) -> None:
    root = tmp_path / "root"
    needing = new("needing", fields={"Depends": f"held (>= {NEW})"})
    build_apt(root, installed=old("free", "held", "needing"), offered=[new("free"), new("held"), needing])
    hold = ["dpkg", f"--admindir={root}/var/lib/dpkg", "--set-selections"]
    subprocess.run(hold, input="held hold\n", text=True, check=True, timeout=60)
    report = install(root)
    assert states(report) == {"free": "Installed", "held": "Failed", "needing": "Failed"}
    assert "held (apt-mark hold)" in reason(report, "held")
    assert "held is held (apt-mark hold)" in reason(report, "needing")
    assert APT.versions(root) == {"free": NEW, "held": OLD, "needing": OLD}


def test_a_dependency_of_an_untrusted_repository_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(
        root,
        installed=old("alpha", "beta"),
        offered=[new("alpha", fields={"Depends": "stranger"}), new("beta")],
        untrusted=[new("stranger")],
    )
    report = install(root)
    assert states(report) == {"alpha": "Failed", "beta": "Installed"}
    assert "stranger" in reason(report, "alpha") and "untrusted" in reason(report, "alpha")
    assert "stranger" not in APT.versions(root)
    assert any("untrusted" in text and "not trusted" in text for text in report["warnings"])


def with_sources(root: Path, product: str) -> dict[str, Any]:
    baseline = dict(APT.settings(root)["baseline"])
    line = build_repository(root.parent / f"alternative-{product}", [new("alpha"), Deb("beta", "3.0")])
    baseline["sources"] = [{"name": "ours", "products": [product], "configuration": line}]
    return baseline


def test_alternative_sources_leave_the_systems_files_alone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=old("alpha", "beta"), offered=[Deb("alpha", "9.0")])
    assert api.scan(settings(root), caller=CALLER)["compliance"] == "NON_COMPLIANT"
    before = hashes(root / "etc", root / "var/lib/apt", root / REPOSITORIES)
    baseline = with_sources(root, "Debian12")
    scan = api.scan(settings(root, baseline=baseline), caller=CALLER)
    assert {row["Title"] for row in scan["patches"]} == {
        f"alpha.{ARCHITECTURE}:{NEW}",
        f"beta.{ARCHITECTURE}:3.0",
    }
    assert install(root, baseline=baseline)["compliance"] == "COMPLIANT"
    assert APT.versions(root) == {"alpha": NEW, "beta": "3.0"}
    assert hashes(root / "etc", root / "var/lib/apt", root / REPOSITORIES) == before
    assert states(api.scan(settings(root), caller=CALLER))["alpha"] == "Missing"


@pytest.mark.parametrize("call", ["scan", "plan", "install"])
def test_sources_of_other_products_only_are_an_error(tmp_path: Path, call: str) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=old("alpha"), offered=[new("alpha")])
    chosen = settings(root, baseline=with_sources(root, "Debian11"))
    with pytest.raises(InvalidInput, match=r"none of its Sources \(ours\) is for Debian12"):
        getattr(api, call)(chosen, caller=CALLER)
    assert APT.versions(root) == {"alpha": OLD}


@pytest.mark.parametrize("place", ["var/cache/apt/archives", "var/lib/dpkg"])
def test_too_little_room_stops_before_anything_is_begun(tmp_path: Path, place: str) -> None:
    root = tmp_path / "root"
    big = {"Installed-Size": "90000"}
    build_apt(root, installed=old("alpha"), offered=[new("alpha", fields=big)])
    kept = root / place
    moved = kept.with_name("moved")
    kept.rename(moved)
    with tmpfs(kept, size="8m"):
        subprocess.run(["cp", "-a", f"{moved}/.", str(kept)], check=True, timeout=60)
        report = install(root)
        assert states(report) == {"alpha": "Failed"}
        assert f"not enough disk space at {kept}" in reason(report, "alpha")
        assert APT.versions(root) == {"alpha": OLD}
        assert not list((root / "var/cache/apt/archives").glob("*.deb"))


def test_the_running_system_is_not_touched(tmp_path: Path) -> None:
    root = tmp_path / "root"
    build_apt(root, installed=old("alpha"), offered=[new("alpha", fields={"Depends": "fresh"}), new("fresh")])
    ours = ("/etc/apt", "/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt", "/var/lib/ssmpatch", "/var/log/amazon")
    before = times(*ours)
    assert install(root)["changes"] == {**changed("alpha"), "fresh": {"old": "", "new": NEW}}
    assert api.scan(settings(root), caller=CALLER)["compliance"] == "COMPLIANT"
    assert times(*ours) == before
    assert not any(Path("/usr/share/alpha").glob("*"))


def times(*places: str) -> dict[str, int]:
    """When each file below the places was last changed in any way."""
    return {str(path): path.lstat().st_ctime_ns for place in places for path in Path(place).rglob("*")}


def test_a_root_that_is_no_debian_system_is_named(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with pytest.raises(SsmpatchError, match="no etc/apt in it"):
        install(tmp_path / "root")


def test_download_and_unpacked_files_need_room_together(tmp_path: Path) -> None:
    root = tmp_path / "root"
    sizes = {"Installed-Size": str(20 * 1024)}
    build_apt(root, installed=old("alpha"), offered=[new("alpha", fields=sizes, files={"srv/blob": "x" * (20 << 20)})])
    kept = root / "var"
    moved = kept.with_name("moved")
    kept.rename(moved)
    with tmpfs(kept, size="98m"):
        subprocess.run(["cp", "-a", f"{moved}/.", str(kept)], check=True, timeout=60)
        assert "not enough disk space" in reason(install(root), "alpha")
        assert APT.versions(root) == {"alpha": OLD}

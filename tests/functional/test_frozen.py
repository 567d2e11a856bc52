# SPDX-License-Identifier: Apache-2.0
"""A frozen set limits what is installed, never what is true: reports, states, plans and installs with one in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.loader_minion import LoaderMinion, case, installed_versions, package

MakeMinion = Callable[..., LoaderMinion]

pytestmark = pytest.mark.root

HELD = "held back by the frozen set"


def frozen(**versions: str) -> dict[str, Any]:
    """A frozen set of Debian 12 that ends at these versions."""
    packages = {f"{name}.amd64": version for name, version in versions.items()}
    return {"ssmpatch_frozen": 1, "operating_system": "DEBIAN", "product": "Debian12", "packages": packages}


def both_missing(**more: Any) -> dict[str, Any]:
    """Security updates of two packages, of openssl two."""
    return case(
        [package("openssl", "1.0"), package("postgresql", "1.0")],
        [package("openssl", "2.0"), package("openssl", "3.0"), package("postgresql", "2.0")],
        **more,
    )


def reasons(report: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """State, version on offer and reason by Id."""
    return {row["Id"]: (row["PatchState"], row["available_version"], row["reason"]) for row in report["patches"]}


def test_what_is_beyond_the_set_is_missing_and_stays_so(make_minion: MakeMinion) -> None:
    minion = make_minion(both_missing(), frozen=frozen(openssl="2.0"))
    found = minion("scan")
    assert (found["compliance"], found["frozen_compliance"]) == ("NON_COMPLIANT", "NON_COMPLIANT")
    assert found["held_back"] == ["postgresql.amd64"]
    rows = reasons(found)
    state, version, reason = rows["openssl.amd64"]
    assert (state, version) == ("Missing", "2.0") and f"3.0 is approved, but {HELD} (ends at 2.0)" in reason
    state, version, reason = rows["postgresql.amd64"]
    assert (state, version) == ("Missing", "2.0") and reason.startswith("approved by rule 0")
    assert reason.endswith(f"; {HELD} (not in it)")

    plan = minion("plan")
    assert plan["changes"] == {"openssl": {"old": "1.0", "new": "2.0"}}
    assert (plan["held_back"], plan["blocked"]) == (["postgresql.amd64"], [])

    done = minion("install")
    assert installed_versions(minion.root) == {"openssl": "2.0", "postgresql": "1.0"}
    assert (done["compliance"], done["frozen_compliance"], minion.retcode) == ("NON_COMPLIANT", "COMPLIANT", 0)
    assert done["held_back"] == ["openssl.amd64", "postgresql.amd64"]
    assert (done["summary"]["MissingCount"], done["summary"]["FailedCount"]) == ("2", "0")
    assert reasons(done)["openssl.amd64"][2].endswith(f"; {HELD} (ends at 2.0)")
    assert any(text.startswith(f"2 approved updates are {HELD} (configuration): openssl") for text in done["warnings"])
    stored = minion("report", states="Missing")
    assert (stored["held_back"], stored["frozen_compliance"]) == (done["held_back"], "COMPLIANT")
    assert minion("plan")["changes"] == {}


def test_without_a_set_nothing_is_held_back(make_minion: MakeMinion) -> None:
    found = make_minion(both_missing())("scan")
    assert found["held_back"] == [] and "frozen_compliance" not in found


def test_the_state_succeeds_when_everything_is_in_that_the_set_lets_in(make_minion: MakeMinion) -> None:
    minion = make_minion(both_missing(), frozen=frozen(openssl="2.0"))
    for result, changes in ((True, {"openssl": {"old": "1.0", "new": "2.0"}}), (True, {})):
        ret = minion.state("compliant")
        assert (ret["result"], ret["changes"]) == (result, changes)
        assert ret["comment"].startswith("This host is not compliant")
        assert "By the frozen set (configuration) it is compliant; 2 held back." in ret["comment"]
        assert any(HELD in text for text in ret["warnings"])
    again = minion.state("compliant", test=True)
    assert (again["result"], again["changes"]) == (True, {})
    assert minion.state("scanned")["result"] is False


def test_a_package_that_the_set_lets_in_and_a_hold_does_not_is_a_failure(make_minion: MakeMinion) -> None:
    held = case(
        [package("openssl", "1.0", status="hold ok installed")], [package("openssl", "2.0"), package("openssl", "3.0")]
    )
    minion = make_minion(held, frozen=frozen(openssl="2.0"))
    found = minion("scan")
    assert (found["held_back"], found["frozen_compliance"]) == ([], "NON_COMPLIANT")
    assert reasons(found)["openssl.amd64"][1] == "2.0"
    assert minion.state("compliant")["result"] is False


def test_a_source_that_cannot_be_read_is_no_success_behind_the_set(make_minion: MakeMinion) -> None:
    minion = make_minion(both_missing(), frozen=frozen())
    sources = minion.root / "etc/apt/sources.list"
    sources.write_text(f"{sources.read_text()}deb [trusted=yes] file:{minion.root}/nowhere stable main\n")
    found = minion("scan")
    assert (found["compliance"], found["frozen_compliance"]) == ("NON_COMPLIANT", "UNKNOWN")
    assert minion.state("compliant")["result"] is False


def test_no_newer_version_comes_in_as_a_dependency(make_minion: MakeMinion) -> None:
    security = [
        package("openssl", "2.0", depends="libssl (>= 2.0), libnew"),
        package("libssl", "2.0"),
        package("libssl", "3.0"),
        package("libnew", "1.0"),
    ]
    what = case([package("openssl", "1.0"), package("libssl", "1.0")], security)
    minion = make_minion(what, frozen=frozen(openssl="2.0", libssl="2.0"))
    done = minion("install")
    assert installed_versions(minion.root) == {"openssl": "2.0", "libssl": "2.0", "libnew": "1.0"}
    assert done["held_back"] == ["libssl.amd64"]


def test_an_update_that_needs_what_the_set_keeps_out_fails_with_the_reason(make_minion: MakeMinion) -> None:
    security = [package("openssl", "2.0", depends="libssl (>= 3.0)"), package("libssl", "3.0")]
    what = case([package("openssl", "1.0"), package("libssl", "1.0")], security)
    minion = make_minion(what, frozen=frozen(openssl="2.0", libssl="1.0"))
    done = minion("install")
    assert installed_versions(minion.root) == {"openssl": "1.0", "libssl": "1.0"}
    assert (
        reasons(done)["openssl.amd64"][0] == "Failed" and f"{HELD} (ends at 1.0)" in reasons(done)["openssl.amd64"][2]
    )
    assert done["held_back"] == ["libssl.amd64"] and minion.retcode == 1


@pytest.mark.parametrize("override", [None, {"patches": [{"id": "openssl"}]}])
def test_no_newer_version_of_a_new_dependency_comes_in(make_minion: MakeMinion, override: Any) -> None:
    newer = [package("libnew", f"{number}.0") for number in range(2, 7)]
    security = [package("openssl", "2.0", depends="libnew"), package("libnew", "1.0"), *newer]
    minion = make_minion(case([package("openssl", "1.0")], security), frozen=frozen(openssl="2.0", libnew="1.0"))
    minion("install", **({"install_override_list": override} if override else {}))
    assert installed_versions(minion.root) == {"openssl": "2.0", "libnew": "1.0"}


def test_a_new_dependency_that_the_set_keeps_out_is_named(make_minion: MakeMinion) -> None:
    security = [package("openssl", "2.0", depends="libnew"), package("libnew", "2.0")]
    minion = make_minion(case([package("openssl", "1.0")], security), frozen=frozen(openssl="2.0", libnew="1.0"))
    done = minion("install")
    assert installed_versions(minion.root) == {"openssl": "1.0"}
    assert f"libnew.amd64 2.0: {HELD} (ends at 1.0)" in reasons(done)["openssl.amd64"][2]


def test_an_install_override_list_goes_no_further(make_minion: MakeMinion) -> None:
    minion = make_minion(both_missing(), frozen=frozen(openssl="2.0"))
    done = minion("install", install_override_list={"patches": [{"id": "openssl"}, {"id": "postgresql"}]})
    assert installed_versions(minion.root) == {"openssl": "2.0", "postgresql": "1.0"}
    state, _version, reason = reasons(done)["postgresql.amd64"]
    assert state == "Failed" and f"{HELD} (not in it)" in reason
    assert reasons(done)["openssl.amd64"][0] == "Missing"


def test_explain_says_which_version_is_held_back(make_minion: MakeMinion) -> None:
    minion = make_minion(both_missing(), frozen=frozen(openssl="2.0"))
    (openssl,) = minion("explain", name="openssl")
    versions = {each["version"]: (each["approved"], each["kept_out"]) for each in openssl["versions"]}
    assert versions["2.0"] == (True, "") and versions["3.0"] == (True, f"{HELD} (ends at 2.0)")
    (postgresql,) = minion("explain", name="postgresql")
    assert postgresql["state"] == "Missing" and postgresql["versions"][-1]["kept_out"] == f"{HELD} (not in it)"


def test_a_set_that_is_frozen_under_another_one_ends_where_the_host_is(make_minion: MakeMinion) -> None:
    minion = make_minion(both_missing(), frozen=frozen(openssl="2.0"))
    assert minion("freeze")["packages"] == {"openssl.amd64": "2.0", "postgresql.amd64": "1.0"}

# SPDX-License-Identifier: Apache-2.0
"""Which baseline, override list and frozen set an operation follows."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib import config
from ssmpatchlib.aws import snapshot
from ssmpatchlib.baseline.defaults import default_baseline
from ssmpatchlib.baseline.frozen import build_frozen
from ssmpatchlib.baseline.parse import parse_baseline
from ssmpatchlib.errors import InvalidInput, SsmpatchError
from ssmpatchlib.fetch import Fetcher
from ssmpatchlib.host import Host
from ssmpatchlib.locations import AccessDenied, FetchError
from ssmpatchlib.model import Baseline
from ssmpatchlib.operation.baseline_in_force import (
    Resolved,
    effective_baseline,
    frozen_set,
    install_override_list,
)
from ssmpatchlib.osinfo import UNSUPPORTED, OsInfo
from support.baselines import baseline


def os_info(system: str = "DEBIAN") -> OsInfo:
    return OsInfo(
        operating_system=system,
        product="Debian12",
        products=("Debian12",),
        name="Some Linux",
        version="12",
        package_manager="apt",
    )


def resolved(
    pillar: dict[str, Any], *, system: str = "DEBIAN", fetcher: Fetcher | None = None, **more: Any
) -> Baseline:
    found = effective_baseline(
        config.load(pillar=pillar), os_info(system), fetcher=fetcher or Fetcher(), host=Host(), **more
    )
    assert found == Resolved(found.baseline)
    return found.baseline


SALT_FILES = {
    "salt://web.json": json.dumps([baseline(RejectedPatches=["bash"])]),
    "salt://list.yaml": "patches: [{id: bash.amd64}]",
    "salt://frozen.json": json.dumps(
        build_frozen(
            operating_system="DEBIAN", product="Debian12", created=0, baseline="pb-1", packages={"bash.amd64": "5"}
        )
    ),
}


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(salt=SALT_FILES.get)


# --- where the baseline comes from ------------------------------------------------------------------


def test_without_configuration_it_is_the_systems_default() -> None:
    assert resolved({}) == default_baseline("DEBIAN")
    assert resolved({"baseline": "default"}, system="SUSE") == default_baseline("SUSE")


def test_a_named_baseline_is_named_after_its_key_and_its_origin_says_so() -> None:
    pillar = {"baseline": "web-prod", "baselines": {"web-prod": {"ApprovedPatches": ["bash"]}, "other": {}}}
    found = resolved(pillar)
    assert (found.name, found.origin, found.operating_system) == ("web-prod", "pillar: web-prod", "DEBIAN")
    assert found.approved_patches == ("bash",)
    assert resolved(pillar | {"baseline": "other"}).id != found.id


def test_a_mapping_is_a_baseline_in_place() -> None:
    found = resolved({"baseline": {"name": "mine", "approvedPatches": ["bash"]}})
    assert (found.name, found.origin, found.approved_patches) == ("mine", "inline", ("bash",))


def aws_answers(monkeypatch: pytest.MonkeyPatch, system: str) -> snapshot.SnapshotResult:
    """Have AWS give the default baseline of a system; return its answer."""
    theirs = dataclasses.replace(default_baseline(system), origin="AWS")
    answer = snapshot.SnapshotResult(theirs, "snap-1", "web", "Debian12.0", ("it is old",))
    monkeypatch.setattr(snapshot, "deployable_baseline", lambda *args, **given: answer)
    return answer


def ask_aws() -> Resolved:
    return effective_baseline(config.load(pillar={"baseline": "aws"}), os_info(), fetcher=Fetcher(), host=Host())


def test_aws_is_asked_when_the_settings_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = aws_answers(monkeypatch, "DEBIAN").baseline
    assert ask_aws() == Resolved(theirs, ("Debian12.0",), "snap-1", "web", ("it is old",))


def test_aws_is_not_asked_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(snapshot, "deployable_baseline")
    assert resolved({}) == default_baseline("DEBIAN")
    assert resolved({"baseline": "aws"}, baseline_override=[baseline()]).origin == "override: inline"


def test_an_override_beats_the_baseline_and_an_argument_the_settings(fetcher: Fetcher) -> None:
    pillar = {"baseline_override": [baseline(RejectedPatches=["vim"])]}
    assert resolved(pillar).rejected_patches == ("vim",)
    found = resolved(pillar, baseline_override="salt://web.json", fetcher=fetcher)
    assert (found.rejected_patches, found.origin) == (("bash",), "override: salt://web.json")


def test_empty_text_cancels_the_override_of_the_settings() -> None:
    assert resolved({"baseline_override": [baseline()]}, baseline_override="") == default_baseline("DEBIAN")


# --- what does not fit --------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", [baseline(OperatingSystem="CENTOS"), "web"])
def test_a_baseline_for_another_system_is_refused(chosen: Any) -> None:
    pillar = {"baseline": chosen, "baselines": {"web": baseline(OperatingSystem="CENTOS")}}
    with pytest.raises(InvalidInput, match="is for CENTOS, but this host is DEBIAN; use another baseline"):
        resolved(pillar)


def test_awss_baseline_for_another_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    aws_answers(monkeypatch, "SUSE")
    with pytest.raises(InvalidInput, match="is for SUSE, but this host is DEBIAN"):
        ask_aws()


def test_a_filter_that_this_host_does_not_have_is_refused_with_its_path() -> None:
    document = {"GlobalFilters": {"PatchFilters": [{"Key": "SECTION", "Values": ["admin"]}]}}
    pillar = {"baseline": "web", "baselines": {"web": document}}
    assert resolved(pillar).global_filters
    with pytest.raises(InvalidInput) as caught:
        resolved(pillar, system="CENTOS")
    assert caught.value.problems[0].startswith(
        "ssmpatch:baselines:web:GlobalFilters.PatchFilters[0].Key: SECTION does not exist on CENTOS"
    )


def test_an_unsupported_system_has_no_default_and_takes_no_override() -> None:
    with pytest.raises(InvalidInput, match="Some Linux 12, which AWS patch baselines do not know") as caught:
        resolved({}, system=UNSUPPORTED)
    assert caught.value.code == 146
    with pytest.raises(InvalidInput) as caught:
        resolved({"baseline_override": [baseline()]}, system=UNSUPPORTED)
    assert caught.value.code == 166


@pytest.mark.parametrize(
    ("error", "code"), [(AccessDenied("denied"), 160), (FetchError("gone"), 162), (SsmpatchError("no boto3"), 162)]
)
def test_an_override_that_cannot_be_read_has_awss_code(error: SsmpatchError, code: int) -> None:
    def s3(location: str, *, max_bytes: int, timeout: float) -> str:
        raise error

    with pytest.raises(SsmpatchError, match=f"BaselineOverride: {error}") as caught:
        resolved({"baseline_override": "s3://bucket/key"}, fetcher=Fetcher(s3=s3))
    assert caught.value.code == code


def test_an_override_at_no_location_is_invalid_input() -> None:
    with pytest.raises(InvalidInput, match="BaselineOverride: 'web.json' is no location") as caught:
        resolved({"baseline_override": "web.json"})
    assert caught.value.code == 162


def test_an_override_in_a_file_is_read_as_json_and_yaml(tmp_path: Path) -> None:
    path = tmp_path / "override.yaml"
    path.write_text("- OperatingSystem: DEBIAN\n  RejectedPatches: [bash]\n")
    found = resolved({"baseline_override": str(path)})
    assert (found.rejected_patches, found.origin) == (("bash",), f"override: {path}")


# --- the other documents ------------------------------------------------------------------------------


def test_the_override_list_comes_from_the_argument_or_else_the_settings(fetcher: Fetcher) -> None:
    settings = config.load(pillar={"install_override_list": {"patches": [{"id": "vim.amd64"}]}})
    inline = install_override_list(settings, fetcher=fetcher)
    assert inline is not None
    assert (inline.entries[0].id, inline.location) == ("vim.amd64", "inline")
    fetched = install_override_list(settings, install_override_list="salt://list.yaml", fetcher=fetcher)
    assert fetched is not None
    assert (fetched.entries[0].id, fetched.location) == ("bash.amd64", "salt://list.yaml")
    assert install_override_list(settings, install_override_list="", fetcher=fetcher) is None
    assert install_override_list(config.load(), fetcher=fetcher) is None


def test_the_frozen_set_comes_from_its_location_or_in_place(fetcher: Fetcher) -> None:
    settings = config.load(pillar={"frozen": "salt://frozen.json"})
    found = frozen_set(settings, os_info(), fetcher=fetcher)
    assert found is not None
    assert (dict(found.versions), found.origin) == ({"bash.amd64": "5"}, "salt://frozen.json")
    settings = config.load(pillar={"frozen": json.loads(SALT_FILES["salt://frozen.json"])})
    found = frozen_set(settings, os_info(), fetcher=fetcher)
    assert found is not None
    assert found.origin == "configuration"
    with pytest.raises(InvalidInput, match="frozen for DEBIAN, but this host is UBUNTU"):
        frozen_set(settings, os_info("UBUNTU"), fetcher=fetcher)
    assert frozen_set(config.load(), os_info(), fetcher=fetcher) is None


def test_a_document_at_no_location_is_named(fetcher: Fetcher) -> None:
    with pytest.raises(InvalidInput, match=r"^InstallOverrideList: 'list\.yaml' is no location"):
        install_override_list(config.load(), install_override_list="list.yaml", fetcher=fetcher)
    with pytest.raises(InvalidInput, match=r"^frozen set: 'frozen\.json' is no location"):
        frozen_set(config.load(pillar={"frozen": "frozen.json"}), os_info(), fetcher=fetcher)


def test_a_document_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent.json"
    with pytest.raises(SsmpatchError, match=rf"InstallOverrideList: {absent}: No such file") as caught:
        install_override_list(config.load(), install_override_list=str(absent), fetcher=Fetcher())
    assert (caught.type, caught.value.code) == (SsmpatchError, 1)
    with pytest.raises(SsmpatchError, match=rf"frozen set: {absent}: No such file"):
        frozen_set(config.load(pillar={"frozen": str(absent)}), os_info(), fetcher=Fetcher())


def test_what_is_resolved_equals_what_is_parsed() -> None:
    document = baseline(Name="web-servers", RejectedPatches=["bash"])
    assert resolved({"baseline": document}) == parse_baseline(document, origin="inline")

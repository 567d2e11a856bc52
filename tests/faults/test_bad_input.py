# SPDX-License-Identifier: Apache-2.0
"""Baselines, override lists and settings that are wrong in any way: refused with a path, or used; nothing between."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib import api, config
from ssmpatchlib.errors import InvalidInput, SsmpatchError
from support.faults.children import built
from support.faults.driver import FaultHost, quiet_surface
from support.faults.managers import APT, MANAGERS, Manager, Update, hashes, or_skip

pytestmark = pytest.mark.root

CALLER = quiet_surface()
FEW = settings(max_examples=25, deadline=None)
SOME = settings(max_examples=60, deadline=None)

BASELINE: dict[str, Any] = {
    "name": "web",
    "operatingSystem": "DEBIAN",
    "globalFilters": {"filters": [{"key": "SECTION", "values": ["*"]}]},
    "approvalRules": {
        "rules": [
            {
                "filterGroup": {
                    "filters": [{"key": "PRODUCT", "values": ["Debian12"]}, {"key": "PRIORITY", "values": ["*"]}]
                },
                "complianceLevel": "HIGH",
                "approveAfterDays": 3,
                "enableNonSecurity": True,
            }
        ]
    },
    "approvedPatches": ["alpha*"],
    "approvedPatchesComplianceLevel": "LOW",
    "approvedPatchesEnableNonSecurity": False,
    "rejectedPatches": ["omega"],
    "rejectedPatchesAction": "BLOCK",
    "sources": [],
}
OVERRIDE: list[Any] = [
    {
        "Name": "web",
        "OperatingSystem": "DEBIAN",
        "ApprovalRules": {
            "PatchRules": [
                {
                    "PatchFilterGroup": {"PatchFilters": [{"Key": "PRODUCT", "Values": ["*"]}]},
                    "ApproveUntilDate": "2026-01-01",
                    "ComplianceLevel": "CRITICAL",
                }
            ]
        },
        "RejectedPatches": [],
    }
]
LIST: dict[str, Any] = {"patches": [{"id": "alpha.*", "title": "alpha*"}, {"id": "omega"}]}
SETTINGS: dict[str, Any] = {
    "baseline": "web",
    "baselines": {"web": BASELINE},
    "patch_group": "web",
    "reboot": {
        "option": "NoReboot",
        "delay": 5,
        "message": "soon",
        "windows": [{"days": ["sat"], "start": "02:00", "duration": "4h", "timezone": "UTC"}],
        "max_attempts": 2,
    },
    "window": {"days": ["mon"], "start": "00:00", "duration": "24h", "timezone": "UTC"},
    "hooks": {"pre_install": [{"test.ping": []}], "on_exit": []},
    "lock_timeout": 5,
    "refresh_max_age": 3600,
    "approval_delay": "first_seen",
    "upload": "never",
    "frozen": {"packages": {"alpha.amd64": "2.0"}},
}

ODD = ["", " ", "*", "[", "[!]", "a\nb", "\0", "é" * 300, "../../etc/passwd", "-rf", "%s", "{0}", "$HOME"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(ODD),
    st.sampled_from(["DEBIAN", "NoReboot", "first_seen", "2026-02-30", "25:00", "BLOCK", math.nan]),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document."""
    yield way
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*way, key))


def changed(document: Any, way: tuple[Any, ...], change: Callable[[Any, Any], object]) -> Any:
    """A copy of the document with a change at one place: ``change(container, key)``."""
    box = [copy.deepcopy(document)]
    container: Any = box
    key: Any = 0
    for step in way:
        container, key = container[key], step
    change(container, key)
    return box[0]


@st.composite
def spoiled(draw: st.DrawFn, document: Any) -> Any:
    """The document with one or two places that hold something else, or nothing, or one key more."""
    for _ in range(draw(st.integers(1, 2))):
        way = draw(st.sampled_from(list(places(document))))
        what = draw(st.sampled_from(["replace", "delete", "add"]))
        junk = draw(JUNK)

        def change(container: Any, key: Any, what: str = what, junk: Any = junk) -> None:
            inner = container[key]
            if what == "delete" and not (isinstance(key, int) and key == 0 and len(container) == 1):
                del container[key]
            elif what == "add" and isinstance(inner, dict):
                inner[str(junk)[:8]] = junk
            elif what == "add" and isinstance(inner, list):
                inner.append(junk)
            else:
                container[key] = junk

        document = changed(document, way, change)
    return document


@dataclass(frozen=True, slots=True)
class Place:
    """A host with an update, of which nothing may change."""

    manager: Manager
    root: Path
    minion: dict[str, Any]

    def load(self, **more: Any) -> config.Settings:
        return config.load(minion={**self.minion, **more})

    def state(self) -> Any:
        return self.manager.versions(self.root), self.manager.repository_files(self.root)

    def worded(self, document: Any) -> Any:
        """A document for Debian in the words of this host's system."""
        if isinstance(document, dict):
            return {self.worded(key): self.worded(value) for key, value in document.items()}
        if isinstance(document, list):
            return [self.worded(value) for value in document]
        if self.manager is APT or not isinstance(document, str):
            return document
        words = {"DEBIAN": self.minion["operating_system"], "SECTION": "CLASSIFICATION", "PRIORITY": "SEVERITY"}
        return {**words, "Debian12": self.minion["product"]}.get(document, document)


@pytest.fixture(scope="module")
def place(any_manager: Manager, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Such a host of any package manager."""
    return make_place(any_manager, tmp_path_factory)


@pytest.fixture(scope="module", params=sorted(MANAGERS))
def each_place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Such a host of each package manager."""
    return make_place(or_skip(MANAGERS[request.param]), tmp_path_factory)


def make_place(manager: Manager, tmp_path_factory: pytest.TempPathFactory) -> Place:
    root, minion = built(manager, tmp_path_factory.mktemp("bad-input"), Update("alpha"))
    return Place(manager, root, minion)


def survives(call: Callable[[], Any]) -> Any:
    """Return what a call answers, None where it refuses in words of its own."""
    try:
        return call()
    except InvalidInput as exc:
        # Only what is wrong as a whole has no path; the message names where it comes from.
        pathless = [line for line in exc.problems if ": " not in line]
        assert ": " in str(exc) and len(pathless) <= 1, (exc, exc.problems)
    except SsmpatchError as exc:
        assert str(exc).strip()
    return None


@SOME
@given(data=st.data())
def test_settings(place: Place, data: st.DataObject) -> None:
    spoilt = data.draw(spoiled(SETTINGS))
    if not isinstance(spoilt, dict):
        survives(lambda: config.load(minion=spoilt))
        return
    # Never another root than ours, and nothing that leads elsewhere.
    spoilt = {key: value for key, value in spoilt.items() if key not in ("root", "state_dir", "aws_dir", "aws")}
    minion = {**place.minion, **spoilt}
    found = api.validate(minion, None, caller=CALLER)
    assert isinstance(found, list) and all(isinstance(line, str) and ": " in line for line in found)
    loaded = survives(lambda: config.load(minion=minion))
    if loaded is None:
        assert found, "what is refused is a problem"
        return
    assert loaded.root == place.root
    before = place.state()
    for call in (api.scan, api.plan):
        result = survives(lambda call=call: call(loaded, caller=CALLER, host=FaultHost(), refresh=False))
        json.dumps(result)
    assert place.state() == before


@FEW
@given(data=st.data())
@pytest.mark.parametrize("form", ["baseline", "baseline_override"])
def test_baselines(each_place: Place, form: str, data: st.DataObject) -> None:
    document = each_place.worded(data.draw(spoiled(BASELINE if form == "baseline" else OVERRIDE)))
    before = each_place.state()
    if form == "baseline":
        minion = {**each_place.minion, "baseline": document}
        found = api.validate(minion, None, caller=CALLER)
        loaded = survives(lambda: config.load(minion=minion))
        more: dict[str, Any] = {}
    else:
        found = api.validate(each_place.minion, None, caller=CALLER, baseline_override=document)
        loaded, more = each_place.load(), {"baseline_override": document}
    assert all(isinstance(line, str) and line for line in found)
    if loaded is not None:
        for name in ("scan", "plan", "baseline"):
            arguments = {} if name == "baseline" else {"refresh": False}
            call = getattr(api, name)
            result = survives(lambda c=call, a=arguments: c(loaded, caller=CALLER, host=FaultHost(), **more, **a))
            json.dumps(result)
            # That a baseline can approve nothing here is reported, but no error.
            invalid = [line for line in found if not line.startswith("baseline ")]
            assert result is None or not invalid, "what is invalid is not used"
    assert each_place.state() == before


@FEW
@given(data=st.data())
def test_install_override_lists(each_place: Place, data: st.DataObject) -> None:
    document = data.draw(spoiled(LIST))
    before = each_place.state()
    arguments = {"install_override_list": document, "refresh": False}
    plan = survives(lambda: api.plan(each_place.load(), caller=CALLER, host=FaultHost(), **arguments))
    json.dumps(plan)
    assert plan is None or plan["changes"].keys() <= {"alpha"}
    assert each_place.state() == before


@FEW
@given(
    content=st.one_of(
        st.binary(max_size=64),
        JUNK.map(lambda value: json.dumps(value, default=str).encode()),
        spoiled(OVERRIDE).map(lambda value: json.dumps(value, default=str).encode()),
        st.sampled_from(
            [
                b"[" * 50_000,
                b"a: &a [*a]",
                b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]",
                b"!!python/object/apply:os.system ['false']",
                b"? {a: b}\n: c",
                b"\xff\xfe[\x00]\x00",
                b"- 2026-01-01\n- 0x10\n- .inf",
            ]
        ),
    )
)
@pytest.mark.parametrize("name", ["baseline_override", "install_override_list"])
def test_documents_in_files(place: Place, name: str, content: bytes) -> None:
    path = place.root / "tmp-document"
    path.write_bytes(content)
    before = place.state()
    arguments = {name: str(path), "refresh": False}
    survives(lambda: api.plan(place.load(), caller=CALLER, host=FaultHost(), **arguments))
    assert place.state() == before


def test_an_install_with_a_wrong_list_changes_nothing(each_place: Place) -> None:
    before, files = each_place.state(), hashes(each_place.root / "var/lib")
    for wrong in ({}, {"patches": [{}]}, {"patches": [{"id": ["alpha"]}]}, [1], "nowhere.yaml", {"patches": "alpha"}):
        with pytest.raises(SsmpatchError):
            api.install(each_place.load(), caller=CALLER, host=FaultHost(), install_override_list=wrong)
    with pytest.raises(InvalidInput, match=r"reboot_option: 'Later' is not allowed"):
        api.install(each_place.load(), caller=CALLER, host=FaultHost(), reboot_option="Later")
    assert each_place.state() == before
    mine = {path: hash_ for path, hash_ in hashes(each_place.root / "var/lib").items() if "/work-" not in path}
    assert mine.items() <= files.items() or all("ssmpatch" in path for path in mine.keys() - files.keys())

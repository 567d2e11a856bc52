# SPDX-License-Identifier: Apache-2.0
"""Whatever system a scan accepts: its interrupted install is finished, and its frozen set limits its own host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ssmpatchlib.store import journal
from support.faults.children import run
from support.faults.managers import TOY, Update
from support.generated import Cases

pytestmark = pytest.mark.root

RELEASES = (
    'ID=linuxmint\nNAME="Linux Mint"\nVERSION_ID="21.3"\n',
    'ID=fedora\nNAME="Fedora Linux"\nVERSION_ID=42\n',
    'ID=kali\nNAME="Kali GNU/Linux"\nVERSION_ID="2024.1"\n',
    "ID=arch\nNAME=Arch\n",
    'ID=opensuse-tumbleweed\nNAME="openSUSE Tumbleweed"\nVERSION_ID="20240101"\n',
    "ID=amzn\nNAME=Amazon\nVERSION_ID=2029\n",
    "",
    'NAME="a: [b] #\\t{c}"\n',
    'ID="../etc"\nNAME="../../ö ü"\nVERSION_ID="1/2"\n',
    'NAME="unfinished\n',
)
#: Those that are written however short an install is.
PHASES = ("planned", "downloading", "reported")
UPDATES = (Update("alpha"), Update("beta"))


class Killed(BaseException):
    """The process ends here."""


def releases() -> list[str]:
    """The os-release files of real systems, and of systems that nobody has thought of."""
    known = Path(__file__).parents[1] / "data/os-release"
    return [*RELEASES, *(path.read_text() for path in sorted(known.iterdir()) if "." not in path.stem or path.suffix)]


def configured(random: Random) -> dict[str, Any]:
    """Settings with a baseline that approves everything, in one of its spellings, and with whatever else there is."""
    rule = {"PatchFilterGroup": {"PatchFilters": []}, "ApproveAfterDays": random.choice((0, 360))}
    baseline: dict[str, Any] = {"ApprovalRules": {"PatchRules": [{**rule, "EnableNonSecurity": True}]}}
    if random.random() < 0.5:
        baseline |= {"Description": random.choice(("ä\n§", "")), "RejectedPatches": ["gamma"]}
    name = random.choice(("web", "web tier (ö)"))
    given: dict[str, Any] = {"baseline": baseline}
    if random.random() < 0.5:
        given = {"baseline": name, "baselines": {name: baseline}}
    return given | random.choice(({}, {"patch_group": "a b"}, {"install_override_list": {"patches": [{"id": "*"}]}}))


def killed(settings: Mapping[str, Any], phase: str) -> str:
    """Install until a phase of the journal is written; return the id of the run."""

    def dying(write: Any) -> Any:
        def written(*args: Any, **fields: Any) -> journal.JournalEntry:
            entry = write(*args, **fields)
            if entry.phase == phase:
                raise Killed
            return entry

        return written

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(journal, "begin", dying(journal.begin))
        patched.setattr(journal, "advance", dying(journal.advance))
        with pytest.raises(Killed):
            run("install", settings)
    return str(run("status", settings)["journal"]["run_id"])


def built(root: Path, random: Random) -> tuple[dict[str, Any], str]:
    """Build a system at ``root``; return its settings and what a failure has to say of it."""
    TOY.build(root, UPDATES)
    (root / "etc").mkdir()
    release = random.choice(releases())
    (root / "etc/os-release").write_text(release)
    given = {key: value for key, value in TOY.settings(root).items() if key not in ("operating_system", "product")}
    settings = {**given, **configured(random), "state_dir": str(root.parent / "state")}
    return settings, f"{settings} {release!r}"


@pytest.mark.cases(24)
def test_an_interrupted_install_is_finished(cases: Cases, tmp_path: Path) -> None:
    with TOY.known():
        for number, random in cases:
            settings, what = built(tmp_path / str(number) / "root", random)
            again = f"{what}; {cases.again(number)}"
            before = run("scan", settings)
            frozen = {"frozen": run("freeze", settings)} if random.random() < 0.4 else {}
            run_id = killed({**settings, **frozen}, random.choice(PHASES))
            # The journal has the set of the interrupted run; the configured one may be out of reach meanwhile.
            unread = {"frozen": str(tmp_path / "gone.json")} if random.random() < 0.5 else {}
            resumed = run("resume", {**settings, **unread})
            assert resumed["resumed"] == run_id and resumed["report"]["run"]["id"] == run_id, again
            expected = {**before["baseline"], "frozen": "configuration" if frozen else ""}
            assert resumed["report"]["baseline"] == expected, again
            assert run("history", settings)[0]["id"] == run_id, again
            assert run("report", settings)["run"]["id"] == run_id, again
            status = run("status", settings)
            assert (status["journal"], status["warnings"]) == (None, []), again
            assert not list(Path(settings["state_dir"]).glob("*damaged*")), again


@pytest.mark.cases(24)
def test_what_freeze_returns_is_accepted_by_its_own_host(cases: Cases, tmp_path: Path) -> None:
    with TOY.known():
        for number, random in cases:
            settings, what = built(tmp_path / str(number) / "root", random)
            again = f"{what}; {cases.again(number)}"
            refreshed = run("scan", settings)
            location = tmp_path / f"{number}.json"
            location.write_text(json.dumps(run("freeze", settings)))
            report = run("scan", {**settings, "frozen": str(location)})
            assert report["patches"] == refreshed["patches"], again

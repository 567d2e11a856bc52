# SPDX-License-Identifier: Apache-2.0
"""What a plan does is what dnf and zypper do with just these versions; what it leaves out they cannot do either."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ssmpatchlib.backends import Context, PackageManager
from ssmpatchlib.backends.dnf import Dnf
from ssmpatchlib.backends.dnf import answer as dnf_answer
from ssmpatchlib.backends.zypper import Zypper, answer
from ssmpatchlib.evaluate import Judged, evaluate, make_judge
from ssmpatchlib.host import Host
from ssmpatchlib.model import Baseline, Filter, Rule, Target, Transaction
from ssmpatchlib.patching.planner import make_plan
from ssmpatchlib.patching.targets import choose_targets
from ssmpatchlib.versions.rpm import compare_evr, satisfies
from support import dnf_root, rpm_root, suse_root
from support.generated import Cases
from support.rpm_repo import dnf_generation, package

pytestmark = pytest.mark.root
_EVERYTHING = Baseline(
    "pb-1", "all", "SUSE", "test", rules=(Rule((Filter("CLASSIFICATION", ("*",)),), enable_non_security=True),)
)
_OPERATORS = {"<": "LT", "": ""}
#: How many cases share a root, and so a plan: many for dnf, which takes long to start.
_BATCH, _DNF_BATCH = 5, 40
_ORACLE = Path(rpm_root.__file__).with_name("dnf_oracle.py")


@dataclass
class Case:
    """The packages of one case, and what must stay: names that are locked or protected, versions that are excluded."""

    number: int
    installed: list[dict[str, Any]] = field(default_factory=list)
    offered: list[dict[str, Any]] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)
    protected: list[str] = field(default_factory=list)
    excluded: list[dict[str, Any]] = field(default_factory=list)

    def owns(self, name: str) -> bool:
        """Return whether a package belongs to the case."""
        return name.partition("-")[0] == f"c{self.number}x"

    @property
    def forbidden(self) -> set[str]:
        """The offers that no install may bring in."""
        kept = {*self.locked, *self.protected}
        present = {p["name"]: p for p in self.installed}
        return {
            _nevra(offer)
            for offer in self.offered
            if offer["name"] in self.locked
            or offer in self.excluded
            or any(name in kept and _obsoletes(words, present[name]) for name, words in _named(offer, present))
        }


def _named(offer: Mapping[str, Any], present: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for words in offer.get("obsoletes", ()):
        name = words.partition(" ")[0]
        if name in present:
            yield name, words


def _obsoletes(words: str, installed: Mapping[str, Any]) -> bool:
    _name, operator, version = (*words.split(), "", "")[:3]
    return satisfies(_evr(installed), _OPERATORS[operator], version)


def make_case(number: int, random: Random, *, excludes: bool) -> Case:
    """Some packages in several versions that require, conflict with and obsolete each other."""
    case = Case(number)
    names = [f"c{number}x-{letter}" for letter in "abcdef"]
    for name in names[:4]:
        made = _package(name, "1", random)
        if random.random() < 0.4:
            other = random.choice(names[:4])
            made["requires"] = [random.choice((other, f"{other} < 3", f"{other} < 1:0"))]
        case.installed.append(made)
    for name in names:
        for version in random.sample(("2", "3", "4"), random.choice((0, 1, 2, 2))):
            made = _package(name, version, random, epoch=random.choice("0000001"))
            for relation, chance in (("requires", 0.35), ("conflicts", 0.1), ("obsoletes", 0.15)):
                if random.random() < chance:
                    made[relation] = [_relation(random.choice([n for n in names if n != name]), relation, random)]
            case.offered.append(made)
    if random.random() < 0.3:
        case.locked.append(random.choice(names[:4]))
    if excludes and random.random() < 0.2:
        case.protected.append(random.choice(names[:4]))
    if excludes and random.random() < 0.2 and case.offered:
        case.excluded.append(random.choice(case.offered))
    return case


def _package(name: str, version: str, random: Random, *, epoch: str = "0") -> dict[str, Any]:
    return {**package(f"{name}-{version}-1.noarch"), "epoch": epoch}


def _relation(name: str, relation: str, random: Random) -> str:
    if relation == "requires":
        return random.choice((name, f"{name} >= 2", f"{name} >= 3", f"{name} < 3", f"{name}-nowhere"))
    return random.choice((f"{name} < 2", f"{name} < 3", f"{name} < 1:0", name))


def _evr(made: Mapping[str, Any]) -> str:
    return f"{made['epoch']}:{made['version']}-{made['release']}"


def _nevra(made: Mapping[str, Any]) -> str:
    return f"{made['name']}-{_evr(made)}.{made['arch']}"


def batches(cases: Cases, size: int, *, excludes: bool) -> Iterator[list[Case]]:
    """The cases, as many together as share a root."""
    made = (make_case(number, random, excludes=excludes) for number, random in cases)
    while batch := list(islice(made, size)):
        yield batch


def plan(manager: PackageManager) -> Transaction:
    """The plan for all updates."""
    assert manager.refresh().unread == ()
    inventory = manager.inventory(non_security=True)
    judge = make_judge(baseline=_EVERYTHING, inventory=inventory, products=(), now=2e9)
    judged = Judged(inventory, judge, evaluate(judge=judge, baseline=_EVERYTHING, inventory=inventory))
    return make_plan(manager, choose_targets(judged, None), inventory=inventory, forbidden=None)


@dataclass(frozen=True)
class Question:
    """Versions that the package manager is asked to bring in, without the hidden ones.

    ``updates`` are those of packages that are installed. Of several ways to do it, it may do the ``expected`` one.
    """

    wanted: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    updates: frozenset[str] = frozenset()
    expected: Answered | None = None


@dataclass(frozen=True)
class Answered:
    """What it would bring in and take away, without what is updated."""

    incoming: frozenset[str]
    lost: frozenset[str]


def breaks(case: Case, answered: Answered) -> str:
    """Which rule an answer breaks: a package is removed or replaced that must stay, an offer is taken that must not."""
    if taken := answered.incoming & case.forbidden:
        return f"takes {sorted(taken)}"
    offers = {_nevra(made): made for made in case.offered}
    replaced = {w.partition(" ")[0] for n in answered.incoming if n in offers for w in offers[n].get("obsoletes", ())}
    gone = {nevra.rpartition("-")[0].rpartition("-")[0] for nevra in answered.lost}
    if stolen := gone & {*case.locked, *case.protected} | (gone - replaced):
        return f"takes away {sorted(stolen)}"
    old = {made["name"]: _evr(made) for made in case.installed}
    incoming = (offers[nevra] for nevra in answered.incoming if nevra in offers)
    lower = [made["name"] for made in incoming if compare_evr(_evr(made), old.get(made["name"], "0:0-0")) < 0]
    return f"downgrades {lower}" if lower else ""


def of_case(case: Case, made: Transaction) -> tuple[Answered, list[Target], list[tuple[Target, str]]]:
    """A plan's part for one case: what it does, its targets, and what it leaves out with the reasons."""
    changes = [change for change in made.changes if case.owns(change.name)]
    updated = {(change.name, change.arch) for change in changes if change.new is not None}
    answered = Answered(
        frozenset(f"{c.name}-{c.new}.{c.arch}" for c in changes if c.new is not None),
        frozenset(f"{c.name}-{c.old}.{c.arch}" for c in changes if c.new is None and (c.name, c.arch) not in updated),
    )
    blocked = [(each.target, each.reason) for each in made.blocked if case.owns(each.target.name)]
    out = {target for target, _ in blocked}
    # A newer version that another target is or needs stands for a target.
    brought = {change.id: change.new for change in changes if change.new is not None}
    free = (target for target in made.targets if case.owns(target.name) and target not in out)
    good = [target for target in free if compare_evr(brought.get(target.id, target.version), target.version) <= 0]
    return answered, good, blocked


def questions_of(case: Case, made: Transaction) -> list[Question]:
    """What the package manager is asked about a plan: the same versions, and each that was left out beside them."""
    answered, good, blocked = of_case(case, made)
    planned = tuple(f"{target.name}-{target.version}.{target.arch}" for target in good)
    hidden = tuple(sorted(case.forbidden))
    unseen = tuple(f"{offer.name}-{offer.version}.{offer.arch}" for offer in made.hidden if case.owns(offer.name))
    present = {made["name"] for made in case.installed}
    updates = frozenset(nevra for nevra in map(_nevra, case.offered) if _name(nevra) in present)
    same = [Question(planned, unseen, updates, answered)] if planned else []
    others = (nevra for nevra, _ in _left_out(case, blocked))
    return [*same, *(Question((*_others(planned, nevra), nevra), hidden, updates) for nevra in others)]


def _others(planned: Sequence[str], nevra: str) -> Iterator[str]:
    """Yield what is planned of other packages."""
    return (other for other in planned if _name(other) != _name(nevra))


def _name(nevra: str) -> str:
    return nevra.rsplit("-", 2)[0]


def _left_out(case: Case, blocked: Sequence[tuple[Target, str]]) -> Iterator[tuple[str, str]]:
    for target, reason in blocked:
        nevra = f"{target.name}-{target.version}.{target.arch}"
        if nevra not in case.forbidden and target.replaces.rpartition(".")[0] not in {*case.locked, *case.protected}:
            yield nevra, reason


def faults(case: Case, made: Transaction, replies: Sequence[Answered | None]) -> Iterator[str]:
    """What is wrong with a plan for one case, by the package manager's replies to its questions."""
    answered, good, blocked = of_case(case, made)
    if words := breaks(case, answered):
        yield f"the plan {words}"
    rest = list(replies)
    if good and (same := rest.pop(0)) != answered:
        yield f"the plan does {answered}, natively it is {same}"
    for (nevra, reason), reply in zip(_left_out(case, blocked), rest, strict=True):
        if reply is not None and not breaks(case, reply):
            yield f"{nevra} is left out ({reason}), natively {reply}"


def check(batch: Sequence[Case], made: Transaction, ask: Callable[[Sequence[Question]], list[Answered | None]]) -> Any:
    """Yield the number of a case and what is wrong with the plan for it."""
    questions = [questions_of(case, made) for case in batch]
    replies = iter(ask([question for each in questions for question in each]))
    for case, each in zip(batch, questions, strict=True):
        for words in faults(case, made, list(islice(replies, len(each)))):
            yield case, words


def ask_dnf(root: Path, questions: Sequence[Question]) -> list[Answered | None]:
    """Ask dnf's solver."""
    return (ask_dnf4 if dnf_generation() == 4 else ask_dnf5)(root, questions)


def ask_dnf4(root: Path, questions: Sequence[Question]) -> list[Answered | None]:
    """Ask dnf 4's solver, in one process of the system's Python."""
    asked = [{"wanted": q.wanted, "hidden": q.hidden} for q in questions]
    done = subprocess.run(
        ["/usr/bin/python3", str(_ORACLE)],
        input=json.dumps({"root": str(root), "questions": asked}),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [
        _answered(reply, question.wanted) for reply, question in zip(json.loads(done.stdout), questions, strict=True)
    ]


def ask_dnf5(root: Path, questions: Sequence[Question]) -> list[Answered | None]:
    """Ask dnf 5's solver, for each question until it finds how; no way finds everything.

    Only what updates an installed package may be installed: of others, `install` would say that the user wants them.
    """
    return [_any_of(question, _dnf5_answers(root, question)) for question in questions]


def _any_of(question: Question, answers: Iterator[Answered | None]) -> Answered | None:
    """Return the answer that is expected if there is one, else the first one."""
    first = None
    for found in answers:
        if found and found == (question.expected or found):
            return found
        first = first or found
    return first


def _dnf5_answers(root: Path, question: Question) -> Iterator[Answered | None]:
    yield _dnf5(root, question, "0", "upgrade", "--", *question.wanted)
    yield _dnf5(root, question, "1", "upgrade", "--", *question.wanted)
    yield _dnf5(root, question, "0", "do", *_actions(question))


def _actions(question: Question) -> Iterator[str]:
    for nevra in question.wanted:
        yield f"--action={'install' if nevra in question.updates else 'upgrade'}"
        yield nevra


def _dnf5(root: Path, question: Question, best: str, *command: str) -> Answered | None:
    hidden = [f"--exclude={nevra}" for nevra in question.hidden]
    argv = ["dnf", f"--installroot={root}", "-C", "--assumeno", f"--setopt=best={best}", *hidden, *command]
    done = subprocess.run(argv, capture_output=True, text=True, env=dnf_root.ENVIRONMENT)
    rows = [row for row in dnf_answer.read_reply(done.stdout, done.stderr).rows if row.action != dnf_answer.SKIP]
    incoming = [f"{row.name}-{row.evr}.{row.arch}" for row in rows if row.action != dnf_answer.REMOVE]
    outgoing = [f"{row.name}-{row.evr}.{row.arch}" for row in rows if row.action == dnf_answer.REMOVE]
    replaced = [f"{id_.rpartition('.')[0]}-{evr}.{id_.rpartition('.')[2]}" for id_, evr in _replaced(rows)]
    return _answered({"in": incoming, "out": [*outgoing, *replaced]}, question.wanted)


def _replaced(rows: Sequence[dnf_answer.Row]) -> Iterator[list[str]]:
    return (words.split() for row in rows for words in row.replaced)


def _answered(reply: Mapping[str, Sequence[str]] | None, wanted: Sequence[str]) -> Answered | None:
    if reply is None or not set(wanted) <= set(reply["in"]):
        return None
    names = {nevra.rpartition("-")[0].rpartition("-")[0] for nevra in reply["in"]}
    lost = (nevra for nevra in reply["out"] if nevra.rpartition("-")[0].rpartition("-")[0] not in names)
    return Answered(frozenset(reply["in"]), frozenset(lost))


def build_dnf(root: Path, batch: Sequence[Case]) -> None:
    """A root of some cases for dnf."""
    protected = " ".join(name for case in batch for name in case.protected)
    excluded = " ".join(_nevra(made) for case in batch for made in case.excluded)
    conf = {"best": "False", **({"protected_packages": protected} if protected else {})}
    whole = {
        "manager": "dnf",
        "os": dnf_root.SYSTEM,
        "installed": [made for case in batch for made in case.installed],
        "repositories": [
            {"id": "updates", "advisories": [], "packages": [made for case in batch for made in case.offered]}
        ],
        "dnf_conf": {**conf, **({"excludepkgs": excluded} if excluded else {})},
        "versionlock": [f"{name}-0:1-1.*" for case in batch for name in case.locked],
    }
    rpm_root.build(whole, root)


class PatientDnf(Dnf):
    """dnf, asked as often as so many hosts in one root need."""

    limits = replace(Dnf.limits, runs=Dnf.limits.runs * _DNF_BATCH // _BATCH)


@pytest.mark.skipif(not shutil.which("dnf"), reason="needs dnf")
@pytest.mark.cases(20)
def test_plans_are_what_dnf_does(cases: Cases, tmp_path: Path) -> None:
    wrong = []
    for place, batch in enumerate(batches(cases, _DNF_BATCH, excludes=True)):
        root = tmp_path / f"root{place}"
        build_dnf(root, batch)
        made = plan(PatientDnf(Context(host=Host(), root=root, work_dir=tmp_path / f"work{place}")))
        found = check(batch, made, partial(ask_dnf, root))
        wrong += [f"{cases.again(case.number)}: {words}; {case}" for case, words in found]
        shutil.rmtree(root)
    assert not wrong, f"{len(wrong)} faults in {len(cases)} cases:\n" + "\n".join(wrong[:10])


def ask_zypper(root: Path, questions: Sequence[Question]) -> list[Answered | None]:
    """Ask zypper's solver, once for each question."""
    return [_zypper(root, question) for question in questions]


def _zypper(root: Path, question: Question) -> Answered | None:
    if set(question.wanted) & set(question.hidden):
        return None
    argv = ["zypper", "--root", str(root), "--non-interactive", "--xmlout", "--no-refresh", "install", "--dry-run"]
    options = ["--details", "--name", "--no-recommends", "--no-force-resolution", "--"]
    wanted = [f"{name}={version}" for name, version in map(_capability, question.wanted)]
    reply = answer.read_reply(subprocess.run([*argv, *options, *wanted], capture_output=True, text=True).stdout)
    if not reply.summarised:
        return None
    rows = [row for row in reply.rows if row.kind == "package"]
    incoming = [f"{row.name}-{row.evr}.{row.arch}" for row in rows if row.action != "remove"]
    outgoing = [f"{row.name}-{row.evr}.{row.arch}" for row in rows if row.action == "remove"]
    return _answered({"in": incoming, "out": outgoing}, question.wanted)


def _capability(nevra: str) -> tuple[str, str]:
    name, version, rest = nevra.rsplit("-", 2)
    release, _, arch = rest.rpartition(".")
    return f"{name}.{arch}", f"{version.removeprefix('0:')}-{release}"


def build_zypper(root: Path, batch: Sequence[Case]) -> None:
    """A root of some cases for zypper."""
    offered = [made for case in batch for made in case.offered]
    suse_root.build(
        root,
        installed=[made for case in batch for made in case.installed],
        repositories=[{"id": "updates", "advisories": [], "packages": offered}],
        locks=[name for case in batch for name in case.locked],
    )


@pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper")
@pytest.mark.cases(20)
def test_plans_are_what_zypper_does(cases: Cases, tmp_path: Path) -> None:
    wrong = []
    for place, batch in enumerate(batches(cases, _BATCH, excludes=False)):
        root = tmp_path / f"root{place}"
        build_zypper(root, batch)
        made = plan(Zypper(Context(host=Host(), root=root, work_dir=root / "var/cache/ssmpatch")))
        found = check(batch, made, partial(ask_zypper, root))
        wrong += [f"{cases.again(case.number)}: {words}; {case}" for case, words in found]
        shutil.rmtree(root)
    assert not wrong, f"{len(wrong)} faults in {len(cases)} cases:\n" + "\n".join(wrong[:10])

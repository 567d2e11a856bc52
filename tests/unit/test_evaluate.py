# SPDX-License-Identifier: Apache-2.0
"""The judgement, case by case: dates, levels, metadata, frozen sets, reasons."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re

import pytest

from ssmpatchlib.evaluate import after_install, best_advisory, evaluate, hold_back, make_judge
from ssmpatchlib.model import (
    BLOCK,
    FAILED,
    INSTALLED,
    INSTALLED_OTHER,
    INSTALLED_REJECTED,
    MISSING,
    Advisory,
    Baseline,
    Family,
    Filter,
    FrozenSet,
    Inventory,
    NotInstalled,
    Package,
    Rule,
    Version,
)
from ssmpatchlib.rules import filter_matches

NOW = dt.datetime(2024, 5, 15, 12, tzinfo=dt.timezone.utc)
RPM = Family(name="dnf", version_order="rpm", name_forms="rpm")
SUSE = dataclasses.replace(RPM, name="suse", cves_of="skipped", describe_unapproved=True, operators=True)
ANY = (Filter("CLASSIFICATION", ("*",)), Filter("SEVERITY", ("*",)))


def advisory(classification="Security", severity="Important", released=None, cves=(), metadata=True, **more):
    attributes = {"CLASSIFICATION": classification, "SEVERITY": severity}
    return Advisory(
        metadata=metadata,
        attributes=attributes,
        classification=classification,
        severity=severity or "",
        released=released,
        cves=cves,
        **more,
    )


PLAIN = Advisory(metadata=False)


def package(*versions, installed="0:1-1", name="foo"):
    offers = tuple(
        Version(name, "x86_64", version, (found,) if isinstance(found, Advisory) else found)
        for version, found in versions
    )
    present = next((v for v in offers if v.version == installed), Version(name, "x86_64", installed, (PLAIN,)))
    return Package(name, "x86_64", installed=present, versions=offers)


def judged(
    pkg, *, family=RPM, now=NOW, frozen=None, first_seen=None, products=("RedhatEnterpriseLinux8.5",), **baseline
):
    chosen = Baseline("pb-1", "test", "REDHAT_ENTERPRISE_LINUX", "test", **{"rules": (Rule(ANY),), **baseline})
    inventory = Inventory(family, (pkg,))
    if frozen is not None:
        inventory = hold_back(inventory, frozen)
    judge = make_judge(
        baseline=chosen,
        inventory=inventory,
        products=products,
        now=now.timestamp(),
        first_seen=first_seen,
    )
    found = evaluate(judge=judge, baseline=chosen, inventory=inventory)
    return found.verdicts[0] if found.verdicts else found.not_applicable


def test_the_highest_approved_version_is_missing_even_below_an_unapproved_one():
    verdict = judged(package(("0:2-1", advisory()), ("0:3-1", PLAIN)))
    assert (verdict.state, verdict.title) == (MISSING, "foo.x86_64:0:2-1")


def kept_out(subject: Package, **blocked: str) -> Package:
    """The package with versions kept out: `v3="excluded: foo-3*"` for version 0:3-1."""
    words = {f"0:{name[1:]}-1": why for name, why in blocked.items()}
    offers = tuple(dataclasses.replace(v, blocked=words.get(v.version, "")) for v in subject.versions)
    return dataclasses.replace(subject, versions=offers)


def test_the_highest_approved_version_that_may_be_taken_is_the_target():
    subject = package(("0:2-1", advisory()), ("0:3-1", advisory()), ("0:4-1", advisory()), ("0:5-1", PLAIN))
    verdict = judged(kept_out(subject, v3="excluded: foo-3*", v4="locked: foo-4*", v5="excluded: foo-5*"))
    assert (verdict.state, verdict.title) == (MISSING, "foo.x86_64:0:2-1")
    assert verdict.target.version == "0:2-1"
    assert verdict.reason.endswith("; 0:4-1 is approved, but locked: foo-4*")


def test_what_is_kept_out_stays_missing_when_no_approved_version_may_be_taken():
    subject = package(("0:1-1", advisory()), ("0:2-1", advisory()), ("0:3-1", advisory()))
    verdict = judged(kept_out(subject, v2="excluded: foo-2*", v3="locked: foo-3*"))
    assert (verdict.state, verdict.target.version) == (MISSING, "0:3-1")
    assert verdict.reason.endswith("; locked: foo-3*")
    held = dataclasses.replace(package(("0:2-1", advisory()), ("0:3-1", advisory())), locked="held")
    assert (judged(held).target.version, judged(held).reason.count("held")) == ("0:3-1", 1)


def test_a_version_that_policy_outranks_is_named_and_counts_for_nothing():
    pinned = Version("foo", "x86_64", "0:3-1", (advisory(),), blocked="kept out by a pin (priority -10)")
    known = dataclasses.replace(package(("0:2-1", PLAIN)), outranked=(pinned,))
    verdict = judged(known)
    assert (verdict.state, verdict.target) == (INSTALLED_OTHER, None)
    assert verdict.reason.endswith("; 0:3-1 is approved, but kept out by a pin (priority -10)")
    update = dataclasses.replace(package(("0:2-1", advisory())), outranked=(pinned,))
    assert (judged(update).state, judged(update).target.version) == (MISSING, "0:2-1")
    assert judged(update).reason.endswith("; 0:3-1 is approved, but kept out by a pin (priority -10)")
    unapproved = dataclasses.replace(pinned, advisories=(PLAIN,))
    assert "pin" not in judged(dataclasses.replace(known, outranked=(unapproved,))).reason


def test_an_update_of_another_name_is_named_in_the_reason():
    successor = Version("bar", "noarch", "0:1-1", (advisory(),))
    subject = package(("0:1-1", PLAIN))
    verdict = judged(dataclasses.replace(subject, versions=(*subject.versions, successor)))
    assert (verdict.state, verdict.target) == (MISSING, successor)
    assert "; bar.noarch replaces foo.x86_64" in verdict.reason
    assert "replaces" not in judged(package(("0:2-1", advisory()))).reason


def test_an_offer_of_another_name_is_named_in_the_reason():
    successor = Version("bar", "noarch", "0:1-1", (PLAIN,))
    subject = package(("0:2-1", PLAIN))
    verdict = judged(dataclasses.replace(subject, versions=(*subject.versions, successor)))
    assert "; bar.noarch 0:1-1 is on offer: " in verdict.reason


@pytest.mark.parametrize(
    ("days", "hours_ago", "state"),
    [(7, 7 * 24, INSTALLED_OTHER), (7, 7 * 24 + 1, MISSING), (0, 1, MISSING), (0, 0, INSTALLED_OTHER)],
)
def test_the_delay_is_strict(days, hours_ago, state):
    released = NOW - dt.timedelta(hours=hours_ago)
    verdict = judged(package(("0:2-1", advisory(released=released))), rules=(Rule(ANY, approve_after_days=days),))
    assert verdict.state == state
    if state == INSTALLED_OTHER:
        assert f"0:2-1 is on offer: rule 0: released {released:%Y-%m-%d}, approved {days} days later" in verdict.reason


@pytest.mark.parametrize(
    ("time", "state"),
    [("2024-05-10T23:59:59", MISSING), ("2024-05-11T00:00:00", INSTALLED_OTHER)],
)
def test_the_named_day_is_included(time, state):
    released = dt.datetime.fromisoformat(time).replace(tzinfo=dt.timezone.utc)
    rule = Rule(ANY, approve_until_date=dt.date(2024, 5, 10))
    assert judged(package(("0:2-1", advisory(released=released))), rules=(rule,)).state == state


def test_no_date_is_approved_and_first_seen_stands_in():
    rule = Rule(ANY, approve_after_days=7)
    subject = package(("0:2-1", advisory()))
    assert judged(subject, rules=(rule,)).state == MISSING
    seen = {"foo.x86_64:0:2-1": NOW.timestamp() - 3600}
    assert judged(subject, rules=(rule,), first_seen=seen).state == INSTALLED_OTHER


def test_metadata_is_needed_unless_the_rule_enables_non_security():
    subject = package(("0:2-1", PLAIN))
    assert judged(subject).state == INSTALLED_OTHER
    assert judged(subject, rules=(Rule(ANY, enable_non_security=True),)).state == MISSING


def test_an_advisory_without_severity_skips_the_severity_filter_only():
    rule = Rule((Filter("CLASSIFICATION", ("Security",)), Filter("SEVERITY", ("Critical",))))
    assert judged(package(("0:2-1", advisory(severity=None))), rules=(rule,)).state == MISSING
    assert judged(package(("0:2-1", advisory("Bugfix", None))), rules=(rule,)).state == INSTALLED_OTHER


@pytest.mark.parametrize(("value", "words"), [("Moderate", ("Medium",)), ("MEDIUM", ("moderate",)), ("low", ("Low",))])
def test_severity_words_ignore_case_and_moderate_is_medium(value, words):
    assert filter_matches(Filter("SEVERITY", words), advisory(severity=value), ())


def test_products_are_literal_and_a_star_is_any():
    assert filter_matches(Filter("PRODUCT", ("Debian12",)), PLAIN, ("Debian12",))
    assert not filter_matches(Filter("PRODUCT", ("Debian*",)), PLAIN, ("Debian12",))
    assert filter_matches(Filter("PRODUCT", ("*",)), PLAIN, ())


def test_filters_of_one_key_all_apply():
    rule = Rule((Filter("SEVERITY", ("Important", "Low")), Filter("SEVERITY", ("Low",))))
    assert judged(package(("0:2-1", advisory())), rules=(rule,)).state == INSTALLED_OTHER


def test_the_highest_level_of_the_rules_counts():
    rules = (Rule(ANY, "LOW"), Rule(ANY, "CRITICAL"), Rule(ANY, "HIGH"))
    verdict = judged(package(("0:2-1", advisory())), rules=rules)
    assert (verdict.level, verdict.reason.split(" (")[0]) == ("CRITICAL", "approved by rule 1")


def test_rejected_beats_approved_for_its_version_only():
    subject = package(("0:2-1", advisory()), ("0:3-1", advisory()))
    verdict = judged(subject, rejected_patches=("foo-3",), approved_patches=("foo",))
    assert verdict.target.version == "0:2-1"


@pytest.mark.parametrize(("action", "state"), [(BLOCK, INSTALLED_REJECTED), ("ALLOW_AS_DEPENDENCY", INSTALLED_OTHER)])
def test_an_installed_rejected_version(action, state):
    verdict = judged(package(), rejected_patches=("foo",), rejected_patches_action=action)
    assert verdict.state == state and "rejected by the rejected list: foo" in verdict.reason


def test_the_approved_list_beats_filters_but_not_missing_metadata():
    other = (Filter("PRODUCT", ("Other",)),)
    listed = {"global_filters": other, "rules": (), "approved_patches": ("FOO",)}
    assert judged(package(("0:2-1", advisory())), **listed).state == MISSING
    plain = package(("0:2-1", PLAIN))
    assert judged(plain, **listed).state == INSTALLED_OTHER
    assert judged(plain, **listed, approved_patches_enable_non_security=True).state == MISSING


@pytest.mark.parametrize("entry", ["RHSA-2024:1", "rhsa-2024:1", "cve-2024-1"])
def test_the_approved_list_takes_ids_in_any_case(entry):
    found = advisory(id="RHSA-2024:1", references=frozenset({"rhsa-2024:1", "cve-2024-1"}))
    assert judged(package(("0:2-1", found)), rules=(), approved_patches=(entry,)).state == MISSING
    assert judged(package(("0:2-1", found)), rules=(), approved_patches=(entry[:-1] + "*",)).state == INSTALLED_OTHER


def test_of_several_advisories_security_and_severity_describe_the_row():
    both = (
        advisory("Bugfix", "Critical", id="A"),
        advisory("Security", "Low", id="C"),
        advisory(severity="Critical", id="B"),
    )
    verdict = judged(package(("0:2-1", both)))
    assert (verdict.classification, verdict.severity) == ("Security", "Critical")


@pytest.mark.parametrize("swapped", [False, True])
def test_of_several_advisories_the_best_says_why_a_version_is_refused(swapped):
    young = advisory(released=NOW - dt.timedelta(days=1), id="B")
    both = (advisory("Bugfix", id="A"), young)
    rule = Rule((Filter("CLASSIFICATION", ("Security",)),), approve_after_days=7)

    verdict = judged(package(("0:2-1", both[::-1] if swapped else both)), rules=(rule,))

    assert "0:2-1 is on offer: rule 0: released 2024-05-14, approved 7 days later (2024-05-21)" in verdict.reason
    assert best_advisory(both) is young


def test_the_reason_names_at_most_three_advisories_of_vanished_versions():
    gone = tuple(advisory(id=f"A-{number}", vanished=f"{number}-1") for number in range(2, 7))
    verdict = judged(package(("0:9-1", gone)))
    assert verdict.reason.endswith("A-4 names 4-1, which is gone; 2 more such advisories")


def test_cves_of_approved_or_of_all_skipped_versions():
    rule = Rule((Filter("CLASSIFICATION", ("Security",)),))
    subject = package(
        ("0:2-1", advisory("Bugfix", cves=("CVE-1",))),
        ("0:3-1", advisory(cves=("CVE-3",))),
        ("0:4-1", advisory("Bugfix")),
    )
    assert judged(subject, rules=(rule,)).cves == ("CVE-3",)
    assert judged(subject, rules=(rule,), family=SUSE).cves == ("CVE-1", "CVE-3")


def test_cves_of_a_version_that_also_has_an_unapproved_advisory():
    rule = Rule((Filter("CLASSIFICATION", ("Security",)),))
    subject = package(("0:2-1", (advisory(cves=("CVE-1",)), advisory("Bugfix", cves=("CVE-2",)))))
    assert judged(subject, rules=(rule,)).cves == ("CVE-1",)
    assert judged(subject, rules=(rule,), family=SUSE).cves == ("CVE-1", "CVE-2")


def test_an_unapproved_row_is_described_where_the_family_says_so():
    subject = package(("0:1-1", advisory()))
    assert judged(subject, rules=()).classification == ""
    assert judged(subject, rules=(), family=SUSE).classification == "Security"


@pytest.mark.parametrize(
    ("limits", "target", "held_back", "words"),
    [
        ({}, "0:3-1", True, "approved by rule 0 (…); held back by the frozen set (not in it)"),
        ({"foo.x86_64": "0:1-1"}, "0:3-1", True, "approved by rule 0 (…); held back by the frozen set (ends at 0:1-1)"),
        (
            {"foo.x86_64": "0:2-1"},
            "0:2-1",
            False,
            "approved by rule 0 (…); 0:3-1 is approved, but held back by the frozen set (ends at 0:2-1)",
        ),
        ({"foo.x86_64": "0:3-1"}, "0:3-1", False, "approved by rule 0 (…)"),
        ({"foo.x86_64": "0:9-1", "foo.noarch": "0:1-1"}, "0:3-1", False, "approved by rule 0 (…)"),
    ],
)
def test_what_the_frozen_set_does_not_let_in_is_missing_all_the_same(limits, target, held_back, words):
    subject = package(("0:2-1", advisory()), ("0:3-1", advisory()))
    verdict = judged(subject, frozen=FrozenSet(limits))
    assert (verdict.state, verdict.target.version, verdict.held_back) == (MISSING, target, held_back)
    assert re.sub(r"\(CLASS[^)]*\)", "(…)", verdict.reason) == words


def test_a_frozen_set_changes_nothing_of_what_is_installed_or_not_approved():
    for subject in (package(("0:1-1", advisory())), package(("0:2-1", PLAIN))):
        without, limited = judged(subject), judged(subject, frozen=FrozenSet({}))
        assert (limited.state, limited.held_back) == (without.state, False)


def test_within_the_frozen_set_comes_before_beyond_it_though_nothing_may_be_taken():
    subject = dataclasses.replace(package(("0:2-1", advisory()), ("0:3-1", advisory())), locked="held")
    verdict = judged(subject, frozen=FrozenSet({"foo.x86_64": "0:2-1"}))
    assert (verdict.target.version, verdict.held_back) == ("0:2-1", False)
    assert judged(subject, frozen=FrozenSet({})).held_back


def test_a_replacement_is_let_in_by_its_own_name():
    other = Version("bar", "noarch", "0:9-1", (advisory(),))
    subject = dataclasses.replace(package(), versions=(other,))
    assert judged(subject, frozen=FrozenSet({"foo.x86_64": "0:99-1"})).held_back
    assert not judged(subject, frozen=FrozenSet({"bar.noarch": "0:9-1"})).held_back


def test_an_installed_version_whose_advisory_is_known_is_installed_though_no_repository_has_it():
    gone = Package("foo", "x86_64", installed=Version("foo", "x86_64", "0:1-1", (advisory(),)))
    assert judged(gone).state == INSTALLED


def test_a_broken_package_is_missing_with_the_reason():
    broken = Package(
        "foo", "x86_64", installed=Version("foo", "x86_64", "0:1-1", (advisory(),)), broken="half-configured"
    )
    verdict = judged(broken)
    assert verdict.state == MISSING and "half-configured" in verdict.reason


def test_a_package_that_is_not_installed_is_only_counted():
    not_installed = Package("foo", "x86_64", versions=(Version("foo", "x86_64", "0:1-1", (advisory(),)),))
    assert judged(not_installed) == 1
    assert judged(not_installed, approved_patches=("bar",)) == 1
    assert judged(not_installed, rejected_patches=("foo",)) == 0


@pytest.mark.parametrize("more", [{}, {"approved_patches": ("bar",)}, {"rejected_patches": ("b",)}])
def test_packages_not_installed_are_counted_alike_one_by_one_and_by_their_advisories(more):
    kinds = {"a": (advisory(),), "b": (advisory(),), "c": (PLAIN,), "d": (PLAIN, advisory(severity="Low"))}
    versions = [Version(name, "x86_64", "0:1-1", found) for name, found in kinds.items()]
    packages = tuple(Package(version.name, version.arch, versions=(version,)) for version in versions)
    advisories = (advisory(), PLAIN, advisory(severity="Low"))
    grouped = NotInstalled(advisories, (((0,), 2), ((1,), 1), ((1, 2), 1)), lambda: packages)
    chosen = Baseline("pb-1", "test", "REDHAT_ENTERPRISE_LINUX", "test", rules=(Rule(ANY),), **more)
    counts = []
    for inventory in (Inventory(RPM, packages), Inventory(RPM, (), not_installed=grouped)):
        judge = make_judge(baseline=chosen, inventory=inventory, products=(), now=NOW.timestamp())
        counts.append(evaluate(judge=judge, baseline=chosen, inventory=inventory).not_applicable)
    assert counts == [2 if "rejected_patches" in more else 3] * 2


def test_the_last_day_that_there_is_approves_everything():
    everything = Baseline(
        "pb-1", "test", "REDHAT_ENTERPRISE_LINUX", "test", rules=(Rule(ANY, approve_until_date=dt.date.max),)
    )
    inventory = Inventory(
        RPM, (Package("foo", "x86_64", versions=(Version("foo", "x86_64", "0:1-1", (advisory(released=NOW),)),)),)
    )
    judge = make_judge(baseline=everything, inventory=inventory, products=(), now=NOW.timestamp())
    assert evaluate(judge=judge, baseline=everything, inventory=inventory).not_applicable == 1


def test_what_is_missing_after_an_install_failed():
    verdict = judged(package(("0:2-1", advisory())))
    done = {"failures": {"foo.x86_64": "no space"}, "only_listed": False, "attempted": True}
    failed = after_install(verdict, **done)
    assert failed.state == FAILED and failed.reason.startswith("no space")
    left = after_install(verdict, failures={}, only_listed=True, attempted=False)
    assert left.state == MISSING and "not in the install override list" in left.reason
    assert "not attempted" in after_install(verdict, failures={}, only_listed=False, attempted=False).reason


def test_what_a_scan_has_said_is_not_said_twice_after_an_install():
    locked = dataclasses.replace(package(("0:2-1", advisory())), locked="locked by the administrator")
    failures = {"foo.x86_64": "locked by the administrator"}
    failed = after_install(judged(locked), failures=failures, only_listed=False, attempted=True)
    assert (failed.state, failed.reason.count("locked by the administrator")) == (FAILED, 1)

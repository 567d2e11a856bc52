# SPDX-License-Identifier: Apache-2.0
"""What PutInventory takes: nothing is cut that fits, everything that is cut is said, and the result always fits."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssmpatchlib.aws import limits
from ssmpatchlib.aws.items import InventoryItems, compliance_item, of_report
from ssmpatchlib.report_form import summary_item
from support.aws.reports import make_report, row


def items_of(*rows: dict[str, str]) -> InventoryItems:
    return of_report(make_report(*rows))


def cves(number: int) -> str:
    return ",".join(f"CVE-2026-{index:05}" for index in range(number))


def sent_size(items: InventoryItems) -> int:
    return len(json.dumps(summary_item(items.summary)["Content"])) + len(json.dumps(compliance_item(items)["Content"]))


def test_what_fits_is_left_alone() -> None:
    items = items_of(row("curl", "Missing", CVEIds=cves(3)), row("bash", "InstalledOther"))
    assert limits.fit(items) == (items, ())


def test_a_long_list_of_cves_ends_with_a_whole_id() -> None:
    fitted, warnings = limits.fit(items_of(row("kernel", "Missing", CVEIds=cves(400))))
    text = fitted.compliance[0]["CVEIds"]
    assert len(text) <= 4096
    assert text == cves(text.count(",") + 1)
    assert len(cves(text.count(",") + 2)) > 4096
    assert warnings == ("AWS:ComplianceItem: CVEIds was cut in 1 row(s): AWS takes 50 attributes of 4096 characters",)


def test_a_list_of_exactly_the_allowed_length_stays() -> None:
    exact = f"{cves(270)},CVE-2026-999999"
    exact += "9" * (4096 - len(exact))
    fitted, warnings = limits.fit(items_of(row("kernel", "Missing", CVEIds=exact)))
    assert fitted.compliance[0]["CVEIds"] == exact
    assert warnings == ()


def test_other_values_attributes_and_names_are_cut_to_what_aws_takes() -> None:
    report = make_report(row("curl"), InstallOverrideList="s3://b/" + "k" * 5000)
    fitted, warnings = limits.fit(of_report(report))
    assert len(fitted.summary["InstallOverrideList"]) == 4096
    assert warnings[0].startswith("AWS:PatchSummary: InstallOverrideList was cut in 1 row(s)")
    many = {f"k{number}": "v" for number in range(60)}
    items = InventoryItems(summary=many, compliance=({"n" * 65: "v", "Id": "a"},))
    fitted, warnings = limits.fit(items)
    assert len(fitted.summary) == 50
    assert fitted.compliance == ({"Id": "a"},)
    assert len(warnings) == 11


def test_cve_lists_go_first_and_only_as_far_as_needed() -> None:
    rows = [row(f"p{number}", "Missing", CVEIds=cves(20)) for number in range(100)]
    items = items_of(*rows, row("other", "InstalledOther"))
    room = sent_size(items) - 5000
    fitted, (warning,) = limits.fit(items, max_bytes=room)
    assert len(fitted.compliance) == 101
    kept = {each["CVEIds"].count(",") + 1 for each in fitted.compliance if "CVEIds" in each}
    (number,) = kept
    assert 0 < number < 20
    assert sent_size(fitted) <= room
    assert f"the CVE lists of 100 row(s) were shortened to {number} id(s)" in warning


def test_then_rows_that_say_least_go_first() -> None:
    bad = [row(f"bad{number}", "Missing", CVEIds=cves(1)) for number in range(5)]
    good = [row(f"good{number}") for number in range(5)]
    other = [row(f"other{number}", "InstalledOther") for number in range(5)]
    items = items_of(*good, *other, *bad)
    without = [{key: value for key, value in each.items() if key != "CVEIds"} for each in bad]
    small, warnings = limits.fit(items, max_bytes=sent_size(items_of(*good, *without)))
    states = [each["PatchState"] for each in small.compliance]
    assert states == ["Installed"] * 5 + ["Missing"] * 5
    assert "5 InstalledOther row(s) were left out" in warnings[-1]
    assert "CVE lists of 5 row(s) were left out" in warnings[0]
    smaller, warnings = limits.fit(items, max_bytes=sent_size(items_of(*without)))
    assert [each["PatchState"] for each in smaller.compliance] == ["Missing"] * 5
    assert "5 Installed row(s) were left out" in warnings[-1]
    least, warnings = limits.fit(items, max_bytes=sent_size(items_of(*without[:2])))
    assert [each["Id"] for each in least.compliance] == ["bad0.x86_64", "bad1.x86_64"]
    assert "3 non-compliant row(s) were left out" in warnings[-1]
    assert least.summary == items.summary


def test_no_more_rows_than_aws_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ROWS", 10)
    items = items_of(
        *(row(f"other{n}", "InstalledOther") for n in range(9)), *(row(f"b{n}", "Failed") for n in range(3))
    )
    fitted, (warning,) = limits.fit(items)
    assert len(fitted.compliance) == 10
    assert sum(each["PatchState"] == "Failed" for each in fitted.compliance) == 3
    assert "2 InstalledOther row(s) were left out" in warning


def test_ten_thousand_rows_are_fitted_quickly() -> None:
    rows = [
        row(f"package-number-{n}", "InstalledOther" if n % 4 else "Missing", CVEIds=cves(30)) for n in range(10_050)
    ]
    items = items_of(*rows)
    began = time.process_time()
    fitted, warnings = limits.fit(items)
    assert time.process_time() - began < 5
    assert sent_size(fitted) <= limits.MAX_BYTES
    assert sum(each["PatchState"] == "Missing" for each in fitted.compliance) == 2513
    assert warnings


def test_without_details_keeps_what_is_wrong() -> None:
    least = limits.without_details(items_of(row("a", "InstalledOther"), row("b", "Missing", CVEIds=cves(2)), row("c")))
    assert [(each["Id"], "CVEIds" in each) for each in least.compliance] == [("b.x86_64", False), ("c.x86_64", False)]


STATES = st.sampled_from(["Installed", "InstalledOther", "Missing", "Failed", "InstalledRejected"])
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=40)


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(NAMES, STATES, st.integers(0, 30)), max_size=25),
    room=st.integers(1100, 9000),
)
def test_the_result_always_fits_and_losses_are_always_said(rows: list[tuple[str, str, int]], room: int) -> None:
    items = items_of(*(row(name, state, CVEIds=cves(number)) for name, state, number in rows))
    fitted, warnings = limits.fit(items, max_bytes=room)
    assert sent_size(fitted) <= room
    assert bool(warnings) == (fitted != items)
    kept = [(each["Id"], each["PatchState"]) for each in fitted.compliance]
    given_rows = iter([(each["Id"], each["PatchState"]) for each in items.compliance])
    assert all(each in given_rows for each in kept), "the order is kept"
    if any(each["PatchState"] == "InstalledOther" for each in fitted.compliance):
        bad = [each for each in items.compliance if each["Status"] == "NON_COMPLIANT"]
        assert sum(each["Status"] == "NON_COMPLIANT" for each in fitted.compliance) == len(bad)

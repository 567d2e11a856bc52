# SPDX-License-Identifier: Apache-2.0
"""Sends reports to AWS, in order, the newest of each kind; what cannot be sent stays and is sent later."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..config import AwsSettings, Settings
from ..errors import SsmpatchError
from ..host import Host
from ..report import Report
from ..report_form import summary_item
from ..times import aws_time
from . import faults, items, limits, outbox, sent_hashes
from .calls import Connection
from .identity import Identity, identify
from .items import InventoryItems
from .outbox import Waiting

_SEND_IN_FULL = ("ItemContentMismatchException", "InvalidItemContentException")
_TOO_LARGE = ("ItemSizeLimitExceededException", "TotalSizeLimitExceededException")


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What became of an upload.

    ``sent``: nothing waits any more. ``queued``: something does, and the next operation or ``upload`` sends it.
    ``partial``: AWS had the compliance rows already, so only their hash was sent. ``code`` and ``error`` are the
    return code (docs/rules.md, Files and return codes) and sentence of the first failure; 0 and empty without one.
    """

    sent: bool
    queued: bool
    partial: bool
    warnings: tuple[str, ...] = ()
    code: int = 0
    error: str = ""


def send_report(report: Report, settings: Settings, *, host: Host) -> UploadResult:
    """Send a report, after what waits already.

    It is stored before anything is sent and forgotten when AWS has it: a killed process loses nothing. A newer report
    of the same kind that waits already stays in its place. No failure raises: the result says what it was.
    """
    aws = settings.aws or AwsSettings()
    place = settings.place(host.now())
    now = aws_time(place.now)
    waiting, warnings = outbox.waiting(place)
    for entry in _entries(report, aws):
        if any(other.kind == entry.kind and entry.items.ended < other.items.ended <= now for other in waiting):
            continue
        try:
            outbox.put(place, entry)
        except SsmpatchError as exc:
            warnings += (f"the report could not be stored for a later upload: {exc}",)
        waiting = [*(other for other in waiting if other.kind != entry.kind), entry]
    return _send_all(settings, aws, waiting, warnings=warnings, host=host)


def _entries(report: Report, aws: AwsSettings) -> list[Waiting]:
    """What is to be sent of a report: inventory and, for an association that is no patch policy's, its line."""
    found = items.of_report(report, association_id=aws.association_id)
    inventory = Waiting(found)
    if not aws.association_id or found.execution_type == items.PATCH_POLICY:
        return [inventory]
    return [inventory, Waiting(found, aws.association_id)]


def send_waiting(settings: Settings, *, host: Host) -> UploadResult:
    """Send what waits and nothing else; without anything waiting AWS is not even asked."""
    waiting, warnings = outbox.waiting(settings.place(host.now()))
    return _send_all(settings, settings.aws or AwsSettings(), waiting, warnings=warnings, host=host)


def _send_all(
    settings: Settings, aws: AwsSettings, waiting: list[Waiting], *, warnings: tuple[str, ...], host: Host
) -> UploadResult:
    result = UploadResult(sent=True, queued=False, partial=False, warnings=warnings)
    if not waiting:
        return result
    try:
        node = identify(aws, host=host)
        connection = Connection(aws, region=node.region, ec2=node.ec2, host=host)
    except SsmpatchError as exc:
        return _failed(result, exc, len(waiting))
    for number, entry in enumerate(waiting):
        try:
            partial, said = _send(entry, settings, node, connection)
        except SsmpatchError as exc:
            result = _failed(result, exc, len(waiting) - number)
            if isinstance(exc, faults.AwsError) and exc.kind == faults.UNREACHABLE:
                break
            continue
        partial = result.partial if entry.association_id else partial
        result = dataclasses.replace(result, partial=partial, warnings=(*result.warnings, *said))
        try:
            outbox.done(settings.place(host.now()), entry)
        except SsmpatchError as exc:
            result = dataclasses.replace(result, warnings=(*result.warnings, f"it will be uploaded once more: {exc}"))
    return dataclasses.replace(result, warnings=tuple(dict.fromkeys((*result.warnings, *connection.warnings))))


def _failed(result: UploadResult, exc: SsmpatchError, number: int) -> UploadResult:
    what = "the report" if number == 1 else f"{number} reports"
    said = f"upload failed, {what} will be sent by the next operation or ssmpatch.upload: {exc}"
    return dataclasses.replace(
        result,
        sent=False,
        queued=True,
        warnings=(*result.warnings, said),
        code=result.code or exc.code,
        error=result.error or str(exc),
    )


def _send(entry: Waiting, settings: Settings, node: Identity, connection: Connection) -> tuple[bool, tuple[str, ...]]:
    """Whether a hash was enough, and warnings."""
    if entry.association_id:
        _send_association(entry, node, connection)
        return False, ()
    return _send_inventory(entry.items, settings, node, connection)


def _send_inventory(
    full: InventoryItems, settings: Settings, node: Identity, connection: Connection
) -> tuple[bool, tuple[str, ...]]:
    """Both items in one call; when AWS finds them too large although they should fit, once more with less."""
    fitting, warnings = limits.fit(full)
    try:
        partial, said = _put_inventory(fitting, settings, node, connection)
    except faults.AwsError as exc:
        if exc.aws_code not in _TOO_LARGE:
            raise
        less, more = limits.fit(limits.without_details(full))
        partial, said = _put_inventory(less, settings, node, connection)
        said += (f"{exc.aws_code}: AWS took the report without CVE lists and InstalledOther rows only", *more)
    return partial, (*warnings, *said)


def _put_inventory(
    fitting: InventoryItems, settings: Settings, node: Identity, connection: Connection
) -> tuple[bool, tuple[str, ...]]:
    """By hash where AWS should have the rows already, in full where it says that it has not."""
    summary, compliance = summary_item(fitting.summary), items.compliance_item(fitting)
    known = sent_hashes.knows(settings.aws_dir, compliance["ContentHash"])
    if known:
        try:
            _put(connection, node, [summary, items.without_content(compliance)])
            return True, ()
        except faults.AwsError as exc:
            if exc.aws_code not in _SEND_IN_FULL:
                raise
            sent_hashes.forget(settings.aws_dir)
    _put(connection, node, [summary, compliance])
    problem = sent_hashes.remember(settings.aws_dir, compliance["ContentHash"])
    return False, (problem,) if problem else ()


def _put(connection: Connection, node: Identity, inventory: list[dict[str, Any]]) -> None:
    connection.call("ssm", "PutInventory", InstanceId=node.instance_id, Items=inventory)


def _send_association(entry: Waiting, node: Identity, connection: Connection) -> None:
    """The one line of an association, with the severity that the association has. Rule: docs/aws.md.

    Of an association that runs another document AWS itself keeps the line.
    """
    answer = connection.call("ssm", "DescribeAssociation", AssociationId=entry.association_id)
    association = answer.get("AssociationDescription") or {}
    if (association.get("Name") or items.ASSOCIATION_DOCUMENT) != items.ASSOCIATION_DOCUMENT:
        return
    severity = association.get("ComplianceSeverity") or "UNSPECIFIED"
    parameters = items.association_parameters(
        entry.items, association_id=entry.association_id, severity=severity, instance_id=node.instance_id
    )
    connection.call("ssm", "PutComplianceItems", **parameters)

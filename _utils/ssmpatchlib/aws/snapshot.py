# SPDX-License-Identifier: Apache-2.0
"""The baseline that AWS has for this node; the last one had serves while AWS cannot be reached."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import fields, files
from ..baseline import export, override, schema
from ..baseline.parse import WRAPPER, parse_sent, said_of
from ..config import AwsSettings, Settings
from ..errors import InvalidInput, SsmpatchError
from ..host import Host
from ..model import Baseline
from ..osinfo import OsInfo
from ..paths import state_file
from ..times import duration
from . import baselines, faults
from .calls import Connection
from .download import DownloadError, download
from .identity import Identity, identify

MAX_BYTES = 16 * 1024 * 1024
DOWNLOAD_SECONDS = 60.0
STORED_VERSION = 1

#: Return codes of the AWS documents (docs/rules.md, Files and return codes).
NOT_HAD = 143
NOT_VALID = 150

_STORED_FIELDS: Mapping[str, fields.Check] = {
    "fetched": fields.is_time,
    "selection": fields.is_text,
    "chosen_by": fields.is_text,
    "instance_id": fields.is_text,
    "region": fields.is_text,
    "snapshot_id": fields.is_text,
    "patch_group": fields.is_text,
    "product": fields.is_text,
    "baseline": fields.is_mapping,
}


@dataclass(frozen=True, slots=True)
class SnapshotResult:
    """AWS's baseline for this node. ``product`` is AWS's word for the operating system's release."""

    baseline: Baseline
    snapshot_id: str
    patch_group: str
    product: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """What AWS gave: ``baseline`` in either spelling, and how it was chosen; ``passed_over`` is what surrounds it."""

    baseline: Mapping[str, Any]
    chosen_by: str
    snapshot_id: str
    patch_group: str
    product: str
    warnings: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()


def deployable_baseline(
    settings: Settings,
    os_info: OsInfo,
    *,
    host: Host,
    snapshot_id: str | None = None,
    baseline_override_document: Any = None,
    override_location: str = "",
) -> SnapshotResult:
    """The baseline that AWS says this node is patched by.

    A baseline chosen in the settings (``aws.baseline``, ``aws.baseline_tags``, ``patch_group``) is read from the
    account; else AWS makes a snapshot of the one that the node's own tags choose.

    Args:
        snapshot_id: a UUID; the same one gives the same rules again, for about three days. Without: a new one.
        baseline_override_document: text or list of a BaselineOverride, which AWS then takes instead of its own, unless
            it has a snapshot of this id already.
        override_location: where that document came from, for people.

    Raises:
        InvalidInput: code 146 the operating system is not supported, 160-166 as the BaselineOverride's own errors.
        SsmpatchError: 130-145, 148 as docs/rules.md, Files and return codes, has them; 150 AWS's baseline is not
            understood, and nothing that it sent before can stand in.
    """
    os_info.require_supported()
    aws = settings.aws or AwsSettings()
    entry = _override_entry(baseline_override_document, os_info.operating_system, override_location)
    selection = _selection(settings, aws, os_info, entry, snapshot_id)
    by = f"{override.ORIGIN}{override_location or override.INLINE}, by AWS" if entry else "AWS"
    path = _path(settings, overridden=entry is not None)
    node = identify(aws, host=host)
    try:
        found = _ask(settings, aws, os_info, node, host=host, snapshot_id=snapshot_id, entry=entry)
        result = _result(found, os_info, origin=f"{by}: {found.chosen_by}")
    except faults.AwsError as exc:
        if exc.kind not in faults.BRIDGED:
            raise
        return _last(
            path, exc, os_info, by=by, selection=selection, node=node, aws=aws, host=host, snapshot_id=snapshot_id
        )
    not_stored = _store(path, found, selection=selection, node=node, now=host.now())
    return dataclasses.replace(result, warnings=(*result.warnings, *not_stored))


def _override_entry(document: Any, operating_system: str, location: str) -> dict[str, Any] | None:
    """The entry for this operating system of a BaselineOverride, in the API's shape; None without a document."""
    if document in (None, ""):
        return None
    baseline = override.parse_baseline_override(document, operating_system=operating_system, location=location)
    api = export.to_api(baseline)
    return {key: api[key] for key in override.USED_KEYS if key in api}


def _selection(
    settings: Settings,
    aws: AwsSettings,
    os_info: OsInfo,
    entry: Mapping[str, Any] | None,
    snapshot_id: str | None,
) -> str:
    """What was asked for: a stored answer to another question is no answer. An id wins over what an override says."""
    tags = aws.baseline_tags
    told = (
        "" if entry is None or snapshot_id else hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
    )
    asked = [
        os_info.operating_system,
        told,
        aws.baseline,
        f"{tags.key}={','.join(tags.values)}" if tags else "",
        settings.patch_group,
    ]
    return json.dumps(asked)


def _path(settings: Settings, *, overridden: bool) -> Path:
    kind = "aws-override-snapshot" if overridden else "aws-snapshot"
    return state_file(settings.state_dir, kind, settings.root)


def _ask(
    settings: Settings,
    aws: AwsSettings,
    os_info: OsInfo,
    node: Identity,
    *,
    host: Host,
    snapshot_id: str | None,
    entry: Mapping[str, Any] | None,
) -> _Found:
    connection = Connection(aws, region=node.region, ec2=node.ec2, host=host)
    chosen = None
    if entry is None:
        chosen = baselines.find(
            connection, aws, operating_system=os_info.operating_system, patch_group=settings.patch_group
        )
    if chosen is None:
        found = _snapshot(connection, aws, os_info, node, host=host, snapshot_id=snapshot_id, entry=entry)
    else:
        baseline, chosen_by = chosen
        found = _Found(
            baseline=baseline,
            chosen_by=f"{chosen_by} ({node.region})",
            snapshot_id=snapshot_id or str(uuid.uuid4()),
            patch_group=settings.patch_group,
            product=os_info.product,
        )
    return dataclasses.replace(found, warnings=(*connection.warnings, *found.warnings))


def _snapshot(
    connection: Connection,
    aws: AwsSettings,
    os_info: OsInfo,
    node: Identity,
    *,
    host: Host,
    snapshot_id: str | None,
    entry: Mapping[str, Any] | None,
) -> _Found:
    wanted = snapshot_id or str(uuid.uuid4())
    parameters: dict[str, Any] = {"InstanceId": node.instance_id, "SnapshotId": wanted}
    if entry is not None:
        parameters["BaselineOverride"] = entry
    if aws.use_dualstack_endpoint:
        parameters["UseS3DualStackEndpoint"] = True
    answer, document = _fresh(connection, parameters, allow_http=aws.endpoint_url.startswith("http://"), host=host)
    group = document.get("patchGroup")
    return _Found(
        baseline=document[WRAPPER],
        chosen_by=f"snapshot {answer.get('SnapshotId') or wanted} for {node.instance_id} ({node.region})",
        snapshot_id=str(answer.get("SnapshotId") or wanted),
        patch_group=group if isinstance(group, str) else "",
        product=str(answer.get("Product") or os_info.product),
        passed_over=tuple(key for key in document if key not in (WRAPPER, *schema.SNAPSHOT_KEYS)),
    )


def _fresh(
    connection: Connection, parameters: Mapping[str, Any], *, allow_http: bool, host: Host
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """AWS's answer, and the snapshot that it points to; a refused address, as an expired one is, is asked for anew."""
    operation = "GetDeployablePatchSnapshotForInstance"
    for last in (False, True):
        answer = connection.call("ssm", operation, **parameters)
        url = answer.get("SnapshotDownloadUrl")
        if not url:
            request = faults.Request("ssm", operation, connection.region, "")
            raise faults.garbage(request, "the answer has no download address")
        data = _downloaded(str(url), allow_http=allow_http, host=host, refused_is_an_error=last)
        if data is not None:
            break
    return answer, _document(data or b"")


def _downloaded(url: str, *, allow_http: bool, host: Host, refused_is_an_error: bool) -> bytes | None:
    """What a pre-signed address points to; None where another address may help."""
    try:
        return download(url, max_bytes=MAX_BYTES, timeout=DOWNLOAD_SECONDS, sleep=host.sleep, allow_http=allow_http)
    except DownloadError as exc:
        if exc.refused and not refused_is_an_error:
            return None
        raise faults.AwsError(
            f"the baseline snapshot could not be downloaded: {exc}; allow this address in firewall, proxy and "
            "VPC endpoint policy",
            kind=faults.UNREACHABLE if exc.passing else faults.REFUSED,
            code=NOT_HAD,
        ) from exc


def _document(data: bytes) -> dict[str, Any]:
    """A snapshot: a mapping with the baseline below ``patchBaseline``."""
    try:
        document = files.parse_json(data)
    except ValueError as exc:
        raise faults.AwsError(
            "what was downloaded as the baseline snapshot is not JSON; see whether a proxy or a login page stands "
            "between this host and AWS",
            kind=faults.GARBAGE,
            code=NOT_VALID,
        ) from exc
    if not isinstance(document, dict) or not isinstance(document.get(WRAPPER), dict):
        raise _not_understood("the baseline snapshot that AWS gave holds no patchBaseline")
    return document


def _result(found: _Found, os_info: OsInfo, *, origin: str) -> SnapshotResult:
    """The parsed baseline, taken as far as it is understood; a warning names what is not.

    Raises:
        AwsError: what is not understood could approve the wrong thing, or it is for another operating system.
    """
    try:
        baseline, passed_over = parse_sent(found.baseline, origin=origin)
    except InvalidInput as exc:
        raise _not_understood(f"AWS's {exc}; update ssmpatch, or correct the baseline in AWS") from exc
    if baseline.operating_system not in ("", os_info.operating_system):
        raise _not_understood(
            f"AWS's baseline {baseline.name} ({origin}) is for {baseline.operating_system}, but this host is "
            f"{os_info.operating_system}; choose another baseline, or correct ssmpatch:operating_system"
        )
    warnings = (*found.warnings, *said_of(sorted((*found.passed_over, *passed_over)), "AWS's baseline"))
    return SnapshotResult(baseline, found.snapshot_id, found.patch_group, found.product, warnings)


def _not_understood(message: str) -> faults.AwsError:
    return faults.AwsError(message, kind=faults.NOT_UNDERSTOOD, code=NOT_VALID)


def _store(path: Path, found: _Found, *, selection: str, node: Identity, now: float) -> tuple[str, ...]:
    try:
        files.write_json(
            path,
            {
                "version": STORED_VERSION,
                "fetched": now,
                "selection": selection,
                "chosen_by": found.chosen_by,
                "instance_id": node.instance_id,
                "region": node.region,
                "snapshot_id": found.snapshot_id,
                "patch_group": found.patch_group,
                "product": found.product,
                "baseline": _plain(found.baseline),
            },
        )
    except SsmpatchError as exc:
        return (f"AWS's baseline could not be stored for when AWS cannot be reached: {exc}",)
    return ()


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: whatever else boto3 gives (dates) as text, what is no number as nothing."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(_plain, value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)


def _last(
    path: Path,
    cause: faults.AwsError,
    os_info: OsInfo,
    *,
    by: str,
    selection: str,
    node: Identity,
    aws: AwsSettings,
    host: Host,
    snapshot_id: str | None,
) -> SnapshotResult:
    """The baseline that the last answer had.

    Raises:
        AwsError: the cause, with why there is nothing that could stand in.
    """
    now = host.now()
    stored, warnings = files.read_json(
        path, shape=lambda document: fields.check_fields(document, STORED_VERSION, _STORED_FIELDS), now=now
    )
    why_not = _unusable(stored, selection=selection, node=node, aws=aws, now=now, snapshot_id=snapshot_id)
    if why_not:
        details = "; ".join((why_not, *warnings))
        raise faults.AwsError(f"{cause}; {details}", kind=cause.kind, code=cause.code, aws_code=cause.aws_code)
    age = duration(max(0.0, now - stored["fetched"]))
    why = "what AWS sent was not understood" if cause.kind == faults.NOT_UNDERSTOOD else "AWS could not be asked"
    found = _Found(
        baseline=stored["baseline"],
        chosen_by=stored["chosen_by"],
        snapshot_id=snapshot_id or stored["snapshot_id"],
        patch_group=stored["patch_group"],
        product=stored["product"],
        warnings=(f"{why}; its baseline from {age} ago was used: {cause}",),
    )
    return _result(found, os_info, origin=f"{by}, {age} ago: {found.chosen_by}")


def _unusable(
    stored: Any, *, selection: str, node: Identity, aws: AwsSettings, now: float, snapshot_id: str | None
) -> str:
    """Why the stored answer cannot stand in; empty when it can."""
    if stored is None:
        return "no earlier snapshot is stored"
    if stored["selection"] != selection or stored["instance_id"] != node.instance_id:
        return "the stored snapshot is of other settings or another node"
    if snapshot_id and snapshot_id != stored["snapshot_id"]:
        return f"the stored snapshot is {stored['snapshot_id']}, not {snapshot_id}"
    if now - stored["fetched"] > aws.snapshot_max_age:
        age = duration(now - stored["fetched"])
        allowed = duration(aws.snapshot_max_age)
        return f"the stored snapshot is {age} old, and ssmpatch:aws:snapshot_max_age allows {allowed}"
    return ""

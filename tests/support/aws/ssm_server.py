# SPDX-License-Identifier: Apache-2.0
"""Systems Manager on loopback: checks each request against botocore's service model and keeps what it is sent.

Inventory is kept with its hashes as the service documents it. Failures are scripted per operation.
"""

from __future__ import annotations

import contextlib
import gzip
import http.server
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import botocore.loaders
import botocore.model
import botocore.validate

from support.serving import Server, answering

KIB = 1024
ITEM_BYTES = 1024 * KIB
KNOWN_TYPES = {"AWS:PatchSummary", "AWS:ComplianceItem"}


class ServiceError(Exception):
    """What the service answers with."""

    def __init__(self, code: str, message: str = "", *, status: int = 400, **members: str) -> None:
        super().__init__(code)
        self.code, self.message, self.status, self.members = code, message, status, members


@dataclass(frozen=True)
class Failure:
    """One scripted answer. ``how``: error, close, half, hang, garbage, raw."""

    how: str
    error: ServiceError | None = None
    seconds: float = 0
    status: int = 200
    body: bytes = b"<html><body>Please log in</body></html>"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A request as it came."""

    operation: str
    parameters: Mapping[str, Any]
    access_key: str
    region: str
    token: str
    user_agent: str
    size: int


class Models:
    """The shapes of the services that the server plays."""

    def __init__(self) -> None:
        loader = botocore.loaders.Loader()
        self.services = {
            "AmazonSSM": botocore.model.ServiceModel(loader.load_service_model("ssm", "service-2"), "ssm"),
            "ResourceGroupsTaggingAPI_20170126": botocore.model.ServiceModel(
                loader.load_service_model("resourcegroupstaggingapi", "service-2"), "resourcegroupstaggingapi"
            ),
        }

    def operation(self, target: str) -> Any:
        """The model behind an X-Amz-Target header."""
        prefix, _, operation = target.partition(".")
        return self.services[prefix].operation_model(operation)


def problems(value: Any, shape: Any, path: str = "") -> list[str]:
    """All in which a request departs from its shape: required members, types, patterns, lengths, enumerations."""
    report = botocore.validate.ParamValidator().validate(value, shape)
    found = [report.generate_report()] if report.has_errors() else []
    return found + _departures(value, shape, path)


def _departures(value: Any, shape: Any, path: str) -> list[str]:
    found: list[str] = []
    rules = shape.metadata
    if shape.type_name == "structure":
        for name in value:
            if name not in shape.members:
                found.append(f"{path}.{name}: unknown member")
            else:
                found += _departures(value[name], shape.members[name], f"{path}.{name}")
        return found
    if shape.type_name == "list":
        for index, item in enumerate(value):
            found += _departures(item, shape.member, f"{path}[{index}]")
    elif shape.type_name == "map":
        for key, item in value.items():
            found += _departures(key, shape.key, f"{path} key")
            found += _departures(item, shape.value, f"{path}.{key}")
    size = value if shape.type_name in ("integer", "long") else len(value) if hasattr(value, "__len__") else None
    if size is not None:
        if "max" in rules and size > rules["max"]:
            found.append(f"{path}: {size} is more than {rules['max']}")
        if "min" in rules and size < rules["min"]:
            found.append(f"{path}: {size} is less than {rules['min']}")
    if "enum" in rules and value not in rules["enum"]:
        found.append(f"{path}: {value!r} is none of {rules['enum']}")
    pattern = rules.get("pattern", "").replace(r"\p{L}\p{Z}\p{N}", r"\w\s")
    if pattern and not re.search(pattern, value):
        found.append(f"{path}: {value!r} does not match {pattern}")
    return found


class SsmServer:
    """The service's state, and what tests ask of it."""

    def __init__(self) -> None:
        self.url = ""
        self.models = Models()
        self.lock = threading.Lock()
        self.calls: list[Call] = []
        self.rejected: list[str] = []
        self.failures: dict[str, list[Failure]] = {}
        self.instances: set[str] = set()
        self.groups: dict[str, str] = {}
        self.baselines: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.group_baselines: dict[tuple[str, str], str] = {}
        self.defaults: dict[str, str] = {}
        self.node_baseline: dict[str, str] = {}
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.compressed = False
        self.snapshot_answer: Callable[[http.server.BaseHTTPRequestHandler, bytes], None] | None = None
        self.product = "Debian12"
        self.inventory: dict[str, dict[str, dict[str, Any]]] = {}
        self.associations: dict[str, dict[str, Any]] = {}
        self.compliance: dict[str, dict[str, Any]] = {}
        self.page_size = 2
        self.refused_keys: set[str] = set()
        self.clock_offset = 0.0

    # --- what tests say -----------------------------------------------------------------------------------

    def fail(self, operation: str, *failures: Failure) -> None:
        """Answer the next calls of an operation (or ``*``: of any) so."""
        self.failures.setdefault(operation, []).extend(failures)

    def calls_of(self, operation: str) -> list[Call]:
        """The requests for an operation, in order."""
        return [call for call in self.calls if call.operation == operation]

    def add_baseline(self, document: Mapping[str, Any], *, tags: Mapping[str, str] | None = None) -> str:
        """Create a baseline in API form; returns its id."""
        baseline_id = document.get("BaselineId") or f"pb-{uuid.uuid4().hex[:17]}"
        self.baselines[baseline_id] = {**document, "BaselineId": baseline_id}
        self.tags[baseline_id] = dict(tags or {})
        return str(baseline_id)

    # --- operations ---------------------------------------------------------------------------------------

    def GetDeployablePatchSnapshotForInstance(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        instance, snapshot_id = given["InstanceId"], given["SnapshotId"]
        self._known(instance)
        if snapshot_id not in self.snapshots:
            if "BaselineOverride" in given:
                baseline = {
                    "Name": "override",
                    "BaselineId": f"pb-{uuid.uuid4().hex[:17]}",
                    **given["BaselineOverride"],
                }
            else:
                baseline = self.baselines[self.node_baseline[instance]]
            self.snapshots[snapshot_id] = snapshot_document(baseline, self.groups.get(instance, ""))
        address = f"{self.url}/snapshot/{snapshot_id}.json?X-Amz-Signature=5ecre7"
        if given.get("UseS3DualStackEndpoint"):
            address += "&dualstack=1"
        return {
            "InstanceId": instance,
            "SnapshotId": snapshot_id,
            "Product": self.product,
            "SnapshotDownloadUrl": address,
        }

    def CreatePatchBaseline(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        rules = given.get("ApprovalRules", {}).get("PatchRules", [])
        if any(("ApproveAfterDays" in rule) == ("ApproveUntilDate" in rule) for rule in rules):
            raise ServiceError("ValidationException", "each rule needs one of ApproveAfterDays and ApproveUntilDate")
        kept = {"OperatingSystem": "WINDOWS", **given}
        kept.pop("ClientToken", None)
        return {"BaselineId": self.add_baseline(kept)}

    def GetPatchBaseline(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        found = self.baselines.get(given["BaselineId"])
        if found is None:
            raise ServiceError("DoesNotExistException", f"Patch baseline {given['BaselineId']} does not exist")
        return {**found, "PatchGroups": [], "CreatedDate": 1525194800.0, "ModifiedDate": 1525194800.5}

    def GetPatchBaselineForPatchGroup(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        system = given.get("OperatingSystem", "WINDOWS")
        found = self.group_baselines.get((given["PatchGroup"], system)) or self.defaults.get(system)
        return {"BaselineId": found, "PatchGroup": given["PatchGroup"], "OperatingSystem": system}

    def GetDefaultPatchBaseline(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        system = given.get("OperatingSystem", "WINDOWS")
        return {"BaselineId": self.defaults.get(system), "OperatingSystem": system}

    def DescribePatchBaselines(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        filters = {each["Key"]: each["Values"] for each in given.get("Filters", [])}
        found = [
            {
                "BaselineId": baseline_id,
                "BaselineName": each["Name"],
                "OperatingSystem": each["OperatingSystem"],
                "DefaultBaseline": False,
            }
            for baseline_id, each in sorted(self.baselines.items())
            if any(each["Name"].startswith(prefix) for prefix in filters.get("NAME_PREFIX", [""]))
            and each["OperatingSystem"] in filters.get("OPERATING_SYSTEM", [each["OperatingSystem"]])
        ]
        page, token = self._page(found, given.get("NextToken"))
        return {"BaselineIdentities": page, **({"NextToken": token} if token else {})}

    def GetResources(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert given["ResourceTypeFilters"] == ["ssm:patchbaseline"]
        found = [
            {
                "ResourceARN": f"arn:aws:ssm:eu-central-1:123456789012:patchbaseline/{baseline_id}",
                "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            }
            for baseline_id, tags in sorted(self.tags.items())
            if all(tags.get(each["Key"]) in each["Values"] for each in given["TagFilters"])
        ]
        page, token = self._page(found, given.get("PaginationToken"))
        return {"ResourceTagMappingList": page, "PaginationToken": token}

    def PutInventory(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._known(given["InstanceId"])
        stored = self.inventory.setdefault(given["InstanceId"], {})
        total = 0
        for item in given["Items"]:
            name = item["TypeName"]
            if name not in KNOWN_TYPES:
                raise ServiceError("InvalidTypeNameException", f"{name} is not valid")
            size = len(json.dumps(item.get("Content", [])))
            total += size
            if size > ITEM_BYTES:
                raise ServiceError("ItemSizeLimitExceededException", "too large", TypeName=name)
            if "Content" not in item and item.get("ContentHash") != stored.get(name, {}).get("ContentHash"):
                raise ServiceError("ItemContentMismatchException", "no such content", TypeName=name)
        if total > ITEM_BYTES:
            raise ServiceError("TotalSizeLimitExceededException", "too large in total")
        for item in given["Items"]:
            stored[item["TypeName"]] = {**stored.get(item["TypeName"], {}), **item}
        return {"Message": "Success"}

    def DescribeAssociation(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        found = self.associations.get(given["AssociationId"])
        if found is None:
            raise ServiceError("AssociationDoesNotExist", "The specified association doesn't exist.")
        return {"AssociationDescription": {"AssociationId": given["AssociationId"], **found}}

    def PutComplianceItems(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        if given["ResourceId"] not in self.instances:
            raise ServiceError("InvalidResourceId")
        if given["ResourceType"] != "ManagedInstance":
            raise ServiceError("InvalidResourceType")
        kept = self.compliance.setdefault(given["ResourceId"], {})
        if given.get("UploadType", "COMPLETE") == "COMPLETE":
            kept.clear()
        kept[given["ExecutionSummary"]["ExecutionId"]] = given
        return {}

    def _known(self, instance: str) -> None:
        if instance not in self.instances:
            raise ServiceError("InvalidInstanceId", f"Instance {instance} is not registered")

    def _page(self, found: list[Any], token: str | None) -> tuple[list[Any], str]:
        start = int(token or 0)
        end = start + self.page_size
        return found[start:end], str(end) if end < len(found) else ""


def snapshot_document(baseline: Mapping[str, Any], patch_group: str) -> dict[str, Any]:
    """A baseline in API form as the snapshot that nodes download."""

    def filters(group: Mapping[str, Any]) -> dict[str, Any]:
        return {"filters": [{"key": each["Key"], "values": each["Values"]} for each in group.get("PatchFilters", [])]}

    return {
        "patchBaseline": {
            "accountId": "123456789012",
            "baselineId": baseline["BaselineId"],
            "name": baseline["Name"],
            "description": baseline.get("Description"),
            "operatingSystem": baseline["OperatingSystem"],
            "globalFilters": filters(baseline.get("GlobalFilters", {})),
            "approvalRules": {
                "rules": [
                    {
                        "filterGroup": filters(rule["PatchFilterGroup"]),
                        "complianceLevel": rule.get("ComplianceLevel", "UNSPECIFIED"),
                        "enableNonSecurity": rule.get("EnableNonSecurity", False),
                        "approveAfterDays": rule.get("ApproveAfterDays"),
                        "approveUntilDate": rule.get("ApproveUntilDate"),
                    }
                    for rule in baseline.get("ApprovalRules", {}).get("PatchRules", [])
                ]
            },
            "approvedPatches": baseline.get("ApprovedPatches", []),
            "approvedPatchesComplianceLevel": baseline.get("ApprovedPatchesComplianceLevel", "UNSPECIFIED"),
            "approvedPatchesEnableNonSecurity": baseline.get("ApprovedPatchesEnableNonSecurity", False),
            "rejectedPatches": baseline.get("RejectedPatches", []),
            "rejectedPatchesAction": baseline.get("RejectedPatchesAction", "ALLOW_AS_DEPENDENCY"),
            "createdTime": 1525194800.0,
            "modifiedTime": 1525194800.0,
            "sources": [
                {key[0].lower() + key[1:]: value for key, value in source.items()}
                for source in baseline.get("Sources", [])
            ],
        },
        "patchGroup": patch_group,
        "patches": [],
        "enableApplicationPatches": False,
        "requiredFeatures": [],
    }


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: SsmServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server looks for
        snapshot = self.service.snapshots.get(self.path.partition(".json")[0].rpartition("/")[2])
        if snapshot is None or "X-Amz-Signature=5ecre7" not in self.path:
            self._send(403, b"<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"})
            return
        body = json.dumps(snapshot).encode()
        if self.service.compressed:
            body = gzip.compress(body)
        if self.service.snapshot_answer:
            with contextlib.suppress(OSError):
                self.service.snapshot_answer(self, body)
            return
        self._send(200, body, {})

    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers["X-Amz-Target"]
        operation = target.partition(".")[2]
        with self.service.lock:
            self._count(operation, body)
            queue = self.service.failures.get(operation) or self.service.failures.get("*") or []
            failure = queue.pop(0) if queue else None
        if failure is not None:
            with contextlib.suppress(OSError):
                self._fail(failure)
            return
        try:
            answer = self._answer(target, operation, json.loads(body))
        except ServiceError as exc:
            self._error(exc)
            return
        self._json(200, answer)

    def _count(self, operation: str, body: bytes) -> None:
        scope = re.search(r"Credential=([^/]+)/\d{8}/([^/]+)/(ssm|tagging)/aws4_request", self.headers["Authorization"])
        assert scope, "not signed"
        self.service.calls.append(
            Call(
                operation=operation,
                parameters=json.loads(body),
                access_key=scope[1],
                region=scope[2],
                token=self.headers.get("X-Amz-Security-Token", ""),
                user_agent=self.headers.get("User-Agent", ""),
                size=len(body),
            )
        )

    def _answer(self, target: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if self.service.calls[-1].access_key in self.service.refused_keys:
            raise ServiceError("AccessDeniedException", f"User is not authorized to perform: ssm:{operation}")
        wrong = problems(parameters, self.service.models.operation(target).input_shape)
        if wrong:
            self.service.rejected += wrong
            raise ServiceError("ValidationException", "; ".join(wrong))
        with self.service.lock:
            answer: dict[str, Any] = getattr(self.service, operation)(parameters)
        return answer

    def _fail(self, failure: Failure) -> None:
        if failure.how == "error":
            assert failure.error is not None
            self._error(failure.error)
        elif failure.how == "hang":
            time.sleep(failure.seconds)
            self.close_connection = True
        elif failure.how == "half":
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
            self.send_header("Content-Length", "500")
            self.end_headers()
            self.wfile.write(b'{"Message": "Succ')
            self.wfile.flush()
            self.close_connection = True
        elif failure.how == "close":
            self.close_connection = True
        else:
            self._send(failure.status, failure.body, failure.headers)

    def _error(self, exc: ServiceError) -> None:
        self._json(exc.status, {"__type": exc.code, "message": exc.message, **exc.members})

    def _json(self, status: int, value: Mapping[str, Any]) -> None:
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": str(uuid.uuid4())}
        self._send(status, json.dumps(value).encode(), headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header: the service's clock, which tests may set wrong."""
        return formatdate(time.time() + self.service.clock_offset, usegmt=True)


@contextlib.contextmanager
def serving() -> Iterator[SsmServer]:
    """A server on loopback until the block ends."""
    service = SsmServer()
    server = Server(type("Handler", (_Handler,), {"service": service}))
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    with answering(server):
        yield service

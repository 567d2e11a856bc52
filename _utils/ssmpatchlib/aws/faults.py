# SPDX-License-Identifier: Apache-2.0
"""What botocore's exceptions mean: one kind, one sentence with the remedy, one return code."""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..errors import SsmpatchError

# Why AWS did not do what it was asked.
DENIED = "denied"
CREDENTIALS = "credentials"
NO_CREDENTIALS = "no credentials"
SKEWED = "skewed clock"
THROTTLED = "throttled"
UNREACHABLE = "unreachable"
GARBAGE = "garbage"
BROKEN = "broken"
REFUSED = "refused"
NOT_UNDERSTOOD = "not understood"

#: Nothing is wrong with the request: AWS could not be reached or could not answer; later it may.
PASSING = frozenset({THROTTLED, UNREACHABLE, GARBAGE, BROKEN})
#: What was had of AWS before serves meanwhile.
BRIDGED = PASSING | {NOT_UNDERSTOOD}
#: Other credentials may help.
OF_CREDENTIALS = frozenset({DENIED, CREDENTIALS, NO_CREDENTIALS})

SKEW_SECONDS = 240
UNSUPPORTED_SYSTEM = 146

_DENIED = frozenset(
    {
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "Forbidden",
        "NotAuthorized",
        "OptInRequired",
        "UnauthorizedException",
        "UnauthorizedOperation",
    }
)
_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
_SKEWED_WORDS = ("signature expired", "signature not yet current")
_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


@dataclass(frozen=True, slots=True)
class Codes:
    """The return codes of an operation: AWS could not be asked, AWS answered with an error, AWS denied it."""

    error: int
    api: int
    denied: int


# docs/rules.md, Files and return codes. What has no code of its own there takes the one of the step it belongs to.
_BASELINE = Codes(133, 134, 135)
CODES: Mapping[str, Codes] = MappingProxyType(
    {
        "DescribeAssociation": Codes(130, 131, 132),
        "PutComplianceItems": Codes(130, 131, 132),
        "GetPatchBaseline": _BASELINE,
        "GetPatchBaselineForPatchGroup": _BASELINE,
        "GetDefaultPatchBaseline": _BASELINE,
        "DescribePatchBaselines": Codes(136, 137, 138),
        "GetResources": Codes(139, 140, 141),
        "GetDeployablePatchSnapshotForInstance": Codes(143, 144, 145),
        "PutInventory": Codes(149, 149, 149),
        "GetObject": Codes(162, 162, 160),
    }
)


class AwsError(SsmpatchError):
    """AWS did not do what it was asked. ``kind`` is why; ``aws_code`` is AWS's name of the error, if it gave one."""

    def __init__(self, message: str, *, kind: str, code: int, aws_code: str = "") -> None:
        super().__init__(message, code=code)
        self.kind = kind
        self.aws_code = aws_code


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of whom, for messages: ``operation`` of ``service`` in ``region`` with these ``credentials``."""

    service: str
    operation: str
    region: str
    credentials: str

    @property
    def action(self) -> str:
        """The permission it needs, as IAM spells it."""
        prefix = "tag" if self.service == "resourcegroupstaggingapi" else self.service
        return f"{prefix}:{self.operation}"


def explain(exc: Exception, request: Request, *, now: float) -> AwsError:
    """The error for an exception of boto3 or botocore; ``now`` is this host's clock, epoch seconds."""
    from botocore.exceptions import ClientError

    codes = CODES[request.operation]
    if isinstance(exc, ClientError):
        kind, aws_code, words = _answered(exc, now)
        code = {DENIED: codes.denied, GARBAGE: codes.error}.get(kind, codes.api)
        if aws_code == "UnsupportedOperatingSystem":
            code = UNSUPPORTED_SYSTEM
        failed = exc.operation_name if exc.operation_name != request.operation else ""
    else:
        (kind, words), aws_code, code, failed = _unanswered(exc), "", codes.error, ""
    step = f"{request.action}{f', at {failed}' if failed else ''}"
    return AwsError(
        f"AWS, {step} ({request.region}, {request.credentials}): {words}; {remedy(kind, request, aws_code)}",
        kind=kind,
        code=code,
        aws_code=aws_code,
    )


def garbage(request: Request, what: str) -> AwsError:
    """The error for an answer that is not AWS's."""
    return AwsError(
        f"AWS, {request.action} ({request.region}): {what}; {remedy(GARBAGE, request)}",
        kind=GARBAGE,
        code=CODES[request.operation].error,
    )


def _answered(exc: Any, now: float) -> tuple[str, str, str]:
    """Kind, AWS's code and AWS's words of an error that a server answered with."""
    error = exc.response.get("Error", {})
    metadata = exc.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    aws_code = str(error.get("Code") or status)
    words = " ".join(str(error.get("Message") or error.get("message") or "").split())[:500]
    skew = _skew(metadata.get("HTTPHeaders", {}).get("date", ""), now)
    said = f"{aws_code}: {words}" if words else aws_code
    if (
        aws_code in _SKEWED
        or words.lower().startswith(_SKEWED_WORDS)
        or (aws_code in _CREDENTIALS and abs(skew) > SKEW_SECONDS)
    ):
        return SKEWED, aws_code, f"{said}{_skew_words(skew)}"
    if aws_code in _CREDENTIALS:
        return CREDENTIALS, aws_code, said
    if aws_code == str(status) and status < 500 and not metadata.get("RequestId"):
        return GARBAGE, aws_code, f"HTTP {said}"
    if aws_code in _DENIED:
        return DENIED, aws_code, said
    if aws_code in _THROTTLED or status == 429:
        return THROTTLED, aws_code, said
    if status >= 500:
        return BROKEN, aws_code, said
    return REFUSED, aws_code, said


def _unanswered(exc: Exception) -> tuple[str, str]:
    """Kind and words of a failure without an answer that can be read."""
    from botocore import exceptions as of
    from botocore.parsers import ResponseParserError

    words = " ".join(str(exc).split())[:500] or type(exc).__name__
    missing = (
        of.NoCredentialsError,
        of.PartialCredentialsError,
        of.CredentialRetrievalError,
        of.MetadataRetrievalError,
        of.ProfileNotFound,
        of.ConfigParseError,
    )
    if isinstance(exc, missing):
        return NO_CREDENTIALS, words
    if isinstance(exc, (ResponseParserError, of.PaginationError, of.IncompleteReadError, UnicodeDecodeError)):
        return GARBAGE, f"the answer cannot be read: {words}"
    if isinstance(exc, of.SSLError):
        return UNREACHABLE, f"{words} (where a proxy signs with an authority of its own, name it in AWS_CA_BUNDLE)"
    if isinstance(exc, (of.ConnectionError, of.HTTPClientError, OSError)):
        return UNREACHABLE, words
    return REFUSED, words


def _skew(date: str, now: float) -> float:
    """Seconds by which this host's clock is ahead of the one that answered; 0 when it did not say its time."""
    try:
        theirs = email.utils.parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError):
        return 0
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=dt.timezone.utc)
    return now - theirs.timestamp()


def _skew_words(skew: float) -> str:
    if abs(skew) < 1:
        return ""
    return f" (this host's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} AWS's)"


def remedy(kind: str, request: Request, aws_code: str = "") -> str:
    """What the operator can do about it."""
    if aws_code in _OF_CODE:
        return _OF_CODE[aws_code]
    return {
        DENIED: f"allow {request.action} in the IAM policy of these credentials (docs/iam-policy.json)",
        CREDENTIALS: "renew these credentials",
        NO_CREDENTIALS: "attach a role to the instance, or set ssmpatch:aws:profile, or give the minion's service "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        SKEWED: "set this host's clock right (chrony, systemd-timesyncd)",
        THROTTLED: "AWS limits the rate of such calls; run fewer hosts at once (salt --batch-size) or later",
        UNREACHABLE: "allow this address in firewall and proxy (HTTPS_PROXY), or set ssmpatch:aws:endpoint_url",
        GARBAGE: "see whether a proxy or a login page stands between this host and AWS",
        BROKEN: "AWS itself failed; try again later",
        REFUSED: "see docs/aws.md",
    }[kind]


_NODE = "see that the SSM agent has registered this node in this region, and what ssmpatch:aws:instance_id says"
_OF_CODE: Mapping[str, str] = MappingProxyType(
    {
        "InvalidInstanceId": _NODE,
        "InvalidResourceId": _NODE,
        "DoesNotExistException": "correct ssmpatch:aws:baseline, or its region",
        "AssociationDoesNotExist": "correct ssmpatch:aws:association_id, or its region",
        "UnsupportedOperatingSystem": "AWS goes by what the SSM agent reported of this node; "
        "use a baseline of your own (ssmpatch:baseline)",
    }
)

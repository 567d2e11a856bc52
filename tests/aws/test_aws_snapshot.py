# SPDX-License-Identifier: Apache-2.0
"""The snapshot that AWS makes for a node: asked for, downloaded, parsed, kept for when AWS cannot be reached."""

from __future__ import annotations

import gzip
import http.server
import json
import ssl
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.aws import download as downloads
from ssmpatchlib.aws import snapshot
from ssmpatchlib.aws.faults import AwsError
from ssmpatchlib.aws.snapshot import deployable_baseline
from ssmpatchlib.config import Settings
from ssmpatchlib.errors import InvalidInput, SsmpatchError
from ssmpatchlib.model import Filter
from ssmpatchlib.osinfo import OsInfo
from support.aws.basics import DEBIAN_BASELINE, INSTANCE, TestHost
from support.aws.ssm_server import Failure, ServiceError, SsmServer, snapshot_document
from support.https import https_server

SNAPSHOT = "12345678-1234-1234-1234-1234567890ab"
OTHER_SNAPSHOT = "87654321-1234-1234-1234-1234567890ab"
Make = Callable[..., Settings]
Handler = http.server.BaseHTTPRequestHandler


def test_the_snapshot_is_asked_for_downloaded_and_parsed(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    ssm.groups[INSTANCE] = "web"
    ssm.product = "Debian12.4"
    result = deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host, snapshot_id=SNAPSHOT)
    assert result.baseline.id == "pb-0123456789abcdef0"
    assert result.baseline.name == "debian-security"
    assert result.baseline.rules[0].compliance_level == "HIGH"
    assert result.baseline.global_filters == (Filter("PRODUCT", ("*",)),)
    assert result.baseline.rejected_patches == ("vim*",)
    assert result.baseline.origin == f"AWS: snapshot {SNAPSHOT} for {INSTANCE} (eu-central-1)"
    assert (result.snapshot_id, result.patch_group, result.product) == (SNAPSHOT, "web", "Debian12.4")
    assert result.warnings == ()
    (call,) = ssm.calls
    assert call.parameters == {"InstanceId": INSTANCE, "SnapshotId": SNAPSHOT}
    assert call.region == "eu-central-1"
    assert "ssmpatch/" in call.user_agent


def test_without_an_id_each_run_makes_a_snapshot_of_its_own(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    first, second = (deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host) for _ in range(2))
    assert uuid.UUID(first.snapshot_id).version == 4
    assert first.snapshot_id != second.snapshot_id


def test_one_id_gives_the_same_rules_after_the_baseline_has_changed(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    first = deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host, snapshot_id=SNAPSHOT)
    ssm.baselines[DEBIAN_BASELINE["BaselineId"]]["RejectedPatches"] = ["emacs"]
    again = deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host, snapshot_id=SNAPSHOT)
    fresh = deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host)
    assert again.baseline == first.baseline
    assert fresh.baseline.rejected_patches == ("emacs",)


def test_compressed_snapshots_are_read(ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost) -> None:
    ssm.compressed = True
    assert deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host).baseline.name == "debian-security"


def test_dual_stack_is_asked_for_the_download_too(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    chosen = settings(endpoint_url=ssm.url, use_dualstack_endpoint=True, use_fips_endpoint=True)
    deployable_baseline(chosen, debian, host=host)
    assert ssm.calls[0].parameters["UseS3DualStackEndpoint"] is True


def test_an_override_is_sent_in_the_apis_shape(ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost) -> None:
    document = [
        {**DEBIAN_BASELINE, "OperatingSystem": "UBUNTU"},
        {**DEBIAN_BASELINE, "RejectedPatches": ["nano"], "Tags": [], "CreatedDate": 1},
    ]
    chosen = settings(endpoint_url=ssm.url, aws_baseline="pb-0fedcba98765432100", patch_group="web")
    result = deployable_baseline(chosen, debian, host=host, baseline_override_document=json.dumps(document))
    sent = ssm.calls[0].parameters["BaselineOverride"]
    assert set(sent) <= {
        "OperatingSystem",
        "GlobalFilters",
        "ApprovalRules",
        "ApprovedPatches",
        "ApprovedPatchesComplianceLevel",
        "ApprovedPatchesEnableNonSecurity",
        "RejectedPatches",
        "RejectedPatchesAction",
        "Sources",
    }
    assert sent["RejectedPatches"] == ["nano"]
    assert result.baseline.rejected_patches == ("nano",)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"OperatingSystem": "DEBIAN"}, 161),
        ('{"OperatingSystem": "DEBIAN"}', 161),
        ([{**DEBIAN_BASELINE, "OperatingSystem": "UBUNTU"}], 163),
        ([DEBIAN_BASELINE, DEBIAN_BASELINE], 165),
        ("<?xml?><Error><Code>AccessDenied</Code></Error>", 160),
    ],
)
def test_a_bad_override_is_refused_before_aws_is_asked(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, document: Any, code: int
) -> None:
    with pytest.raises(InvalidInput) as caught:
        deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host, baseline_override_document=document)
    assert caught.value.code == code
    assert ssm.calls == []


def test_an_unsupported_system_is_refused_before_aws_is_asked(ssm: SsmServer, settings: Make, host: TestHost) -> None:
    plan9 = OsInfo("UNSUPPORTED", "", (), "Plan 9", "4", "")
    with pytest.raises(InvalidInput) as caught:
        deployable_baseline(settings(endpoint_url=ssm.url), plan9, host=host)
    assert caught.value.code == 146
    assert ssm.calls == []


def test_what_a_newer_aws_adds_to_baselines_is_said_and_ignored(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    document = snapshot_document(DEBIAN_BASELINE, "")
    document["patchBaseline"]["quantumReadiness"] = True
    document["somethingElse"] = {}
    ssm.snapshots[SNAPSHOT] = document
    result = deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host, snapshot_id=SNAPSHOT)
    assert result.baseline.name == "debian-security"
    assert result.warnings == (
        "AWS's baseline has keys that ssmpatch does not know and ignored: quantumReadiness, somethingElse",
    )


@pytest.mark.parametrize("spoiled", [[], {}, {"patchBaseline": None}, {"patchBaseline": []}, {"patches": []}])
def test_a_snapshot_without_a_baseline_is_refused(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, spoiled: Any
) -> None:
    ssm.snapshots[SNAPSHOT] = spoiled
    with pytest.raises(AwsError, match="holds no patchBaseline") as caught:
        deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host, snapshot_id=SNAPSHOT)
    assert caught.value.code == 150


def test_a_baseline_that_is_not_understood_is_refused_with_its_problem(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    document = snapshot_document(DEBIAN_BASELINE, "")
    document["patchBaseline"]["approvalRules"]["rules"][0]["approveAfterDays"] = "soon"
    ssm.snapshots[SNAPSHOT] = document
    with pytest.raises(AwsError, match=r"approvalRules.rules\[0\].approveAfterDays: 'soon' is not allowed") as caught:
        deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host, snapshot_id=SNAPSHOT)
    assert caught.value.code == 150


# --- the download ---------------------------------------------------------------------------------------------


def answering(status: int, body: bytes, headers: dict[str, str] | None = None) -> Callable[[Handler, bytes], None]:
    def answer(handler: Handler, _body: bytes) -> None:
        handler.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(key, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def download_error(ssm: SsmServer, chosen: Settings, debian: OsInfo, host: TestHost) -> SsmpatchError:
    with pytest.raises(SsmpatchError) as caught:
        deployable_baseline(chosen, debian, host=host, snapshot_id=SNAPSHOT)
    assert "5ecre7" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (answering(403, b"<Error><Code>AccessDenied</Code></Error>"), "HTTP 403 AccessDenied"),
        (answering(403, b"<Error><Code>RequestTimeTooSkewed</Code></Error>"), "HTTP 403 RequestTimeTooSkewed"),
        (answering(404, b""), "HTTP 404"),
        (answering(503, b"<Error><Code>SlowDown</Code></Error>"), "HTTP 503 SlowDown"),
        (answering(302, b"", {"Location": "http://127.0.0.1:9/x?X-Amz-Signature=5ecre7"}), "which is not https"),
        (answering(302, b"", {"Location": "file:///etc/passwd"}), "redirects more than 5 times, or to nowhere"),
        (answering(302, b""), "to nowhere"),
        (answering(200, gzip.compress(b"x" * 1000)[:-9]), "damaged gzip data"),
        (answering(200, b"\x1f\x8bnonsense"), "damaged gzip data"),
        (answering(200, b"{}", {"Content-Length": "400"}), "ended after 2 of 400 bytes"),
    ],
)
def test_a_failed_download_is_told_without_its_signature(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, answer: Any, words: str
) -> None:
    ssm.snapshot_answer = answer
    error = download_error(ssm, settings(endpoint_url=ssm.url), debian, host)
    assert words in str(error)
    assert error.code == 143


@pytest.mark.parametrize(
    ("status", "said"),
    [(403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"), (400, b""), (404, b"")],
)
def test_an_address_that_is_refused_is_asked_for_once_more(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, status: int, said: bytes
) -> None:
    answers = [answering(status, said)]

    def answer(handler: Handler, body: bytes) -> None:
        (answers.pop(0) if answers else answering(200, body))(handler, body)

    ssm.snapshot_answer = answer
    result = deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host, snapshot_id=SNAPSHOT)
    assert result.baseline.name == "debian-security"
    first, second = ssm.calls_of("GetDeployablePatchSnapshotForInstance")
    assert first.parameters == second.parameters, "the same snapshot, by another address"


def test_an_address_that_is_refused_twice_is_an_error(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    ssm.snapshot_answer = answering(403, b"<Error><Code>AccessDenied</Code></Error>")
    assert download_error(ssm, settings(endpoint_url=ssm.url), debian, host).code == 143
    assert len(ssm.calls_of("GetDeployablePatchSnapshotForInstance")) == 2


def test_a_passing_failure_of_the_download_is_tried_again(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    answers = [answering(503, b""), lambda handler, _: handler.connection.close()]

    def answer(handler: Handler, body: bytes) -> None:
        (answers.pop(0) if answers else answering(200, body))(handler, body)

    ssm.snapshot_answer = answer
    assert deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host).baseline.name == "debian-security"
    assert host.slept == [0.5, 1.0]


@pytest.mark.parametrize(
    ("body", "claim"),
    [(b"x" * 3000, None), (b"x" * 3000, "10"), (gzip.compress(b"x" * 100_000), None), (b"{}", "999999")],
)
def test_a_download_is_bounded_in_size(
    ssm: SsmServer,
    settings: Make,
    debian: OsInfo,
    host: TestHost,
    monkeypatch: pytest.MonkeyPatch,
    body: bytes,
    claim: str | None,
) -> None:
    monkeypatch.setattr(snapshot, "MAX_BYTES", 2000)
    headers = {"Content-Length": claim} if claim else {}
    if claim == "10":
        headers = {"Content-Length": "3000"}
    ssm.snapshot_answer = answering(200, body, headers)
    error = download_error(ssm, settings(endpoint_url=ssm.url), debian, host)
    assert "larger than 2000 bytes; refused" in str(error)


def test_a_download_is_bounded_in_time(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "DOWNLOAD_SECONDS", 0.6)

    def drip(handler: Handler, _body: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(400):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)

    ssm.snapshot_answer = drip
    began = time.monotonic()
    error = download_error(ssm, settings(endpoint_url=ssm.url), debian, host)
    assert "no complete answer in time" in str(error)
    assert time.monotonic() - began < 10


def test_a_silent_server_is_not_waited_for(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "DOWNLOAD_SECONDS", 0.4)
    ssm.snapshot_answer = lambda _handler, _body: time.sleep(2)
    assert "no complete answer in time" in str(download_error(ssm, settings(endpoint_url=ssm.url), debian, host))


def test_redirects_to_https_are_followed(
    ssm: SsmServer,
    settings: Make,
    debian: OsInfo,
    host: TestHost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = json.dumps(snapshot_document(DEBIAN_BASELINE, "")).encode()
    with https_server(tmp_path, lambda handler: answering(200, document)(handler, b"")) as server:  # type: ignore[arg-type]
        ssm.snapshot_answer = answering(307, b"", {"Location": f"{server.url}/elsewhere"})
        untrusted = download_error(ssm, settings(endpoint_url=ssm.url), debian, host)
        assert "self-signed certificate" in str(untrusted)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "cert.pem"))
        assert deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host).baseline.name == "debian-security"


def test_a_download_without_tls_is_only_for_endpoints_without_tls() -> None:
    with pytest.raises(downloads.DownloadError, match="only https:// is taken") as caught:
        downloads.download("http://127.0.0.1:9/s?X-Amz-Signature=5ecre7", max_bytes=9, timeout=1, sleep=time.sleep)
    assert "5ecre7" not in str(caught.value)
    with pytest.raises(downloads.DownloadError, match="only https:// is taken"):
        downloads.download("file:///etc/passwd", max_bytes=9, timeout=1, sleep=time.sleep, allow_http=True)


@pytest.mark.parametrize(
    "url", ["https://[bad/s?X-Amz-Signature=5ecre7", "https://h:port/s?5ecre7", "https:///?5ecre7"]
)
def test_an_address_that_is_none_is_named(url: str) -> None:
    with pytest.raises(downloads.DownloadError) as caught:
        downloads.download(url, max_bytes=9, timeout=1, sleep=lambda _: None)
    assert "5ecre7" not in str(caught.value) and url.partition("?")[0] in str(caught.value)


def test_the_systems_authorities_and_botocores_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert downloads._context().cert_store_stats()["x509_ca"] > 50
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nonexistent")
    with pytest.raises(OSError, match="No such file"):
        downloads._context()
    assert isinstance(ssl.create_default_context(), ssl.SSLContext)


# --- when AWS cannot be reached -------------------------------------------------------------------------------

HOUR = 3600
DAY = 24 * HOUR

UNREACHABLE = [
    pytest.param(Failure("close"), id="closed"),
    pytest.param(Failure("half"), id="half-closed"),
    pytest.param(Failure("garbage"), id="login-page"),
    pytest.param(Failure("raw", status=200, body=b"{}"), id="not-aws"),
    pytest.param(Failure("raw", status=302, headers={"Location": "http://login.example/"}), id="redirect"),
    pytest.param(Failure("raw", status=404, body=b"not found"), id="not-found"),
    pytest.param(Failure("error", ServiceError("InternalServerError", "oops", status=500)), id="internal"),
    pytest.param(Failure("raw", status=502, body=b"<html>Bad gateway</html>"), id="bad-gateway"),
    pytest.param(Failure("error", ServiceError("ThrottlingException", "Rate exceeded")), id="throttled"),
]


@pytest.mark.parametrize("failure", UNREACHABLE)
def test_the_last_snapshot_serves_and_says_its_age(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, failure: Failure
) -> None:
    ssm.groups[INSTANCE] = "web"
    chosen = settings(endpoint_url=ssm.url)
    first = deployable_baseline(chosen, debian, host=host)
    host.ahead = 5 * HOUR
    ssm.fail("GetDeployablePatchSnapshotForInstance", failure)
    result = deployable_baseline(chosen, debian, host=host)
    assert result.baseline.id == first.baseline.id
    assert result.baseline.rules == first.baseline.rules
    assert (result.snapshot_id, result.patch_group, result.product) == (first.snapshot_id, "web", "Debian12")
    assert result.baseline.origin.startswith("AWS, 5 h ago: snapshot ")
    (warning,) = result.warnings
    assert warning.startswith("AWS could not be asked; its baseline from 5 h ago was used: AWS, ssm:GetDeployable")


def test_a_download_that_fails_for_now_is_no_reason_to_stop(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    chosen = settings(endpoint_url=ssm.url)
    deployable_baseline(chosen, debian, host=host)
    ssm.snapshot_answer = answering(503, b"")
    assert "could not be asked" in deployable_baseline(chosen, debian, host=host).warnings[0]


@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", b"{", b"\x00\xff", b"[" * 100_000])
def test_a_download_that_is_no_snapshot_is_no_reason_to_stop_either(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, body: bytes
) -> None:
    chosen = settings(endpoint_url=ssm.url)
    ssm.snapshot_answer = answering(200, body)
    with pytest.raises(AwsError, match="is not JSON") as caught:
        deployable_baseline(chosen, debian, host=host)
    assert caught.value.code == 150
    ssm.snapshot_answer = None
    deployable_baseline(chosen, debian, host=host)
    ssm.snapshot_answer = answering(200, body)
    assert "could not be asked" in deployable_baseline(chosen, debian, host=host).warnings[0]


def test_a_snapshot_that_is_too_old_does_not_serve(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    chosen = settings(endpoint_url=ssm.url, snapshot_max_age=DAY)
    deployable_baseline(chosen, debian, host=host)
    host.ahead = DAY - 60
    ssm.fail("GetDeployablePatchSnapshotForInstance", Failure("close"), Failure("close"))
    assert "from 23 h ago" in deployable_baseline(chosen, debian, host=host).warnings[0]
    host.ahead = DAY + 60
    with pytest.raises(AwsError, match="stored snapshot is 24 h old, and ssmpatch:aws:snapshot_max_age allows 24 h"):
        deployable_baseline(chosen, debian, host=host)


def test_a_clock_set_back_does_not_make_a_snapshot_unusable(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    chosen = settings(endpoint_url=ssm.url)
    deployable_baseline(chosen, debian, host=host)
    host.ahead = -DAY
    ssm.fail("*", Failure("close"))
    assert "from 0 s ago" in deployable_baseline(chosen, debian, host=host).warnings[0]


def test_without_an_earlier_snapshot_the_error_says_so(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    ssm.fail("*", Failure("close"))
    with pytest.raises(AwsError, match="no earlier snapshot is stored") as caught:
        deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host)
    assert caught.value.code == 143


@pytest.mark.parametrize(
    "change",
    [{"instance_id": "i-00000000"}, {"aws_baseline": "default"}, {"patch_group": "db"}],
    ids=lambda change: next(iter(change)),
)
def test_a_snapshot_of_other_settings_does_not_serve(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, change: dict[str, str]
) -> None:
    deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host)
    ssm.fail("*", Failure("close"))
    with pytest.raises(AwsError, match="of other settings or another node"):
        deployable_baseline(settings(endpoint_url=ssm.url, **change), debian, host=host)


def test_a_snapshot_asked_for_by_id_serves_only_itself(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    chosen = settings(endpoint_url=ssm.url)
    deployable_baseline(chosen, debian, host=host, snapshot_id=SNAPSHOT)
    ssm.fail("*", Failure("close"), Failure("close"))
    again = deployable_baseline(chosen, debian, host=host, snapshot_id=SNAPSHOT)
    assert again.snapshot_id == SNAPSHOT
    with pytest.raises(AwsError, match=f"the stored snapshot is {SNAPSHOT}, not {OTHER_SNAPSHOT}"):
        deployable_baseline(chosen, debian, host=host, snapshot_id=OTHER_SNAPSHOT)


def test_an_overrides_snapshot_never_serves_a_run_without_one(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost
) -> None:
    chosen = settings(endpoint_url=ssm.url)
    override = [{**DEBIAN_BASELINE, "RejectedPatches": ["nano"]}]
    deployable_baseline(chosen, debian, host=host)
    deployable_baseline(chosen, debian, host=host, baseline_override_document=override)
    ssm.fail("*", *[Failure("close")] * 3)
    assert deployable_baseline(chosen, debian, host=host).baseline.rejected_patches == ("vim*",)
    again = deployable_baseline(chosen, debian, host=host, baseline_override_document=override)
    assert again.baseline.rejected_patches == ("nano",)
    with pytest.raises(AwsError, match="of other settings"):
        deployable_baseline(chosen, debian, host=host, baseline_override_document=[DEBIAN_BASELINE])


REFUSALS = [
    (ServiceError("AccessDeniedException", "not authorized"), 145, "allow ssm:GetDeployablePatchSnapshotForInstance"),
    (ServiceError("ExpiredTokenException", "The security token included in the request is expired"), 144, "renew"),
    (ServiceError("UnrecognizedClientException", "The security token is invalid"), 144, "renew these credentials"),
    (ServiceError("UnsupportedOperatingSystem", "no"), 146, "a baseline of your own"),
    (ServiceError("UnsupportedFeatureRequiredException", "no"), 144, "docs/aws.md"),
    (ServiceError("InvalidInstanceId", "no"), 144, "has registered this node"),
]


@pytest.mark.parametrize(("error", "code", "remedy"), REFUSALS, ids=lambda value: getattr(value, "code", None))
def test_a_refusal_is_no_reason_to_use_the_last_snapshot(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, error: ServiceError, code: int, remedy: str
) -> None:
    chosen = settings(endpoint_url=ssm.url)
    deployable_baseline(chosen, debian, host=host)
    ssm.fail("GetDeployablePatchSnapshotForInstance", Failure("error", error))
    with pytest.raises(AwsError) as caught:
        deployable_baseline(chosen, debian, host=host)
    assert caught.value.code == code
    assert error.code in str(caught.value)
    assert remedy in str(caught.value)


def test_a_snapshot_that_cannot_be_stored_is_used_and_the_warning_says_so(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file where a directory is needed")
    result = deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host)
    assert result.baseline.name == "debian-security"
    assert "could not be stored for when AWS cannot be reached" in result.warnings[0]


def test_a_damaged_stored_snapshot_is_set_aside_and_named(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, tmp_path: Path
) -> None:
    chosen = settings(endpoint_url=ssm.url)
    deployable_baseline(chosen, debian, host=host)
    (path,) = (tmp_path / "state").glob("aws-snapshot-*.json")
    path.write_text('{"version": 1, "fetched": "yesterday"}')
    ssm.fail("*", Failure("close"))
    with pytest.raises(AwsError, match=r"no earlier snapshot is stored; .*damaged"):
        deployable_baseline(chosen, debian, host=host)
    assert list((tmp_path / "state").glob("*.damaged-*"))


def test_stored_snapshots_are_for_root_alone(
    ssm: SsmServer, settings: Make, debian: OsInfo, host: TestHost, tmp_path: Path
) -> None:
    """A baseline's Sources may hold passwords of repositories."""
    deployable_baseline(settings(endpoint_url=ssm.url), debian, host=host)
    (path,) = (tmp_path / "state").glob("aws-snapshot-*.json")
    assert path.stat().st_mode & 0o777 == 0o600

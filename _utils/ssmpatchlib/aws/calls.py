# SPDX-License-Identifier: Apache-2.0
"""Calls AWS's operations with the credentials that work, and turns every failure into one of our errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..config import AwsSettings
from ..errors import SsmpatchError
from ..files import parse_json
from ..host import Host
from . import faults, sessions

T = TypeVar("T")

MAX_PAGES = 200
_JSON_SERVICES = ("ssm", "resourcegroupstaggingapi")


class Connection:
    """The clients of one operation of ours, made when first used and kept until it ends.

    ``warnings`` says which credentials were refused before others worked.
    """

    def __init__(self, aws: AwsSettings, *, region: str, ec2: bool, host: Host) -> None:
        self.region = region
        self._aws = aws
        self._host = host
        self._sources = sessions.sources(aws, region=region, ec2=ec2)
        self._sessions: dict[str, Any] = {}
        self._clients: dict[tuple[str, str], Any] = {}
        self._warnings: dict[str, None] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should know of the credentials."""
        return tuple(self._warnings)

    def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """The answer of one operation, by AWS's names.

        Raises:
            AwsError: AWS did not do it; code and kind say why.
            SsmpatchError: boto3 is not installed.
        """
        request = faults.Request(service, operation, self.region, "")

        def ask(client: Any) -> dict[str, Any]:
            sessions.require_known(client, operation, parameters)
            return _checked(getattr(client, _snake(operation))(**parameters), request)

        return self.use(service, operation, ask)

    def pages(self, service: str, operation: str, key: str, /, **parameters: Any) -> list[Any]:
        """The items below ``key`` of all pages of one operation; errors as ``call``."""
        request = faults.Request(service, operation, self.region, "")

        def read(client: Any) -> list[Any]:
            items: list[Any] = []
            for number, page in enumerate(client.get_paginator(_snake(operation)).paginate(**parameters)):
                if number >= MAX_PAGES:
                    raise faults.garbage(request, f"more than {MAX_PAGES} pages")
                items += _checked(page, request).get(key) or []
            return items

        return self.use(service, operation, read)

    def use(self, service: str, operation: str, work: Callable[[Any], T]) -> T:
        """What ``work`` makes of a client, tried with each set of credentials until one is not refused."""
        first: faults.AwsError | None = None
        for source in self._sources:
            try:
                result = self._tried(source, service, operation, work)
            except faults.AwsError as exc:
                if exc.kind not in faults.OF_CREDENTIALS:
                    raise
                first = _telling(first, exc)
                continue
            if first is not None and first.kind != faults.NO_CREDENTIALS:
                self._warnings[f"{first}; {source.name} was used instead"] = None
            return result
        assert first is not None  # noqa: S101 - there is at least one source
        raise first

    def _tried(self, source: sessions.Source, service: str, operation: str, work: Callable[[Any], T]) -> T:
        request = faults.Request(service, operation, self.region, source.name)
        try:
            return work(self._client(source, service))
        except SsmpatchError:
            raise
        except Exception as exc:  # noqa: BLE001 - boto3 raises its own, urllib3's and Python's alike
            raise faults.explain(exc, request, now=self._host.now()) from exc

    def _client(self, source: sessions.Source, service: str) -> Any:
        if (source.name, service) not in self._clients:
            client = sessions.make_client(self._session(source), service, aws=self._aws, region=self.region)
            if service in _JSON_SERVICES:
                client.meta.events.register("after-call", self._refuse_half_answers)
            self._clients[source.name, service] = client
        return self._clients[source.name, service]

    def _refuse_half_answers(self, http_response: Any, model: Any, **_: Any) -> None:
        """An event handler of botocore, which takes a body that ends early for an empty answer."""
        if http_response.status_code >= 300:
            return
        try:
            parse_json(http_response.content)
        except ValueError as exc:
            request = faults.Request(str(model.service_model.service_name), str(model.name), self.region, "")
            raise faults.garbage(request, "the answer cannot be read, or ended early") from exc

    def _session(self, source: sessions.Source) -> Any:
        """The session of a source, which has credentials; making a client costs much more than asking for them."""
        from botocore.exceptions import NoCredentialsError

        if source.name not in self._sessions:
            session = source.open()
            if session.get_credentials() is None:
                raise NoCredentialsError
            self._sessions[source.name] = session
        return self._sessions[source.name]


def _checked(answer: Any, request: faults.Request) -> dict[str, Any]:
    """The answer if it is AWS's, which numbers each of its answers; what does not is something else that said 200."""
    if not isinstance(answer, dict) or not answer.get("ResponseMetadata", {}).get("RequestId"):
        raise faults.garbage(request, "the answer is not AWS's (it has no request id)")
    return answer


def _telling(first: faults.AwsError | None, second: faults.AwsError) -> faults.AwsError:
    """The error that helps: of two, the one where credentials were there."""
    if first is None or (first.kind == faults.NO_CREDENTIALS and second.kind != faults.NO_CREDENTIALS):
        return second
    return first


def _snake(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))

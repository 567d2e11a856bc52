# SPDX-License-Identifier: Apache-2.0
"""Decides which baseline, override list and frozen set an operation follows, and reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import documents
from ..baseline import override
from ..baseline.defaults import default_baseline
from ..baseline.frozen import parse_frozen
from ..baseline.parse import parse_baseline
from ..config import Settings
from ..errors import InvalidInput, SsmpatchError
from ..fetch import Fetcher
from ..host import Host
from ..locations import AccessDenied
from ..model import Baseline, FrozenSet, InstallOverrideList
from ..osinfo import OsInfo

FETCH_TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class Resolved:
    """The baseline that a host is judged by and, where it is AWS's, what else AWS says of the host.

    ``products`` are further words that a PRODUCT filter may call the host by.
    """

    baseline: Baseline
    products: tuple[str, ...] = ()
    snapshot_id: str = ""
    patch_group: str = ""
    warnings: tuple[str, ...] = ()


def effective_baseline(
    settings: Settings,
    os_info: OsInfo,
    *,
    baseline_override: Any = None,
    fetcher: Fetcher,
    host: Host,
    snapshot_id: str | None = None,
) -> Resolved:
    """Return the baseline that this host is judged by; its ``operating_system`` is the host's.

    Args:
        baseline_override: the call's argument; it beats ``settings.baseline_override``, and empty text cancels that.
        snapshot_id: the snapshot to ask AWS for.

    Raises:
        InvalidInput: codes 160-167 for a BaselineOverride, 146 for an operating system that is not supported,
            otherwise what is wrong with the baseline or that it is meant for another operating system.
        SsmpatchError: the override could not be read (160, 162), or AWS's own errors.
    """
    given = settings.baseline_override if baseline_override is None else baseline_override
    if given not in (None, ""):
        found = Resolved(_override(given, os_info, fetcher))
    elif settings.baseline == "aws":
        found = _from_aws(settings, os_info, host, snapshot_id)
    else:
        found = Resolved(_configured(settings, os_info))
    baseline = found.baseline
    if baseline.operating_system and baseline.operating_system != os_info.operating_system:
        raise InvalidInput(
            f"baseline {baseline.name} ({baseline.origin}) is for {baseline.operating_system}, but this host is "
            f"{os_info.operating_system}; use another baseline, or correct ssmpatch:operating_system"
        )
    return dataclasses.replace(found, baseline=dataclasses.replace(baseline, operating_system=os_info.operating_system))


def install_override_list(
    settings: Settings, *, install_override_list: Any = None, fetcher: Fetcher
) -> InstallOverrideList | None:
    """The InstallOverrideList of an install, from the call's argument or else the settings; None without one.

    Raises:
        InvalidInput: what is wrong with it.
        SsmpatchError: it could not be read.
    """
    given = settings.install_override_list if install_override_list is None else install_override_list
    if given in (None, ""):
        return None
    document, location = _named_document("InstallOverrideList", given, fetcher)
    return override.parse_install_override_list(document, location=location)


def frozen_set(settings: Settings, os_info: OsInfo, *, fetcher: Fetcher) -> FrozenSet | None:
    """The frozen versions of ``settings.frozen``; None without.

    Raises:
        InvalidInput: what is wrong with it, or that another operating system was frozen.
        SsmpatchError: it could not be read.
    """
    if settings.frozen is None:
        return None
    document, location = _named_document("frozen set", settings.frozen, fetcher)
    return parse_frozen(document, origin=location or "configuration", operating_system=os_info.operating_system)


def _override(given: Any, os_info: OsInfo, fetcher: Fetcher) -> Baseline:
    try:
        document, location = _document(given, fetcher)
    except InvalidInput as exc:
        raise InvalidInput(f"BaselineOverride: {exc}", problems=exc.problems, code=override.NOT_READ) from exc
    except AccessDenied as exc:
        raise SsmpatchError(f"BaselineOverride: {exc}", code=override.DENIED) from exc
    except SsmpatchError as exc:
        raise SsmpatchError(f"BaselineOverride: {exc}", code=override.NOT_READ) from exc
    return override.parse_baseline_override(document, operating_system=os_info.operating_system, location=location)


def _named_document(name: str, given: Any, fetcher: Fetcher) -> tuple[Any, str]:
    """Such a document; what is no location is refused by the document's name."""
    try:
        return _document(given, fetcher)
    except InvalidInput as exc:
        raise InvalidInput(f"{name}: {exc}", problems=exc.problems) from exc


def _document(given: Any, fetcher: Fetcher) -> tuple[Any, str]:
    """The text of a location and the location, or a value given in place and ``""``."""
    if isinstance(given, str):
        return fetcher.text(given, max_bytes=documents.MAX_BYTES, timeout=FETCH_TIMEOUT), given
    return given, ""


def _from_aws(settings: Settings, os_info: OsInfo, host: Host, snapshot_id: str | None) -> Resolved:
    from ..aws import snapshot

    given = snapshot.deployable_baseline(settings, os_info, host=host, snapshot_id=snapshot_id)
    products = (given.product,) if given.product else ()
    return Resolved(given.baseline, products, given.snapshot_id, given.patch_group, given.warnings)


def _configured(settings: Settings, os_info: OsInfo) -> Baseline:
    chosen = settings.baseline
    system = os_info.operating_system
    if isinstance(chosen, Mapping):
        return parse_baseline(chosen, origin="inline", path="ssmpatch:baseline", operating_system=system)
    if chosen == "default":
        os_info.require_supported()
        return default_baseline(system)
    return parse_baseline(
        settings.baselines[chosen],
        origin=f"pillar: {chosen}",
        path=f"ssmpatch:baselines:{chosen}",
        name=chosen,
        operating_system=system,
    )

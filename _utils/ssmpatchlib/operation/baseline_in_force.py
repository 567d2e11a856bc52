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
from ..baseline.parse import parse_baseline, said_of
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
    """The baseline that a host is judged by and, where AWS gave it, what else AWS says of the host.

    ``products`` are further values that a PRODUCT filter may name the host by.
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
        baseline_override: the call's argument, used instead of ``settings.baseline_override``; ``""`` means none.
        snapshot_id: the snapshot to ask AWS for, also of an override where the baseline is AWS's.

    Raises:
        InvalidInput: a BaselineOverride is wrong (codes 160-167), the operating system is not supported (146), or the
            baseline is wrong or for another operating system.
        SsmpatchError: the override could not be read (160, 162), or AWS reported an error.
    """
    given = settings.baseline_override if baseline_override is None else baseline_override
    if given not in (None, ""):
        found = _override(settings, given, os_info, fetcher, host, snapshot_id)
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
    """Return the InstallOverrideList of an install, from the call's argument or else the settings; None without one.

    Raises:
        InvalidInput: the list is wrong.
        SsmpatchError: the list could not be read.
    """
    given = settings.install_override_list if install_override_list is None else install_override_list
    if given in (None, ""):
        return None
    document, location = _named_document("InstallOverrideList", given, fetcher)
    return override.parse_install_override_list(document, location=location)


def frozen_set(settings: Settings, os_info: OsInfo, *, fetcher: Fetcher) -> FrozenSet | None:
    """Return the frozen versions that ``settings.frozen`` names; None without that setting.

    Raises:
        InvalidInput: the frozen set is wrong or for another operating system.
        SsmpatchError: the frozen set could not be read.
    """
    if settings.frozen is None:
        return None
    document, location = _named_document("frozen set", settings.frozen, fetcher)
    return parse_frozen(document, origin=location or "configuration", operating_system=os_info.operating_system)


def _override(
    settings: Settings, given: Any, os_info: OsInfo, fetcher: Fetcher, host: Host, snapshot_id: str | None
) -> Resolved:
    """Return the override's baseline; AWS's snapshot of it where runs share one by its id, which then wins."""
    document, location = _override_document(given, fetcher)
    if snapshot_id and settings.baseline == "aws":
        return _from_aws(settings, os_info, host, snapshot_id, override_document=document, override_location=location)
    system = os_info.operating_system
    baseline, passed_over = override.read_baseline_override(document, operating_system=system, location=location)
    return Resolved(baseline, warnings=said_of(passed_over, baseline.origin))


def _override_document(given: Any, fetcher: Fetcher) -> tuple[Any, str]:
    """Return a document and its location as ``_document`` does; errors have the codes of a BaselineOverride."""
    try:
        return _document(given, fetcher)
    except InvalidInput as exc:
        raise InvalidInput(f"BaselineOverride: {exc}", problems=exc.problems, code=override.NOT_READ) from exc
    except AccessDenied as exc:
        raise SsmpatchError(f"BaselineOverride: {exc}", code=override.DENIED) from exc
    except SsmpatchError as exc:
        raise SsmpatchError(f"BaselineOverride: {exc}", code=override.NOT_READ) from exc


def _named_document(name: str, given: Any, fetcher: Fetcher) -> tuple[Any, str]:
    """Return a document and its location as ``_document`` does; an error names the document."""
    try:
        return _document(given, fetcher)
    except InvalidInput as exc:
        raise InvalidInput(f"{name}: {exc}", problems=exc.problems) from exc
    except SsmpatchError as exc:
        raise SsmpatchError(f"{name}: {exc}", code=exc.code) from exc


def _document(given: Any, fetcher: Fetcher) -> tuple[Any, str]:
    """Return a location's text and the location; of a value that is given in place, the value and ``""``."""
    if isinstance(given, str):
        return fetcher.text(given, max_bytes=documents.MAX_BYTES, timeout=FETCH_TIMEOUT), given
    return given, ""


def _from_aws(
    settings: Settings,
    os_info: OsInfo,
    host: Host,
    snapshot_id: str | None,
    *,
    override_document: Any = None,
    override_location: str = "",
) -> Resolved:
    from ..aws import snapshot

    given = snapshot.deployable_baseline(
        settings,
        os_info,
        host=host,
        snapshot_id=snapshot_id,
        baseline_override_document=override_document,
        override_location=override_location,
    )
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

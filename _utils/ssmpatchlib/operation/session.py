# SPDX-License-Identifier: Apache-2.0
"""What an operation works with: settings, host, baseline and package manager, put together once."""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import osinfo
from ..backends import Context, PackageManager, open_package_manager
from ..baseline import override, schema
from ..config import Settings
from ..errors import InvalidInput, SsmpatchError
from ..fetch import Fetcher
from ..files import require_private
from ..host import Host
from ..input_errors import show
from ..model import Baseline, FrozenSet, InstallOverrideList, Source
from ..paths import root_key
from ..reboot import flag_hints
from . import baseline_in_force
from .caller import Caller


@dataclass(frozen=True, slots=True)
class Session:
    """Everything an operation needs, read and checked before it begins."""

    settings: Settings
    host: Host
    caller: Caller
    os_info: osinfo.OsInfo
    baseline: Baseline
    frozen: FrozenSet | None
    override_list: InstallOverrideList | None
    backend: PackageManager
    run_id: str
    snapshot_id: str
    overridden: bool
    patch_group: str
    warnings: tuple[str, ...]
    #: Why the configured baseline is not known; the session's approves nothing then.
    unknown: str = ""

    @property
    def non_security(self) -> bool:
        """Whether versions that are no security updates have to be read."""
        return self.baseline.non_security or self.override_list is not None


def open_session(
    settings: Settings,
    *,
    host: Host,
    caller: Caller,
    baseline_override: Any = None,
    install_override_list: Any = None,
    use_override_list: bool = False,
    snapshot_id: str | None = None,
    read_frozen: bool = True,
    needs_baseline: bool = True,
) -> Session:
    """Return the session of an operation: recognise the host, read its baseline and open its package manager.

    Args:
        read_frozen: whether the configured frozen set is read; if not, ``with_frozen_set`` does it where it is needed.
        needs_baseline: whether the operation cannot go on without the configured baseline.

    Raises:
        InvalidInput: an argument, setting or document is wrong (codes 146, 160-167 of docs/rules.md).
        SsmpatchError: a document could not be read, no package manager was recognised, or others may write the
            state directory.
    """
    for directory in (settings.state_dir, work_dir(settings)):
        require_private(directory)
    os_info = osinfo.detect(
        root=settings.root,
        operating_system=settings.operating_system,
        product=settings.product,
        package_manager=settings.package_manager,
        releasever=settings.releasever,
    )
    wanted_override = settings.baseline_override if baseline_override is None else baseline_override
    if use_override_list:
        # A call may choose what is installed where the baseline in force is a configured override.
        chosen = baseline_override is None and install_override_list is not None
        given = settings.install_override_list if install_override_list is None else install_override_list
        override.refuse_both("" if chosen else wanted_override, given)
    fetcher = make_fetcher(settings, caller)
    unknown = ""
    try:
        resolved = baseline_in_force.effective_baseline(
            settings, os_info, baseline_override=baseline_override, fetcher=fetcher, host=host, snapshot_id=snapshot_id
        )
        _sources(resolved.baseline, _named_as(os_info, resolved))
        _require_severities(settings, os_info, resolved.baseline)
    except SsmpatchError as exc:
        if needs_baseline:
            raise
        resolved, unknown = baseline_in_force.Resolved(Baseline("", "", os_info.operating_system, "")), str(exc)
    os_info = _named_as(os_info, resolved)
    override_list = (
        baseline_in_force.install_override_list(settings, install_override_list=install_override_list, fetcher=fetcher)
        if use_override_list
        else None
    )
    run_id = str(uuid.uuid4())
    return Session(
        settings=settings,
        host=host,
        caller=caller,
        os_info=os_info,
        baseline=resolved.baseline,
        frozen=baseline_in_force.frozen_set(settings, os_info, fetcher=fetcher) if read_frozen else None,
        override_list=override_list,
        backend=_backend(settings, os_info, resolved.baseline, host, run_id),
        run_id=run_id,
        snapshot_id=snapshot_id or resolved.snapshot_id or str(uuid.uuid4()),
        overridden=wanted_override not in (None, ""),
        patch_group=settings.patch_group or resolved.patch_group,
        warnings=(
            *settings.warnings,
            *resolved.warnings,
            *_release_warnings(settings, os_info),
        ),
        unknown=unknown,
    )


def _require_severities(settings: Settings, os_info: osinfo.OsInfo, baseline: Baseline) -> None:
    """Refuse a filter of severities where nothing tells any: apt's archives publish none.

    Raises:
        InvalidInput: the baseline has such a filter, and no feed of advisories is configured.
    """
    if os_info.family != schema.APT or settings.advisories is not None:
        return
    places = [("GlobalFilters", baseline.global_filters)]
    places += [(f"ApprovalRules.PatchRules[{n}]", rule.filters) for n, rule in enumerate(baseline.rules)]
    found = next((at for at, filters in places for f in filters if f.key == "SEVERITY" and "*" not in f.values), "")
    if found:
        raise InvalidInput(
            f"baseline {baseline.name}: {found}: SEVERITY cannot be known here, since apt's archives publish no "
            "severities; configure the vendor's advisories (ssmpatch:advisories), or use PRIORITY and SECTION"
        )


def _named_as(os_info: osinfo.OsInfo, resolved: baseline_in_force.Resolved) -> osinfo.OsInfo:
    """Return the operating system with the further values that a PRODUCT filter may name it by."""
    return dataclasses.replace(os_info, products=tuple(dict.fromkeys((*os_info.products, *resolved.products))))


def _release_warnings(settings: Settings, os_info: osinfo.OsInfo) -> tuple[str, ...]:
    """Return what a release of one's own hides. Rule: docs/rules.md, Baselines: Amazon Linux 2023."""
    if settings.releasever and os_info.package_manager != osinfo.DNF:
        return (f"releasever: {settings.releasever} has no effect with {os_info.package_manager}",)
    if os_info.releasever in ("", osinfo.LATEST):
        return ()
    return (
        f"only the repositories of release {os_info.releasever} were looked at (releasever): fixes of later releases "
        "are not known; set ssmpatch:releasever to latest to have them"
        if os_info.operating_system.startswith("AMAZON")
        else f"only the repositories of release {os_info.releasever} were looked at (ssmpatch:releasever): fixes of "
        "later releases are not known",
    )


def make_fetcher(settings: Settings, caller: Caller) -> Fetcher:
    """Return a fetcher of documents: files, salt://, https:// and, through boto3, s3://."""

    def from_s3(location: str, *, max_bytes: int, timeout: float) -> str:
        from ..aws import fetch_s3

        return fetch_s3.read(location, settings, max_bytes=max_bytes, timeout=timeout)

    return Fetcher(salt=caller.salt_file, s3=from_s3)


def work_dir(settings: Settings) -> Path:
    """Return the private directory of the package manager's module for this root."""
    return settings.state_dir / f"work-{root_key(settings.root)}"


def _backend(settings: Settings, os_info: osinfo.OsInfo, baseline: Baseline, host: Host, run_id: str) -> PackageManager:
    if not os_info.package_manager:
        raise SsmpatchError(
            f"root {settings.root}: no package manager was recognised; set ssmpatch:package_manager to the one it has"
        )
    context = Context(
        host=host,
        root=settings.root,
        work_dir=work_dir(settings),
        sources=_sources(baseline, os_info),
        lock_timeout=settings.lock_timeout,
        keep_obsolete=settings.obsoletes == "keep",
        refresh_timeout=settings.refresh_timeout,
        run_id=run_id,
        releasever=os_info.releasever,
    )
    return open_package_manager(os_info.package_manager, context)


def with_baseline(session: Session, baseline: Baseline) -> Session:
    """Return the session with another baseline and its alternative repositories.

    Raises:
        InvalidInput: none of its Sources is for this product.
    """
    backend = _backend(session.settings, session.os_info, baseline, session.host, session.run_id)
    return dataclasses.replace(session, baseline=baseline, backend=backend)


def with_frozen_set(session: Session) -> Session:
    """Return the session with the configured frozen set.

    Raises:
        InvalidInput: the frozen set is wrong or for another operating system.
        SsmpatchError: the frozen set could not be read.
    """
    fetcher = make_fetcher(session.settings, session.caller)
    frozen = baseline_in_force.frozen_set(session.settings, session.os_info, fetcher=fetcher)
    return dataclasses.replace(session, frozen=frozen)


def _sources(baseline: Baseline, os_info: osinfo.OsInfo) -> tuple[Source, ...]:
    """Return the baseline's alternative repositories for this product. Rule: docs/rules.md, Baselines (Sources)."""
    matching = tuple(s for s in baseline.sources if "*" in s.products or set(s.products) & set(os_info.products))
    if baseline.sources and not matching:
        names = ", ".join(source.name for source in baseline.sources)
        raise InvalidInput(
            f"baseline {baseline.name}: none of its Sources ({names}) is for {os_info.product}; "
            "add this product or * to the Products of one, or remove Sources"
        )
    return matching


def system_reasons(session: Session) -> tuple[str, ...]:
    """Return why the system itself asks for a reboot: its package manager's reasons and its flag files."""
    return (*session.backend.reboot_reasons(), *flag_hints(session.settings.root))


def with_reboot_option(settings: Settings, option: str | None) -> Settings:
    """Return the settings with the reboot option of the call; None changes nothing.

    Raises:
        InvalidInput: there is no such option.
    """
    from ..config import REBOOT_OPTIONS

    if option is None:
        return settings
    if option not in REBOOT_OPTIONS:
        raise InvalidInput(f"reboot_option: {show(option)} is not allowed; use {', '.join(REBOOT_OPTIONS)}")
    return dataclasses.replace(settings, reboot=dataclasses.replace(settings.reboot, option=option))

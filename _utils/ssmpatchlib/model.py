# SPDX-License-Identifier: Apache-2.0
"""The values that the rooms of the engine hand to each other: immutable, without behaviour, without I/O."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .masking import harmless, masked

# Patch states, as AWS:ComplianceItem spells them.
INSTALLED = "Installed"
INSTALLED_OTHER = "InstalledOther"
INSTALLED_REJECTED = "InstalledRejected"
INSTALLED_PENDING_REBOOT = "InstalledPendingReboot"
NOT_APPLICABLE = "NotApplicable"
MISSING = "Missing"
FAILED = "Failed"
INSTALLED_STATES = frozenset({INSTALLED, INSTALLED_OTHER, INSTALLED_REJECTED, INSTALLED_PENDING_REBOOT})
NON_COMPLIANT_STATES = frozenset({MISSING, FAILED, INSTALLED_REJECTED, INSTALLED_PENDING_REBOOT})

# Overall verdicts of a report.
COMPLIANT = "COMPLIANT"
NON_COMPLIANT = "NON_COMPLIANT"
UNKNOWN = "UNKNOWN"

# Compliance levels, lowest first.
LEVELS = ("UNSPECIFIED", "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")

ALLOW_AS_DEPENDENCY = "ALLOW_AS_DEPENDENCY"
BLOCK = "BLOCK"


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot of the machine: the kernel's random id, and the epoch seconds of its begin; ``""``, None if unknown."""

    id: str
    time: float | None


# --- baselines -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filter:
    """One PatchFilter: the package's attribute ``key`` must be one of ``values`` (``*`` is any)."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One PatchRule. At most one of the two delays is set; without any it approves at once."""

    filters: tuple[Filter, ...]
    compliance_level: str = "UNSPECIFIED"
    approve_after_days: int | None = None
    approve_until_date: dt.date | None = None
    enable_non_security: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """An alternative repository of a baseline, in place of the system's for a host of ``products`` (``*`` is any)."""

    name: str
    products: tuple[str, ...]
    configuration: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A normalised patch baseline; ``origin`` tells people where it came from.

    ``available_security_updates_compliance_status`` is kept for AWS, which uses it on Windows only; ``""`` when unset.
    """

    id: str
    name: str
    operating_system: str
    origin: str
    description: str = ""
    global_filters: tuple[Filter, ...] = ()
    rules: tuple[Rule, ...] = ()
    approved_patches: tuple[str, ...] = ()
    approved_patches_compliance_level: str = "UNSPECIFIED"
    approved_patches_enable_non_security: bool = False
    rejected_patches: tuple[str, ...] = ()
    rejected_patches_action: str = ALLOW_AS_DEPENDENCY
    sources: tuple[Source, ...] = ()
    available_security_updates_compliance_status: str = ""

    @property
    def non_security(self) -> bool:
        """Whether any version without security metadata can be approved."""
        return self.approved_patches_enable_non_security or any(rule.enable_non_security for rule in self.rules)


@dataclass(frozen=True, slots=True)
class OverrideEntry:
    """One entry of an InstallOverrideList; both patterns must match, and ``title`` None matches any version."""

    id: str
    title: str | None = None


@dataclass(frozen=True, slots=True)
class InstallOverrideList:
    """What ``install`` installs instead of the baseline's choice; reports name its ``location``.

    ``lifts_rejected``: what the baseline rejects is installed too, by name or where something listed needs it.
    """

    entries: tuple[OverrideEntry, ...]
    location: str
    lifts_rejected: bool = True


@dataclass(frozen=True, slots=True)
class FrozenSet:
    """The exact approved versions of a host (``freeze``): no version beyond ``versions[name.arch]`` is installed."""

    versions: Mapping[str, str]
    origin: str = ""


# --- packages ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Advisory:
    """What one advisory says about one version; on apt, what the archive entry says.

    ``attributes`` is what the baseline's filters are compared with, by filter key. A missing key or ``""`` is matched
    by ``*`` alone; the value ``None`` means that a filter of this key is not applied at all.
    ``metadata`` says whether a rule without EnableNonSecurity may approve the version.
    ``released`` is an aware UTC time, or None when the repository gives none.
    ``references`` are the lower-cased ids (advisory, CVE, Bugzilla, patch name) that an approved list may name.
    ``vanished`` is the version that the advisory names where that is no longer on offer and this version contains it.
    """

    metadata: bool
    attributes: Mapping[str, str | None] = field(default_factory=dict)
    classification: str = ""
    severity: str = ""
    id: str = ""
    released: dt.datetime | None = None
    cves: tuple[str, ...] = ()
    references: frozenset[str] = frozenset()
    reboot_suggested: bool = False
    vanished: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a package, installed or on offer.

    ``name`` and ``arch`` differ from the package's where the version replaces a package of another name or architecture
    (obsoletes, noarch changes). ``version`` is in full: Debian's ``[epoch:]upstream[-revision]``, rpm's
    ``epoch:version-release``. ``advisories`` has at least one element. ``origin`` names the repository for people.
    ``blocked`` says what keeps the version out, with the entry that does (``excluded by the administrator
    (excludepkgs): foo-3*``); such a version can be Missing but is never installed. ``held_back`` says that it is beyond
    the frozen set; with ``dependency_only`` it may come in all the same where a target needs it. ``build`` tells apart
    builds of one version where the package manager does. ``overruled`` says that the administrator's own priorities
    keep it out, and not those that the repositories come with. ``source`` and ``source_version`` are the source package
    that it was built from, where the package manager knows it.
    """

    name: str
    arch: str
    version: str
    advisories: tuple[Advisory, ...]
    origin: str = ""
    blocked: str = ""
    build: str = ""
    held_back: bool = False
    dependency_only: bool = False
    overruled: bool = False
    source: str = ""
    source_version: str = ""

    @property
    def id(self) -> str:
        """``name.arch``."""
        return f"{self.name}.{self.arch}"

    def replaces(self, package: Package) -> bool:
        """Return whether the version takes the place of a package of another name or architecture."""
        return self.name != package.name or self.arch != package.arch


@dataclass(frozen=True, slots=True)
class Package:
    """A package of one architecture with all versions that may be judged.

    ``versions`` are those on offer that the package manager's policy lets win over the installed one, in ascending
    order and never older than ``installed``; the installed version is among them when a repository has it.
    ``outranked`` are newer ones that this policy does not let win (a pin, a repository's priority), each with the
    reason in ``blocked``: they are named to people and count for nothing.
    ``installed`` carries the advisories that repositories (and past advisories) give the installed version.
    ``obsoleted_by`` are the offers, by ``(name.arch, version)``, of packages of other names that take its place.
    ``spellings`` are further names by which a patch list may call the package (``foo.all``, ``libc6:i386.i386``).
    ``locked`` says why the package must stay as it is (``held``, ``locked by the administrator``), ``kept`` why no
    package of another name may take its place although it may be updated (``protected``); ``broken`` says what is wrong
    with the installed state (``half-configured``), ``reinstall`` whether installing the same version again mends it.
    """

    name: str
    arch: str
    installed: Version | None = None
    installed_time: float | None = None
    versions: tuple[Version, ...] = ()
    outranked: tuple[Version, ...] = ()
    obsoleted_by: tuple[tuple[str, str], ...] = ()
    spellings: tuple[str, ...] = ()
    locked: str = ""
    kept: str = ""
    broken: str = ""
    reinstall: bool = False

    @property
    def id(self) -> str:
        """AWS's ``Id``: ``name.arch``."""
        return f"{self.name}.{self.arch}"


@dataclass(frozen=True, slots=True)
class Family:
    """What differs between package families, as data for ``evaluate`` and ``report``.

    ``version_order``: ``deb`` or ``rpm``. ``name_forms``: ``deb`` or ``rpm``, whose forms a patch list may name a
    version in; with ``operators`` it may use ``name >= version`` forms too.
    ``has_dates``: repositories publish release dates.
    ``non_security_switch``: False where EnableNonSecurity has no effect (SUSE).
    ``cves_of``: what gives a Missing row its CVEIds: the ``approved`` advisories, or all of the ``skipped`` versions.
    ``rejects_by_id``: a rejected list may name advisories and CVEs, as an approved list may.
    ``describe_unapproved``: an unapproved row shows its installed version's classification and severity.
    ``update_stack``: the packages of the package management itself, which are updated before the others.
    """

    name: str
    version_order: str
    name_forms: str
    has_dates: bool = True
    non_security_switch: bool = True
    cves_of: str = "approved"
    describe_unapproved: bool = False
    rejects_by_id: bool = False
    operators: bool = False
    update_stack: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class UnreadSource:
    """An enabled repository that could not be read as it is now; ``age`` is its copy's in seconds, None without one.

    Secrets in the repository's location are masked.
    """

    name: str
    problem: str
    age: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", masked(harmless(self.name)))
        object.__setattr__(self, "problem", masked(harmless(self.problem)))


@dataclass(frozen=True, slots=True)
class NotInstalled:
    """Packages that are on offer and not installed: grouped for counting, since they are many.

    ``advisories`` are those of their versions, as far as approval rules ask for them. Each of ``groups`` is the numbers
    of some advisories and how many packages have versions with just these. ``build`` returns the packages themselves.
    """

    advisories: tuple[Advisory, ...] = ()
    groups: tuple[tuple[tuple[int, ...], int], ...] = ()
    build: Callable[[], Iterable[Package]] = tuple


class Published(NamedTuple):
    """What an advisory of a repository says: the version of a package that has the fix."""

    name: str
    arch: str
    version: str
    advisory: Advisory

    @property
    def id(self) -> str:
        """``name.arch``."""
        return f"{self.name}.{self.arch}"


class Kernels(NamedTuple):
    """The installed packages of kernels, as ``(name.arch, version)``: of the one that runs, and of all others.

    ``running`` is empty where that is not known, in a container or below another root than the running system's; then
    the newest kernel is none of the ``others``. An image that an update has replaced on disk is in ``running`` in the
    version that runs, and in ``others`` in the one that is installed.
    """

    running: frozenset[tuple[str, str]] = frozenset()
    others: frozenset[tuple[str, str]] = frozenset()


#: Returns the offers, by ``(name.arch, version)``, that their vendor took back, with the reason for each.
Retracted = Callable[[], Mapping[tuple[str, str], str]]


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything a package manager knows: what is installed, what is on offer, and what could not be read.

    Packages that are not installed are in ``not_installed`` or, where there are few of them, among ``packages``.
    ``advised`` is False where security fixes are told by advisories and no repository publishes any; ``lost`` are the
    repositories that published some earlier and publish none now. ``retracted`` is asked by
    plans only.
    """

    family: Family
    packages: tuple[Package, ...]
    unread: tuple[UnreadSource, ...] = ()
    warnings: tuple[str, ...] = ()
    not_installed: NotInstalled = NotInstalled()
    advised: bool = True
    lost: tuple[UnreadSource, ...] = ()
    retracted: Retracted = dict


class Carrier(NamedTuple):
    """The first version on offer of an installed package that has a fix; ``id`` is the package's ``name.arch``."""

    id: str
    version: str


class OpenCves(NamedTuple):
    """CVEs that installed packages of one source have, alike in all but their ids.

    ``source`` and ``installed`` are the source package, where one is known, and its version. ``fixed`` is the version
    with the fix, ``""`` where there is none yet; ``subscription``: only subscribers get it. ``carriers`` are the
    packages on offer that have it, ``waiting`` is a version with it that is installed and does not run yet (a kernel).
    ``unimportant``: the vendor says that they are no vulnerabilities in practice. ``published`` is the earliest of
    ``dates``, which are those of the ``cves``.
    ``exploited`` has since when those that are known to be exploited are. ``problem``: why it cannot be told whether
    the packages are affected. ``unsupported``: there is no fix, and the vendor no longer supports the source.
    """

    source: str
    installed: str
    fixed: str
    subscription: bool
    severity: str
    unimportant: bool
    advisories: tuple[str, ...]
    published: str
    packages: tuple[str, ...]
    carriers: tuple[Carrier, ...]
    waiting: str
    problem: str
    exploited: tuple[tuple[str, str], ...]
    cves: tuple[str, ...]
    dates: tuple[str, ...] = ()
    unsupported: bool = False


@dataclass(frozen=True, slots=True)
class CveData:
    """Which CVEs are open on a host, and by what that is known.

    ``data`` is the release of a feed, ``updateinfo`` where only the repositories tell, ``""`` where nothing does.
    ``time`` is when the newest of it was modified, in AWS's format. ``problem`` says why a feed is not used.
    """

    data: str = ""
    time: str = ""
    problem: str = ""
    open: tuple[OpenCves, ...] = ()


# --- judgement -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judgement:
    """The baseline's answer for one version; ``reason`` is for people.

    ``kept_out`` says why the version must not be installed, approved or not; ``""`` when it may.
    ``approvals`` are the advisories that the version is approved by; ``advisory`` is the one that describes it.
    """

    version: Version
    approved: bool
    reason: str
    kept_out: str = ""
    rejected: bool = False
    level: str = "UNSPECIFIED"
    advisory: Advisory | None = None
    approvals: tuple[Advisory, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of one package. ``version`` is the one that the Title names, ``target`` the approved update, if any."""

    package: Package
    state: str
    version: Version
    reason: str
    level: str = "UNSPECIFIED"
    target: Version | None = None
    classification: str = ""
    severity: str = ""
    cves: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """AWS's ``Title``: ``name.arch:version``, with the name of the replacement where the version is one."""
        return f"{self.version.id}:{self.version.version}"

    @property
    def held_back(self) -> bool:
        """Whether all that is missing is an update that the frozen set does not let in."""
        return self.state == MISSING and not self.package.broken and self.target is not None and self.target.held_back


# --- transactions --------------------------------------------------------------------------------


class Offer(NamedTuple):
    """One version of a package on offer."""

    name: str
    arch: str
    version: str

    @property
    def id(self) -> str:
        """``name.arch``."""
        return f"{self.name}.{self.arch}"

    def __str__(self) -> str:
        return f"{self.name}-{self.version}.{self.arch}"


@dataclass(frozen=True, slots=True)
class Target:
    """A version that an install is to bring in; ``replaces`` is the installed ``name.arch`` that gives way to it."""

    name: str
    arch: str
    version: str
    reason: str = ""
    replaces: str = ""

    @property
    def id(self) -> str:
        """``name.arch``."""
        return f"{self.name}.{self.arch}"


@dataclass(frozen=True, slots=True)
class Change:
    """What a transaction does to one package: ``old`` None installs it anew, ``new`` None takes it away.

    ``replaced_by`` is the ``name.arch`` that takes the package's place (obsoletes, another architecture).
    """

    name: str
    arch: str
    old: str | None
    new: str | None
    target: bool
    reason: str = ""
    replaced_by: str = ""

    @property
    def id(self) -> str:
        """``name.arch``."""
        return f"{self.name}.{self.arch}"


@dataclass(frozen=True, slots=True)
class Blocked:
    """A target that cannot be installed; ``reason`` is in the words of the package manager or of the rule."""

    target: Target
    reason: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """What an install will do, decided before it acts. ``batches`` are the installable targets, in order.

    ``hidden`` is what the package manager must not see while it installs.
    """

    targets: tuple[Target, ...]
    batches: tuple[tuple[Target, ...], ...]
    changes: tuple[Change, ...]
    blocked: tuple[Blocked, ...] = ()
    download_size: int | None = None
    disk_size: int | None = None
    warnings: tuple[str, ...] = ()
    hidden: tuple[Offer, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """The result of a transaction: ``failures`` maps ``name.arch`` to the package manager's words."""

    failures: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    reboot_hints: tuple[str, ...] = ()

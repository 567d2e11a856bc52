# SPDX-License-Identifier: Apache-2.0
"""
Patch compliance by AWS Systems Manager patch baselines, with or without AWS.

:configuration: ``ssmpatch`` in pillar over ``ssmpatch`` in the minion configuration over the defaults, merged key by
    key at every depth. Every key is explained in the pillar reference. The package manager's own programs do the work;
    nothing else is needed on the minion, boto3 only for the functions that talk to AWS.

Errors: ``SaltInvocationError`` where arguments are wrong (``CommandExecutionError`` in ``salt-call``, where Salt prints
the documentation of the function after the sentence of the other one), ``CommandExecutionError`` where configuration is
wrong or an operation failed; ``info`` of it carries what was reached, a partial report where there is one. Where
arguments or configuration are wrong nothing was done. The text of every error ends with its code. Where packages failed
the report is returned and the job's return code is 1.
"""

import contextlib
import datetime
import functools
import importlib.machinery
import inspect
import logging
import os
import sys


def _engine_on_disk():
    """The files that an import of the engine would read now, each with its size and the time of its last change."""
    spec = importlib.machinery.PathFinder.find_spec("ssmpatchlib")
    places = (spec.submodule_search_locations if spec else None) or ()
    paths = (os.path.join(above, name) for place in places for above, _, names in os.walk(place) for name in names)
    found = []
    for path in sorted(path for path in paths if path.endswith(".py")):
        # A sync may just be replacing them.
        with contextlib.suppress(OSError):
            status = os.stat(path)
            found.append((path, status.st_size, status.st_mtime_ns))
    return found


# Another version may have been synced since this process imported the engine (a minion lives long, and a loader
# refresh executes this file again): forget the old one. An engine that is still the same stays: an operation may be
# running in it, which has called a function of Salt's that loads all modules again.
_ON_DISK = _engine_on_disk()
if getattr(sys.modules.get("ssmpatchlib"), "imported_from", None) != _ON_DISK:
    for _name in [name for name in sys.modules if name.partition(".")[0] == "ssmpatchlib"]:
        del sys.modules[_name]

try:
    import ssmpatchlib.api as engine
    from ssmpatchlib.errors import InvalidInput, SsmpatchError

    sys.modules["ssmpatchlib"].imported_from = _ON_DISK

    IMPORT_ERROR = ""
except ImportError as exc:
    IMPORT_ERROR = f"the engine of ssmpatch cannot be imported ({exc})"

import salt.utils.platform
from salt.exceptions import CommandExecutionError, SaltInvocationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    __salt__: dict[str, Any]
    __opts__: dict[str, Any]
    __pillar__: dict[str, Any]
    __context__: dict[str, Any]

log = logging.getLogger(__name__)

__virtualname__ = "ssmpatch"
_NO_PROXY = (
    "ssmpatch does not work on proxy minions: it would judge the host that they run on; use that host's own minion"
)
_SYNC = "run saltutil.sync_all"
_BY_SSH = (
    "salt-ssh brings no packages from a file root; install it in the master's own Python with salt-pip install "
    "salt-ssmpatch, then run salt-ssh once with --regen-thin (Salt 3006 also needs thin_extra_mods: ssmpatchlib in the "
    "master's configuration)"
)
_TABLES = ("scan", "install", "plan", "report", "explain", "status", "history", "freeze", "validate", "restarts", "cve")
#: Jobs of the schedule whose names begin so install, whichever function they call (``state.apply``).
_INSTALL_JOB = "ssmpatch-install"
__outputter__ = dict.fromkeys(_TABLES, "ssmpatch")


def __virtual__():
    if IMPORT_ERROR:
        return False, f"{IMPORT_ERROR}; {_BY_SSH if _by_salt_ssh() else _SYNC}"
    if _on_proxy_minion():
        return False, _NO_PROXY
    return __virtualname__


def _on_proxy_minion():
    """Whether this minion stands for a device; what it would judge is the host of the proxy."""
    return salt.utils.platform.is_proxy() or "proxytype" in (__opts__.get("proxy") or ())


def _by_salt_ssh():
    """Whether salt-ssh has brought this: its minions live in a directory of this name."""
    return os.path.basename(__opts__.get("root_dir") or "") == "running_data"


@contextlib.contextmanager
def _salts_errors():
    """The engine's errors become Salt's."""
    try:
        yield
    except SsmpatchError as exc:
        __context__["retcode"] = exc.code
        raise _failure(exc) from exc


def _failure(exc):
    """Salt's error for one of the engine's; the code stands at the end of its text and in ``info``."""
    failure = CommandExecutionError(_told(f"{exc} [code {exc.code}]"), info=_told(exc.info))
    failure.info = {"code": exc.code, **(failure.info or {})}
    return failure


def _checked(function):
    """Refuse wrong arguments before anything happens, and hand over those that are right."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        try:
            arguments = engine.of_operation(wrapper, _plain(args), _plain(kwargs))
        except InvalidInput as exc:
            __context__["retcode"] = exc.code
            raise _wrong_arguments(_told(f"{exc} [code {exc.code}]")) from exc
        return function(**arguments)

    return wrapper if IMPORT_ERROR else engine.handed_everything(wrapper, function)


def _wrong_arguments(sentence):
    """Salt's error for wrong arguments; salt-call would bury its sentence under the function's documentation."""
    by_salt_call = __opts__.get("__cli") == "salt-call"
    return CommandExecutionError(sentence) if by_salt_call else SaltInvocationError(sentence)


@_checked
def about():
    """
    Say what this module can do, in a few lines.

    A patch baseline says which updates a host must have. A host is compliant when it has them all.

    Look (nothing is changed but the package index):

    - ``ssmpatch.scan``: judge this host by its baseline, and keep the report
    - ``ssmpatch.report``: the report of the last scan or install
    - ``ssmpatch.plan``: what an install would do, package by package
    - ``ssmpatch.explain NAME``: why a package is judged as it is, or what a CVE means here
    - ``ssmpatch.baseline``: the baseline in force, and where it comes from
    - ``ssmpatch.status``, ``ssmpatch.history``: what runs or waits, and what was done
    - ``ssmpatch.cve``: whether this host has a vulnerability, and which are open
    - ``ssmpatch.restarts``: what still runs code that an update replaced
    - ``ssmpatch.validate``: what is wrong in the configuration
    - ``ssmpatch.version``: what was found on this host

    Act:

    - ``ssmpatch.install``: install what the baseline approves, scan again, reboot as configured
    - ``ssmpatch.reboot``: reboot now, if one is pending and allowed
    - ``ssmpatch.resume``: finish what was interrupted
    - ``ssmpatch.freeze``: the approved versions of this host, for others to install exactly these
    - ``ssmpatch.upload``: send the last report to AWS again

    ``salt '*' sys.doc ssmpatch.scan`` explains one function. Settings: ``ssmpatch`` in pillar or in the minion's
    configuration.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.about
    """
    return inspect.cleandoc(about.__doc__).partition("\n\n.. versionadded")[0].replace("``", "")


@_checked
def scan(baseline_override=None, snapshot_id=None, details=False, refresh=True, upload=None, root=None, frozen=None):
    """
    Judge this host by its patch baseline. Changes nothing but the package index; stores and returns the report.

    baseline_override
        A BaselineOverride instead of the configured baseline: a location (``s3://``, ``https://``, ``salt://`` or a
        path) of a JSON array, or the array itself, with exactly one entry for this operating system.

    snapshot_id
        The UUID under which runs share one snapshot of the baseline; made up when not given.

    details
        Return every row, not only the non-compliant ones. The stored report always has all.

    refresh
        Refresh the package index first. Without the right to do so the report says that it was not.

    upload
        Instead of the setting ``upload``, and in its words: ``always`` (or True) sends the report to AWS, ``never``
        (or False) does not, ``auto`` does where AWS is configured or the baseline came from there.

    root
        Judge the system below this directory instead of ``/``.

    frozen
        A document of ``ssmpatch.freeze`` (or its location) instead of the configured one: no version beyond it is
        installed. What is judged is the baseline: an update beyond the set is Missing.

    Returns ``compliance`` (``COMPLIANT``, ``NON_COMPLIANT`` or ``UNKNOWN``), ``summary`` (the content of
    AWS:PatchSummary, all strings), ``patches`` (rows as AWS:ComplianceItem has them, with ``installed_version``,
    ``available_version``, ``reason`` and, where a repository publishes them, ``advisories``), ``baseline``, ``reboot``,
    ``warnings``, ``run`` (``duration`` in seconds),
    ``held_back`` (the ids of updates that are Missing because the frozen set does not let them in), ``restarts`` (what
    still runs code that an update replaced; only of the running system, and as root) and ``next_open`` (when the
    setting ``window`` lets an install begin; None means now). With a frozen set ``frozen_compliance`` is the
    verdict without what it holds back.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.scan
        salt 'web*' ssmpatch.scan baseline_override=salt://patch/web.json details=True
    """
    result = _run(
        engine.scan,
        root=root,
        frozen=frozen,
        baseline_override=baseline_override,
        snapshot_id=snapshot_id,
        refresh=refresh,
        upload=upload,
    )
    return result if details else engine.brief(result)


@_checked
def install(
    baseline_override=None,
    install_override_list=None,
    snapshot_id=None,
    reboot_option=None,
    dry_run=False,
    details=False,
    refresh=True,
    upload=None,
    root=None,
    frozen=None,
):
    """
    Scan, install what the baseline approves, scan again, store, upload, and apply the reboot policy.

    Nothing is removed or downgraded; held packages stay as they are. What cannot be installed is ``Failed`` with the
    package manager's own words while the rest is installed; the return code is 1 then. Requires root.

    baseline_override
        A BaselineOverride instead of the configured baseline: a location (``s3://``, ``https://``, ``salt://`` or a
        path) of a JSON array, or the array itself.

    install_override_list
        Install what this list names instead of what the baseline approves: a location, or the mapping
        ``{patches: [{id: …, title: …}]}``. Compliance is still judged by the baseline. Not together with
        ``baseline_override``.

    snapshot_id
        The UUID under which runs share one snapshot of the baseline; made up when not given.

    reboot_option
        ``RebootIfNeeded``, ``NoReboot`` or ``RebootIfRequired`` instead of the configured option.

    dry_run
        Change nothing; return what ``ssmpatch.plan`` returns.

    details
        Return every row, not only the non-compliant ones.

    refresh
        Refresh the package index first.

    upload
        ``always`` (or True), ``never`` (or False) or ``auto``, instead of the setting ``upload``.

    root
        Patch the system below this directory instead of ``/``. Only the running system is ever rebooted.

    frozen
        A document of ``ssmpatch.freeze`` (or its location) instead of the configured one: no version beyond it is
        installed.

    Returns the report of the second scan, with ``changes`` (``{name: {old, new}}``) and ``reboot`` (what was decided,
    and why).

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt 'web*' ssmpatch.install reboot_option=NoReboot
        salt 'web1' ssmpatch.install install_override_list=salt://patch/urgent.yaml
    """
    if dry_run:
        return plan(
            baseline_override=baseline_override,
            install_override_list=install_override_list,
            refresh=refresh,
            root=root,
            frozen=frozen,
        )
    result = _run(
        engine.install,
        root=root,
        frozen=frozen,
        baseline_override=baseline_override,
        install_override_list=install_override_list,
        snapshot_id=snapshot_id,
        reboot_option=reboot_option,
        refresh=refresh,
        upload=upload,
    )
    __context__["retcode"] = engine.return_code(result)
    return result if details else engine.brief(result)


@_checked
def plan(baseline_override=None, install_override_list=None, refresh=True, root=None, frozen=None):
    """
    Return the exact transaction that an install would run; change nothing but the package index.

    baseline_override
        A BaselineOverride instead of the configured baseline: a location (``s3://``, ``https://``, ``salt://`` or a
        path) of a JSON array, or the array itself.

    install_override_list
        What to install instead of what the baseline approves: a location, or the mapping
        ``{patches: [{id: …, title: …}]}``. Not together with ``baseline_override``.

    refresh
        Refresh the package index first.

    root
        Plan for the system below this directory instead of ``/``.

    frozen
        A document of ``ssmpatch.freeze`` (or its location) instead of the configured one: no version beyond it is
        planned.

    Returns ``changes`` (``{name: {old, new}}``, as the install will report them), ``packages`` (a list of
    ``{id, name, arch, old, new, target, reason}``; ``target`` is False for what is only needed by an update),
    ``blocked`` (``{id, version, reason}``), ``removals`` (always empty), ``batches`` (lists of ``name.arch`` in the
    order they are installed), ``download_size`` and ``disk_size`` (bytes), ``baseline``, ``warnings``,
    ``held_back`` (the ids of updates that the frozen set does not let in), and ``next_open`` (when the setting
    ``window`` lets an install begin; None means now).

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.plan
    """
    return _run(
        engine.plan,
        root=root,
        frozen=frozen,
        baseline_override=baseline_override,
        install_override_list=install_override_list,
        refresh=refresh,
    )


@_checked
def report(states=None, severity=None, name=None, details=False):
    """
    Return the last stored report; never scans.

    states
        Only rows with these patch states (a list, or words separated by commas).

    severity
        Only rows with these compliance levels or vendor severities.

    name
        Only rows of these packages: globs over the name, ``name.arch`` or ``name:arch``.

    details
        Return the compliant rows too.

    Returns the report in the form that a scan returns. Raises ``CommandExecutionError`` when there is none yet.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.report
        salt '*' ssmpatch.report states=Missing,Failed name='openssl*'
    """
    return _run(engine.report, states=states, severity=severity, name=name, details=details)


@_checked
def explain(name, baseline_override=None, root=None):
    """
    Say for every version of the packages that match ``name`` what the baseline makes of it, and why.

    name
        A glob over the package name, ``name.arch`` or ``name:arch``. Or, where no package has such a name, a CVE or an
        advisory (``CVE-2024-6387``, ``USN-6859-1``, ``DSA-5514-1``, ``RHSA-2024:4312``): what it means for this host.

    baseline_override
        A BaselineOverride instead of the configured baseline: a location (``s3://``, ``https://``, ``salt://`` or a
        path) of a JSON array, or the array itself.

    root
        Look at the system below this directory instead of ``/``.

    Returns a list of ``{id, installed, state, reason, versions}``; each version has ``version``, ``origin``,
    ``approved``, ``rejected``, ``level``, ``reason``, ``kept_out`` (what keeps it from being installed: an exclude, a
    lock, a pin, the frozen set), ``released`` and ``advisory``.

    For a CVE or an advisory it returns what ``ssmpatch.cve`` does, with ``id``, ``kind`` (what kind of id it is),
    ``references`` (pages about it) and ``packages``: a list as above of the installed packages that it concerns, with
    those of their ``versions`` that have the fix. Where nothing is known of an id, the state of its row is ``unknown``,
    with the reason.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt 'web1' ssmpatch.explain openssl
        salt 'web1' ssmpatch.explain CVE-2024-6387
    """
    return _run(engine.explain, root=root, name=name, baseline_override=baseline_override)


@_checked
def baseline(baseline_override=None):
    """
    Return the baseline that holds for this host, in the form of AWS's API, and where it came from.

    baseline_override
        A BaselineOverride instead of the configured baseline: a location (``s3://``, ``https://``, ``salt://`` or a
        path) of a JSON array, or the array itself.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.baseline
    """
    return _run(engine.baseline, baseline_override=baseline_override)


@_checked
def validate(baseline_override=None):
    """
    Return every problem in the configuration and in the configured (or given) baseline, each with its path.

    baseline_override
        A BaselineOverride instead of the configured baseline: a location (``s3://``, ``https://``, ``salt://`` or a
        path) of a JSON array, or the array itself.

    An empty list means that all is valid; otherwise the return code is 1.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.validate
    """
    found = _told(engine.validate(*_configuration(), caller=_caller(), baseline_override=_plain(baseline_override)))
    __context__["retcode"] = 1 if found else 0
    return found


@_checked
def status():
    """
    Return what runs and what is open.

    ``running`` (operation, pid, phase, since) or None, ``last`` (the last operation) or None, ``reboot_pending``
    (packages, since, boot_id, attempts, and in ``problem`` why the reboot could not be requested) or None, ``journal``
    (an interrupted operation) or None, ``boot_id``, and ``next_open``: None when an install may begin now, else when
    the setting ``window`` lets it (a time, or ``never``).

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.status
    """
    return _run(engine.status)


@_checked
def cve(ids=None, stored=False, root=None, limit=1000):
    """
    Say whether this host has a vulnerability, by package: which version has the fix, and what keeps it out.

    On Debian and Ubuntu the vendor's advisories have to be configured (the setting ``advisories``, which names what
    ``salt-run ssmpatch.advisories`` compiles on the master). On rpm systems the repositories' own advisories tell, and
    where a vendor's are configured, these say what has no fix yet. The package index is not refreshed; a scan does it.

    ids
        CVEs or advisories (``CVE-2024-6387``, ``USN-6859-1``, ``DSA-5514-1``, ``RHSA-2024:4312``): a list, or text with
        commas between them. Without any: every CVE that is open on this host, exploited ones first, then by severity
        and age; those that Debian calls unimportant are left out.

    stored
        Answer from the report of the last scan or install, without looking at the packages again.

    root
        Look at the system below this directory instead of ``/``.

    limit
        The most rows without ``ids``, the first ones of that order; a warning says how many more there are. A Debian
        host may have thousands, mostly of its kernel, which would not pass Salt's bus to the master.

    Returns ``data`` (what tells: ``DEBIAN-12``, ``updateinfo`` or nothing), ``time`` (when the newest of it was
    modified), ``problem`` (why nothing is known), ``warnings``, ``asked`` (the ids that were asked for) and ``cves``,
    rows with

    - ``cve``, ``package`` (the source package where one is known), ``packages`` (installed ones), ``installed``
    - ``state``: ``not affected``, ``fixed``, ``fix available``, ``fix beyond the frozen set``, ``fix kept out``,
      ``affected, no fix yet`` or ``unknown``
    - ``fixed`` (the first version with the fix), ``available`` (the package on offer that has it), ``updates`` (all
      that are needed, where several packages are of one source), ``approved`` (by the baseline), ``reason``,
      ``subscription`` (whether only subscribers get the fix)
    - ``advisories``, ``severity`` (the vendor's word), ``published``, ``exploited`` (since when it is known to be),
      ``references``, and ``restart``: what still runs the code from before the update

    Never says ``not affected`` by data that are too old, damaged or of another release: that is ``unknown``.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.cve CVE-2024-6387
        salt '*' ssmpatch.cve
    """
    return _run(engine.cve, root=root, ids=ids, stored=stored, limit=limit)


@_checked
def restarts():
    """
    Say what still runs code that an update replaced: a service goes on with the library that it has loaded.

    Looks at every process of the running system; requires root. Where a program was updated that an interpreter reads
    (Python, Perl, Ruby, Java) and no file that the process maps, nothing tells: restart such services yourself.

    Returns ``units`` (services that may be restarted), ``sessions`` (users who have to log in again), ``processes``
    (programs that belong to neither), ``containers``, ``reboot`` (what only a reboot cures: init, and services that
    others or the sessions of users depend on), ``files`` (the replaced files by these names) and ``required_hints``
    (why the system itself asks for a reboot: a newer kernel, a flag file). ``restarts`` of every report has the same
    lists.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.restarts
    """
    return _run(engine.restarts)


@_checked
def resume():
    """
    Finish an operation that was interrupted: repair the package manager, write the report, apply the reboot policy.

    After a requested reboot it verifies by a scan. Meant to be run when the minion starts; every scan and install
    does the same first. With the setting ``notice`` it announces planned reboots and installs, once each. Returns
    ``{resumed, phase, report}``; ``resumed`` is None when nothing was open.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.resume
    """
    return _run(engine.resume)


@_checked
def reboot(force=False, dry_run=False):
    """
    Apply the reboot policy now.

    force
        Reboot although nothing is pending or the windows are closed.

    dry_run
        Only say what would be done.

    Returns ``{action, reason, due}``; ``action`` is ``none``, ``reboot``, ``deferred`` or ``exhausted``.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt 'web1' ssmpatch.reboot
    """
    return _run(engine.reboot, force=force, dry_run=dry_run)


@_checked
def upload():
    """
    Send the last stored report to AWS again, and what is still queued.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt 'web1' ssmpatch.upload
    """
    return _run(engine.upload)


@_checked
def history(limit=20):
    """
    Return past operations, newest first.

    limit
        At most so many.

    Returns a list of ``{id, operation, time, baseline, counts, outcome, changes}``.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt 'web1' ssmpatch.history limit=5
    """
    return _run(engine.history, limit=limit)


@_checked
def freeze(root=None):
    """
    Return the exact versions that are approved on this host, as a document for the setting ``frozen``.

    root
        Freeze the system below this directory instead of ``/``.

    Returns ``{ssmpatch_frozen, operating_system, product, created, baseline, packages}``; ``packages`` has the version
    by ``name.arch``: the approved one, else the installed one, and those of the new packages that updates bring in.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt 'canary1' ssmpatch.freeze --out=json
    """
    return _run(engine.freeze, root=root)


@_checked
def version():
    """
    Return the version, where the engine was loaded from, the package manager, the operating system and the product.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.version
    """
    return _run(engine.version)


def _run(function, root=None, frozen=None, **kwargs):
    """Call the engine with this minion's configuration; its errors become Salt's."""
    arguments = {key: _plain(value) for key, value in (("root", root), ("frozen", frozen)) if value is not None}
    with _salts_errors():
        settings = engine.load_settings(*_configuration(), arguments)
        return _told(function(settings, caller=_caller(), **_plain(kwargs)))


def _configuration():
    """The two mappings that the settings are merged from: minion configuration and pillar."""
    return _plain(__opts__.get("ssmpatch")), _plain(__pillar__.get("ssmpatch"))


def _caller():
    return engine.Caller(
        fire=_fire,
        call=_call,
        functions=__salt__,
        next_installs=_next_installs,
        salt_file=_salt_file,
        salt_path=_salt_path,
        log=log,
    )


def _fire(tag, data):
    """Send an event to the master; without one there is nobody to tell."""
    if __opts__.get("file_client") == "local" or __opts__.get("master_type") == "disable":
        return
    prefix, _, rest = tag.partition("<id>")
    __salt__["event.send"](f"{prefix}{__opts__['id']}{rest}", {"id": __opts__["id"], **_told(data)})


def _call(function, args, kwargs):
    if function not in __salt__:
        raise SsmpatchError(f"hook {function}: there is no such Salt function on this minion")
    return __salt__[function](*args, **kwargs)


def _next_installs():
    """When this minion's schedule begins installs next, by the job's name; the daemon that runs it is asked."""
    found = {}
    # As Salt does, the minion's configuration over the pillar.
    jobs = {**_schedule(__pillar__), **_schedule(__opts__)}
    if jobs.get("enabled") is False:
        return found
    for name, job in jobs.items():
        if isinstance(job, dict) and job.get("enabled") is not False and _installs(name, job):
            try:
                when = __salt__["schedule.show_next_fire_time"](name).get("next_fire_time")
                # The daemon tells the minion's local time.
                found[name] = datetime.datetime.strptime(when, "%Y-%m-%dT%H:%M:%S").timestamp()
            except Exception as exc:  # noqa: BLE001 - without a daemon Salt's function raises what comes to it
                log.info("ssmpatch: the schedule does not say when %s begins next: %s", name, exc)
    return found


def _installs(name, job):
    """Whether a job of the schedule installs updates, by the function that Salt would call or by its name."""
    function = next((job[key] for key in ("function", "func", "fun") if key in job), None)
    arguments = job.get("kwargs")
    if isinstance(arguments, dict) and any(arguments.get(key) for key in ("dry_run", "test")):
        return False
    return function == "ssmpatch.install" or name.startswith(_INSTALL_JOB)


def _schedule(section):
    jobs = _plain(section.get("schedule"))
    return {name: jobs[name] for name in jobs if isinstance(name, str)} if isinstance(jobs, dict) else {}


def _salt_file(location):
    text = __salt__["cp.get_file_str"](location)
    if not isinstance(text, str):
        raise SsmpatchError(f"{location}: the file server has no such file; see file_roots, and its path")
    return text


def _salt_path(location):
    """Where the file is, fetched when it changed; without an answer of the master the copy that is there."""
    try:
        path = __salt__["cp.cache_file"](location)
    except Exception as exc:  # noqa: BLE001 - a transport can end with anything
        path = __salt__["cp.is_cached"](location)
        if not path:
            raise SsmpatchError(f"{location}: {_told(str(exc))}") from exc
    if not path:
        raise SsmpatchError(f"{location}: the file server has no such file")
    return path


def _plain(value):
    """Return plain containers and scalars; Salt's masked pillar containers show asterisks to whoever formats them."""
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _told(value):
    """Return plain data that Salt can send; a text may be none in UTF-8, since the name of a file may be none."""
    if isinstance(value, dict):
        return {_told(key): _told(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_told(item) for item in value]
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode()
    return value

# SPDX-License-Identifier: Apache-2.0
"""
Patch compliance by AWS Systems Manager patch baselines, with or without AWS.

:configuration: ``ssmpatch`` in pillar over ``ssmpatch`` in the minion configuration over the defaults, merged key by
    key at every depth. Every key is explained in the pillar reference. The package manager's own programs do the work;
    nothing else is needed on the minion, boto3 only for the functions that talk to AWS.

Errors: ``SaltInvocationError`` where arguments or configuration are wrong (nothing was done then),
``CommandExecutionError`` where an operation failed; ``info`` of it carries what was reached, a partial report where
there is one. The text of both ends with the code of the error. Where packages failed the report is returned and the
job's return code is 1.
"""

import contextlib
import functools
import logging
import sys

# Another version may have been synced since this process imported the engine (a minion lives long, and a loader
# refresh executes this file again): forget the old one.
for _name in [name for name in sys.modules if name.partition(".")[0] == "ssmpatchlib"]:
    del sys.modules[_name]

try:
    import ssmpatchlib.api as engine
    from ssmpatchlib.errors import InvalidInput, SsmpatchError

    IMPORT_ERROR = ""
except ImportError as exc:
    IMPORT_ERROR = f"the engine of ssmpatch cannot be imported ({exc}); run saltutil.sync_all"

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
__outputter__ = dict.fromkeys(("scan", "install", "plan", "report", "explain"), "ssmpatch")


def __virtual__():
    if IMPORT_ERROR:
        return False, IMPORT_ERROR
    if _on_proxy_minion():
        return False, _NO_PROXY
    return __virtualname__


def _on_proxy_minion():
    """Whether this minion stands for a device; what it would judge is the host of the proxy."""
    return salt.utils.platform.is_proxy() or "proxytype" in (__opts__.get("proxy") or ())


@contextlib.contextmanager
def _salts_errors():
    """The engine's errors become Salt's."""
    try:
        yield
    except InvalidInput as exc:
        __context__["retcode"] = exc.code
        raise SaltInvocationError(f"{exc} [code {exc.code}]") from exc
    except SsmpatchError as exc:
        __context__["retcode"] = exc.code
        raise CommandExecutionError(f"{exc} [code {exc.code}]", info=_plain(exc.info)) from exc


def _checked(function):
    """Refuse wrong arguments before anything happens, and hand over those that are right."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with _salts_errors():
            arguments = engine.of_operation(function, _plain(args), _plain(kwargs))
        return function(**arguments)

    return wrapper


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
        A document of :py:func:`freeze` (or its location) instead of the configured one: no version beyond it is
        installed. What is judged is the baseline: an update beyond the set is Missing.

    Returns ``compliance`` (``COMPLIANT``, ``NON_COMPLIANT`` or ``UNKNOWN``), ``summary`` (the content of
    AWS:PatchSummary, all strings), ``patches`` (rows as AWS:ComplianceItem has them, with ``installed_version``,
    ``available_version`` and ``reason``), ``baseline``, ``reboot``, ``warnings``, ``run`` (``duration`` in seconds),
    ``held_back`` (the ids of updates that are Missing because the frozen set does not let them in) and ``next_open`` as
    :py:func:`status` has it. With a frozen set ``frozen_compliance`` is the verdict without what it holds back.

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
        As for :py:func:`scan`.

    install_override_list
        Install what this list names instead of what the baseline approves: a location, or the mapping
        ``{patches: [{id: …, title: …}]}``. Compliance is still judged by the baseline. Not together with a
        BaselineOverride.

    snapshot_id
        As for :py:func:`scan`.

    reboot_option
        ``RebootIfNeeded``, ``NoReboot`` or ``RebootIfRequired`` instead of the configured option.

    dry_run
        Return what :py:func:`plan` returns and change nothing.

    details
        Return every row, not only the non-compliant ones.

    refresh
        Refresh the package index first.

    upload
        As for :py:func:`scan`.

    root
        Patch the system below this directory instead of ``/``. Only the running system is ever rebooted.

    frozen
        As for :py:func:`scan`.

    Returns the report of the second scan, with ``changes`` (``{name: {old, new}}``) and ``reboot`` (what was decided,
    and why).

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
    Return the exact transaction that :py:func:`install` would run; change nothing but the package index.

    The arguments are those of :py:func:`install`.

    Returns ``changes`` (``{name: {old, new}}``, as the install will report them), ``packages`` (a list of
    ``{id, name, arch, old, new, target, reason}``; ``target`` is False for what is only needed by an update),
    ``blocked`` (``{id, version, reason}``), ``removals`` (always empty), ``batches`` (lists of ``name.arch`` in the
    order they are installed), ``download_size`` and ``disk_size`` (bytes), ``baseline``, ``warnings``,
    ``held_back`` (ids, as in the report), and ``next_open`` as :py:func:`status` has it.

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

    Returns the report as :py:func:`scan` does. Raises ``CommandExecutionError`` when there is none yet.

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
        A glob over the package name, ``name.arch`` or ``name:arch``.

    baseline_override
        As for :py:func:`scan`.

    root
        As for :py:func:`scan`.

    Returns a list of ``{id, installed, state, reason, versions}``; each version has ``version``, ``origin``,
    ``approved``, ``rejected``, ``level``, ``reason``, ``kept_out`` (what keeps it from being installed: an exclude, a
    lock, a pin, the frozen set), ``released`` and ``advisory``.

    CLI Example:

    .. code-block:: bash

        salt 'web1' ssmpatch.explain openssl
    """
    return _run(engine.explain, root=root, name=name, baseline_override=baseline_override)


@_checked
def baseline(baseline_override=None):
    """
    Return the baseline that holds for this host, in the form of AWS's API, and where it came from.

    baseline_override
        As for :py:func:`scan`.

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
        As for :py:func:`scan`.

    An empty list means that all is valid.

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.validate
    """
    return engine.validate(*_configuration(), caller=_caller(), baseline_override=_plain(baseline_override))


@_checked
def status():
    """
    Return what runs and what is open.

    ``running`` (operation, pid, phase, since) or None, ``last`` (the last operation) or None, ``reboot_pending``
    (packages, since, boot_id) or None, ``journal`` (an interrupted operation) or None, ``boot_id``, and ``next_open``:
    None when an install may begin now, else when the setting ``window`` lets it (a time, or ``never``).

    CLI Example:

    .. code-block:: bash

        salt '*' ssmpatch.status
    """
    return _run(engine.status)


@_checked
def resume():
    """
    Finish an operation that was interrupted: repair the package manager, write the report, apply the reboot policy.

    After a requested reboot it verifies by a scan. Meant to be run when the minion starts; every scan and install
    does the same first. Returns ``{resumed, phase, report}``; ``resumed`` is None when nothing was open.

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

    CLI Example:

    .. code-block:: bash

        salt 'web1' ssmpatch.reboot
    """
    return _run(engine.reboot, force=force, dry_run=dry_run)


@_checked
def upload():
    """
    Send the last stored report to AWS again, and what is still queued.

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

    CLI Example:

    .. code-block:: bash

        salt 'web1' ssmpatch.history limit=5
    """
    return _run(engine.history, limit=limit)


@_checked
def freeze():
    """
    Return the exact versions that are approved on this host, as a document for the setting ``frozen``.

    Returns ``{ssmpatch_frozen, operating_system, product, created, baseline, packages}``; ``packages`` has the version
    by ``name.arch``: the approved one, else the installed one, and those of the new packages that updates bring in.

    CLI Example:

    .. code-block:: bash

        salt 'canary1' ssmpatch.freeze --out=json
    """
    return _run(engine.freeze)


@_checked
def version():
    """
    Return the version, where the engine was loaded from, the package manager, the operating system and the product.

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
        return _plain(function(settings, caller=_caller(), **_plain(kwargs)))


def _configuration():
    """The two mappings that the settings are merged from: minion configuration and pillar."""
    return _plain(__opts__.get("ssmpatch")), _plain(__pillar__.get("ssmpatch"))


def _caller():
    return engine.Caller(fire=_fire, call=_call, salt_file=_salt_file, log=log)


def _fire(tag, data):
    """Send an event to the master; without one there is nobody to tell."""
    if __opts__.get("file_client") == "local" or __opts__.get("master_type") == "disable":
        return
    prefix, _, rest = tag.partition("<id>")
    __salt__["event.send"](f"{prefix}{__opts__['id']}{rest}", {"id": __opts__["id"], **_plain(data)})


def _call(function, args, kwargs):
    if function not in __salt__:
        raise SsmpatchError(f"hook {function}: there is no such Salt function on this minion")
    return __salt__[function](*args, **kwargs)


def _salt_file(location):
    text = __salt__["cp.get_file_str"](location)
    if not isinstance(text, str):
        raise SsmpatchError(f"{location}: the file server has no such file")
    return text


def _plain(value):
    """Return plain containers and scalars; Salt's masked pillar containers show asterisks to whoever formats them."""
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value

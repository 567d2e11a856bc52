# SPDX-License-Identifier: Apache-2.0
"""
Declare that a host complies with its patch baseline.

- ``ssmpatch.compliant``: install what the baseline approves and is missing; True when nothing is missing any more
- ``ssmpatch.scanned``: only look; False when something is missing
- ``ssmpatch.rebooted``: reboot if one is pending and allowed now

.. code-block:: yaml

    patched:
      ssmpatch.compliant:
        - reboot_option: NoReboot

The execution module of the same name does the work: ``salt-call ssmpatch.about``.
"""

import functools
import inspect

import salt.utils.platform
from salt.exceptions import CommandExecutionError, SaltInvocationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    __salt__: dict[str, Any]
    __opts__: dict[str, Any]

__virtualname__ = "ssmpatch"
_NO_PROXY = (
    "ssmpatch does not work on proxy minions: it would judge the host that they run on; use that host's own minion"
)

#: How many packages that wait for a reboot a comment names.
_NAMED = 10
_ERRORS = (CommandExecutionError, SaltInvocationError)


def __virtual__():
    # On a proxy minion the states are there and say why they fail: state.single has no words for a module's reason.
    if "ssmpatch.scan" not in __salt__ and not _on_proxy_minion():
        return False, "the execution module ssmpatch is not available; run saltutil.sync_all"
    return __virtualname__


def _on_proxy_minion():
    """Whether this minion stands for a device; what it would judge is the host of the proxy."""
    return salt.utils.platform.is_proxy() or "proxytype" in (__opts__.get("proxy") or ())


def _checked(function):
    """Fail for wrong arguments before anything happens. The module reads the values itself."""

    @functools.wraps(function)
    def wrapper(name, *args, **kwargs):
        from ssmpatchlib import api, errors

        try:
            api.of_operation(wrapper, (name, *args), kwargs)
        except errors.InvalidInput as exc:
            return _failed({"name": name, "changes": {}}, str(exc))
        return function(name, *args, **{key: value for key, value in kwargs.items() if not key.startswith("__")})

    return _handed_everything(wrapper, function)


def _handed_everything(wrapper, function):
    """Let Salt hand over unknown arguments too, so that they are refused here: it asks the innermost function.

    The engine's ``handed_everything`` does the same. This file is read when the engine may not be there: on a proxy
    minion, and in a sync before the engine has come.
    """
    known = inspect.signature(function)
    more = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
    wrapper.__signature__ = known
    function.__signature__ = known.replace(parameters=[*known.parameters.values(), more])
    return wrapper


@_checked
def compliant(
    name,
    baseline_override=None,
    install_override_list=None,
    snapshot_id=None,
    reboot_option=None,
    refresh=True,
    upload=None,
):
    """
    Make sure that nothing the baseline approves is missing: scan, install what is missing, scan again.

    name
        Any name; it has no meaning.

    baseline_override
        A BaselineOverride instead of the configured baseline: a location (``s3://``, ``https://``, ``salt://`` or a
        path) of a JSON array, or the array itself.

    install_override_list
        Install what this list names instead of what the baseline approves: a location, or the mapping
        ``{patches: [{id: …, title: …}]}``. The result is judged by the baseline all the same.

    snapshot_id
        The UUID under which runs share one snapshot of the baseline; made up when not given.

    reboot_option
        ``RebootIfNeeded``, ``NoReboot`` or ``RebootIfRequired`` instead of the configured option.

    refresh
        Refresh the package index first. With False it is judged as it lies on disk.

    upload
        ``always`` (or True), ``never`` (or False) or ``auto``, instead of the setting ``upload``.

    With ``test=True`` the result is None and ``changes`` are those that a real run would show. Packages that only wait
    for a reboot which the policy leaves to later are no failure. An installed package that the baseline rejects with
    BLOCK is a failure that names it: nothing is ever removed. Data that could not be refreshed is a failure too. With a
    frozen set the result is True when everything that the set lets in is installed; the comment and a warning say how
    many updates it holds back.

    .. versionadded:: 0.1.0

    .. code-block:: yaml

        web-patched:
          ssmpatch.compliant:
            - baseline_override: salt://patch/web.yaml
    """
    arguments = {"baseline_override": baseline_override, "snapshot_id": snapshot_id, "upload": upload}
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    if _on_proxy_minion():
        return _failed(ret, _NO_PROXY)
    try:
        found = __salt__["ssmpatch.scan"](refresh=refresh, **arguments)
        wanted = install_override_list is not None or _ids(_let_in(found), "Missing", "Failed")
        if not wanted:
            return _judged(ret, found)
        if __opts__["test"]:
            return _planned(ret, found, baseline_override, install_override_list)
        done = __salt__["ssmpatch.install"](
            install_override_list=install_override_list, reboot_option=reboot_option, refresh=False, **arguments
        )
    except _ERRORS as exc:
        ret["changes"] = (getattr(exc, "info", None) or {}).get("changes", {})
        return _failed(ret, str(exc))
    ret["changes"] = done["changes"]
    return _judged(ret, done)


@_checked
def scanned(name, baseline_override=None, snapshot_id=None, refresh=True, upload=None):
    """
    Report whether the host complies; never change it. The result is False when it does not.

    The baseline alone decides: an update that a frozen set holds back is missing.

    name
        Any name; it has no meaning.

    baseline_override
        A BaselineOverride instead of the configured baseline: a location (``s3://``, ``https://``, ``salt://`` or a
        path) of a JSON array, or the array itself.

    snapshot_id
        The UUID under which runs share one snapshot of the baseline; made up when not given.

    refresh
        Refresh the package index first. With False it is judged as it lies on disk.

    upload
        ``always`` (or True), ``never`` (or False) or ``auto``, instead of the setting ``upload``.

    .. versionadded:: 0.1.0

    .. code-block:: yaml

        patch-monitoring:
          ssmpatch.scanned: []
    """
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    if _on_proxy_minion():
        return _failed(ret, _NO_PROXY)
    try:
        found = __salt__["ssmpatch.scan"](
            baseline_override=baseline_override, snapshot_id=snapshot_id, refresh=refresh, upload=upload
        )
    except _ERRORS as exc:
        return _failed(ret, str(exc))
    ret["result"] = found["compliance"] == "COMPLIANT"
    return _described(ret, found)


@_checked
def rebooted(name):
    """
    Reboot when a reboot is pending and the policy allows it now; otherwise say why not.

    name
        Any name; it has no meaning.

    .. versionadded:: 0.1.0

    .. code-block:: yaml

        reboot-if-pending:
          ssmpatch.rebooted:
            - require:
              - ssmpatch: web-patched
    """
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    if _on_proxy_minion():
        return _failed(ret, _NO_PROXY)
    try:
        decision = __salt__["ssmpatch.reboot"](dry_run=__opts__["test"])
    except _ERRORS as exc:
        return _failed(ret, str(exc))
    ret["comment"] = decision["reason"]
    if decision["action"] == "reboot":
        ret["changes"] = {"reboot": {"old": None, "new": decision["due"]}}
        ret["result"] = None if __opts__["test"] else True
    elif decision["action"] == "exhausted":
        ret["result"] = False
    return ret


def mod_watch(name, **kwargs):
    """
    Run a state of this module again when a state that it watches has changed. Salt calls this itself.

    name
        Any name; it has no meaning.

    .. versionadded:: 0.1.0
    """
    watching = {"scanned": scanned, "rebooted": rebooted}.get(kwargs.pop("sfun", None), compliant)
    kwargs.pop("__reqs__", None)
    return watching(name, **kwargs)


def _planned(ret, found, baseline_override, install_override_list):
    plan = __salt__["ssmpatch.plan"](
        baseline_override=baseline_override, install_override_list=install_override_list, refresh=False
    )
    ret["changes"] = plan["changes"]
    blocked = plan["blocked"]
    if not ret["changes"] and blocked:
        return _failed(ret, f"nothing can be installed; {_blocked_words(blocked)}")
    ret["result"] = None if ret["changes"] else True
    parts = [f"{_amount(len(ret['changes']), 'package')} would be changed"]
    if blocked:
        parts.append(_blocked_words(blocked))
    ret["comment"] = "; ".join(parts)
    return _warned(ret, found)


def _judged(ret, found):
    """Result and comment of a report: what is still wrong decides, but for what the frozen set holds back."""
    wrong = _ids(_let_in(found), "Missing", "Failed", "InstalledRejected")
    if wrong or (found.get("frozen_compliance") or found["compliance"]) == "UNKNOWN":
        ret["result"] = False
    elif __opts__["test"]:
        ret["result"] = True
    return _described(ret, found)


def _described(ret, found):
    ret["comment"] = "\n".join(_sentences(found))
    return _warned(ret, found)


def _sentences(found):
    let_in = _let_in(found)
    waiting = [row for row in found["patches"] if row["PatchState"] == "InstalledPendingReboot"]
    if waiting and len(waiting) == len(found["patches"]) and found["compliance"] != "UNKNOWN":
        yield f"Patched; {_amount(len(waiting), 'package', 'take')} effect at the next reboot: {_named(waiting)}."
    else:
        yield from _verdict(found, let_in)
    if found.get("reboot", {}).get("action") not in (None, "none"):
        yield f"Reboot: {found['reboot']['action']}, {found['reboot']['reason']}"


def _verdict(found, let_in):
    verdict = {
        "COMPLIANT": "This host is compliant",
        "NON_COMPLIANT": "This host is not compliant",
        "UNKNOWN": "Compliance is unknown: a repository could not be read, or the baseline cannot apply here",
    }[found["compliance"]]
    yield f"{verdict} (baseline {found['baseline']['name']})."
    held_back = [row for row in found["patches"] if row not in let_in]
    if held_back:
        verdict = (found.get("frozen_compliance") or "unknown").replace("_", "-").lower()
        yield f"By the frozen set ({found['baseline']['frozen']}) it is {verdict}; {len(held_back)} held back."
    for state, words in (
        ("Missing", "missing"),
        ("Failed", "failed"),
        ("InstalledRejected", "installed although rejected by the baseline; nothing is removed, so remove it yourself"),
        ("InstalledPendingReboot", "installed, in effect at the next reboot"),
    ):
        yield from _listed([row for row in let_in if row["PatchState"] == state], words)
    yield from _listed(held_back, "held back by the frozen set")


def _listed(rows, words):
    if rows:
        yield f"{len(rows)} {words}:"
    for row in rows:
        yield f"  {row['Id']} {row['available_version'] or row['installed_version']}: {row['reason']}"


def _named(rows):
    more = len(rows) - _NAMED
    return ", ".join(row["Id"] for row in rows[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _amount(number, what, does=""):
    from ssmpatchlib import api

    return api.amount(number, what, does)


def _blocked_words(blocked):
    return f"{len(blocked)} cannot be installed: " + "; ".join(f"{b['id']}: {b['reason']}" for b in blocked)


def _ids(rows, *states):
    return [row["Id"] for row in rows if row["PatchState"] in states]


def _let_in(found):
    """The rows but for those that are missing because the frozen set does not let the update in."""
    held_back = set(found.get("held_back", ()))
    return [row for row in found["patches"] if row["PatchState"] != "Missing" or row["Id"] not in held_back]


def _warned(ret, found):
    if found["warnings"]:
        ret["warnings"] = list(found["warnings"])
    return ret


def _failed(ret, comment):
    ret["result"] = False
    ret["comment"] = comment
    return ret

# SPDX-License-Identifier: Apache-2.0
"""
Declare that a host complies with its patch baseline, or that it has no longer a vulnerability.

- ``ssmpatch.compliant``: install what the baseline approves and is missing; True when nothing is missing any more
- ``ssmpatch.scanned``: only look; False when something is missing
- ``ssmpatch.not_vulnerable``: install just the fixes of some CVEs; True when none of them is open any more
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

#: How many packages, or CVEs, a comment names of each kind.
_NAMED = 10
_ERRORS = (CommandExecutionError, SaltInvocationError)
_AVAILABLE = "fix available"
_CLOSED = ("fixed", "not affected")
_BY_REPOSITORIES = "updateinfo"
_UNDER_WAY = "a reboot is under way"
#: What is to be done about a CVE that an install does not cure.
_REMEDIES = {
    "fix beyond the frozen set": "freeze a newer set, or leave it out for this host",
    "fix kept out": "remove what keeps it out, or the package",
    "affected, no fix yet": "wait for the vendor's fix, or remove the package",
    "unknown": "look at the vendor's page, and at ssmpatch.cve without ids for what is known here",
}


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
def not_vulnerable(name, cves=None, reboot_option=None, refresh=True, upload=None):
    """
    Make sure that this host has none of some vulnerabilities: install just the fixes, and look again.

    name
        A CVE or an advisory (``CVE-2024-6387``, ``USN-6859-1``, ``DSA-5514-1``, ``RHSA-2024:4312``), or several with
        commas between them. Any name where ``cves`` says which.

    cves
        CVEs or advisories: a list, or text with commas between them.

    reboot_option
        ``RebootIfNeeded``, ``NoReboot`` or ``RebootIfRequired`` instead of the configured option.

    refresh
        Refresh the package index first. With False it is judged as it lies on disk.

    upload
        ``always`` (or True), ``never`` (or False) or ``auto``, instead of the setting ``upload``.

    The result is True when each of them is ``fixed`` or ``not affected`` by ``ssmpatch.cve``, and without changes where
    that is so from the beginning. With ``test=True`` the result is None and ``changes`` are those that a real run would
    show.

    The fixes are installed by an install override list. Holds, locks, pins, excludes, the frozen set and the windows
    hold as always, and what the baseline rejects is not installed, neither as a fix nor as what one needs. A fix that
    the baseline does not approve yet is installed all the same, since it is named here, and the comment says so. The
    result is False, and the comment says of each CVE why and what to do, where a fix is kept out or beyond the frozen
    set, where there is none yet, and where nothing is known. A kernel that is installed and does not run is one more:
    the reboot policy decides when it does, and the result is True only when the reboot has been requested.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt 'web*' state.single ssmpatch.not_vulnerable CVE-2024-6387 test=True

    .. code-block:: yaml

        regresshion:
          ssmpatch.not_vulnerable:
            - cves:
              - CVE-2024-6387
            - reboot_option: NoReboot
    """
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    if _on_proxy_minion():
        return _failed(ret, _NO_PROXY)
    ids = name if cves is None else cves
    try:
        found = __salt__["ssmpatch.scan"](refresh=refresh, upload=upload)
        before = __salt__["ssmpatch.cve"](ids=ids)
        fixes = _fixes(before)
        if not fixes:
            return _fixed(ret, found, before)
        if __opts__["test"]:
            return _would_be_fixed(ret, found, before, fixes)
        done = __salt__["ssmpatch.install"](
            install_override_list=fixes, reboot_option=reboot_option, refresh=False, upload=upload
        )
        ret["changes"] = done["changes"]
        return _fixed(ret, done, __salt__["ssmpatch.cve"](ids=ids), before=before)
    except _ERRORS as exc:
        ret["changes"] = (getattr(exc, "info", None) or {}).get("changes", ret["changes"])
        return _failed(ret, str(exc))


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
    others = {"not_vulnerable": not_vulnerable, "scanned": scanned, "rebooted": rebooted}
    watching = others.get(kwargs.pop("sfun", None), compliant)
    kwargs.pop("__reqs__", None)
    return watching(name, **kwargs)


# --- vulnerabilities -----------------------------------------------------------------------------


def _fixes(answer):
    """The install override list of the fixes that may be installed, None where there is none."""
    wanted = [each for row in answer["cves"] if row["state"] == _AVAILABLE for each in row["updates"]]
    parts = [each.partition(":") for each in dict.fromkeys(wanted)]
    patches = [{"id": package, "title": version} for package, _colon, version in parts]
    return {"patches": patches, "lifts_rejected": False} if patches else None


def _would_be_fixed(ret, found, before, fixes):
    plan = __salt__["ssmpatch.plan"](install_override_list=fixes, refresh=False)
    if not plan["changes"]:
        return _fixed(ret, {**found, "blocked": plan["blocked"]}, before)
    ret["changes"], ret["result"] = plan["changes"], None
    blocked = {each["id"] for each in plan["blocked"]}
    left = {row["cve"] for row in before["cves"] if _would_be_left(row, blocked)}
    lines = [f"{_amount(len(ret['changes']), 'package')} would be changed"]
    lines[0] += f"; not fixed by that: {_some(sorted(left))}" if left else ""
    lines += [_blocked_words(plan["blocked"])] if plan["blocked"] else []
    lines += _not_approved(before, "would be")
    lines += [_told_of(row, found) for row in before["cves"] if row["state"] not in _CLOSED and not row["updates"]]
    ret["comment"] = "\n".join(lines)
    return _warned(ret, {"warnings": [*found["warnings"], *before["warnings"]]})


def _would_be_left(row, blocked):
    """Whether a CVE stays open: nothing is to be installed for it, or what is cannot be."""
    packages = {each.partition(":")[0] for each in row["updates"]}
    return row["state"] not in _CLOSED and (not packages or not packages.isdisjoint(blocked))


def _fixed(ret, found, answer, *, before=None):
    """Result and comment of what ``ssmpatch.cve`` says after everything that could be done."""
    still = [row for row in answer["cves"] if row["state"] not in _CLOSED]
    waiting = [row for row in still if _waits_for_reboot(row)]
    decision = found.get("reboot", {}) if before else __salt__["ssmpatch.reboot"](dry_run=True) if waiting else {}
    requested = decision.get("action") == "reboot" and before or str(decision.get("reason")).startswith(_UNDER_WAY)
    left = [row for row in still if row not in waiting] if requested else still
    # Where the repositories' own advisories tell, one that could not be read could tell more.
    unread = [words for words in found["warnings"] if ": could not be read: " in words]
    unsure = bool(unread) and answer["data"] == _BY_REPOSITORIES
    ret["result"] = not left and not unsure
    lines = [_told_of(row, found) for row in (*still, *(row for row in answer["cves"] if row not in still))]
    lines += ["Not every repository could be read, and their advisories are what tells."] if unsure else []
    lines += _not_approved(before, "was") if before else []
    lines += [f"Reboot: {decision['action']}, {decision['reason']}"] if decision.get("action", "none") != "none" else []
    lines += [f"No reboot: {decision['reason']}"] if waiting and decision.get("action") == "none" else []
    ret["comment"] = "\n".join(lines)
    return _warned(ret, {"warnings": dict.fromkeys((*found["warnings"], *answer["warnings"]))})


def _waits_for_reboot(row):
    return row["state"] == _AVAILABLE and bool(row["restart"]) and not row["updates"]


def _told_of(row, found):
    """What a CVE comes to, why, and what is to be done."""
    package = " ".join(filter(None, (row["package"], row["installed"])))
    words = f"{row['cve']}: {row['state']}" + (f" ({package})" if package else "")
    facts = [row["reason"], f"fixed in {row['fixed']}" if row["fixed"] and row["state"] not in _CLOSED else ""]
    facts += [f"still in use by {', '.join(row['restart'])}" if row["state"] == "fixed" and row["restart"] else ""]
    facts += [*_in_the_way(row, found), "" if _waits_for_reboot(row) else _REMEDIES.get(row["state"], "")]
    return "; ".join(filter(None, (words, *facts)))


def _in_the_way(row, found):
    """Why what would fix a CVE could not be installed."""
    ids = {*(each.partition(":")[0] for each in row["updates"]), *row["packages"]}
    for blocked in found.get("blocked", ()):
        if blocked["id"] in ids:
            yield f"{blocked['id']} cannot be installed: {blocked['reason']}"
    for patch in found["patches"]:
        if patch["Id"] in ids and patch["PatchState"] == "Failed":
            yield f"{patch['Id']} failed: {patch['reason']}"


def _not_approved(before, done):
    """What is said of fixes that the baseline does not approve."""
    told = {}
    for row in before["cves"]:
        if row["updates"] and not row["approved"]:
            told[row["available"]] = row["reason"]
    for name, reason in told.items():
        yield f"{name} {done} installed because it is named here; the baseline does not approve it: {reason}"


# --- reports -------------------------------------------------------------------------------------


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
        names = _some([row["Id"] for row in waiting])
        yield f"Patched; {_amount(len(waiting), 'package', 'take')} effect at the next reboot: {names}."
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


def _some(names):
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


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

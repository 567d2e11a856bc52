# SPDX-License-Identifier: Apache-2.0
"""
Tell the master when a host becomes non-compliant, compliant again, or begins to wait for a reboot
==================================================================================================

.. versionadded:: 0.1.0

Reads what the last scan or install stored. It runs no package manager, imports nothing of the engine, and fires on a
change only, so a short interval costs nothing.

Events: ``salt/beacon/<minion>/ssmpatch/noncompliant``, ``…/compliant`` and ``…/reboot_pending``, each with

- ``compliance``: ``COMPLIANT``, ``NON_COMPLIANT`` or ``UNKNOWN``
- ``run_id`` and ``operation``: which run said so, and ``time``, when (epoch seconds)
- ``counts``: the counters of AWS:PatchSummary
- ``noncompliant`` and ``reboot_pending``: the ids (``name.arch``), at most 100 of each
- ``held_back``, where there are any: those that are missing because the frozen set does not let them in

``noncompliant`` is fired again when other patches make the host non-compliant than before. The first look after the
minion has started fires too where something is wrong: the master may have missed the event.

Salt authenticates no part of a beacon's event: any minion can send one in the name of another. React with the runner's
``ssmpatch.remediate``, which asks the named minion itself.

.. code-block:: yaml

    beacons:
      ssmpatch:
        - interval: 60

Options, all optional:

root
    The root whose state is read. Default: ``ssmpatch:root`` in pillar or minion configuration, else ``/``.

state_dir
    Where its state is. Default: ``ssmpatch:state_dir``, else ``/var/lib/ssmpatch`` below the root.
"""

import difflib
import hashlib
import json
import logging
import os
import re
import stat

import salt.utils.platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    __opts__: dict[str, Any]
    __context__: dict[str, Any]

log = logging.getLogger(__name__)

__virtualname__ = "ssmpatch"
_NO_PROXY = (
    "ssmpatch does not work on proxy minions: it would judge the host that they run on; use that host's own minion"
)

_KNOWN = ("root", "state_dir")
_SALTS_OWN = ("interval", "beacon_module", "disable_during_state_run", "enabled", "_beacon_name")


def _is_path(value):
    return isinstance(value, str) and value.startswith("/") and "\0" not in value


def _is_flag(value):
    return isinstance(value, bool)


def _is_interval(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 10**9


_ALLOWED = {
    "root": (_is_path, "an absolute path"),
    "state_dir": (_is_path, "an absolute path"),
    "interval": (_is_interval, "a number of seconds above 0"),
    "enabled": (_is_flag, "true or false"),
    "disable_during_state_run": (_is_flag, "true or false"),
}
_MAX_BYTES = 16 * 1024 * 1024
_MAX_IDS = 100


def __virtual__():
    if _on_proxy_minion():
        return False, _NO_PROXY
    return __virtualname__


def _on_proxy_minion():
    """Whether this minion stands for a device; what it would judge is the host of the proxy."""
    return salt.utils.platform.is_proxy() or "proxytype" in (__opts__.get("proxy") or ())


def validate(config):
    """Say whether the beacon's configuration can be used: a list (or mapping) of the options above."""
    options, problem = _options(config)
    if problem:
        return False, problem
    unknown = sorted(str(key) for key in options if key not in _KNOWN + _SALTS_OWN)
    if unknown:
        known = f"known are {', '.join(_KNOWN)}{_near(unknown[0])}"
        return False, f"ssmpatch beacon: unknown option {unknown[0][:60]}; {known}"
    for key, (is_right, allowed) in _ALLOWED.items():
        value = options.get(key)
        if value is not None and not is_right(value):
            return False, f"ssmpatch beacon: {key}: {repr(value)[:60]} is not allowed; use {allowed}"
    return True, "Valid beacon configuration"


def _near(unknown):
    """The option that may have been meant, in words: the engine's ``near_word``, which a beacon cannot import."""
    folded = {option.casefold(): option for option in (*_KNOWN, *_ALLOWED)}
    near = difflib.get_close_matches(unknown[:60].casefold(), folded, n=1)
    return f" (did you mean {folded[near[0]]}?)" if near else ""


def beacon(config):
    """Return the events that are due; empty when nothing has changed since the last look."""
    memory = __context__.setdefault("ssmpatch.beacon", {})
    valid, problem = validate(config)
    if not valid:
        log.error(problem)
        return []
    path = _path(_options(config)[0])
    if not os.path.exists(path):
        memory.pop(path, None)
        return []
    found, problem = _read(path)
    if problem != memory.get((path, "problem"), ""):
        memory[path, "problem"] = problem
        if problem:
            log.warning("ssmpatch beacon: %s: %s", path, problem)
    if found is None:
        return []
    before, now = memory.get(path), _state(found)
    memory[path] = now
    return [{"tag": tag, **_event(found)} for tag in _due(before, now)]


def _due(before, now):
    """The tags for a change from one state to another; ``before`` is None at the first look."""
    tags = []
    compliance, patches, waiting = now
    was, had, waited = before or ("", (), False)
    if compliance == "NON_COMPLIANT" and (was != compliance or patches != had):
        tags.append("noncompliant")
    if compliance == "COMPLIANT" and was not in ("", compliance):
        tags.append("compliant")
    if waiting and not waited:
        tags.append("reboot_pending")
    return tags


def _state(found):
    waiting = set(found["reboot_pending"])
    # What waits for a reboot only is told by an event of its own.
    patches = tuple(sorted(set(found["noncompliant"]) - waiting))
    compliance = found["compliance"]
    if compliance == "NON_COMPLIANT" and not patches:
        compliance = "REBOOT_PENDING"
    return compliance, patches, bool(waiting)


def _event(found):
    held_back = found.get("held_back")
    return {
        "compliance": found["compliance"],
        "run_id": found.get("run_id"),
        "operation": found.get("operation"),
        "time": found.get("saved_at"),
        "counts": found.get("counts"),
        "noncompliant": found["noncompliant"][:_MAX_IDS],
        "reboot_pending": found["reboot_pending"][:_MAX_IDS],
        **({"held_back": held_back[:_MAX_IDS]} if held_back else {}),
    }


def _read(path):
    """The outline that the last operation stored, or None and why it cannot be used."""
    try:
        found = json.loads(_content(path))
        # What is no text to others cannot be sent.
        json.dumps(found, ensure_ascii=False).encode()
    except (OSError, ValueError, RecursionError) as exc:
        return None, f"cannot be read: {exc}"
    lists = [None]
    if isinstance(found, dict):
        lists = [found.get("noncompliant"), found.get("reboot_pending"), found.get("held_back", [])]
    whole = all(isinstance(ids, list) and all(isinstance(name, str) for name in ids) for ids in lists)
    if not whole or not isinstance(found.get("compliance"), str):
        return None, "is of another version"
    return found, ""


def _content(path):
    """What is in a file, at most 16 MiB; of a FIFO or a device nothing, and nothing is waited for."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as stream:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no regular file")
        return stream.read(min(_MAX_BYTES, status.st_size))


def _options(config):
    if isinstance(config, dict):
        return config, ""
    options = {}
    for item in config if isinstance(config, list) else [config]:
        if not isinstance(item, dict):
            return {}, "ssmpatch beacon: the configuration has to be a list of mappings, such as [{interval: 60}]"
        options.update(item)
    return options, ""


def _path(options):
    """Where the outline is; the engine's ``store/paths.py`` names it the same way."""
    pillar, minion = (_section(__opts__.get("pillar")), _section(__opts__))
    root = _chosen("root", options, pillar, minion) or "/"
    state_dir = _chosen("state_dir", options, pillar, minion)
    resolved = os.path.realpath(root)
    key = "system"
    if resolved != "/":
        name = re.sub(r"[^A-Za-z0-9_-]", "_", os.path.basename(resolved))[:40]
        key = f"{name}-{hashlib.sha256(os.fsencode(resolved)).hexdigest()[:12]}"
    return os.path.join(state_dir or os.path.join(root, "var/lib/ssmpatch"), f"last-{key}.json")


def _chosen(key, *layers):
    """The first path of the layers; what is none is refused by the operations, whose state is read here."""
    return next((layer[key] for layer in layers if _is_path(layer.get(key))), None)


def _section(options):
    section = options.get("ssmpatch") if isinstance(options, dict) else None
    return section if isinstance(section, dict) else {}

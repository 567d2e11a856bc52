# SPDX-License-Identifier: Apache-2.0
"""
Patch compliance of the fleet: reports, rollouts in rings, frozen sets, remediation
===================================================================================

:configuration: ``ssmpatch`` in the master configuration; every key is explained in the fleet guide.

Runs on the master and reaches minions through Salt's own publisher and job cache. Needs the engine there:
``salt-run saltutil.sync_all``, or the pip package.

What goes wrong is returned as ``{error, retcode}``: ``salt-run`` prints the sentence and exits with that code, and an
orchestration sees a failed step.
"""

import contextlib
import functools
import sys
import time

# Another version may have been synced since this process imported the engine (the reactor lives long, and a loader
# refresh executes this file again): forget the old one.
for _name in [name for name in sys.modules if name.partition(".")[0] == "ssmpatchlib"]:
    del sys.modules[_name]

try:
    from pathlib import Path

    from ssmpatchlib.errors import InvalidInput, SsmpatchError
    from ssmpatchlib.fleet import arguments, remediation, salt_client, settings
    from ssmpatchlib.fleet import collect as reports
    from ssmpatchlib.fleet import rollout as rollouts
    from ssmpatchlib.fleet.fleetreport import summary_of

    IMPORT_ERROR = ""
except ImportError as exc:
    IMPORT_ERROR = f"the engine of ssmpatch cannot be imported ({exc}); run salt-run saltutil.sync_all"

import salt.client
import salt.utils.jid
import salt.utils.minions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    __salt__: dict[str, Any]
    __opts__: dict[str, Any]
    __context__: dict[str, Any]

__virtualname__ = "ssmpatch"

#: Whom Salt names as the caller of what a reactor runs.
REACTOR = "Reactor"


def __virtual__():
    if IMPORT_ERROR:
        return False, IMPORT_ERROR
    return __virtualname__


def _reported(function):
    """Refuse wrong arguments first; make the engine's errors a sentence that salt-run prints, with a return code."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        try:
            return function(**arguments.of_runner(function, args, kwargs))
        except SsmpatchError as exc:
            __context__["retcode"] = exc.code
            return {"error": str(exc), "retcode": exc.code}

    return wrapper


@_reported
def report(
    tgt="*",
    tgt_type="glob",
    format="table",
    output=None,
    details=False,
    rescan=False,
    group_by=None,
    timeout=60,
):
    """
    Report the compliance of the fleet from the reports that the minions have stored. Fast: nothing is scanned.

    tgt, tgt_type
        Which minions. Each that is accepted and matches counts: one that does not answer is ``unreachable``.

    format
        ``table``, ``json``, ``csv`` (AWS's export columns), ``html`` (one page that needs nothing else) or
        ``prometheus`` (for the text file directory of node_exporter).

    output
        An absolute path; the file is replaced in one step, and the totals are returned instead of the text.

    details
        For ``csv``: a line for every non-compliant patch instead of every host.

    rescan
        Let the minions scan now instead of reading what they have stored. Give a longer ``timeout`` then.

    group_by
        A grain to add up the hosts by, such as ``role``; the setting ``group_by`` unless given.

    timeout
        How many seconds to wait for answers.

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.report
        salt-run ssmpatch.report format=html output=/srv/www/patch.html group_by=role
        salt-run ssmpatch.report 'web*' format=csv details=True
    """
    config = _settings()
    with _world() as world:
        made = reports.collect(
            config,
            world,
            tgt=tgt,
            tgt_type=tgt_type,
            rescan=rescan,
            group_by=config.group_by if group_by is None else group_by,
            timeout=timeout,
        )
        world.fire("ssmpatch/report/complete", summary_of(made))
    pieces = reports.render(made, format=format, details=details)
    if output is None:
        return "".join(pieces)
    reports.write(pieces, output)
    return {"output": str(output), **summary_of(made)}


@_reported
def rollout(rings=None, dry_run=False, resume=False, rollout=None, freeze=None, plan=True, timeout=300):
    """
    Install what the minions' baselines approve, ring by ring; a ring whose gate stays closed stops the rollout.

    Each ring is patched in batches: minions are checked (reachable, not busy, room on the disk), install, are waited
    for until they have booted where they reboot, and scan again. Then the gate is judged, the ring soaks, and the next
    begins. Every step is in a journal first, so that ``resume`` can go on after a crash of this runner.

    rings
        A list of rings; the setting ``rings`` unless given. Each has ``name``, ``tgt``, ``tgt_type``, ``batch``
        (``10%`` or a number), ``max_failures``, ``soak`` (``1h``), ``reboot_option``, ``window`` and ``gate``
        (``min_compliant``, ``checks``).

    dry_run
        Return who would get what, and when; change nothing.

    resume
        Go on with the last rollout (or the one named by ``rollout``) that was interrupted, aborted, stopped by a gate,
        or left minions behind that could not be reached. What failed is tried again.

    freeze
        Let the later rings install exactly what the first ring was tested with; the setting ``freeze`` (True) unless
        given. Needs a file root that can be written.

    plan
        For ``dry_run``: let every minion plan, for at most ``timeout`` seconds.

    Returns what :py:func:`rollout_status` returns, with ``retcode`` 0 only when it has succeeded.

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.rollout dry_run=True
        salt-run ssmpatch.rollout
        salt-run ssmpatch.rollout resume=True
    """
    config, roots = _settings(), _file_roots()
    if resume and (rings is not None or dry_run):
        raise InvalidInput("rollout: resume goes on with its own rings; leave out rings and dry_run")
    chosen = config.rings if rings is None else rings
    with _world() as world:
        if dry_run:
            return rollouts.dry_run(config, chosen, world, ask_minions=plan, timeout=timeout)
        if resume:
            result = rollouts.resume(config, world, rollout=rollout or "", file_roots=roots)
        else:
            frozen = config.freeze if freeze is None else freeze
            result = rollouts.start(config, chosen, world, freeze=frozen and len(chosen) > 1, file_roots=roots)
    code = 0 if result["status"] == "succeeded" else 1
    __context__["retcode"] = code
    return {**result, "retcode": code}


@_reported
def rollout_status(rollout=None, details=False):
    """
    Return where the last rollout (or the one named by its id) stands: ring, batch, minions, when it should end.

    details
        Tell every minion, not only those at work, those that failed and those with a warning.

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.rollout_status
    """
    with _world() as world:
        return rollouts.status(_settings(), world, rollout=rollout or "", details=details)


@_reported
def rollout_abort(rollout=None, reason="aborted by hand"):
    """
    Stop a rollout before its next batch. What runs is finished; ``rollout resume=True`` goes on later.

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.rollout_abort reason='the shop is slow'
    """
    with _world() as world:
        return rollouts.abort(_settings(), world, rollout=rollout or "", reason=reason)


@_reported
def freeze(tgt, tgt_type="glob", name="current"):
    """
    Write what is installed and approved on these minions to the file server, one document per operating system and
    product.

    A version counts when the minion's own report shows it installed and most of the minions that have the package have
    this version; which system a minion runs is what the master knows of it. A minion whose setting ``frozen`` names
    such a document approves nothing beyond it.

    name
        The directory below ``frozen_dir`` (the setting; ``ssmpatch-frozen`` in the first file root).

    Returns ``locations`` (``salt://`` addresses by system), ``packages`` (how many), ``minions``, and ``warnings``
    where minions disagree or gave nothing that can be read.

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.freeze 'canary*'
    """
    with _world() as world:
        minions = world.expand(tgt, tgt_type)
        if not minions:
            raise InvalidInput(f"tgt: no accepted minion matches {tgt!r} ({tgt_type})")
        return rollouts.freeze_minions(_settings(), world, minions, name=name, file_roots=_file_roots())


@_reported
def remediate(minion=None, reset=False):
    """
    Let a minion that has drifted install what it lacks, within the limits of the setting ``remediation``.

    Meant for the reactor, and without ``minion`` for the master's schedule: then those are looked after that had to
    wait. The minion is asked for its stored report, for at most ``limits:reach`` seconds: it is patched when that
    names something to install, and its failures are forgotten when it names nothing. Who calls is not believed, for
    events can be forged. Nobody is waited for but for this answer. Outside of a minion's own maintenance window it
    waits, and that is no failure. After ``max_failures`` installs in a row that did not help, the event
    ``ssmpatch/remediation/<minion>/stopped`` calls for a human and the minion is left alone until ``reset``.

    reset
        Forget the failures of the minion instead, whatever it says. Meant for people: called by a reactor the minion is
        asked all the same.

    Returns ``started``, ``waiting`` (why, until when), ``stopped`` (why), ``running``.

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.remediate web1
        salt-run ssmpatch.remediate web1 reset=True
        salt-run ssmpatch.remediate
    """
    config = _settings()
    if reset and not minion:
        raise InvalidInput("remediate: reset needs a minion")
    with _world() as world:
        return remediation.remediate(
            "" if minion is None else minion,
            salt=world,
            state_dir=config.state_dir,
            limits=config.remediation,
            # A reactor only knows what an event says, and an event can be forged.
            reset=reset and globals().get("__user__") != REACTOR,
            reach=config.limits.reach,
        )


def _settings():
    return settings.load(__opts__.get("ssmpatch"), state_dir=Path(__opts__["cachedir"]) / "ssmpatch")


def _file_roots():
    return [str(root) for root in __opts__["file_roots"].get("base", [])]


@contextlib.contextmanager
def _world():
    """What the engine may use of Salt: publisher, job cache, event bus."""
    client = salt.client.get_local_client(__opts__["conf_file"])
    matcher = salt.utils.minions.CkMinions(__opts__)

    def expand(tgt, tgt_type):
        target = list(tgt) if isinstance(tgt, (list, tuple)) else tgt
        # Not greedy: a minion of which the master knows no grains must not match every grain.
        return sorted(matcher.check_minions(target, tgt_type, greedy=False)["minions"])

    def publish(job, minions, call):
        one = len(call.functions) == 1
        functions = call.functions[0] if one else list(call.functions)
        args = list(call.args[0]) if one else [list(each) for each in call.args]
        client.run_job(list(minions), functions, args, tgt_type="list", jid=job)

    try:
        yield salt_client.Salt(
            expand=expand,
            new_job=lambda: salt.utils.jid.gen_jid(__opts__),
            publish=publish,
            returns=lambda job: {name: data.get("ret") for name, data in client.get_cache_returns(job).items()},
            fire=lambda tag, data: __salt__["event.send"](tag, dict(data)),
            now=time.time,
            sleep=time.sleep,
            grains=lambda minions: __salt__["cache.grains"](tgt=list(minions), tgt_type="list"),
            pillars=lambda minions: __salt__["cache.pillar"](tgt=list(minions), tgt_type="list"),
        )
    finally:
        client.destroy()

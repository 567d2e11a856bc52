# SPDX-License-Identifier: Apache-2.0
"""
Patch compliance of the fleet: reports, rollouts in rings, frozen sets, remediation, advisories
===============================================================================================

:configuration: ``ssmpatch`` in the master configuration; every key is explained in the fleet guide.

Runs on the master and reaches minions through Salt's own publisher and job cache. Needs the engine there:
``salt-run saltutil.sync_all``, or the pip package.

What goes wrong is returned as ``{error, retcode}``: ``salt-run`` prints the sentence and exits with that code, and an
orchestration sees a failed step.
"""

import contextlib
import dataclasses
import functools
import inspect
import shutil
import sys
import time

# Another version may have been synced since this process imported the engine (the reactor lives long, and a loader
# refresh executes this file again): forget the old one.
for _name in [name for name in sys.modules if name.partition(".")[0] == "ssmpatchlib"]:
    del sys.modules[_name]

try:
    from pathlib import Path

    from ssmpatchlib.errors import InvalidInput, SsmpatchError, Unusable
    from ssmpatchlib.fleet import advisories as feeds
    from ssmpatchlib.fleet import arguments, cve_text, remediation, salt_client, settings
    from ssmpatchlib.fleet import collect as reports
    from ssmpatchlib.fleet import cve_report as cves
    from ssmpatchlib.fleet import rollout as rollouts
    from ssmpatchlib.fleet import watch as watching
    from ssmpatchlib.fleet.fleetreport import summary_of
    from ssmpatchlib.fleet.osv_fetch import Reach

    IMPORT_ERROR = ""
except ImportError as exc:
    IMPORT_ERROR = f"the engine of ssmpatch cannot be imported ({exc}); run salt-run saltutil.sync_all"

import salt.client
import salt.fileclient
import salt.utils.event
import salt.utils.jid
import salt.utils.minions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    __salt__: dict[str, Any]
    __opts__: dict[str, Any]
    __context__: dict[str, Any]
    __jid_event__: Any

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
            return function(**arguments.of_runner(wrapper, args, kwargs))
        except (SsmpatchError, OSError) as exc:
            failure = exc if isinstance(exc, SsmpatchError) else Unusable(exc)
            __context__["retcode"] = failure.code
            return {"error": str(failure), "retcode": failure.code}

    return wrapper if IMPORT_ERROR else arguments.handed_everything(wrapper, function)


@_reported
def about():
    """
    Say what this runner can do, in a few lines.

    It works on the reports and events of the minions; ``salt '*' ssmpatch.about`` is about what a single minion can do.

    - ``ssmpatch.report``: who lacks what, as a table, JSON, CSV, a page, or metrics for Prometheus
    - ``ssmpatch.cve CVE-2026-1234``: which hosts it affects, and what is in the way of its fix
    - ``ssmpatch.rollout``: patch ring by ring; ``dry_run=True`` says what would be done, ``resume=True`` goes on
    - ``ssmpatch.rollout_status``, ``ssmpatch.rollout_abort``: where it stands, and how to stop it
    - ``ssmpatch.watch``: what the minions do now, until it has ended
    - ``ssmpatch.freeze TARGET``: the versions that these minions were tested with, for all others
    - ``ssmpatch.remediate MINION``: repair one that has drifted, within limits; made for the reactor
    - ``ssmpatch.advisories``: compile the vendors' advisories and CVEs, one small file per release

    ``salt-run -d ssmpatch.report`` explains one function. Settings: ``ssmpatch`` in the master's configuration.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.about
    """
    return inspect.cleandoc(about.__doc__).partition("\n\n.. versionadded")[0].replace("``", "")


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
        Only with ``csv``: a line for every non-compliant patch instead of every host.

    rescan
        Let the minions scan now instead of reading what they have stored. Give a longer ``timeout`` then.

    group_by
        A grain to add up the hosts by, such as ``role``; the setting ``group_by`` unless given.

    timeout
        How many seconds to wait for answers.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.report
        salt-run ssmpatch.report format=html output=/srv/www/patch.html group_by=role
        salt-run ssmpatch.report 'web*' format=csv details=True
    """
    arguments.check_report(format=format, details=details)
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
def cve(ids=None, tgt="*", tgt_type="glob", format="table", output=None, timeout=60):
    """
    Say which hosts a CVE or an advisory affects, and what is in the way of its fix; without ids, which CVEs are open.

    With ids every minion is asked for ``ssmpatch.cve`` with ``stored=True``: it answers from what its last scan stored,
    without asking its package manager. Of each id it is said on how many hosts it is ``fix available``, ``fix beyond
    the frozen set``, ``fix kept out``, ``affected, no fix yet``, ``unknown``, ``unreachable``, ``cannot be read``,
    ``fixed`` and ``not affected``, and then which hosts these are: a host counts once, by its worst package, and never
    as fixed or not affected when it cannot say so. Without ids the open CVEs come from the stored reports.

    ids
        The id of a CVE (``CVE-2026-1234``) or of an advisory (``USN-6000-1``, ``DSA-5000-1``, ``RHSA-2026:1234`` …), in
        capitals or not; a list of them, or text with commas between them; at most 100.

    tgt, tgt_type
        Which minions. Each that is accepted and matches counts.

    format
        ``table`` (as wide as the terminal, 80 to 160 columns), ``json`` or ``csv`` (a line for each host and package).

    output
        An absolute path; the file is replaced in one step, and the numbers are returned instead of the text.

    timeout
        How many seconds to wait for answers.

    Returns the text in the format that was asked for; with ``output`` its path, with ids ``hosts`` (how many) and
    ``cves`` (for each id the numbers of hosts by state), without ids what ``ssmpatch.report`` returns.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.cve CVE-2026-1234
        salt-run ssmpatch.cve CVE-2026-1234,USN-6000-1 tgt='web*' format=csv output=/root/cve.csv
        salt-run ssmpatch.cve
    """
    config = _settings()
    columns = 120 if output else max(80, min(shutil.get_terminal_size((80, 24)).columns, 160))
    with _world() as world:
        if ids:
            asked = cves.ask_cves(world, ids, tgt=tgt, tgt_type=tgt_type, timeout=timeout)
            pieces, summary = cve_text.render_asked(asked, format=format, columns=columns), cves.summary_of(asked)
        else:
            found = reports.collect(
                config, world, tgt=tgt, tgt_type=tgt_type, rescan=False, group_by="", timeout=timeout, remember=False
            )
            pieces, summary = cve_text.render_open(found, format=format, columns=columns), summary_of(found)
    if output is None:
        return "".join(pieces)
    reports.write(pieces, output)
    return {"output": str(output), **summary}


@_reported
def rollout(rings=None, dry_run=False, resume=False, rollout=None, freeze=None, plan=None, timeout=None):
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
        or left minions behind that could not be reached. What failed is tried again. It has its own rings and frozen
        sets, so neither can be given.

    freeze
        Let the later rings install exactly what the first ring was tested with; the setting ``freeze`` (True) unless
        given. Needs a file root that can be written.

    plan, timeout
        For ``dry_run``: let every minion plan (True), for at most ``timeout`` seconds (300).

    Returns what ``ssmpatch.rollout_status`` returns, with ``retcode`` 0 only when it has succeeded.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.rollout dry_run=True
        salt-run ssmpatch.rollout
        salt-run ssmpatch.rollout resume=True
    """
    given = {"rings": rings, "dry_run": dry_run or None, "rollout": rollout, "freeze": freeze, "plan": plan}
    arguments.check_rollout({**given, "timeout": timeout}, dry_run=dry_run, resume=resume)
    config, roots = _settings(), _file_roots()
    chosen = config.rings if rings is None else rings
    with _world() as world:
        if dry_run:
            found = rollouts.dry_run(config, chosen, world, ask_minions=plan is not False, timeout=timeout or 300)
            return _for_people(found)
        if resume:
            result = rollouts.resume(config, world, rollout=rollout or "", file_roots=roots)
        else:
            frozen = config.freeze if freeze is None else freeze
            result = rollouts.start(config, chosen, world, freeze=frozen and len(chosen) > 1, file_roots=roots)
    code = 0 if result["status"] == "succeeded" else 1
    __context__["retcode"] = code
    return _for_people({**result, "retcode": code})


@_reported
def rollout_status(rollout=None, details=False):
    """
    Return where the last rollout (or the one named by its id) stands: ring, batch, minions, when it should end.

    details
        Tell every minion, not only those at work, those that failed and those with a warning.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.rollout_status
    """
    with _world() as world:
        return _for_people(rollouts.status(_settings(), world, rollout=rollout or "", details=details))


@_reported
def rollout_abort(rollout=None, reason="aborted by hand"):
    """
    Stop a rollout before its next batch. What runs is finished; ``rollout resume=True`` goes on later.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.rollout_abort reason='the shop is slow'
    """
    with _world() as world:
        return _for_people(rollouts.abort(_settings(), world, rollout=rollout or "", reason=reason))


@_reported
def watch(tgt="*", tgt_type="glob", timeout=3600):
    """
    Show how the operations of minions go on, until they have ended: phase, batch, packages, elapsed and expected time.

    The minions are asked once what runs. From then on their events are listened to, and only one whose operation has
    said nothing for a minute is asked again. What begins meanwhile is followed too; when nothing runs any more, this
    ends. On a terminal each host has one line that is written anew, elsewhere there is a line for each change, and
    with ``--out`` nothing is printed but what is returned.

    tgt, tgt_type
        Which minions.

    timeout
        How many seconds to look on. The operations themselves go on after that.

    Returns the minions by how their operation stands: ``complete``, ``failed``, ``ended`` (its last event was missed),
    ``silent`` (the minion does not answer), ``running`` (after ``timeout``).

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.watch
        salt-run ssmpatch.watch 'web*' timeout=600
    """
    config = _settings()
    with _world() as world, _events() as events:
        minions = world.expand(tgt, tgt_type)
        if not minions:
            raise InvalidInput(f"tgt: no accepted minion matches {tgt!r} ({tgt_type})")
        return watching.follow(world, minions, events=events, view=_view(), timeout=timeout, reach=config.limits.reach)


@_reported
def freeze(tgt, tgt_type="glob", name="current"):
    """
    Write what is installed and approved on these minions to the file server.

    There is one document per operating system and product. A version counts when the minion's own report shows it
    installed and most of the minions that have the package have this version; which system a minion runs is what the
    master knows of it. A minion whose setting ``frozen`` names such a document approves nothing beyond it.

    name
        The directory below ``frozen_dir`` (the setting; ``ssmpatch-frozen`` in the first file root).

    Returns ``locations`` (``salt://`` addresses by system), ``packages`` (how many), ``minions``, and ``warnings``
    where minions disagree or gave nothing that can be read.

    .. versionadded:: 0.1.0

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

    .. versionadded:: 0.1.0

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


@_reported
def advisories(sources=None, releases=None, exploited=None, force=False):
    """
    Compile the advisories and CVEs of vendors to one small file per release on the file server.

    Reads exports in the form OSV: Debian (DSA, DLA, DEBIAN-CVE), Ubuntu (USN, UBUNTU-CVE), and those of AlmaLinux,
    Rocky Linux, Red Hat and SUSE. Nothing is fetched but what is named. An export that is damaged, or has fewer than
    half of the records or older ones than the file that is there, replaces nothing. What was compiled last is not
    compiled again: then only hashes are computed.

    sources
        A location or a list of them: a zip, a tar, a file of JSON lines or one record, compressed or not (gzip, bzip2,
        xz, zstd), or a directory of ``.json`` files; a path, ``file://``, ``salt://``, ``https://`` or ``s3://``. Of
        records with the same id the first counts. The setting ``advisories:sources`` unless given.

    releases
        A release or a list of them: ``DEBIAN-12``, ``UBUNTU-22.04``, ``ALMA_LINUX-9``, ``ROCKY_LINUX-9``,
        ``REDHAT_ENTERPRISE_LINUX-9``, ``SUSE-15.6``; the setting ``advisories:releases`` unless given.

    exploited
        The location of CISA's list of known exploited vulnerabilities (JSON); the setting ``advisories:exploited``
        unless given. ``''`` for none.

    force
        Write the files though they have fewer or older records, or more malformed ones, and though nothing has changed.

    Returns ``releases`` (by name: ``location``, ``size`` in bytes, ``sha256``, how many ``sources`` and ``records`` by
    kind, ``data_time`` of the newest record and its ``age``), ``read`` (records by kind), ``dropped`` (how many, by
    reason), ``examples`` (of what was dropped), ``exploited`` (how many CVEs of that list), ``problems`` (releases
    whose file was not replaced, and why), ``warnings`` (releases whose newest record is older than hosts believe by
    default, 7 days), ``changed``, and ``retcode``, 1 when there are problems.

    .. versionadded:: 0.1.0

    CLI Example:

    .. code-block:: bash

        salt-run ssmpatch.advisories
        salt-run ssmpatch.advisories sources=/srv/osv/Debian.zip releases=DEBIAN-12
    """
    config = _settings()
    given = {"sources": sources, "releases": releases, "exploited": exploited}
    chosen = dataclasses.replace(
        config.advisories, **{name: value for name, value in given.items() if value is not None}
    )
    result = feeds.compile_exports(
        chosen,
        state_dir=config.state_dir,
        reach=Reach(salt_file=_salt_file),
        file_roots=_file_roots(),
        force=force,
    )
    code = 1 if result["problems"] else 0
    __context__["retcode"] = code
    return {**result, "retcode": code}


def _salt_file(location):
    """The path of a copy of a file of the master's own file server, empty when there is none."""
    return salt.fileclient.FSClient({**__opts__, "file_client": "local"}).cache_file(location)


def _for_people(result):
    """Name the outputter for salt-run; whoever asks for another, and every program, gets the data alone."""
    typed = str(__opts__.get("fun")).startswith("ssmpatch.")
    return {**result, "outputter": "ssmpatch"} if typed and not _outputter_is_chosen() else result


def _settings():
    return settings.load(__opts__.get("ssmpatch"), state_dir=Path(__opts__["cachedir"]) / "ssmpatch")


def _file_roots():
    return [str(root) for root in __opts__["file_roots"].get("base", [])]


@contextlib.contextmanager
def _world():
    """What the engine may use of Salt: publisher, job cache, event bus."""
    client = salt.client.get_local_client(__opts__["conf_file"])
    bus = salt.utils.event.get_event("master", sock_dir=__opts__["sock_dir"], opts=__opts__, listen=False)
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
            fire=lambda tag, data: bus.fire_event(dict(data), tag),
            now=time.time,
            sleep=time.sleep,
            grains=lambda minions: __salt__["cache.grains"](tgt=list(minions), tgt_type="list"),
            pillars=lambda minions: __salt__["cache.pillar"](tgt=list(minions), tgt_type="list"),
            tell=_tell,
        )
    finally:
        bus.destroy()
        client.destroy()


def _tell(line):
    """Send a line as Salt's runner progress event; ``salt-run`` prints it, unless the output is for a program."""
    # Nobody who looks on, or has stopped to, may be a reason to stop. Only a runner's own call has a job's event.
    with contextlib.suppress(NameError, ReferenceError, OSError):
        if _for_programs():
            __jid_event__.event.fire_event(_progress(line), f"{__jid_event__.base}/progress")
        else:
            __jid_event__.fire_event(_progress(line), "progress")
            sys.stdout.flush()


def _progress(line):
    """A progress event, with the outputter that prints its line alone."""
    return {"message": line, "outputter": "ssmpatch"}


def _for_programs():
    """Whether ``--out`` or ``--out-file`` want nothing but what is returned: Salt prints progress in between."""
    return _outputter_is_chosen() or bool(__opts__.get("output_file"))


def _outputter_is_chosen():
    """Whether ``--out`` names the form of what is returned."""
    return bool(__opts__.get("output"))


@contextlib.contextmanager
def _events():
    """A function that waits for the next event of an operation, at most so many seconds."""
    bus = salt.utils.event.get_event("master", sock_dir=__opts__["sock_dir"], opts=__opts__, listen=True)

    def following(seconds):
        event = bus.get_event(wait=seconds, tag="ssmpatch/", match_type="startswith", full=True)
        return (event["tag"], event["data"]) if event else None

    try:
        yield following
    finally:
        bus.destroy()


def _view():
    """Lines that are written anew where a person looks on, else a line for each change; nothing for programs."""
    with contextlib.suppress(NameError, ReferenceError):
        shown = None if _for_programs() or __opts__.get("quiet") else __jid_event__.print_func
        if shown and sys.stdout.isatty():
            return watching.TerminalView(_write, lambda: tuple(shutil.get_terminal_size((80, 24))))
        if shown:
            return watching.LineView(functools.partial(_print, shown))
    return watching.LineView(lambda line: None)


def _print(shown, line):
    """Print a line where Salt prints progress, and send no event: many may look on."""
    shown("progress", _progress(line))
    sys.stdout.flush()


def _write(text):
    sys.stdout.write(text)
    sys.stdout.flush()

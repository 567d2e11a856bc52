# SPDX-License-Identifier: Apache-2.0
"""The shell commands of the documentation: the two commands of the README, and what belongs to the master."""

from __future__ import annotations

import getpass
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import salt.config
import salt.fileserver
import yaml

from support import guide
from support.examples import blocks

pytestmark = pytest.mark.slow(110)

FILE = "tests/docs/test_commands.py"
INTERPRETER = Path("/usr/bin/python3")


def run(*argv: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [str(each) for each in argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env={**os.environ, **environment})


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Where the quick start keeps everything in these tests; set up once, readable by everybody."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def quickstart(repo: Path, home: Path) -> dict[str, str]:
    """The environment of ``./quickstart``; with the distribution's Python where there is one, as on a fresh host."""
    environment = {"SSMPATCH_CACHE": str(home)}
    if INTERPRETER.exists() and run(INTERPRETER, "-c", "import ensurepip, sys; sys.exit(sys.version_info < (3, 10))"):
        environment["PYTHON"] = str(INTERPRETER)
    return environment


def test_quickstart_scans_a_host(repo: Path, quickstart: dict[str, str]) -> None:
    done = run(repo / "quickstart", **quickstart)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n  Compliance  " in done.stdout
    assert "\n  Patches     " in done.stdout
    assert "Traceback" not in done.stderr


def test_quickstart_runs_any_function(repo: Path, quickstart: dict[str, str]) -> None:
    report = json.loads(run(repo / "quickstart", "scan", "refresh=False", "--out=json", **quickstart).stdout)["local"]
    assert report["compliance"] in ("COMPLIANT", "NON_COMPLIANT", "UNKNOWN")
    stored = json.loads(run(repo / "quickstart", "report", "--out=json", **quickstart).stdout)["local"]
    assert stored["summary"] == report["summary"]
    explained = json.loads(run(repo / "quickstart", "explain", "bash", "--out=json", **quickstart).stdout)["local"]
    assert [entry["id"].partition(".")[0] for entry in explained] == ["bash"]
    planned = run(repo / "quickstart", "plan", "refresh=False", **quickstart)
    assert planned.returncode == 0 and "\n  Plan        " in planned.stdout


def test_quickstart_keeps_to_its_own_directory(repo: Path, quickstart: dict[str, str], home: Path) -> None:
    own = [Path("/etc/salt/minion_id"), Path("/var/lib/ssmpatch"), Path("/var/log/amazon/ssm/patch-configuration")]
    before = [path.exists() for path in own]
    assert run(repo / "quickstart", "scan", "refresh=False", **quickstart).returncode == 0
    assert [path.exists() for path in own] == before
    assert (home / "quickstart" / "state").is_dir()


def readable_checkout(repo: Path, directory: Path) -> Path:
    """A copy of what quickstart runs that every user may read, wherever the checkout is."""
    checkout = directory / "checkout"
    checkout.mkdir()
    for name in ("_modules", "_output", "_utils", "tools", "quickstart"):
        run("cp", "-r", repo / name, checkout)
    run("chmod", "-R", "go+rX", checkout)
    return checkout


@pytest.mark.root
@pytest.mark.skipif(not INTERPRETER.exists(), reason="needs a Python that every user may run")
def test_quickstart_works_for_an_ordinary_user(repo: Path, quickstart: dict[str, str], home: Path) -> None:
    """With the Python environment that is there already, so that it is not set up twice."""
    assert run(repo / "quickstart", "test.ping", **quickstart).returncode == 0
    with tempfile.TemporaryDirectory() as own:
        place, checkout = Path(own) / "quickstart", readable_checkout(repo, Path(own))
        (place / "python").mkdir(parents=True)
        for each in (home / "quickstart" / "python").iterdir():
            (place / "python" / each.name).symlink_to(each)
        stamp = (place / "python" / "requirements").read_text()
        (place / "python" / "requirements").unlink()
        (place / "python" / "requirements").write_text(stamp.replace(str(repo), str(checkout)))
        shutil.copy(home / "quickstart" / "python.lock", place)
        # The directory is this user's alone, so that nobody else would find the Python in it.
        (home / "quickstart").chmod(0o755)
        for path in (Path(own), place, place / "python.lock"):
            shutil.chown(path, "nobody")
        command = ["runuser", "-u", "nobody", "--", str(checkout / "quickstart"), "--out=json"]
        done = run(*command, **{**quickstart, "SSMPATCH_CACHE": own, "HOME": own})
    assert done.returncode == 0, done.stdout + done.stderr
    warnings = json.loads(done.stdout)["local"]["warnings"]
    assert any("root" in warning for warning in warnings), warnings


@pytest.mark.root
def test_quickstart_says_what_another_user_may_not_read_or_write(repo: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        checkout, cache = readable_checkout(repo, Path(directory)), Path(directory) / "cache"
        cache.mkdir()
        command = ["runuser", "-u", "nobody", "--", checkout / "quickstart"]
        unwritable = run(*command, SSMPATCH_CACHE=str(cache))
        (checkout / "tools" / "setup.sh").chmod(0o600)
        unreadable = run(*command, SSMPATCH_CACHE=str(cache))
    assert (unwritable.returncode, unreadable.returncode) == (1, 1)
    assert unwritable.stderr == (
        f"quickstart: {cache}/quickstart cannot be made or written by nobody; "
        f"name another directory: SSMPATCH_CACHE=/path {checkout}/quickstart\n"
    )
    assert unreadable.stderr == (
        f"quickstart: {checkout}/tools/setup.sh cannot be read by nobody; "
        f"clone the repository as this user, or chmod -R go+rX '{checkout}'\n"
    )


def test_the_master_gets_its_parts(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "var/cache/salt/master/proc").mkdir(parents=True)  # the master's daemon makes it
    master = {"root_dir": str(tmp_path), "file_roots": {"base": [str(repo)]}, "user": getpass.getuser()}
    (tmp_path / "etc" / "master").write_text(json.dumps(master))
    program = Path(sys.executable).parent / "salt-run"
    done = run(program, f"--config-dir={tmp_path / 'etc'}", "--out=json", "saltutil.sync_all")
    assert done.returncode == 0, done.stdout + done.stderr
    synced = json.loads(done.stdout)
    assert "runners.ssmpatch" in synced["runners"]
    assert "output.ssmpatch" in synced["output"]


def test_a_checkout_that_is_a_file_root_serves_no_cache_and_no_git(repo: Path, tmp_path: Path) -> None:
    page = (repo / "docs" / "getting-started.md").read_text()
    ignored = yaml.safe_load(re.findall(r"(file_roots:.*?)```", page, re.S)[0])["file_ignore_glob"]
    checkout = tmp_path / "checkout"
    for name in ("_modules/ssmpatch.py", "_utils/ssmpatchlib/api.py", "docs/examples/top.sls"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).touch()
    served = set(map(str, (path.relative_to(checkout) for path in checkout.rglob("*") if path.is_file())))
    for name in (".git/config", ".venv/x/report.json", ".ruff_cache/x", "_utils/ssmpatchlib/__pycache__/api.pyc"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).touch()
    opts = salt.config.DEFAULT_MASTER_OPTS.copy()
    opts.update(file_roots={"base": [str(checkout)]}, file_ignore_glob=ignored, cachedir=str(tmp_path / "cache"))
    opts.update(extension_modules=str(tmp_path / "ext"), sock_dir=str(tmp_path / "sock"))
    found = salt.fileserver.Fileserver(opts).file_list({"saltenv": "base", "prefix": ""})
    assert set(found) == served


def test_a_second_file_roots_takes_the_place_of_the_first(repo: Path, tmp_path: Path) -> None:
    """Why the first page warns of it."""
    page = (repo / "docs" / "getting-started.md").read_text()
    assert "takes the place of the first" in page
    (tmp_path / "master.d").mkdir()
    (tmp_path / "master").write_text("file_roots: {base: [/srv/own]}\n")
    (tmp_path / "master.d" / "ssmpatch.conf").write_text("file_roots: {base: [/srv/ssmpatch]}\n")
    assert salt.config.master_config(str(tmp_path / "master"))["file_roots"] == {"base": ["/srv/ssmpatch"]}


def cache_directory(repo: Path, checkout: Path, **environment: str) -> str:
    """Where ``./quickstart`` and ``./run-tests`` of a checkout keep what they make."""
    script = f"source {repo}/tools/setup.sh; cache_directory {checkout}"
    own = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(["bash", "-euc", script], check=True, capture_output=True, text=True, env=own).stdout.strip()


def test_what_is_made_lies_outside_of_the_checkout(repo: Path, tmp_path: Path) -> None:
    checkouts = [tmp_path / name / "ssmpatch" for name in ("one", "two")]
    for checkout in checkouts:
        checkout.mkdir(parents=True)
    (tmp_path / "link").symlink_to(checkouts[0])
    home = pwd.getpwuid(os.geteuid()).pw_dir
    first, second, link = (cache_directory(repo, each) for each in (*checkouts, tmp_path / "link"))
    assert first.startswith(f"{home}/.cache/ssmpatch/ssmpatch-") and first == link != second
    # Another user's, and a relative one, count for nothing.
    assert cache_directory(repo, checkouts[0], HOME="/nonexistent", XDG_CACHE_HOME="cache") == first
    assert cache_directory(repo, checkouts[0], XDG_CACHE_HOME=str(tmp_path)).startswith(f"{tmp_path}/ssmpatch/")
    assert cache_directory(repo, checkouts[0], SSMPATCH_CACHE="/srv/cache") == "/srv/cache"


def test_a_clone_scans_a_host_and_stays_clean(quickstart: dict[str, str], repo: Path, tmp_path: Path) -> None:
    """The first block of the first page, to the letter; the address leads to this checkout."""
    guide.repository(tmp_path)
    page = blocks(repo / "docs" / "getting-started.md")
    block = next(each for each in page if each.words[:1] == (f"{FILE}::test_a_clone_scans_a_host_and_stays_clean",))
    (tmp_path / "home").mkdir()
    leads_here = {"key": f"url.file://{tmp_path}/origin.insteadOf", "value": guide.ADDRESS}
    git = {f"GIT_CONFIG_{name.upper()}_0": value for name, value in leads_here.items()}
    command = f"cd {tmp_path}/home\n{block.text}"
    done = run("bash", "-euc", command, **quickstart, **git, GIT_CONFIG_COUNT="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n  Compliance  " in done.stdout
    made = run("git", "-C", tmp_path / "home" / "ssmpatch", "status", "--porcelain", "--ignored")
    assert (made.returncode, made.stdout) == (0, "")


def test_run_tests_hands_arguments_to_pytest(repo: Path) -> None:
    if not (Path(cache_directory(repo, repo)) / "salt-3008" / "requirements").exists():
        pytest.skip("./run-tests has not been run in this checkout")
    done = run(repo / "run-tests", "tests/unit/test_house.py", "-k", "change_log", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout

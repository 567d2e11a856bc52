# SPDX-License-Identifier: Apache-2.0
"""What dpkg and rpm say of the owners of files is read whatever it is, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ssmpatchlib.backends import file_owners
from ssmpatchlib.backends.apt import owners as dpkg
from ssmpatchlib.backends.apt.config import AptCommand
from ssmpatchlib.backends.apt.status import Installed
from ssmpatchlib.backends.rpm import owners as rpm
from ssmpatchlib.errors import SsmpatchError
from ssmpatchlib.host import CommandResult, Host

A, B, C = "/usr/lib/a.so", "/usr/lib/b.so", "/usr/lib/c.so"


class Played(Host):
    """Answers by a function of the paths that are asked about: code, standard output and standard error."""

    def __init__(self, answer: Callable[[list[str]], tuple[int, str, str]]) -> None:
        self.answer, self.asked = answer, list[list[str]]()

    def machine(self) -> str:
        return "x86_64"

    def run(self, argv: Sequence[str], **more: Any) -> CommandResult:
        assert 0 < more["timeout"] <= 120
        paths = list(argv[list(argv).index("--") + 1 :])
        self.asked.append(paths)
        return CommandResult(tuple(argv), *self.answer(paths))


def installed(name: str, arch: str = "amd64", status: str = "installed") -> Installed:
    return Installed(name, arch, "1", "", "", "install", status, arch, False, "")


def dpkg_says(text: str, *paths: str, packages: Sequence[Installed] = (), code: int = 0) -> dict[str, str]:
    """What is made of dpkg's words."""
    command = AptCommand(Played(lambda asked: (code, text, "words")), Path("/nowhere"), {}, ())
    return dpkg.find_owners(command, packages or [installed("alpha")], paths, native="amd64")


BOTH = [installed("alpha", "i386"), installed("alpha", "amd64")]


@pytest.mark.parametrize(
    ("text", "packages", "owner"),
    [
        (f"alpha: {A}\n", [installed("alpha")], "alpha.amd64"),
        (f"alpha:i386: {A}\n", BOTH, "alpha.i386"),
        (f"alpha:i386, alpha:amd64: {A}\n", BOTH, "alpha.amd64"),
        (f"alpha: {A}\n", BOTH, "alpha.amd64"),
        (f"alpha: {A}\n", BOTH[:1], "alpha.i386"),
        (f"alpha: {A}\n", [installed("alpha", status="half-configured")], "alpha.amd64"),
        (f"alpha: {A}\n", [installed("alpha", status="config-files")], None),
        (f"other, alpha: {A}\n", [installed("alpha")], "alpha.amd64"),
        (f"other: {A}\n", [installed("alpha")], None),
        (f"diversion by alpha from: {A}\n", [installed("alpha")], None),
        (f"diversion by beta from: {A}\ndiversion by beta to: {A}.b\nalpha: {A}\n", [installed("alpha")], None),
        (
            f"diversion by alpha from: {A}\ndiversion by alpha to: {A}.b\nalpha: {A}\n",
            [installed("alpha")],
            "alpha.amd64",
        ),
        (
            f"diversion by beta from: {B}\ndiversion by beta to: {A}\nalpha, beta: {B}\n",
            [installed("alpha")],
            "alpha.amd64",
        ),
        (f"local diversion from: {B}\nlocal diversion to: {A}\nalpha: {B}\n", [installed("alpha")], "alpha.amd64"),
        (f"local diversion to: {A}\nalpha: {B}\n", [installed("alpha")], None),
        (f"-alpha: {A}\n alpha: {A}\nalpha:: {A}\nalpha {A}\nalpha:{A}\nal\0pha: {A}\n", [installed("alpha")], None),
        ("", [installed("alpha")], None),
        ("\n: \n, : /\n" * 100, [installed("alpha")], None),
    ],
)
def test_dpkgs_words(text: str, packages: Sequence[Installed], owner: str | None) -> None:
    assert dpkg_says(text, A, packages=packages) == ({A: owner} if owner else {})


def test_paths_that_were_not_asked_about_are_not_told() -> None:
    assert dpkg_says(f"alpha: {A}\nalpha: {B}\n", B) == {B: "alpha.amd64"}


@pytest.mark.parametrize("code", [2, -9, 127])
def test_a_dpkg_that_fails_is_an_error(code: int) -> None:
    with pytest.raises(SsmpatchError, match="dpkg-query --search: words"):
        dpkg_says("", A, code=code)


def rpm_says(
    answer: Callable[[list[str]], tuple[int, str, str]], root: Path, *paths: str
) -> tuple[dict[str, str], Played]:
    """What is made of rpm's words, and what it was asked."""
    (root / "var/lib/rpm").mkdir(parents=True)
    (root / "var/lib/rpm/Packages").touch()
    host = Played(answer)
    return rpm.find_owners(host, root, paths), host


@pytest.mark.parametrize(
    ("out", "err", "owners"),
    [
        ("=a.x86_64\n=b.noarch\n=c.i686\n", "", {A: "a.x86_64", B: "b.noarch", C: "c.i686"}),
        (f"=a.x86_64\nfile {B} is not owned by any package\n=c.i686\n", "", {A: "a.x86_64", C: "c.i686"}),
        ("=c.i686\n", f"error: file {A}: No such file or directory\nerror: file {B}: Not a directory\n", {C: "c.i686"}),
        (
            f"file {A} is not owned by any package\n=c.i686\n",
            f"warning: strange\nerror: file {B}: I/O x\n",
            {C: "c.i686"},
        ),
        ("=a.x86_64\n=b.x86_64\n", "", None),
        ("", "", None),
        ("=a.x86_64\n=b.x86_64\n=c.x86_64\n", "error: rpmdb: damaged header #7 retrieved -- skipping.\n", None),
        ("=a\n=-b.x86_64\nc.i686\n", "", None),
    ],
)
def test_rpms_words(out: str, err: str, owners: dict[str, str] | None, tmp_path: Path) -> None:
    if owners is None:
        with pytest.raises(SsmpatchError, match="^rpm -qf: "):
            rpm_says(lambda paths: (1, out, err), tmp_path, A, B, C)
    else:
        assert rpm_says(lambda paths: (1, out, err), tmp_path, A, B, C)[0] == owners


def test_of_several_owners_the_machines_own_is_told(tmp_path: Path) -> None:
    several = {A: "=a.i686\n=a.x86_64\n", B: "=b.i686\n=other.noarch\n", C: "=c.x86_64\n"}
    found, host = rpm_says(lambda paths: (0, "".join(several[path] for path in paths), ""), tmp_path, A, B, C)
    assert found == {A: "a.x86_64", B: "b.i686", C: "c.x86_64"}
    assert sorted(map(len, host.asked)) == [1, 1, 1, 2, 3]


def test_what_takes_too_long_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10_000, 50))
    monkeypatch.setattr(file_owners.time, "monotonic", lambda: next(now))
    with pytest.raises(SsmpatchError, match="not found out in 120 s which packages own 100 files"):
        rpm_says(lambda paths: (0, "=a.noarch\n" * len(paths), ""), tmp_path, *(f"/x{number}" for number in range(500)))


def test_paths_are_bounded_in_length_and_number() -> None:
    strange = [
        "",
        "/",
        "//",
        "//a",
        "a",
        "./a",
        "/a/",
        "/a/./b",
        "/a/../b",
        "/a//b",
        "/a\nb",
        "/a\0",
        "/\udcff",
        "/" + 1000 * "a",
    ]
    fine = ["/a", "/a b", "/ä", "/a\\b", "/*", "/a/..b", "/" + 999 * "a"]
    assert file_owners.askable([*strange, *fine, *fine]) == fine


def test_a_users_many_files_do_not_keep_packages_files_from_being_asked_about(tmp_path: Path) -> None:
    of_users = [f"/home/user/{'*' * (number % 2)}{number}" for number in range(30_000)]
    bounded = file_owners.askable([*of_users, A])
    assert len(bounded) == 10_000 and bounded[0] == A
    host = Played(lambda paths: (0, f"alpha: {A}\n" if A in paths else "", ""))
    command = AptCommand(host, Path("/nowhere"), {}, ())
    assert dpkg.find_owners(command, [installed("alpha")], [*of_users, A], native="amd64") == {A: "alpha.amd64"}
    assert sum("*" in path for paths in host.asked for path in paths) == 20


@pytest.mark.parametrize(
    "name", ["/tmp/x: Foo", "/tmp/x is not owned by any package", "/tmp/x: Foo: No such file or directory"]
)
@pytest.mark.parametrize("missing", [True, False])
def test_no_name_of_a_file_is_taken_for_rpms_words(name: str, missing: bool, tmp_path: Path) -> None:
    out = "=a.x86_64\n" if missing else f"=a.x86_64\nfile {name} is not owned by any package\n"
    err = f"error: file {name}: No such file or directory\n" if missing else ""
    assert rpm_says(lambda paths: (1, out, err), tmp_path, A, name)[0] == {A: "a.x86_64"}


def test_rpm_that_tells_an_owner_of_nothing_is_not_heeded(tmp_path: Path) -> None:
    assert rpm_says(lambda paths: (0, f"=a.x86_64\nfile {A} is not owned by any package\n", ""), tmp_path, A)[0] == {}

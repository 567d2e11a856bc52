# SPDX-License-Identifier: Apache-2.0
"""dnf's configuration: repositories, variables, excludes, version locks and module streams, of dnf 4 and dnf 5."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ssmpatchlib.backends.dnf import modules
from ssmpatchlib.backends.dnf.versionlock import read_locks
from ssmpatchlib.backends.rpmmd import excludes, repofiles, specs
from ssmpatchlib.backends.rpmmd.advisory_types import ModuleRef
from ssmpatchlib.backends.rpmmd.metadata import Metadata
from ssmpatchlib.backends.rpmmd.modulemd import ModuleBuild
from ssmpatchlib.backends.rpmmd.repofiles import plugin_directories, read_config


def put(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_repositories_and_their_options(tmp_path: Path) -> None:
    put(
        tmp_path,
        "etc/dnf/dnf.conf",
        "[main]\nexcludepkgs=a*, b\n  c\nincludepkgs=\nmodule_platform_id = platform:el9\n\n[own]\nbaseurl=file:///own\n",
    )
    put(tmp_path, "etc/dnf/vars/site", "mine\n")
    put(
        tmp_path,
        "etc/yum.repos.d/x.repo",
        "# a comment\n[one]\nname=One $site\nbaseurl=https://h/$basearch/\n  https://other/\npriority=10\ncost=5\n"
        "exclude=d e\nincludepkgs=f\nmodule_hotfixes=true\n"
        "[off]\nenabled=0\nbaseurl=x\n[two-$site]\nmetalink=https://m/\nmirrorlist=https://l/\nbaseurl=https://b/\n",
    )
    put(tmp_path, "etc/yum.repos.d/notes.txt", "[three]\n")
    found = read_config(tmp_path, generation=4, machine="x86_64")
    assert [(r.id, r.name, r.priority, r.cost) for r in found.repositories] == [
        ("own", "own", 99, 1000),
        ("one", "One mine", 10, 5),
        ("two-mine", "two-mine", 99, 1000),
    ]
    one = found.repositories[1]
    assert (one.excludes, one.includes, one.hotfixes) == (("d", "e"), ("f",), True)
    assert (found.excludes, found.includes) == (("a*", "b", "c"), ())
    assert found.own_sections == ("own",)
    assert found.unread == ()


@pytest.mark.parametrize("value", ["2", "", "01", "1 # yes", "0 # no", '"1"', "'on'", "TRUE"])
def test_a_repository_is_enabled_unless_dnf_reads_a_no(tmp_path: Path, value: str) -> None:
    put(tmp_path, "etc/yum.repos.d/x.repo", f"[x]\nbaseurl=file:///x\nenabled={value}\n")
    assert len(read_config(tmp_path, generation=4, machine="x86_64").repositories) == 1


@pytest.mark.parametrize("value", ["0", "no", "False", "OFF", "'0'"])
def test_a_repository_is_disabled(tmp_path: Path, value: str) -> None:
    put(tmp_path, "etc/yum.repos.d/x.repo", f"[x]\nbaseurl=file:///x\nenabled={value}\n")
    assert read_config(tmp_path, generation=4, machine="x86_64").repositories == ()


@pytest.mark.parametrize(
    ("value", "excludes"),
    [
        ("'a'", ("a",)),
        ('"a b"', ("a", "b")),
        ("'a, b'", ("a", "b")),
        ("'a','b'", ("a'", "'b")),
        ("'a", ("'a",)),
        ("a\tb", ("a\tb",)),
    ],
)
def test_quotes_around_a_value_and_blanks_in_it(tmp_path: Path, value: str, excludes: tuple[str, ...]) -> None:
    put(tmp_path, "etc/dnf/dnf.conf", f"\ufeff[main]\nexcludepkgs={value}\n")
    assert read_config(tmp_path, generation=4, machine="x86_64").excludes == excludes


@pytest.mark.parametrize(("generation", "directory"), [(4, "var/cache/dnf"), (5, "var/cache/libdnf5")])
def test_where_a_repository_is_cached(tmp_path: Path, generation: int, directory: str) -> None:
    put(tmp_path, "etc/yum.repos.d/r.repo", "[updates]\nbaseurl=file:///r/q-dnf-install-broken-one/repos/updates\n")
    (repository,) = read_config(tmp_path, generation=generation, machine="x86_64").repositories
    assert repository.cache == tmp_path / directory / "updates-fb68c67519d6fcb0"


def test_where_a_repository_with_an_unknown_variable_is_cached(tmp_path: Path) -> None:
    put(tmp_path, "etc/yum.repos.d/r.repo", "[r]\nbaseurl=https://repo.invalid/$releasever/\n")
    for place, name in enumerate(("r-0123456789abcdef", "r-fedcba9876543210", "r-source-0000000000000000")):
        path = put(tmp_path, f"var/cache/dnf/{name}/repodata/repomd.xml", "")
        os.utime(path, (1000 + place, 1000 + place))
    (repository,) = read_config(tmp_path, generation=4, machine="x86_64").repositories
    assert repository.cache.name == "r-fedcba9876543210"


def test_sources_stand_in_for_everything(tmp_path: Path) -> None:
    put(tmp_path, "etc/dnf/dnf.conf", "[main]\nexcludepkgs=a\n[own]\nbaseurl=file:///own\n")
    put(tmp_path, "etc/yum.repos.d/r.repo", "[r]\nbaseurl=file:///r\n")
    put(tmp_path, "sources/s.repo", "[s]\nbaseurl=file:///s\n")
    found = read_config(tmp_path, generation=4, machine="x86_64", sources=tmp_path / "sources")
    assert [r.id for r in found.repositories] == ["s"]
    assert (found.excludes, found.own_sections) == (("a",), ("own",))


def test_dnf_5_drop_ins_and_overrides(tmp_path: Path) -> None:
    put(tmp_path, "usr/share/dnf5/libdnf.conf.d/20-vendor.conf", "[main]\nexcludepkgs=vendor\n")
    put(tmp_path, "usr/share/dnf5/repos.d/vendor.repo", "[vendor]\nbaseurl=file:///v\npriority=50\n")
    put(tmp_path, "etc/dnf/repos.override.d/90.repo", "[ven*]\npriority=7\n[none*]\npriority=1\n")
    found = read_config(tmp_path, generation=5, machine="x86_64")
    assert [(r.id, r.priority) for r in found.repositories] == [("vendor", 7)]
    assert found.excludes == ("vendor",)
    assert read_config(tmp_path, generation=4, machine="x86_64").repositories == ()


def test_dnf_5_reads_drop_ins_by_name(tmp_path: Path) -> None:
    """The administrator's stands in for a vendor's of the same name; lists add up; repositories are not read there."""
    vendor, own = "usr/share/dnf5/libdnf.conf.d", "etc/dnf/libdnf5.conf.d"
    put(tmp_path, f"{vendor}/20.conf", "[main]\nexcludepkgs=masked\nretries=1\n")
    put(tmp_path, f"{vendor}/60.conf", "[main]\nexcludepkgs=vendor\nretries=6\n[no-repository]\nbaseurl=file:///n\n")
    put(tmp_path, f"{own}/20.conf", "[main]\nincludepkgs=first\n")
    put(tmp_path, f"{own}/40.conf", "[main]\nretries=4\nincludepkgs=\n")
    put(tmp_path, "etc/dnf/dnf.conf", "[main]\nexcludepkgs=main\nexclude=too\n[own]\nbaseurl=file:///o\nexclude=a\n")
    put(tmp_path, "usr/share/dnf5/repos.override.d/10.repo", "[own]\npriority=1\n")
    put(tmp_path, "etc/dnf/repos.override.d/10.repo", "[o*]\nexclude=b\n")
    found = read_config(tmp_path, generation=5, machine="x86_64")
    assert [(r.id, r.priority, r.excludes) for r in found.repositories] == [("own", 99, ("a", "b"))]
    assert (found.excludes, found.includes) == (("vendor", "main", "too"), ())
    assert found.main["retries"] == "6"


@pytest.mark.parametrize("text", ["[broken\nbaseurl=x\n", "no section\n"])
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str) -> None:
    path = put(tmp_path, "etc/yum.repos.d/broken.repo", text)
    (source,) = read_config(tmp_path, generation=4, machine="x86_64").unread
    assert source.name == str(path) and "dnf skips this file" in source.problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$basearch-${basearch}-$nothing", "x86_64-x86_64-$nothing"),
        ("${empty:-plain}${nothing:-$basearch}", "plainx86_64"),
        ("${basearch:+yes}${nothing:+no}${empty:+no}", "yes"),
        ("no variables", "no variables"),
    ],
)
def test_variables(text: str, expected: str) -> None:
    assert repofiles.substitute(text, {"basearch": "x86_64", "empty": ""}) == expected


@pytest.mark.parametrize(
    ("machine", "basearch"), [("x86_64", "x86_64"), ("i686", "i386"), ("aarch64", "aarch64"), ("ppc64le", "ppc64le")]
)
def test_base_architecture(tmp_path: Path, machine: str, basearch: str) -> None:
    put(tmp_path, "vars/releasever", "9.4\n")
    found = repofiles.read_variables([tmp_path / "vars", tmp_path / "none"], machine=machine)
    assert (found["arch"], found["basearch"]) == (machine, basearch)
    assert (found["releasever_major"], found["releasever_minor"]) == ("9", "4")


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("foo", True),
        ("fo?", True),
        ("FOO", False),
        ("fo", False),
        ("foo.x86_64", True),
        ("foo.i686", False),
        ("foo-1.2", True),
        ("foo-1.2-3", True),
        ("foo-1:1.2-3", True),
        ("foo-0:1.2-3", False),
        ("foo-1:1.2-3.x86_64", True),
        ("1:foo-1.2-3.x86_64", True),
        ("foo-*.x86_64", True),
        ("*", True),
    ],
)
def test_package_patterns(pattern: str, matches: bool) -> None:
    matcher = excludes.compile_matcher([pattern])
    assert matcher is not None
    assert matcher("foo", "x86_64", "1:1.2-3") == (pattern if matches else "")


def blocker(tmp_path: Path, main: str, repo: str, generation: int = 4) -> excludes.Blocker | None:
    put(tmp_path, "etc/dnf/dnf.conf", f"[main]\n{main}\n")
    put(tmp_path, "etc/yum.repos.d/r.repo", f"[r]\nbaseurl=file:///r\n{repo}\n[other]\nbaseurl=file:///o\n")
    found = read_config(tmp_path, generation=generation, machine="x86_64")
    return excludes.config_blocker(found, excludes.compile_matcher)


@pytest.mark.parametrize(
    ("main", "repo", "expected"),
    [
        ("excludepkgs=foo", "", ("excluded", "excluded")),
        ("", "excludepkgs=foo", ("excluded", "")),
        ("", "includepkgs=bar", ("excluded", "")),
        ("includepkgs=bar", "", ("excluded", "excluded")),
        ("includepkgs=bar", "includepkgs=foo", ("", "excluded")),
        ("includepkgs=foo", "includepkgs=bar", ("", "")),
        ("excludepkgs=foo\ndisable_excludes=main", "", ("", "")),
        ("disable_excludes=r", "excludepkgs=foo", ("", "")),
        ("excludepkgs=foo\ndisable_excludes=all", "excludepkgs=foo", ("", "")),
        ("", "", ("", "")),
    ],
)
def test_excludes_and_includes(tmp_path: Path, main: str, repo: str, expected: tuple[str, str]) -> None:
    blocks = blocker(tmp_path, main, repo)
    for repository, words in zip(
        read_config(tmp_path, generation=4, machine="x86_64").repositories, expected, strict=True
    ):
        reason = blocks(repository, "foo", "x86_64", "0:1-1") if blocks else ""
        assert reason.startswith(words) and bool(reason) is bool(words)


@pytest.mark.parametrize(
    ("generation", "words", "expected"),
    [
        (4, "all", (False, False)),
        (4, "*", (True, True)),
        (5, "*", (False, False)),
        (5, "all", (True, True)),
        (5, "main", (False, True)),
        (5, "ot*, m*", (True, False)),
        (5, "main other", (False, False)),
    ],
)
def test_excludes_that_are_turned_off(tmp_path: Path, generation: int, words: str, expected: tuple[bool, bool]) -> None:
    """Of a package that the main section excludes, and of one that a repository excludes."""
    put(tmp_path, "etc/dnf/dnf.conf", f"[main]\nexcludepkgs=foo\ndisable_excludes={words}\n")
    put(tmp_path, "etc/yum.repos.d/r.repo", "[other]\nbaseurl=file:///o\nexcludepkgs=bar\n")
    found = read_config(tmp_path, generation=generation, machine="x86_64")
    blocks = excludes.config_blocker(found, excludes.compile_matcher)
    (other,) = found.repositories
    given = tuple(bool(blocks and blocks(other, name, "x86_64", "0:1-1")) for name in ("foo", "bar"))
    assert given == expected


UNIVERSE = specs.Universe(
    [("foo", "x86_64", "0:1.2-3"), ("two-part-name", "x86_64", "0:1-1.el8"), ("bar", "x86_64", "0:2-1")]
    + [("zsh", "x86_64", "1:5.8-1"), ("openssl", "x86_64", "1:3.0.8-1.amzn2023")]
    + [(name, "x86_64", "0:5.2-1") for name in ("plain", "bash", "short", "iftop", "xorg-nvidia-libs", "arched")]
)
LOCKED = """# Added lock on Mon Nov 23 2026
foo-0:1.2-3.*
two-part-name-0:1-1.el8.*
!bar-0:2-1.*
plain
zsh-1:5*
bash-5.*
openssl-1:3.0.8-1.amzn2023.*
"""


@pytest.mark.parametrize(
    ("name", "evr", "allowed"),
    [
        ("foo", "0:1.2-3", True),
        ("foo", "0:1.2-4", False),
        ("two-part-name", "0:1-1.el8", True),
        ("two-part-name", "0:1-2.el8", False),
        ("bar", "0:2-1", False),
        ("bar", "0:3-1", True),
        ("plain", "0:9-9", True),
        ("other", "0:1-1", True),
        ("zsh", "1:5.9-1", True),
        ("zsh", "0:5.9-1", False),
        ("zsh", "1:6.0-1", False),
        ("bash", "0:5.2-1", True),
        ("bash", "0:6-1", False),
        ("openssl", "1:3.0.8-1.amzn2023", True),
        ("openssl", "1:3.0.8-1.amzn2023.0.1", False),
    ],
)
def test_version_locks_of_dnf_4(tmp_path: Path, name: str, evr: str, allowed: bool) -> None:
    put(tmp_path, "etc/dnf/plugins/versionlock.list", LOCKED)
    locks = read_locks(tmp_path, generation=4, universe=UNIVERSE)
    assert bool(locks.refuses(name, "x86_64", evr)) is not allowed
    assert bool(locks.holds(name)) is (name not in ("bar", "other"))


def test_the_list_of_locks_may_lie_elsewhere_or_be_off(tmp_path: Path) -> None:
    put(tmp_path, "etc/dnf/plugins/versionlock.conf", "[main]\nenabled = 1\nlocklist = /etc/locks\n")
    put(tmp_path, "etc/locks", LOCKED)
    locks = read_locks(tmp_path, generation=4, universe=UNIVERSE)
    assert locks.refuses("foo", "x86_64", "0:9-9") == f"{excludes.LOCKED}: foo-0:1.2-3.*"
    put(tmp_path, "etc/dnf/plugins/versionlock.conf", "[main]\nenabled = 0\nlocklist = /etc/locks\n")
    assert read_locks(tmp_path, generation=4, universe=UNIVERSE) is excludes.NO_LOCKS


def test_the_configuration_of_plugins_may_lie_elsewhere(tmp_path: Path) -> None:
    main = {"pluginconfpath": "/absent, /srv/plugins"}
    put(tmp_path, "srv/plugins/versionlock.conf", "[main]\nenabled = 1\nlocklist = /etc/locks\n")
    put(tmp_path, "etc/locks", LOCKED)
    locks = read_locks(tmp_path, generation=4, universe=UNIVERSE, plugins=plugin_directories(tmp_path, main))
    assert locks.refuses("foo", "x86_64", "0:9-9") == f"{excludes.LOCKED}: foo-0:1.2-3.*"


TOML = """version = "1.0"

[[packages]]
name = "bash"
comment = "Added by 'versionlock add' command on 2026-11-24 00:44:44"

[[packages.conditions]]
key = "evr"
comparator = "="
value = "0:5.2-1"

[[packages]]
name = "short"
[[packages.conditions]]
key = "evr"
comparator = "="
value = "5.2-1"

[[packages]]
name = "iftop"
[[packages.conditions]]
key = "evr"
comparator = "!="
value = "0:1.0-3"

[[packages]]
name = "*nvidia*"
[[packages.conditions]]
key = "evr"
comparator = ">="
value = "3:570"
[[packages.conditions]]
key = "evr"
comparator = "<"
value = "3:571"

[[packages]]
name = "arched"
[[packages.conditions]]
key = "arch"
comparator = "!="
value = "i686"
[[packages.conditions]]
key = "epoch"
comparator = "<="
value = "1"
"""


@pytest.mark.parametrize(
    ("name", "arch", "evr", "allowed"),
    [
        ("bash", "x86_64", "0:5.2-1", True),
        ("bash", "x86_64", "0:5.3-1", False),
        ("short", "x86_64", "0:5.2-1", True),
        ("short", "x86_64", "0:5.3-1", False),
        ("short", "x86_64", "1:5.2-1", False),
        ("iftop", "x86_64", "0:1.0-3", False),
        ("iftop", "x86_64", "0:1.0-4", True),
        ("xorg-nvidia-libs", "x86_64", "3:570.1-1", True),
        ("xorg-nvidia-libs", "x86_64", "3:571-1", False),
        ("xorg-nvidia-libs", "x86_64", "4:570-1", False),
        ("arched", "x86_64", "1:1-1", True),
        ("arched", "i686", "1:1-1", False),
        ("arched", "x86_64", "2:1-1", False),
        ("other", "x86_64", "0:1-1", True),
    ],
)
def test_version_locks_of_dnf_5(tmp_path: Path, name: str, arch: str, evr: str, allowed: bool) -> None:
    pytest.importorskip("tomllib")
    put(tmp_path, "etc/dnf/versionlock.toml", TOML)
    locks = read_locks(tmp_path, generation=5, universe=UNIVERSE)
    assert locks.warnings == ()
    assert bool(locks.refuses(name, arch, evr)) is not allowed


def test_a_condition_of_dnf_5_whose_value_is_no_text_is_none(tmp_path: Path) -> None:
    pytest.importorskip("tomllib")
    condition = '[[packages.conditions]]\nkey = "epoch"\ncomparator = "="\nvalue = 0\n'
    put(tmp_path, "etc/dnf/versionlock.toml", f'version = "1.0"\n[[packages]]\nname = "foo"\n{condition}')
    assert not read_locks(tmp_path, generation=5, universe=UNIVERSE).refuses("foo", "noarch", "1:1-1")


def test_version_locks_that_are_not_understood_are_warned_of(tmp_path: Path) -> None:
    pytest.importorskip("tomllib")
    put(tmp_path, "etc/dnf/versionlock.toml", 'version = "1.0"\npackages = 3')
    assert "is not understood" in read_locks(tmp_path, generation=5, universe=UNIVERSE).warnings[0]


def build(
    name: str, stream: str, *, context: str = "c", requires: dict[str, tuple[str, ...]] | None = None
) -> ModuleBuild:
    artifacts = ((f"{name}-tool", "x86_64", f"0:{stream}-{context}"),)
    return ModuleBuild(name, stream, "1", context, "x86_64", (requires,) if requires else (), artifacts)


def shown(module_filter: modules.ModuleFilter | None, name: str, evr: str) -> bool:
    assert module_filter is not None
    return not module_filter.hides(f"{name}.x86_64", name, evr)


def metadata(*builds: ModuleBuild, defaults: dict[str, str] | None = None, **more: object) -> Metadata:
    return Metadata(offers={}, builds=builds, default_streams=defaults or {}, **more)  # type: ignore[arg-type]


STATE = modules.ModuleState({}, frozenset(), {}, "el8")


@pytest.mark.parametrize(
    ("state", "defaults", "active"),
    [
        (STATE, {}, ""),
        (STATE, {"m": "1"}, "1"),
        (modules.ModuleState({"m": "2"}, frozenset(), {}, ""), {"m": "1"}, "2"),
        (modules.ModuleState({}, frozenset({"m"}), {}, ""), {"m": "1"}, ""),
        (modules.ModuleState({}, frozenset(), {"m": "2"}, ""), {"m": "1"}, "2"),
    ],
)
def test_active_streams(state: modules.ModuleState, defaults: dict[str, str], active: str) -> None:
    found = modules.make_filter(state, [metadata(build("m", "1"), build("m", "2"), defaults=defaults)])
    assert [stream for stream in ("1", "2") if shown(found, "m-tool", f"0:{stream}-c")] == ([active] if active else [])
    assert shown(found, "m-tool", "0:0-plain") is not bool(active)
    assert shown(found, "other", "0:1-1")
    assert found is not None
    for stream in ("1", "2"):
        assert found.applies(ModuleRef("m", stream, "1", "c", "x86_64")) is (stream == active)
        assert found.applies(ModuleRef("m", stream, "", "", "")) is (stream == active)


def test_defaults_that_contradict_each_other_are_none() -> None:
    one, other = metadata(build("m", "1"), defaults={"m": "1"}), metadata(build("m", "2"), defaults={"m": "2"})
    found = modules.make_filter(STATE, [one, other])
    assert not shown(found, "m-tool", "0:1-c") and not shown(found, "m-tool", "0:2-c")


def test_a_context_whose_requirements_do_not_hold_is_not_active() -> None:
    builds = (
        build("m", "1", context="old", requires={"platform": ("el7",)}),
        build("m", "1", context="new", requires={"platform": ("el8",), "dep": ("-9",)}),
        build("m", "1", context="dep", requires={"platform": ("el8",), "dep": ("9",)}),
        build("dep", "8"),
    )
    found = modules.make_filter(STATE, [metadata(*builds, defaults={"m": "1", "dep": "8"})])
    assert [c for c in ("old", "new", "dep") if shown(found, "m-tool", f"0:1-{c}")] == ["new"]


def test_a_package_that_provides_the_name_of_an_active_streams_is_hidden() -> None:
    provisions = (("alike.x86_64", "0:1-1", ("m-tool",)),)
    found = modules.make_filter(STATE, [metadata(build("m", "1"), defaults={"m": "1"}, provisions=provisions)])
    assert not shown(found, "alike", "0:1-1")


def test_without_modules_nothing_is_filtered() -> None:
    assert modules.make_filter(STATE, [metadata()]) is None


def test_module_state_of_dnf_4(tmp_path: Path) -> None:
    put(tmp_path, "etc/dnf/modules.d/perl.module", "[perl]\nname=perl\nstream=5.30\nprofiles=common\nstate=enabled\n")
    put(tmp_path, "etc/dnf/modules.d/php.module", "[php]\nname=php\nstream=\nprofiles=\nstate=disabled\n")
    put(tmp_path, "etc/dnf/modules.d/node.module", "[node]\nname=node\nstream=\nprofiles=\nstate=\n")
    put(
        tmp_path,
        "etc/dnf/modules.defaults.d/ruby.yaml",
        "document: modulemd-defaults\nversion: 1\ndata:\n  module: ruby\n  stream: '2.7'\n",
    )
    put(tmp_path, "etc/os-release", 'NAME="x"\nPLATFORM_ID="platform:el8"\n')
    found = modules.read_state(tmp_path, generation=4, machine="x86_64")
    assert found == modules.ModuleState({"perl": "5.30"}, frozenset({"php"}), {"ruby": "2.7"}, "el8", 4, "x86_64")
    assert modules.read_state(tmp_path, generation=4, machine="x86_64", platform="platform:f41").platform == "f41"


def test_module_state_of_dnf_5(tmp_path: Path) -> None:
    put(
        tmp_path,
        "usr/lib/sysimage/libdnf5/modules.toml",
        'version = "1.0"\n\n[modules]\n[modules.nodejs]\nenabled_stream = ""\ninstalled_profiles = []\n'
        'state = "Disabled"\n'
        '[modules."perl"]\nenabled_stream = "5.30"\ninstalled_profiles = ["common"]\nstate = "Enabled"\n',
    )
    found = modules.read_state(tmp_path, generation=5, machine="x86_64")
    assert (found.enabled, found.disabled) == ({"perl": "5.30"}, frozenset({"nodejs"}))

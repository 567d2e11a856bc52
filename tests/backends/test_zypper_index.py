# SPDX-License-Identifier: Apache-2.0
"""zypper's own index after a scan: users who are not root cannot build it, so it is there and current."""

from __future__ import annotations

import shutil

import pytest

from ssmpatchlib.errors import SsmpatchError
from support import suse_root

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("zypper"), reason="needs zypper")]


class Recording(suse_root.RecordingHost):
    """It can be told to break the rpm database as seen by a scan, and remembers which runs of zypper ended."""

    broken = False

    def __init__(self):
        super().__init__()
        self.ended = []

    def run(self, argv, **more):
        if self.broken and argv[0] == "rpm":
            raise SsmpatchError("no rpm today")
        result = super().run(argv, **more)
        self.ended.append(list(argv))
        return result

    @property
    def builds(self):
        return sum("--build-only" in argv for argv in self.ended)


@pytest.fixture
def root(tmp_path):
    return suse_root.build(tmp_path / "root", installed=["app-1-1.noarch"], packages=["app-2-1.noarch"])


def publish(root, *nevras):
    """Replace what the repository has."""
    shutil.rmtree(root / "repos/updates")
    other = suse_root.build(root.parent / f"other{len(nevras)}", installed=[], packages=nevras)
    shutil.copytree(other / "repos/updates", root / "repos/updates")


def test_the_index_is_built_whenever_it_is_older_than_the_metadata(root):
    host = Recording()
    for builds in (1, 1):
        suse_root.scan(root, host=host)
        assert host.builds == builds
    assert "app" in suse_root.zypper(root, "list-updates")
    publish(root, "app-2-1.noarch", "app-3-1.noarch")
    suse_root.scan(root, host=host)
    assert host.builds == 2
    assert "3-1" in suse_root.zypper(root, "list-updates")
    shutil.rmtree(root / "var/cache/zypp/solv/updates")
    suse_root.scan(root, host=host)
    assert host.builds == 3
    suse_root.scan(root, host=host, refresh_max_age=3600)
    assert host.builds == 3


def test_zypper_is_waited_for_when_the_scan_fails(root):
    host = Recording()
    host.broken = True
    with pytest.raises(SsmpatchError, match="no rpm today"):
        suse_root.scan(root, host=host)
    assert host.builds == 1


def test_a_repository_without_an_index_is_not_compliant(root):
    shutil.rmtree(root / "var/cache/zypp/solv", ignore_errors=True)
    (root / "var/cache/zypp/solv").write_text("in the way")
    report = suse_root.scan(root, baseline={"approvedPatches": ["nothing"]})
    assert report["compliance"] == "UNKNOWN"
    assert any("solv" in text for text in report["warnings"])


def test_an_index_that_another_zypper_works_on_is_left_to_it(root):
    class Locked(Recording):
        def run(self, argv, **more):
            if "--build-only" in argv:
                argv = ["sh", "-c", "exit 7"]
            return super().run(argv, **more)

    assert suse_root.states(suse_root.scan(root, host=Locked())) == {"app.noarch": "Missing"}
    assert suse_root.scan(root, host=Locked(), baseline={"approvedPatches": ["nothing"]})["compliance"] == "COMPLIANT"

# SPDX-License-Identifier: Apache-2.0
"""How pytest-xdist deals tests out to its processes."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

#: Folders whose files share something that takes long to build: one process has all of them, and builds it once.
WHOLE_FOLDERS = ("tests/integration/fleet", "tests/realroot")


class WholeFiles(LoadFileScheduling):
    """Whole files for each process, and whole folders where files share a fixture of the session."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        folder = path.rpartition("/")[0]
        return folder if folder in WHOLE_FOLDERS else path

# SPDX-License-Identifier: Apache-2.0
"""Building many values at once without Python's garbage collector looking through them again and again."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Pause the cyclic collector: an inventory is tens of thousands of tuples, none of which is part of a cycle.

    Half of the time of reading a large repository's inventory is the collector's otherwise. What was built meanwhile
    is counted as old (by freezing and thawing it), so that the next collection does not look through it either.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()

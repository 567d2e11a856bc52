# SPDX-License-Identifier: Apache-2.0
"""What Salt is told of the arguments of a function. Loaded with the modules of Salt, so it loads nothing itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]


def handed_everything(wrapper: Function, function: Function) -> Function:
    """Let Salt hand over unknown arguments too, so that they are refused with the others.

    Salt asks the innermost function for what it takes, and people are shown what the wrapper says.

    Args:
        wrapper: checks the arguments; it says what ``function`` says of them.
        function: what it wraps; it says from now on that it takes everything.

    Returns:
        The wrapper.
    """
    known = inspect.signature(function)
    more = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
    wrapper.__signature__ = known  # type: ignore[attr-defined]
    function.__signature__ = known.replace(parameters=[*known.parameters.values(), more])  # type: ignore[attr-defined]
    return wrapper

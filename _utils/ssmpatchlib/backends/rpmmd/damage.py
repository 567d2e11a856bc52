# SPDX-License-Identifier: Apache-2.0
"""The error of a repository whose metadata cannot be trusted to be whole."""

from __future__ import annotations

from ...errors import SsmpatchError


class DamagedMetadata(SsmpatchError):
    """A metadata document is missing, cut short or malformed; what was read before the error is still good."""

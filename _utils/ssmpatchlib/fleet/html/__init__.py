# SPDX-License-Identifier: Apache-2.0
"""A fleet report as one self-contained HTML page."""

from .page import html_text

__all__ = ["html_text"]

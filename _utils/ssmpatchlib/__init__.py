# SPDX-License-Identifier: Apache-2.0
"""Patch compliance by AWS Systems Manager patch baselines: the engine behind the Salt module ``ssmpatch``."""

__version__ = "0.1.0"

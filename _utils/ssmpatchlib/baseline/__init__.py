# SPDX-License-Identifier: Apache-2.0
"""Patch baselines: parsing and checking both forms, AWS's defaults, overrides, frozen sets, export."""

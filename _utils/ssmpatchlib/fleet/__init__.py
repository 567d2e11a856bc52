# SPDX-License-Identifier: Apache-2.0
"""The fleet: what the master does with the minions' reports, and how it rolls patches out."""

# SPDX-License-Identifier: Apache-2.0
"""The files that outlive a run: lock, journal, states, reports, history, pending reboots, first-seen ledger."""

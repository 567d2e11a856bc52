# SPDX-License-Identifier: Apache-2.0
"""What outlives a run: lock, journal, states, reports, history, pending reboots and the first-seen ledger."""

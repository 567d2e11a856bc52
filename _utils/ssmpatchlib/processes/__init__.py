# SPDX-License-Identifier: Apache-2.0
"""The processes of the running system: which of them still run code that an update replaced, and what cures that."""

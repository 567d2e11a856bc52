# SPDX-License-Identifier: Apache-2.0
"""From what is wanted to what is installed: what is decided once for every package manager."""

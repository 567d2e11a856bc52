# SPDX-License-Identifier: Apache-2.0
"""Planning and running an install: what is decided in the same way for every package manager."""

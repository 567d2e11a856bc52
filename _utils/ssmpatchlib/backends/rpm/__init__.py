# SPDX-License-Identifier: Apache-2.0
"""What the rpm package managers share: repository metadata, the package database, candidates for updates."""

# SPDX-License-Identifier: Apache-2.0
"""What vendors publish about vulnerabilities (OSV records), compiled to one compact file per release. Pure."""

# SPDX-License-Identifier: Apache-2.0
"""The rpm system under dnf, yum and zypper: installed packages, locks, repair, reboot reasons."""

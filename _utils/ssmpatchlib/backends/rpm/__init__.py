# SPDX-License-Identifier: Apache-2.0
"""The rpm system itself: installed packages, locks, repair, reboot reasons."""

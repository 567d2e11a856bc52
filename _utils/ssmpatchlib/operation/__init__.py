# SPDX-License-Identifier: Apache-2.0
"""What can be done with a host: one room for each function, and what they share."""

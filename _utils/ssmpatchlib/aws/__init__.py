# SPDX-License-Identifier: Apache-2.0
"""Baseline snapshots in, compliance out. The only room that uses boto3, and only inside functions."""

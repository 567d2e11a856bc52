# SPDX-License-Identifier: Apache-2.0
"""The script of the page: filters, sorts, opens and exports what the data block holds. It writes text, never markup."""

from __future__ import annotations

from .script_basics import BASICS
from .script_details import DETAILS
from .script_filters import FILTERS
from .script_tables import TABLES

SCRIPT = f'\n"use strict";\n(() => {{\n{BASICS}{FILTERS}{TABLES}{DETAILS}}})();\n'

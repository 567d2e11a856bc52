# SPDX-License-Identifier: Apache-2.0
"""Repository metadata of rpm systems: repository files, repomd, primary, updateinfo, modules, cache, excludes."""

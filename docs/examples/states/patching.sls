# SPDX-License-Identifier: Apache-2.0

patched:
  ssmpatch.compliant

# SPDX-License-Identifier: Apache-2.0
base:
  '*':
    - beacon
    - scan
  'canary*':
    - canary
  'prod*':
    - production

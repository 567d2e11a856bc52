# SPDX-License-Identifier: Apache-2.0
beacons:
  ssmpatch:
    - interval: 60

# SPDX-License-Identifier: Apache-2.0

ssmpatch:
  baseline: default
  reboot:
    option: RebootIfNeeded
    windows:
      - {days: [sat, sun], start: '02:00', duration: 4h}

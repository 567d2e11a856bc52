# SPDX-License-Identifier: Apache-2.0
# Microsoft's patch day is the second Tuesday of a month; these hosts patch the day after.
ssmpatch:
  window: {nth: 2nd tue, offset_days: 1, start: '02:00', duration: 4h, timezone: Europe/Berlin}
  reboot:
    windows:
      - {nth: 2nd tue, offset_days: 1, start: '02:00', duration: 5h, timezone: Europe/Berlin}
schedule:
  # Every night in the hour in which the window may be open: outside of it an install says so and does nothing.
  ssmpatch-install:
    function: ssmpatch.install
    cron: '15 2 * * *'
    splay: 900
    maxrunning: 1

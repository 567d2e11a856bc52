# SPDX-License-Identifier: Apache-2.0
# Three days after the second Tuesday, and only what the canaries were frozen with.
ssmpatch:
  frozen: salt://ssmpatch-frozen/current/DEBIAN-Debian12.json
  window: {nth: 2nd tue, offset_days: 3, start: '22:00', duration: 6h, timezone: Europe/Berlin}
  reboot:
    option: RebootIfRequired
    windows:
      - {days: [sat, sun], start: '02:00', duration: 4h, timezone: Europe/Berlin}
schedule:
  ssmpatch-install:
    function: ssmpatch.install
    cron: '30 22 * * *'
    splay: 1800
    maxrunning: 1

# SPDX-License-Identifier: Apache-2.0
# Three days after the second Tuesday, and only what the canaries of the same system were frozen with. A frozen set has
# AWS's name of its system and product; this makes it of Salt's grains. A known system that no canary has is not patched
# (its set is not there); a system that AWS does not know has no set and is patched as its baseline says.
{%- set version = grains['osrelease'].split('.') %}
{%- set major = version[0] %}
{%- set exact = version[:2] | join('.') %}
{%- set product = {
  'Debian': 'DEBIAN-Debian' ~ major,
  'Raspbian': 'RASPBIAN-Raspbian' ~ major,
  'Ubuntu': 'UBUNTU-Ubuntu' ~ exact,
  'RedHat': 'REDHAT_ENTERPRISE_LINUX-RedhatEnterpriseLinux' ~ exact,
  'CentOS': 'CENTOS-CentOS' ~ (exact if major | int <= 7 else major),
  'CentOS Stream': 'CENTOS-CentOS' ~ major,
  'Rocky': 'ROCKY_LINUX-RockyLinux' ~ exact,
  'AlmaLinux': 'ALMA_LINUX-AlmaLinux' ~ exact,
  'OEL': 'ORACLE_LINUX-OracleLinux' ~ exact,
  'SUSE': 'SUSE-Suse' ~ (exact if version | length > 1 else major ~ '.0') if major | length == 2,
  'Amazon': {
    '2': 'AMAZON_LINUX_2-AmazonLinux2',
    '2018': 'AMAZON_LINUX-AmazonLinux2018.03',
    '2023': 'AMAZON_LINUX_2023-AmazonLinux2023',
  }.get(major),
}.get(grains['os']) %}
ssmpatch:
  {%- if product %}
  frozen: salt://ssmpatch-frozen/current/{{ product }}.json
  {%- endif %}
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

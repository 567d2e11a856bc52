# SPDX-License-Identifier: Apache-2.0
# Post what has happened, and the fleet's report as JSON, to a chat or ticket system. `alert_url` comes from the
# master's pillar; any other runner or state of Salt's serves as well (smtp, slack, pagerduty, …).
{%- set data = pillar['data'] %}
{%- set report = salt['saltutil.runner']('ssmpatch.report', kwarg={'output': '/var/cache/salt/ssmpatch-report.json', 'format': 'json'}) %}

tell-a-human:
  salt.runner:
    - name: http.query
    - url: {{ salt['config.get']('alert_url', 'http://127.0.0.1:9093/') }}
    - method: POST
    - header_dict: {Content-Type: application/json}
    - data: |
        {{ {'text': pillar['tag'] ~ ': ' ~ (data.get('reason') or 'see the log'), 'fleet': report} | json }}

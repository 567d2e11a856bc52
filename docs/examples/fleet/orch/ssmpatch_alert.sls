# SPDX-License-Identifier: Apache-2.0
# A human is needed: post the fleet's report, and what has happened, to a chat or ticket system. Any other runner or
# state of Salt's serves as well. A minion can forge an event, but not the report. `alert_url` and `report` come from the pillar that starts the orchestration.
{%- set report = pillar.get('report', '/var/cache/salt/master/ssmpatch-report.json') %}
{%- set data = pillar.get('data', {}) %}

fleet-report:
  salt.runner:
    - name: ssmpatch.report
    - format: json
    - output: {{ report }}

tell-a-human:
  salt.runner:
    - name: http.query
    - url: {{ pillar.get('alert_url', 'http://127.0.0.1:9093/') | json }}
    - method: POST
    - data_file: {{ report }}
    - header_dict:
        Content-Type: application/json
        X-Salt-Event: {{ pillar.get('tag', 'none') | json }}
        X-Reason: {{ (data.get('reason') or 'see the event') | json }}
    - require:
      - salt: fleet-report

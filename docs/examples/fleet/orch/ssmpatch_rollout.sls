# SPDX-License-Identifier: Apache-2.0
# Patch the fleet ring by ring, then write the report. Run it by hand or from the master's schedule:
#   salt-run state.orchestrate orch.ssmpatch_rollout
rollout:
  salt.runner:
    - name: ssmpatch.rollout

# The report is made whether the rollout has come to its end or a gate has stopped it.
report:
  salt.runner:
    - name: ssmpatch.report
    - format: html
    - output: {{ pillar.get('report', '/srv/www/patch/index.html') }}
    - order: last

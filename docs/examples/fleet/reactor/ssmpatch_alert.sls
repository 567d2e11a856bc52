# SPDX-License-Identifier: Apache-2.0
# A human is needed: run the orchestration that tells one.
alert:
  runner.state.orchestrate:
    - args:
        - mods: orch.ssmpatch_alert
        - pillar: {tag: {{ tag | json }}, data: {{ data | json }}}

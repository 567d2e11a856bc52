# SPDX-License-Identifier: Apache-2.0
# A reactor has few threads: it only starts the orchestration, which asks the runner, which waits for no install. Any
# minion can send this event about any other: it is no more than a request to look at that minion's own report.
remediate:
  runner.state.orchestrate:
    - args:
        - mods: orch.ssmpatch_remediate
        - pillar: {minion: {{ data['id'] | json }}}

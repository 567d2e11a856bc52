# SPDX-License-Identifier: Apache-2.0
# A reactor has few threads: it only starts the orchestration, which only asks the runner, which does not wait.
remediate:
  runner.state.orchestrate:
    - args:
        - mods: orch.ssmpatch_remediate
        - pillar: {minion: {{ data['id'] | json }}}

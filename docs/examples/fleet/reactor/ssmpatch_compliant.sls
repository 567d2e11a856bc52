# SPDX-License-Identifier: Apache-2.0
# A host that is compliant again, whoever repaired it, may be remediated again when it drifts: the runner forgets its
# failures when the host's own report says so. Never `reset: true` here, for any minion can send this event.
look-again:
  runner.ssmpatch.remediate:
    - args:
        - minion: {{ data['id'] | json }}

# SPDX-License-Identifier: Apache-2.0
# A host that is compliant again, whoever repaired it, may be remediated again when it drifts.
forget-failures:
  runner.ssmpatch.remediate:
    - args:
        - minion: {{ data['id'] | json }}
        - reset: true

# SPDX-License-Identifier: Apache-2.0
# Windows, rates and the end of trying are the runner's: see ssmpatch:remediation in the master configuration.
ssmpatch-remediate:
  salt.runner:
    - name: ssmpatch.remediate
    - minion: {{ pillar['minion'] | json }}

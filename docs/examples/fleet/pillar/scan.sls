# SPDX-License-Identifier: Apache-2.0
schedule:
  # Every day at six, spread over half an hour so that the fleet does not ask the mirrors at once.
  ssmpatch-scan:
    function: ssmpatch.scan
    cron: '0 6 * * *'
    splay: 1800
    maxrunning: 1
    return_job: false
  # What a crash or a reboot interrupted is finished when the minion is back; soon again, since at the very first start
  # the modules may not be there yet.
  ssmpatch-resume:
    function: ssmpatch.resume
    run_on_start: true
    minutes: 10
    return_job: false
    maxrunning: 1

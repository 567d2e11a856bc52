# SPDX-License-Identifier: Apache-2.0

schedule:
  ssmpatch-scan:
    function: ssmpatch.scan
    cron: '0 1 * * *'
    splay: 3600
    maxrunning: 1
  ssmpatch-install:
    function: state.apply
    args: [patching]
    cron: '0 2 * * 0'
    splay: 1800
    maxrunning: 1
  ssmpatch-resume:
    function: ssmpatch.resume
    run_on_start: true
    # Soon again: at the very first start the modules may not be there yet.
    minutes: 10
    return_job: false
    maxrunning: 1

"""The commands of `refrain`, a family a file. Each imports what it needs when it runs: help stays quick.

::

    application.py    which commands there are
    line.py           all of them, put together
    frame.py          what all have in common: help with an example, --json, errors, exit codes
    session.py        a command's way to Redis
    start.py          up, demo, ingest, train, work, traits
    serve.py          serve, key add, key list, key revoke
    options.py        options out of dataclasses
    replay.py         replay
    history.py        history load
    presets.py        presets, and --preset of the commands that read files
    sample.py         sample
    evaluate.py       evaluate
    report.py         report targets, report ctr
    churn.py          churn evaluate
    release.py        release publish, release list, release show, audience
    recommend.py      recommend
    look.py           cohorts, cohort, users, user
    lifecycle.py      lifecycle
    segment.py        segments, segment, segment evaluate
    doctor.py         doctor
    redrive.py        redrive
    merge.py          merge
    alias.py          alias
    export.py         export
    forget.py         forget
    model.py          model list, model show, model use, model clicks, model churn
"""

"""`refrain evaluate`: how well audiences would find the listeners, measured on a service's own clicks.

::

    options.py          what is measured: the command's options
    run.py              from files to a result
    reading.py          files of clicks
    click_log.py        the clicks on disk, in order
    lowest_hashes.py    the listeners whose clicks these are
    holdout.py          what is known, what is asked
    training_clicks.py  the known clicks, sent through the service
    service.py          Refrain in memory
    experiment.py       Refrain and others, measured
    installed.py        baselines of other libraries
    names.py            what artists are called
    result.py           all that was found
    page.py             as a page, with the pictures of plots.py

In place of audiences, whose options are in offline_options.py::

    policy.py           a policy, judged by the log of another one
    policy_file.py      what it would choose, out of a file
    trial.py            a randomised experiment, out of files
    uplift.py           whom it moved
    uplift_learners.py  the usual ways to learn that

Whether labelled segments are predicted (`refrain segment evaluate`)::

    segment_options.py  the command's options
    segments.py         from files to a result
    segment_trial.py    learned from a part of the labels, tried on the rest
    segment_rivals.py   the usual ways to learn that
    profile_spreads.py  what profiles say beside titles
"""

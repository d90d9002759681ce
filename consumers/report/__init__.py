"""`refrain report`: where releases of the past should have gone, and who clicked on them there.

::

    options.py  the options of `refrain report` that do not say what its rows look like
    rows.py     releases and clicks on them, out of files
    targets.py  the cohort that a release should go to
    ledger.py   who is in which cohort and who clicked on what, counted on disk
    chance.py   random clusters of the same sizes
    ctr.py      clicked / members of each cohort, beside random clusters
"""

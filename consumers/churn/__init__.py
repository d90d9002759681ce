"""`refrain churn evaluate`: how well churn is predicted, on history in files.

::

    options.py       what is measured: the command's options
    activity_log.py  clicks of files as the days on which listeners did something
    history.py       those days, split in time
    feature_table.py a file with a row a listener
    examples.py      what learners are given, and on what they are tried
    learners.py      Refrain's, and the usual ones
    run.py           from files to a result
    result.py        all that was found
    page.py          as a page, with the plots of plots.py
"""

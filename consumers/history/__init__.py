"""`refrain history`: history in files into Redis, by Spark, without Kafka in between.

::

    options.py    how a load goes
    plan.py       which files there are, and how each is read
    session.py    Spark, and errors of what runs on it
    columns.py    clicks in Arrow columns, cut by listener
    read.py       a file, as such columns
    listeners.py  the clicks of listeners, as what Redis is to hold
    write.py      that, into Redis
    guard.py      before a load, and after it
    load.py       all of it, from files to its end
    summary.py    what came of it
"""

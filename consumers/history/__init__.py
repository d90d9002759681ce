"""`refrain history`: years of clicks in files, by Spark: into Redis without Kafka in between, or measured.

::

    options.py    how a load goes
    plan.py       which files there are, and how each is read
    session.py    Spark, and errors of what runs on it
    columns.py    clicks in Arrow columns, cut by listener
    blocks.py     clicks as a file has them, as such columns
    read.py       a file, as such columns
    packets.py    files, as packets of them in Spark
    listeners.py  the clicks of listeners, as what Redis is to hold
    write.py      that, into Redis
    bucket.py     the packets of a bucket, so: on a worker
    guard.py      before a load, and after it
    load.py       all of it, from files to its end
    summary.py    what came of it

How well audiences would find the listeners::

    sample.py     as many listeners as fit into memory
    spark_als.py  a reference that learns from all of them
    evaluate.py   all of it, from files to a result
"""

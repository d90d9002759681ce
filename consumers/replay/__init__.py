"""`refrain replay`: history from files into a topic.

::

    options.py  how a replay sends
    plan.py     files, the order of events, where an earlier run stopped
    sender.py   events into Kafka, each once, also after an interruption
"""

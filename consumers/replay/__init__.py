"""`refrain replay`: history from files into a topic.

::

    plan.py     files, the order of events, where an earlier run stopped
    sender.py   events into Kafka, each once, also after an interruption
"""

"""`refrain replay`: history from files into a topic.

::

    options.py  how a replay sends
    plan.py     files, the order of events, where an earlier run stopped
    refused.py  events that became dead letters
    sender.py   events into Kafka, each once, also after an interruption
"""

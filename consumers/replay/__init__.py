"""`refrain replay`: history from files into a topic.

::

    options.py      how a replay sends
    plan.py         files, and the order of events
    carry_out.py    a replay to its end, from where an earlier run stopped
    sent_before.py  files that are of another replay, too
    times.py        whether the times of a history can be right
    dry_run.py      what a replay would send
    summary.py      what came of a replay, or would
    refused.py      events that became dead letters
    sender.py       events into Kafka, each once, also after an interruption
"""

"""What goes through Kafka.

::

    events.py     every event: its fields, and why one is refused
    composed.py   ids and names in one Unicode form
    where.py      conditions on listeners' traits, as events and commands say them
    topics.py     every topic: how it is made, whether it is as it should be
    sender.py     the one sender
    consumer.py   the one consumer: committed records only, a broken batch as one record
    connection.py how clients connect: where, over TLS or not, as whom
    diagnosis.py  why no broker answers
    deleted.py    tells of events that were deleted before they were read
    lag.py        how far consumer groups are behind, what topics hold
"""

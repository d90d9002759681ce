"""The world outside: Kafka, Redis, files, settings.

::

    settings.py   every setting
    errors.py     every error that a user can meet
    connect.py    connections to Kafka and Redis
    retry.py      what happens while one of them is away
    wire/         what goes through Kafka: events, topics, lag
    stores/       what is in Redis, one file a noun
    files/        history in files
    broker/       the servers of `refrain up`
"""

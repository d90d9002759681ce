"""The world outside: Kafka, Redis, files, settings.

::

    settings.py       every setting
    errors.py         every error that a user can meet
    error_policy.py   which errors of Kafka and Redis are retried, reported or fatal
    retry.py          retrying while Kafka or Redis is away
    patience.py       how long a server is waited for
    metrics.py        every metric
    redis_url.py      the address of Redis, checked, and shown without its password
    sentinel_url.py   that of a Redis that Sentinels watch, taken apart
    redis_client.py   the client of such an address
    connect.py        connections to both
    webhook_secret.py  what posts of `refrain deliver` are signed with
    wire/             what goes through Kafka: events, topics, lag
    stores/           what is in Redis, one file a noun
    files/            history in files
    broker/           the servers of `refrain up`
"""

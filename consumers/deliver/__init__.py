"""`refrain deliver`: audiences and changes of cohort to who has no Kafka: an HTTP endpoint, files.

::

    process.py         the process: which readers the settings ask for
    deliverer.py       reads a topic in a group; commits what is delivered, in the order of each partition
    outgoing.py        what events are posted as: body, idempotency key
    signature.py       the headers that an endpoint checks a post by
    webhook.py         posts to the endpoint, again and again where that may help
    release_files.py   a CSV file for each release, complete once its summary has come
"""

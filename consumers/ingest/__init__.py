"""`refrain ingest`: clicks from Kafka into listeners in Redis.

::

    ingester.py   batches of clicks, each click applied once
    apply.py      a batch applied: read listeners, update them, write them
    identities.py   ids that are part of another listener: joined, and taken out again
    aliases.py      the topic `artist-aliases`
    merges.py       the topic `merges`
      merger.py       a merge made, or undone, step by step
    late_songs.py   clicks that waited for their song, applied once it has come
    pace.py       how fast the sweep may go
    sweep.py      every listener migrated to a new model, in the background
"""

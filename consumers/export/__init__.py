"""`refrain export`: what Refrain knows, as Parquet for a warehouse. Each run adds the versions that are new.

::

    tables.py       the tables: columns, keys
    folder.py       where they are: a folder, an object store
    manifest.py     which files make up an export, written last
    versions.py     which version of each row was exported last
    met.py          which rows this run has met
    writer.py       writes rows that have changed since
    of_listeners.py listeners, traits, stages, activity, from Redis
    of_cohorts.py   cohorts and their history, from Redis
    of_releases.py  releases, who was told, what they did, from Redis
    moves.py        changes of cohort, from Kafka
    erasure.py      takes out who was erased
    compaction.py   joins small files
    delta.py        lets the tables be Delta tables, too
    run.py          one run
"""

"""What is in Redis, one file a noun. Where Redis fails, every store raises `redis.RedisError`.

::

    keys.py             every key, once: its type and content
    listeners.py        listeners: read, written in one step
      taste_codec.py      tastes as bytes
      activity_codec.py   what they did day by day, as bytes
    expired.py          listeners who are being erased as dormant
    erased.py           which listeners were erased, for copies elsewhere
      erased_lately.py    those who have just been, followed in memory
    merges.py           ids that are part of another listener
      merged_lately.py    those that have just become so, followed in memory
    traits.py           what listeners are about to do, and who is in which stage
      next_week_model.py  what is learned of the next week
    cohorts.py          member sets, sizes, labels
    cohort_history.py   what has become of cohorts
    catalogue.py        songs, artists, genres, labels
      artist_aliases.py   ids that stand for another artist, followed in memory
      names.py            names without case and accents
    waiting.py          clicks that wait for their song, and dead letters put back among them
    redriven.py         which other dead letters were put back
    releases.py         releases: claimed, planned, out
    release_listeners.py  who was told of a release and what they did, one by one
    release_traces.py   erases listeners from releases
    released_songs.py   songs whose plays count for a release
    feedback.py         what came of them, counted
    decisions.py        who was told and what was known of them, to learn who clicks
    ctr_models.py       CTR models
    churn.py            the model of churn, and listeners whose outcome it will learn
    song_models.py      song vectors
    history.py          how far Kafka was when history was loaded: clicks that files had, too
    event_ids.py        clicks that were counted last, by their event_id
    heard.py            songs that listeners heard lately
    recommended.py      songs recommended to listeners, for a time
    told.py             what each listener was told lately: caps, and how often they click
    opted_out.py        who has opted out, followed in memory
    segments.py         labelled segments: labels, what is learned, who is in them
    snapshots.py        models
      arrays_codec.py     models of any kind as bytes
    api_keys.py         keys of the HTTP API, and their roles
    lease.py            the right to be the only one, for a time
    sweeps.py           how far listeners are migrated to the model that serves
    heartbeats.py       what each process has done, while it lives
    memory.py           how much is used, and what listeners take of it
    undelivered.py      since when the endpoint of `refrain deliver` does not take a post
    durability.py       waiting until Redis's file, and its replicas, have what was written
    guards.py           what must not change under the data: half-life, topics recreated
    scan.py             listeners some hundred at a time: who has a key, who is in a set
    scripts.py          runs the Lua scripts of lua/
"""

"""What can be asked of a running service. Changes nothing; answers are frozen dataclasses.

Tables, `--json` and a web page take the same answers. A query takes Redis and the settings.

::

    now.py               what goes on at this moment
    processes.py         the processes that live
    cohorts.py           the cohorts, the largest first
    cohort.py            one cohort: what sets it apart, its history
      cohort_stages.py     in which stages its members are
      cohort_releases.py   which releases did well there
      known_cohort.py      the cohort that is asked for by its id
    listeners.py         all listeners, a page at a time
    listener.py          one listener: cohort, artists, clicks
      placement.py         why they are in that cohort, or in none
      listener_activity.py what they did lately
      listener_traits.py   what is predicted of them
      told_lately.py       what they were told
      known_listener.py    the record that both explanations start from
    opt_outs.py          who wants to hear of no release, or of none of an artist
    audience.py          the audience that a release would have
      audience_why.py      why a listener is in it, or is not
    release.py           what is known of a release that was published
    releases.py          the releases that somebody was told of
    unfinished.py        the releases of which more goes out
      release_report.py    what came of it
      ab_test.py           what came of an A/B test over many
      unknown_release.py   what to say where there is none
      release_request.py   a release as a person asks for it, made an event
      artists.py           artists as people type them, found by id or name
      artist_names.py      artists as they are being typed, completed from memory
    aliases.py           ids of artists that stand for another one
    recommend.py         songs for a listener
    lifecycle.py         stages of listeners, how they change, what is expected
      lifecycle_sums.py    what is added up for that over all listeners
    segments.py          labelled segments: how well predicted, who is in one, why
    models.py            snapshots: which are kept, what one holds
    training.py          what the trainer says of itself
    ctr_fields.py        a click-through rate, with its interval
    hash_fields.py       fields of Redis's hashes, read as numbers
    ctr_models.py        CTR models: which are kept, how well they predict
    churn.py             who does not come back: how well that is predicted
    memory.py            what listeners take of Redis's memory, and when it will be full
    refrain.py           all of it for scripts and notebooks: plain calls, data frames
    no_model.py          what to say before the first model
"""

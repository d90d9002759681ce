"""`refrain work`: releases into audiences; feedback and the catalogue into Redis.

::

    worker.py           the process
    release_reader.py   releases from Kafka
    planner.py          whom a release suits, the best first
    click_habits.py     who clicks, as far as that is learned
    draft.py            who was scored, and who comes before whom
    eligible.py         who of them meets the conditions of a release on traits
    ab_test.py          part of the listeners told by another policy, to compare
    wave_plan.py        what of them goes out in a wave
    wave_response.py    how the waves that are out were responded to
    gate.py             who of them is told: caps, control group, quiet hours
    persons.py          nobody is told under two ids
    best_match.py       of several releases at once, which one a listener hears of
    pages.py            pages of those who are
    tally.py            what they come to
    emitter.py          the pages, fixed in Redis and sent, each once
      answer.py           how far the answer to a release is, what of it goes out now
      audience_topic.py   the topic they go to, and what of them is there
    one_at_a_time.py    steps in the background while the next is prepared
    tracing.py          spans from a release to its last page
    member_cache.py     tastes of cohorts' members, kept for the next release
    agents.py           feedback and songs, brought by Faust
    credentials.py      how Faust connects
    faust_transport.py  Faust's clients wait for Kafka, and read committed records only
"""

"""What programs may ask, under ``/api/v1``: each route asks a query or an action, and answers what it does.

::

    answers.py      what routes have in common
    cohorts.py      cohorts: who is in them, in which stages, which releases did well there
    listeners.py    listeners: pages of them, one, what one was told, songs for one, forgetting one
    releases.py     releases: previewed, published, stopped, reported on
    artists.py      artists as they are typed
    models.py       models: which are kept, which one serves, what the trainer says
    traits.py       what listeners are about to do: lifecycle, churn, segments
    health.py       what the doctor says, which processes run
    live.py         what happens now, as it happens
"""

"""What listeners are about to do, kept current as they click (`refrain traits`).

::

    process.py         the wiring
    clicked.py         who has just clicked, to be scored within seconds
    rounds.py          everybody in turn, as stages also change without clicks
    scorer.py          some listeners: read, scored, written, and their stage's change announced
      stages.py          which stage they are in
      next_week.py       what is expected of their next week, learned on the way
    expiry.py          who has been dormant for long: erased
    churn.py           who will not come back: freezes a sample each day, learns when its outcome is known
    looks.py           whether history is on its way: nothing is learned from half of it
    segments.py        labelled segments: labels taken, models learned, listeners predicted
      shares.py          the shares of listeners' activity that they go by
      labels.py          reads the topic `labels`
"""

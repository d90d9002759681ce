"""What listeners are about to do, predicted from what they did.

::

    activity.py         what they did day by day, and the features made of it
    today.py            their days as of today, whichever day it is on their clocks
    lifecycle.py        the stage that they are in: new, regular, ..., gone
      transitions.py      from stage to stage, and how many will be where
      weeks.py            when the last weeks began
      retention.py        who comes back, by the week they came in
      groups.py           by the shape of their weekly counts
    next_week.py        how likely they do nothing next week, and how much is expected
      online_glm.py       the regression that it learns
    where.py            which listeners a release may go to, by their traits
    churn.py            who will not come back, learned in one pass
      churn_span.py       its features and its outcome, from days that do not overlap
      windows.py          differences between windows of different length
      random_features.py  with which a linear model learns thresholds and interactions
    segments.py         whether they belong to a labelled segment
      segment_rows.py     what that is predicted from
      segment_reasons.py  which artists, cohorts and genres speak for it
      logistic.py         logistic regression on sparse rows
"""

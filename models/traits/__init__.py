"""What listeners are about to do, predicted from what they did.

::

    activity.py       what they did day by day, and the features made of it
    segments.py       whether they belong to a labelled segment
      segment_rows.py     what that is predicted from
      segment_reasons.py  what speaks for it
      logistic.py         logistic regression on sparse rows
"""

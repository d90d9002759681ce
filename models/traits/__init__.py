"""What listeners are about to do, predicted from what they did.

::

    activity.py         what they did day by day, and the features made of it
    churn.py            who will not come back, learned in one pass
      churn_span.py       what may be known for it, and what it is to predict
      windows.py          what lies between windows of different length
      random_features.py  columns made ready for a linear model
"""

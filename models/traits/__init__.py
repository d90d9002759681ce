"""What listeners are about to do, predicted from what they did.

::

    activity.py   what they did day by day, and the features made of it
"""

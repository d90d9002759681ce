"""Clicks into traits: what listeners are about to do, predicted from what they did.

::

    churn.py     who will not come back: freezes a sample each day, learns when its outcome is known
"""

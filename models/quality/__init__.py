"""How good models are.

::

    evaluation.py   lift, precision, recall, AUC on pairs that were held out
    paired.py       how far one ranking is ahead of another, over the same artists
    baselines.py    what audiences are compared with
    anytime.py      intervals that hold however often one looks
    live.py         the model that serves, watched
    validation.py   what it foresaw
    change.py       how far a model is from another
    drift.py        whether people have begun to listen to other things
"""

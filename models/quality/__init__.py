"""How good models are.

::

    evaluation.py   lift, precision, recall, AUC on pairs that were held out
    baselines.py    what audiences are compared with
    validation.py   what a model foresaw while it served
    change.py       how far a model is from another
    drift.py        whether people have begun to listen to other things
"""

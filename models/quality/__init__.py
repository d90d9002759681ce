"""How good models are.

::

    evaluation.py   lift, precision, recall, AUC on pairs that were held out
    paired.py       how far one ranking is ahead of another, over the same artists
    baselines.py    what audiences are compared with
    anytime.py      intervals that hold however often one looks
    delong.py       the area under the ROC curve, with an interval
    newcombe.py     the difference of two shares, looked at once
    off_policy.py   what a policy would have earned, out of the log of another one
    weighted_rate.py  intervals where few rows carry most of the weight
    reward_model.py what a decision earns, predicted by rows of others
    binary.py       how well probabilities predicted whether it happened
    prequential.py  the same, running: judged as outcomes become known
    qini.py         how well a ranking finds those whom a treatment moves
    live.py         the model that serves, watched
    validation.py   what it predicted
    change.py       how far a model is from another
    drift.py        whether people have begun to listen to other things
"""

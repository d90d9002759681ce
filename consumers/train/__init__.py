"""The trainer: learns cohorts from who is active, and publishes models.

trainer.py    the loop: read who is active, learn from them, publish what is worth it; and its wiring
active.py     which listeners to learn from: those who click, and the recent ones again
judge.py      what the live model predicted, whether a candidate is better or worse, whether listening drifts
schedule.py   when a candidate is made, and whether it is worth publishing; no I/O, no clock
publish.py    a model gets names, is written, and serves
    click_trainer.py  who clicks on notifications
"""

"""What listeners are about to do, kept current as they click.

::

    segments.py  labelled segments: labels taken, models learned, listeners predicted
    labels.py    reads the topic `labels`
"""

"""Listening history in files, as events.

::

    options.py         what a person says about files: the options of the commands that read them
    standard_input.py  standard input as a file
    unpack.py          what a file is by its first bytes: packed, an archive, or without rows
    tables.py          files of rows: CSV, TSV, JSON lines, packed or not
    columns.py         what a column gives: ids, lists, how often
    times.py           times as files have them
    songs.py           a file of songs beside a file of clicks
    recipe.py          how a row becomes an event
    profiles.py        listeners whose history is already summed up
    impressions.py     notifications of the past
    observations.py    what was measured in an experiment or logged of a policy, as columns
    gathered.py        several rows of one song or release, as one event
    reading.py         all files in a row: events, and what happened to the others
    spool.py           events set aside, to be counted or shuffled
    bookmark.py        how far a replay has come
"""

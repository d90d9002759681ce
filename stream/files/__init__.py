"""Listening history in files, as events.

::

    options.py         what a person says about files: the options of the commands that read them
    sources.py         which files are meant: names, patterns, folders, object stores, standard input
    unpack.py          what a file is by its first bytes: packed, an archive, or without rows
    text.py            which encoding the bytes of a file are
    lines.py           lines of a text, as far as memory should hold them
    rows.py            a row, one that cannot be used, and a column of one
    csv_rows.py        the rows of CSV and TSV
    json_values.py     the values of a JSON text one by one
    json_path.py       what stands further down in a value of JSON
    json_rows.py       the rows of JSON
    parquet_rows.py    the rows of a Parquet file
    tables.py          a file as a table: opened, its format found, its rows
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

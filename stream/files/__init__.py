"""Listening history in files, as events.

::

    options.py         what a person says about files: the options of the commands that read them
    presets.py         exports that people have, as options; presets.toml has them
    recognise.py       which export a file is, by its first rows
    sources.py         which files are meant: names, patterns, folders, object stores, standard input
    unpack.py          what a file is by its first bytes: packed, an archive, or without rows
    text.py            which encoding the bytes of a file are
    lines.py           lines of a text, as far as memory should hold them
    rows.py            a row, many as columns, one that cannot be used
    csv_rows.py        the rows of CSV and TSV
    json_values.py     the values of a JSON text one by one
    json_path.py       what stands further down in a value of JSON
    json_rows.py       the rows of JSON
    parquet_rows.py    the rows of a Parquet file
    tables.py          a file as a table: opened, its format found, its rows
    columns.py         what a column gives: ids, lists, how often
    times.py           times as files have them
    name_time.py       the time in a file's name
    songs.py           files of songs beside files of clicks
    credits.py         the artists in "A & B feat. C"
    band_names.py      names that look like those of several artists
    kinds.py           what each kind of event is
    fields.py          where each field of an event comes from
    plain.py           columns of which most values are as they should be, read at once
    plain_clicks.py    clicks made of whole columns
    row_events.py      one row as an event, or why it is none
    recipe.py          how rows become events, by the options
    profiles.py        listeners whose history is already summed up
    impressions.py     notifications of the past
    observations.py    what was measured in an experiment or logged of a policy, as columns
    gathered.py        several rows of one song or release, as one event
    distinct.py        clicks that stand in files more than once
    reading.py         all files in a row: events, and what happened to the others
    tally.py           what became of the rows, counted, with examples
    hints.py           what to try where a row cannot be used
    shown.py           a row and its event, field by field
    bad_rows.py        the rows that cannot be used, beside their file
    spool.py           events set aside, to be counted or shuffled
    bookmark.py        how far a replay has come
    no_room.py         what is said where a temporary file cannot be written
"""

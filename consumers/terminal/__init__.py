"""How answers look: tables, progress bars and sentences for people, JSON for programs.

::

    format.py              times, durations, shares, counts
    visible.py             text from outside, so that it drives no terminal
    console.py             where all of it is printed, each text as it came
    tables.py              the two shapes of a table: facts, and columns under a header
    json_output.py         JSON of a dataclass
    csv_output.py          CSV of dataclasses
    bar.py                 a progress bar
    cohort_tables.py       cohorts
    listener_tables.py     listeners
      placement_words.py     why a listener is in a cohort
      activity_words.py      what they did lately
      trait_words.py         what is predicted of them
    audience_tables.py     the preview of an audience, and why a listener is in it
    alias_table.py         ids of artists that stand for another one
    song_tables.py         songs for a listener
    release_lines.py       a release that is published, its audience as it comes
    release_report.py      what came of a release
    lifecycle_tables.py    stages of listeners, how they change, what is expected
    model_tables.py        snapshots
      sweep_bar.py           listeners being migrated to one
    ctr_model_tables.py    CTR models
    churn_model_tables.py  the model of who does not come back
    churn_tables.py        how well that is predicted on history
    doctor_table.py        what the doctor found
    evaluation_tables.py   an evaluation          (evaluation_bar.py: its progress)
    policy_tables.py       a policy that was judged by a log
    segment_tables.py      labelled segments, and how well they are predicted
    uplift_tables.py       whom an experiment moved
    report_tables.py       where releases of the past should have gone, and who clicked there
    preset_lines.py        exports that are read by a name
    replay_bar.py          the progress of a replay
    replay_summary.py      what came of a replay, and what would
    history_summary.py     what came of a load of history
    redrive_lines.py       the progress and the summary of a redrive
"""

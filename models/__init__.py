"""The core: what a listener likes, who is alike, who should hear of a release.

No I/O, no clock, no settings: time is an argument.

::

    listener.py         what a listener is: Click, Listener, Move, Rules
    residents.py        listeners in memory, in columns
      names.py            names by number
      rooms.py            room in a pool
      active_days.py      what they did day by day
    update.py           what clicks make of listeners
      click_columns.py    clicks in columns
      affinity.py         weights that fade without being rewritten
      taste.py            the sum of what their artists are like
      short_term.py       what they played last
    merge.py            two ids of one listener made one, and taken apart
      merge_activity.py   what they did day by day
    aliases.py          several ids of one artist, as one
    cohort_learner.py   rows of listeners in, models out
      vectors.py          artist vectors
      long_tail.py        artist vectors where those leave listeners out
      kmeans.py           River's k-means on a matrix
      cohorts.py          who moves, what sets a cohort apart, its label
      cohort_map.py       tastes in two dimensions, the same from model to model
      directions.py       where an artist's listeners are
      neighbours.py       whom its listeners play besides
      cohort_count.py     how many cohorts
      sample.py           a bounded sample of listeners
    model.py            what is learned, as it is published
    songs.py            song vectors, as they are published; which songs a listener would play
      song_learner.py     plays in, song models out
      song_vectors.py     the regression that they come from
      recommend.py        songs for a listener, and why
    audience.py         who should hear of a release
      song_target.py      a song's own listeners have a say in that
      play_rate.py        how likely listeners are to play it
    ctr.py              who clicks on a notification
      ctr_learner.py      learned from what notified listeners did
      ctr_judge.py        whether it predicts worse than what serves
      click_rate.py       clicked over sent, and how sure that is
      audience_size.py    how many are worth notifying
      waves.py            whom a release goes to next
    control.py          who is told nothing, for comparison
    quiet_hours.py      when listeners are not to be disturbed
    uplift.py           whom a treatment moves, learned from an experiment
    laplace.py          Bayesian logistic regression, a batch at a time
    encoding.py         columns of any kind as numbers
    heaviest.py         the heaviest entries of sparse rows
    explain.py          why a listener is in a cohort, or a release suits them
    traits/             what listeners are about to do
    quality/            how good all of it is
"""

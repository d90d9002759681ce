"""`refrain demo`: a world of listeners and music around Refrain, and a view of what comes of it.

::

    run.py        the whole of it: servers, processes, world, view
    ground.py     its own data folder and settings; no demo among real data
    world.py      a clock that clicks drive
      music.py      scenes, artists, songs, releases      (names.py: what they are called)
      people.py     tastes, drift, bots, and what people do when told of a release
    feed.py       the app, the catalogue and the label desk: what goes into Kafka
    sample.py     a sample of this world's listening history, for `refrain sample`
    notifier.py   what comes out of it: tells audiences, reports what they did
    ledger.py     what came of each release: by policy, and of as many listeners drawn at random
    watch.py      what an onlooker sees of Refrain
    view.py       the page;  screen.py: on a terminal, in plain lines, as JSON
"""

"""What all processes share.

::

    startup.py       before the first event: Redis and Kafka that answer, the right half-life, a heartbeat
    wiring.py        what is made of the settings: stores, rules, decay
    exporter.py      a process's metrics, as Prometheus asks for them
    reader_lag.py    how far a reader is behind the end of its topic
    process.py       a process's signals and tasks
    lead.py          of several processes of a kind one leads
    log.py           a process's log, as text or JSON: one line an event
    topic_reader.py  a topic of few events, read in a group: taken, dead letters out, committed
    moves.py         what follows a move: member sets, sizes, `cohort-changes`
    live_model.py    the model that serves, followed within a second
      newest_click.py  as of when it serves: how far stored weights have grown
    live_songs.py    the song model that serves, likewise
    supervisor.py    processes as children of one: started, restarted, ended in order
    forked.py        a process that is a copy of a Python which has imported all it needs (original.py)
    listening.py     the socket that `refrain serve` listens on
    reach.py         who can reach an address; where others can, there has to be a key
    web_address.py   where a browser finds the page
    cycles.py        how often Python looks for objects that hold each other
    memory.py        memory that was needed for a moment, given back to the system
    priority.py      a process that lets others go first
    rests.py         how long to rest after a piece of work, so that all of it takes a share of a core
    session.py       a moment with Redis, for somebody who waits
"""

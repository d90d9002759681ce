"""What all processes share.

::

    startup.py       before the first event: Redis and Kafka that answer, the right half-life, a heartbeat
    process.py       a process's log, signals and tasks      (json_log.py: the log as JSON)
    log.py           one line an event
    live_model.py    the model that serves, followed within a second
    supervisor.py    processes as children of one: started, restarted, ended in order
    session.py       a moment with Redis, for somebody who waits
"""

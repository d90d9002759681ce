"""Empty topics on the broker of the tests, and what Kafka says of them."""

from __future__ import annotations

from collections.abc import Collection

from stream.settings import Settings
from stream.wire.topic_watch import TopicShape, topic_shapes
from stream.wire.topics import create_missing, open_admin
from tests.waiting import wait_for

__all__ = ["make_topics_anew", "shapes_of"]


def make_topics_anew(settings: Settings) -> None:
    """Delete all topics, and create those of the contract."""
    with open_admin(settings) as admin:
        if old := [name for name in admin.list_topics() if not name.startswith("__")]:
            admin.delete_topics(old)
            # The broker that is asked may hear of it a moment after the controller has done it.
            wait_for(lambda: not {*old}.intersection(admin.list_topics()), "the end of the old topics")
        create_missing(admin, settings)


def shapes_of(settings: Settings, topics: Collection[str]) -> dict[str, TopicShape]:
    with open_admin(settings) as admin:
        return topic_shapes(admin, topics)

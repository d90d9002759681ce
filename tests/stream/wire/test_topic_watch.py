"""The watch on topics asks by one connection, and by a new one once that has failed, which is counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError

from stream.broker.ports import LOCALHOST, free_port
from stream.settings import Settings
from stream.wire import topic_watch
from stream.wire.topic_watch import TopicWatch
from stream.wire.topics import open_admin
from tests.failing_looks import goes_on_where_looks_fail
from tests.fresh_topics import shapes_of


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[KafkaAdminClient]:
    """The connections that are opened from now on, to the real broker."""
    opened = []

    @contextmanager
    def noted(settings: Settings, patience: float) -> Iterator[KafkaAdminClient]:
        with open_admin(settings, patience) as admin:
            opened.append(admin)
            yield admin

    monkeypatch.setattr(topic_watch, "open_admin", noted)
    return opened


def test_every_look_asks_by_the_same_connection_until_it_is_closed(
    topics: Settings, opened: list[KafkaAdminClient]
) -> None:
    with closing(TopicWatch(topics, shapes_of(topics, ["clicks"]))) as watch:
        for _ in range(3):
            watch.look()
        (admin,) = opened
        assert not admin._closed
    assert admin._closed
    assert watch.changed == ""


def test_a_connection_that_failed_is_closed_and_the_next_look_opens_another(
    topics: Settings, opened: list[KafkaAdminClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise KafkaTimeoutError

    with closing(TopicWatch(topics, shapes_of(topics, ["clicks"]))) as watch:
        watch.look()
        monkeypatch.setattr(opened[0], "describe_topics", fails)
        with pytest.raises(KafkaTimeoutError):
            watch.look()
        watch.look()
        assert [admin._closed for admin in opened] == [True, False]


async def test_looks_that_fail_as_kafka_is_away_are_counted_as_steps_that_are_retried(
    topics: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_watch, "LOOK_SECONDS", 0.0)
    away = topics.model_copy(update={"kafka": f"{LOCALHOST}:{free_port()}"})
    with closing(TopicWatch(away, shapes_of(topics, ["clicks"]))) as watch:
        await goes_on_where_looks_fail(watch)

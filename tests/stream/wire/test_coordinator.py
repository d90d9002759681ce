"""Offsets are committed with the id of their topic: those of a topic that is gone are used for no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from kafka import KafkaAdminClient

from stream.settings import Settings
from stream.wire.consumer import Consumer
from stream.wire.topic_watch import TopicShape, TopicWatch
from tests.fresh_topics import shapes_of

PLACE = TopicPartition("clicks", 0)


class Unaware(TopicWatch):
    """What a process knows that has not noticed yet that its topic was recreated."""

    def look(self) -> None:
        """See nothing."""


async def commit(settings: Settings, group: str, watch: TopicWatch, offset: int) -> None:
    consumer = Consumer(settings, watch=watch, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([PLACE])
    await consumer.commit({PLACE: offset})
    await consumer.stop()


async def committed(settings: Settings, group: str, watch: TopicWatch) -> int | None:
    consumer = Consumer(settings, watch=watch, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([PLACE])
    found: int | None = await consumer.committed(PLACE)
    await consumer.stop()
    return found


@pytest.fixture
def shapes(topics: Settings) -> dict[str, TopicShape]:
    return shapes_of(topics, ["clicks"])


@pytest.fixture
def watch(topics: Settings, shapes: dict[str, TopicShape]) -> Iterator[TopicWatch]:
    with closing(TopicWatch(topics, shapes)) as watch:
        yield watch


def test_an_offset_of_the_same_topic_is_used(topics: Settings, watch: TopicWatch) -> None:
    group = f"g-{uuid4().hex}"
    asyncio.run(commit(topics, group, watch, 7))
    assert asyncio.run(committed(topics, group, watch)) == 7
    admin = KafkaAdminClient(bootstrap_servers=topics.kafka)
    (at,) = admin.list_group_offsets({group: None})[group].values()
    admin.close()
    assert (at.offset, at.metadata) == (7, watch.shapes["clicks"].topic_id)


def test_an_offset_that_was_committed_late_for_a_topic_that_is_gone_is_not_and_it_is_said(
    topics: Settings, watch: TopicWatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    group = f"g-{uuid4().hex}"
    asyncio.run(commit(topics, group, Unaware(topics, {"clicks": TopicShape("the old one", 4)}), 7))
    assert asyncio.run(committed(topics, group, watch)) is None
    assert f"{group} has committed offset 7 of an earlier topic clicks, partition 0" in caplog.text


class WithoutToken(TopicWatch):
    """Finds an identity provider away once, and back then."""

    looks = 0

    def look(self) -> None:
        self.looks += 1
        if self.looks == 1:
            raise OSError("the identity provider gives no token")
        super().look()


def test_an_identity_provider_that_is_away_for_a_moment_only_delays_what_was_committed(
    topics: Settings, watch: TopicWatch, shapes: dict[str, TopicShape]
) -> None:
    group = f"g-{uuid4().hex}"
    asyncio.run(commit(topics, group, watch, 7))
    with closing(WithoutToken(topics, shapes)) as without:
        assert asyncio.run(asyncio.wait_for(committed(topics, group, without), 60)) == 7
        assert without.looks > 1


def test_an_offset_that_was_committed_without_an_id_is_used(topics: Settings, watch: TopicWatch) -> None:
    group = f"g-{uuid4().hex}"
    asyncio.run(commit(topics, group, Unaware(topics, {"clicks": TopicShape("", 4)}), 7))
    assert asyncio.run(committed(topics, group, watch)) == 7

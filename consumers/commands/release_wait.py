"""Publishes a release, and reads its audience as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from pydantic import TypeAdapter

from stream.errors import NoAudience, Unreachable
from stream.settings import Settings
from stream.wire.events import Page, Release, Summary, encode
from stream.wire.topics import create_topics

__all__ = ["Tell", "publish"]

Tell: TypeAlias = Callable[[Page | Summary, float], object]
"""Is told a page or the summary, and the seconds since the release was published."""

Ends: TypeAlias = dict[TopicPartition, int]

_AUDIENCE: TypeAdapter[Page | Summary] = TypeAdapter(Page | Summary)


def publish(
    settings: Settings,
    release: Release,
    *,
    wait_for: float | None,
    out: bool,
    published: Callable[[], object],
    tell: Tell,
) -> None:
    """Publish a release.

    Parameters
    ----------
    wait_for
        Seconds to wait for the audience; None: do not wait.
    out
        Whether its audience may be out already: the release has been published before.
    published
        Is called when Kafka has the release.
    tell
        Is told of each page as it comes, and of the summary.

    Raises
    ------
    NoAudience
        Where the summary does not come in time.
    Unreachable
        Where Kafka does not answer.
    """
    create_topics(settings)
    try:
        consumer, before = (None, {}) if wait_for is None else _listening(settings, from_start=out)
        producer = KafkaProducer(bootstrap_servers=settings.kafka.split(","), acks="all")
        try:
            key, published_at = release.release_id.encode(), time.monotonic()
            producer.send("releases", key=key, value=encode(release)).get(timeout=settings.connect_timeout)
            published()
            if consumer is not None and wait_for is not None:
                _read(consumer, before, release.release_id, published_at, wait_for, tell)
        finally:
            producer.close()
    except KafkaError as error:
        raise Unreachable(
            f"Kafka at {settings.kafka} failed: {error}. `refrain doctor` looks why."
        ) from error


def _listening(settings: Settings, *, from_start: bool) -> tuple[KafkaConsumer, Ends]:
    """Return a consumer, and where the topic ended when it began."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka.split(","), enable_auto_commit=False)
    places = [TopicPartition("audiences", number) for number in consumer.partitions_for_topic("audiences")]
    consumer.assign(places)
    # A position is looked up when it is first needed; the audience may be out by then.
    ends = consumer.end_offsets(places)
    for place in places:
        if from_start:
            consumer.seek_to_beginning(place)
        else:
            consumer.seek(place, ends[place])
    return consumer, ends


def _read(
    consumer: KafkaConsumer, before: Ends, release_id: str, began: float, wait_for: float, tell: Tell
) -> None:
    known = set()
    try:
        while (waited := time.monotonic() - began) < wait_for:
            for place, messages in consumer.poll(
                timeout_ms=int(min(wait_for - waited, 0.5) * 1000) + 1
            ).items():
                for message in messages:
                    part = _AUDIENCE.validate_json(message.value)
                    if part.release_id != release_id:
                        continue
                    if isinstance(part, Summary) and not part.users and message.offset < before[place]:
                        continue  # of an earlier time, when it reached nobody
                    number = part.page if isinstance(part, Page) else None
                    if number not in known:
                        known.add(number)
                        tell(part, time.monotonic() - began)
                    if isinstance(part, Summary):
                        return
    finally:
        consumer.close()
    raise NoAudience(
        f"the audience of {release_id} has not come within {wait_for:g} s: `refrain doctor` says whether a "
        "worker runs. The release is published; its audience will be in the topic audiences"
    )

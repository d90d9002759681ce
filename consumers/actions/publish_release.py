"""Publishes a release, and reads its audience as it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError as ReadError
from kafka.errors import KafkaError
from pydantic import TypeAdapter, ValidationError

from stream.errors import NoAudience, Unreachable
from stream.settings import Settings
from stream.wire.consumer import Consumer
from stream.wire.events import Page, Release, Summary, encode
from stream.wire.sender import Message, open_sender
from stream.wire.topics import create_missing, create_topics, describe_topics, open_admin

__all__ = ["AudienceReader", "publish_release", "send_release"]

POLL_SECONDS = 0.5

_AUDIENCE: TypeAdapter[Page | Summary] = TypeAdapter(Page | Summary)


def publish_release(settings: Settings, release: Release) -> float:
    """Publish a release, and wait until Kafka has it.

    Returns
    -------
    When it was sent, as `time.monotonic` counts.

    Raises
    ------
    Unreachable
        Where Kafka does not answer.
    """
    create_topics(settings)
    return asyncio.run(send_release(settings, release))


async def send_release(settings: Settings, release: Release) -> float:
    """Send a release into its topic, which is there already, and wait until Kafka has it.

    Returns, Raises
    ---------------
    As `publish_release`.
    """
    async with open_sender(settings) as sender:
        sent_at = time.monotonic()
        await sender.deliver([Message("releases", release.release_id.encode(), encode(release))])
        return sent_at


class AudienceReader:
    """Reads the audience of a release from the topic `audiences`.

    Opened before the release is published, so that no page can be out before it listens.

    Parameters
    ----------
    published_before
        Whether the release has been published before: its audience may be in the topic already.

    Raises
    ------
    Unreachable
        Where Kafka does not answer.
    """

    def __init__(self, settings: Settings, *, published_before: bool) -> None:
        self._settings = settings
        with open_admin(settings) as admin:
            create_missing(admin, settings)
            topic = describe_topics(admin, settings)["audiences"]
        self._places = [
            TopicPartition("audiences", number) for number in range(topic.partitions if topic else 0)
        ]
        with _kafka_errors(settings), ExitStack() as stack:
            self._runner = stack.enter_context(asyncio.Runner())
            self._consumer = self._runner.run(self._open())
            stack.callback(lambda: self._runner.run(self._consumer.stop()))
            # A position is looked up when it is first needed; the audience may be out by then.
            self._ends: dict[TopicPartition, int] = self._runner.run(self._consumer.end_offsets(self._places))
            for place in self._places:
                self._consumer.seek(place, 0 if published_before else self._ends[place])
            self._opened = stack.pop_all()

    async def _open(self) -> Consumer:
        consumer = Consumer(self._settings, enable_auto_commit=False, auto_offset_reset="earliest")
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        consumer.assign(self._places)
        return consumer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def parts(self, release_id: str, wait_for: float, waits: Callable[[], bool]) -> Iterator[Page | Summary]:
        """Go through the pages of a release as they come, each once, and at last the summary.

        Parameters
        ----------
        wait_for
            Seconds, from now on, within which all that goes out now has to come.
        waits
            Says whether the release waits for its next wave, or for quiet hours to end: then this ends.

        Raises
        ------
        NoAudience
            Where it does not.
        Unreachable
            Where Kafka fails.
        """
        give_up, known = time.monotonic() + wait_for, set()
        with _kafka_errors(self._settings):
            for part in self._until(give_up, release_id):
                if part is None:
                    if waits():
                        return
                    continue
                number = part.page if isinstance(part, Page) else None
                if number not in known:
                    known.add(number)
                    yield part
                if isinstance(part, Summary):
                    return
        raise NoAudience(
            f"the audience of {release_id} has not come within {wait_for:g} s; the release is published, its "
            "audience will be in the topic audiences",
            hint="`refrain doctor` says whether a worker runs.",
        )

    def _until(self, give_up: float, release_id: str) -> Iterator[Page | Summary | None]:
        """Go through what comes of a release; None: nothing has come for a moment."""
        while (left := give_up - time.monotonic()) > 0:
            timeout_ms = int(min(left, POLL_SECONDS) * 1000) + 1
            batches = self._runner.run(self._consumer.getmany(timeout_ms=timeout_ms))
            for place, messages in batches.items():
                for message in messages:
                    try:
                        part = _AUDIENCE.validate_json(message.value)
                    except ValidationError:
                        continue  # it is not Refrain's
                    # An earlier summary that told nobody does not answer a release that is tried again.
                    old = message.offset < self._ends[place]
                    nobody = isinstance(part, Summary) and not part.users
                    if part.release_id == release_id and not (old and nobody):
                        yield part
            if not batches:
                yield None


@contextmanager
def _kafka_errors(settings: Settings) -> Iterator[None]:
    try:
        yield
    except (KafkaError, ReadError) as error:
        raise Unreachable(
            f"Kafka at {settings.kafka} failed: {error}", hint="`refrain doctor` looks why."
        ) from error

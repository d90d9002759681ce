"""The one producer that everything here sends with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.errors import Unreachable
from stream.settings import Settings
from stream.wire.connection import connection
from stream.wire.dead_letter import MAX_DEAD_LETTER, DeadLetter
from stream.wire.record import Headers

__all__ = ["BATCH_BYTES", "Message", "Sender", "dead_letter", "delivered", "open_sender"]

STOP_SECONDS = 5.0
BATCH_BYTES = 16_384

T = TypeVar("T")


class Message(NamedTuple):
    """What is sent: where to, the key that chooses the partition, the event's bytes."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def dead_letter(letter: DeadLetter) -> Message:
    """Return the message that an event which cannot be used goes to ``dead-letters`` as."""
    return Message("dead-letters", letter.key, letter.value, letter.headers)


async def delivered(sending: Iterable[Awaitable[Awaitable[T]]]) -> list[T]:
    """Send events one after the other, and wait until each is in Kafka or has failed.

    Where the leader of a partition is away, the client gives up the first batch for it, and keeps those
    behind. Whoever sends again what they do not find in Kafka must not do so while these are on their way.

    Parameters
    ----------
    sending
        Of each event the client's `send`, begun in its turn; none is after one that has failed.

    Returns
    -------
    What Kafka says of each.

    Raises
    ------
    KafkaError
        The first, once nothing is on its way any more.
    """
    under_way: list[Awaitable[T]] = []
    failed: Exception | None = None
    try:
        for send in sending:
            under_way.append(await send)
    except Exception as error:  # noqa: BLE001 - it is raised once those before it have ended
        failed = error
    ended = await asyncio.gather(*under_way, return_exceptions=True)
    for outcome in [*ended, failed]:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in ended if not isinstance(outcome, BaseException)]


class Sender(AIOKafkaProducer):  # type: ignore[misc]
    """Sends events to Kafka; what is acknowledged is there once, in order, and outlives a broker.

    Each is acknowledged by all replicas in sync, and an event that the client sends again after a lost answer
    is in Kafka once (idempotent producer). Events of one key keep the order in which they were sent.

    Parameters
    ----------
    settings
        Where Kafka is, and how to connect to it.
    linger_ms
        Milliseconds that an event waits for others to go with it.
    batch_bytes
        Events of one partition that go together, at most.
    patience
        Seconds without an answer after which a request fails.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        linger_ms: int = 0,
        batch_bytes: int = BATCH_BYTES,
        patience: float = 40.0,
    ) -> None:
        super().__init__(
            **connection(settings),
            acks="all",
            enable_idempotence=True,
            max_request_size=MAX_DEAD_LETTER,
            linger_ms=linger_ms,
            max_batch_size=batch_bytes,
            request_timeout_ms=int(patience * 1000),
        )

    async def deliver(self, messages: Iterable[Message]) -> list[tuple[int, int]]:
        """Send messages, and wait until Kafka has them all.

        Where the client's buffer is full it waits for room; memory holds as much as is under way.

        Returns
        -------
        The partition and the offset of each.

        Raises
        ------
        KafkaError
            Where one of them cannot be delivered; others may be in Kafka all the same. None is on its way.
        """
        sent = await delivered(
            self.send(
                message.topic, key=message.key, value=message.value, headers=list(message.headers) or None
            )
            for message in messages
        )
        return [(each.partition, each.offset) for each in sent]

    async def stop(self) -> None:
        """Send what is under way, and end; a broker that is gone does not hold that up for ever."""
        await asyncio.wait({asyncio.ensure_future(super().stop())}, timeout=STOP_SECONDS)


@asynccontextmanager
async def open_sender(settings: Settings) -> AsyncIterator[Sender]:
    """Open a sender for a command, which gives up where Kafka stays away.

    Raises
    ------
    Unreachable
        Where Kafka does not answer within `connect_timeout` seconds, now or on the way.
    """
    patience = settings.connect_timeout
    sender = Sender(settings, patience=patience)
    try:
        await sender.start()
        yield sender
    except (KafkaError, TimeoutError) as error:
        raise Unreachable(
            f"Kafka at {settings.kafka} has not answered for {patience:g} s ({error!r}). `refrain doctor` "
            "looks why."
        ) from error
    finally:
        await sender.stop()

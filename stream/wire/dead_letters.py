"""Sends dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from stream.wire.events import DeadLetter

__all__ = ["send_dead_letters"]


async def send_dead_letters(producer: AIOKafkaProducer, letters: Sequence[DeadLetter]) -> None:
    """Send dead letters, and wait until Kafka has them all."""
    sent = [
        await producer.send("dead-letters", key=letter.record.key, value=letter.value, headers=letter.headers)
        for letter in letters
    ]
    await asyncio.gather(*sent)

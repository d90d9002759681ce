"""A producer that remembers what it is to send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from stream.wire.sender import Message

__all__ = ["Producer"]


@dataclass
class Producer:
    """Stands for a `Sender`, where a test says what happens just as something is sent."""

    sent: list[tuple[str, Any]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] | None = None

    async def send(self, topic: str, **message: Any) -> asyncio.Future[None]:
        if self.before is not None:
            happening, self.before = self.before, None
            await happening()
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append((topic, message["value"]))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def deliver(self, messages: Iterable[Message]) -> None:
        for message in messages:
            await (await self.send(message.topic, value=message.value))

    def said(self) -> list[dict[str, Any]]:
        """The changes of cohort that were sent."""
        return [json.loads(value) for topic, value in self.sent if topic == "cohort-changes"]

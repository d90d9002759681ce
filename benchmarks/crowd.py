"""A made-up crowd for measuring speed: listeners with a scene each, artists heard by Zipf's law within it."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator

from stream.settings import Settings
from stream.wire.sender import Sender

__all__ = ["Crowd", "send"]

SCENES = 50


class Crowd:
    """Clicks of `listeners` who listen to `artists`, nine in ten of their own scene."""

    def __init__(self, listeners: int, artists: int, seed: int = 0) -> None:
        self._listeners = listeners
        self._per_scene = artists // SCENES
        self._random = random.Random(seed)  # noqa: S311 - a made-up crowd, not a secret

    def click(self, listener: int, now: float) -> tuple[bytes, bytes]:
        """Return key and value of one click."""
        draw = self._random
        scene = listener % SCENES if draw.random() < 0.9 else draw.randrange(SCENES)
        artist = f"a{scene}-{int(self._per_scene ** draw.random())}"
        user = f"u{listener}"
        event = {"user_id": user, "song_id": f"s-{artist}", "artist_ids": [artist], "ts": now}
        return user.encode(), json.dumps(event).encode()

    def everyone(self, times: int) -> Iterator[tuple[bytes, bytes]]:
        """Let each listener click `times` times, in any order."""
        order = list(range(self._listeners))
        for _ in range(times):
            self._random.shuffle(order)
            for listener in order:
                yield self.click(listener, time.time())

    def some(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        """Let `number` clicks come from anybody."""
        for _ in range(number):
            yield self.click(self._random.randrange(self._listeners), time.time())


def send(settings: Settings, clicks: Iterator[tuple[bytes, bytes]], rate: float | None = None) -> int:
    """Send clicks to Kafka, at most `rate` a second; return how many."""

    async def sending() -> int:
        sender = Sender(settings, linger_ms=5, batch_bytes=1 << 18)
        await sender.start()
        started, number = time.monotonic(), 0
        for number, (key, value) in enumerate(clicks, 1):
            await sender.send("clicks", key=key, value=value)
            if rate and number % 50 == 0:
                await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
        await sender.flush()
        await sender.stop()
        return number

    return asyncio.run(sending())

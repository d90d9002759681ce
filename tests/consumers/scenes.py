"""Listeners who each keep to one scene of artists: what a trainer is to find out."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stream.connect import open_redis
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.wire.events import Song
from tests.consumers.kafka_log import KafkaLog

__all__ = [
    "LISTENERS",
    "QUICK",
    "SCENES",
    "artist",
    "clicking",
    "clicks",
    "learning",
    "put_names",
    "scene_of",
]

SCENES = ("Élan", "Bhangra", "Doom", "Fado")
PER_SCENE = 10
LISTENERS = tuple(f"listener Ünï {number:03}" for number in range(120))

QUICK = {
    "cohorts": 4,
    "dims": 8,
    "first_model_listeners": 100,
    "publish_every": 0.05,
    "publish_at_latest": 0.05,
}


def learning(settings: Settings, **more: Any) -> Settings:
    """Settings for a trainer of these scenes that publishes as often as it can."""
    return settings.model_copy(update=QUICK | more)


def scene_of(user: str) -> int:
    return LISTENERS.index(user) % len(SCENES)


def artist(scene: int, number: int) -> str:
    return f"artist-{scene}-{number}"


def clicks(listeners: tuple[str, ...] = LISTENERS, each: int = 6, seed: int = 1) -> list[dict[str, Any]]:
    """Return `each` clicks a listener on artists of the listener's scene, in no order."""
    rng = random.Random(seed)  # noqa: S311 - listeners made up, no secret
    events = [
        {
            "user_id": user,
            "song_id": "a song",
            "artist_ids": [artist(scene_of(user), rng.randrange(PER_SCENE))],
            "ts": time.time() - rng.random() * 3600,
        }
        for user in listeners
        for _ in range(each)
    ]
    rng.shuffle(events)
    return events


@contextmanager
def clicking(log: KafkaLog) -> Iterator[None]:
    """All have clicked, and go on clicking."""
    log.send("clicks", clicks())
    ended = threading.Event()

    def send() -> None:
        more = itertools.cycle(clicks(seed=2))
        while not ended.wait(0.05):
            log.send("clicks", itertools.islice(more, 20))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def put_names(settings: Settings) -> None:
    """Let the catalogue know what the artists of all scenes but the last are called."""

    async def put() -> None:
        redis = await open_redis(settings)
        await Catalogue(redis).put(
            Song(
                song_id=f"song {scene} {number}",
                artist_ids=[artist(scene, number)],
                artist_names=[f"{SCENES[scene]} {number}"],
            )
            for scene in range(len(SCENES) - 1)
            for number in range(PER_SCENE)
        )
        await redis.aclose()

    asyncio.run(put())

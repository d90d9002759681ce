"""Some hundred listeners whose minds change, and all that they click."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from typing import Any

from models.model import Model
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.snapshots import Snapshots
from stream.wire.events import Song
from tests.consumers.small_model import made_up_model

__all__ = ["LISTENERS", "click", "clicks", "crowd_model", "publish", "put_songs"]

ARTISTS = tuple(f"artist {number}" for number in range(40))
COHORTS = tuple(f"c{number}" for number in range(1, 9))
LISTENERS = tuple(f"ü{number}" for number in range(250))
DAY = 86_400.0
NOW = float(int(time.time()))


def crowd_model(version: int = 1) -> Model:
    """A model of these artists with eight cohorts."""
    return made_up_model(version=version, seed=version, artists=ARTISTS, n_dims=8, cohorts=COHORTS)


def click(user: str = "u", *artists: str, at: float = NOW - 5, **more: Any) -> dict[str, Any]:
    """A click as the app sends it."""
    named = {"artist_ids": list(artists)} if artists else {}
    return {"user_id": user, "song_id": "song 0", "ts": at, **named, **more}


def clicks(number: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Clicks over forty days. Listeners go from one taste to another; every tenth song is the catalogue's."""
    rng = random.Random(seed)  # noqa: S311 - listeners made up, no secret
    actions = ["play"] * 8 + ["complete", "like", "download", "search", "skip", "skip"]
    for at in range(number):
        user = rng.randrange(len(LISTENERS))
        phase = at * 6 // number
        liked = ARTISTS[(user * 7 + phase * 11 + rng.randrange(5)) % len(ARTISTS)]
        named = () if rng.random() < 0.1 else (liked, *rng.sample(ARTISTS, rng.randrange(2)))
        when = NOW - 40 * DAY * (1 - at / number) - rng.random() * DAY
        event = click(LISTENERS[user], *dict.fromkeys(named), at=when, action=rng.choice(actions))
        event["song_id"] = f"song {rng.randrange(20)}"
        yield event


def put_songs(settings: Settings) -> None:
    """Enter the songs of `clicks` into the catalogue."""

    async def put() -> None:
        redis = await open_redis(settings)
        songs = [Song(song_id=f"song {n}", artist_ids=[ARTISTS[n], ARTISTS[n + 20]]) for n in range(20)]
        await Catalogue(redis).put(songs)
        await redis.aclose()

    asyncio.run(put())


def publish(settings: Settings, model: Model) -> None:
    """Let a model serve."""

    async def send() -> None:
        redis = await open_redis(settings)
        await Snapshots(redis).publish(model)
        await redis.aclose()

    asyncio.run(send())

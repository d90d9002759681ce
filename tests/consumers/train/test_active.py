"""What the trainer makes of the clicks that it reads, before it asks Redis for listeners' rows."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Iterable
from typing import Any, cast

from aiokafka import ConsumerRecord, TopicPartition

from consumers.runtime.reader_lag import ReaderLag
from consumers.runtime.wiring import Stores, rules_of
from consumers.train.active import ActiveListeners, Added, RecentListeners
from models.affinity import ACTION_WEIGHTS
from models.song_learner import Play, SongLearner
from stream.connect import AnyRedis
from stream.retry import Retry
from stream.settings import Settings
from stream.stores.heartbeats import Heartbeat
from stream.wire.consumer import Consumer
from stream.wire.events import Song
from tests.consumers.crowd import NOW, click
from tests.models.test_song_learner import MODEL, SAMPLED

PLACE = TopicPartition("clicks", 0)


class Sent:
    """A consumer that fetches these clicks at once."""

    def __init__(self, clicks: Iterable[dict[str, Any]]) -> None:
        self._records = list(itertools.starmap(record, enumerate(clicks)))

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    def highwater(self, place: TopicPartition) -> int:
        return len(self._records)

    async def position(self, place: TopicPartition) -> int:
        return len(self._records)

    async def pass_over(self, most: int, keep: int) -> int:
        return 0

    async def fetch(self, **_: int) -> dict[TopicPartition, list[Any]]:
        return {PLACE: self._records}

    async def decoded(self, found: Any) -> Any:
        return found


def record(offset: int, event: dict[str, Any]) -> ConsumerRecord[bytes, bytes]:
    value = json.dumps(event).encode()
    return ConsumerRecord("clicks", 0, offset, int(1000 * NOW), 0, None, value, None, 0, len(value), ())


async def read(redis: AnyRedis, settings: Settings, *clicks: dict[str, Any]) -> tuple[Added, list[Play]]:
    """What these clicks add, and what they say of songs."""
    stores = Stores.on(redis, settings)
    await stores.catalogue.refresh()
    await stores.aliases.refresh()
    active = ActiveListeners(
        stores.catalogue,
        rules_of(settings),
        RecentListeners(redis, stores.cohorts, time.monotonic),
        Retry(asyncio.Event()),
        stores.aliases,
        stores.merges.roots,
        ReaderLag(Heartbeat(redis, "train"), "clicks"),
    )
    listeners, added, plays = await active.next(cast("Consumer", Sent(clicks)))
    assert listeners == list(added)
    return added, plays


async def test_a_play_of_a_song_is_one_of_its_artists_and_adds_to_them(
    redis: AnyRedis, settings: Settings
) -> None:
    added, plays = await read(redis, settings, click("u", "ana", song_id="s"))
    assert plays == [Play("u", "s", ("ana",))]
    weight = rules_of(settings).decay.stored(ACTION_WEIGHTS["play"], NOW - 5)
    assert added == {"u": {"ana": weight}}


async def test_a_play_that_is_too_short_adds_to_no_artist_and_is_none_of_the_song(
    redis: AnyRedis, settings: Settings
) -> None:
    settings = settings.model_copy(update={"least_ms_played": 30_000})
    short = [
        click("u", "ana", song_id="s", ms_played=29_999, action=action) for action in ("play", "complete")
    ]
    added, plays = await read(redis, settings, *short)
    assert (added, plays) == ({"u": {}}, [])
    added, plays = await read(redis, settings, click("u", "ana", song_id="s", ms_played=30_000))
    assert (list(added["u"]), len(plays)) == (["ana"], 1)


async def test_a_play_of_a_song_of_zero_length_adds_to_no_artist_and_is_none_of_the_song(
    redis: AnyRedis, settings: Settings
) -> None:
    await Stores.on(redis, settings).catalogue.put([Song(song_id="s", artist_ids=["ana"], duration_ms=0)])
    added, plays = await read(redis, settings, click("u", "ana", song_id="s"))
    assert (added, plays) == ({"u": {}}, [])


async def test_a_click_under_an_id_that_is_part_of_a_listener_is_the_listeners(
    redis: AnyRedis, settings: Settings
) -> None:
    merges = Stores.on(redis, settings).merges
    await merges.fence("phone", "u", "", NOW)
    await merges.fence("browser", "phone", "", NOW)
    clicks = [click(user, "ana", song_id=f"on {user}") for user in ("browser", "phone", "u", "v")]
    added, plays = await read(redis, settings, *clicks)
    assert list(added) == ["u", "v"]
    assert [play.listener for play in plays] == ["u", "u", "u", "v"]


async def test_a_play_is_of_the_artists_that_it_names_and_adds_to_those_they_stand_for(
    redis: AnyRedis, settings: Settings
) -> None:
    stores = Stores.on(redis, settings)
    await stores.aliases.put({"old": "ana"})
    await stores.catalogue.put([Song(song_id="entered", artist_ids=["old"])])
    added, plays = await read(
        redis, settings, click("u", "old", "ana", song_id="s"), click("v", song_id="entered")
    )
    assert [play.artists for play in plays] == [("old", "ana"), ("old",)]
    assert {user: list(artists) for user, artists in added.items()} == {"u": ["ana"], "v": ["ana"]}


async def test_a_song_played_under_an_alias_is_of_the_artist_named_once_the_alias_is_taken_back(
    redis: AnyRedis, settings: Settings
) -> None:
    aliases = Stores.on(redis, settings).aliases
    await aliases.put({"a0-1": "a0-0"})
    await aliases.refresh()
    songs = SongLearner(artist_of=aliases.of)
    _, plays = await read(redis, settings, *(click(user, "a0-1", song_id="s") for user in ("u0", "u3")))
    songs.learn_many(plays)
    await aliases.put({"a0-1": ""})
    await aliases.refresh()
    made = songs.snapshot(SAMPLED, MODEL)
    assert made is not None
    assert made.artists_of("s") == ("a0-1",)

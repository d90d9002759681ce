"""Plays of songs that were released lately become feedback."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from consumers.ingest.ingester import ingest
from models.listener import Click, OffsetSource
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.released_songs import KEPT, ReleasedSongs, watch
from stream.stores.scripts import call_all
from stream.wire.events import Feedback
from tests.consumers.crowd import NOW, click
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.running import Running

WINDOW = 3600.0


async def watched(
    settings: Settings, *songs: tuple[str, str, float], least_ms_played: int = 0
) -> ReleasedSongs:
    """Songs whose plays count: release, song, until when."""
    db = await open_redis(settings)
    await call_all(db, [watch(*song) for song in songs])
    released = ReleasedSongs(db, WINDOW, least_ms_played)
    await released.refresh(NOW)
    await db.aclose()
    return released


def play(user: str, song: str, ts: float, action: Any = "play") -> Click:
    return Click(user, OffsetSource(0, 0), 1, ts, song, ("a",), action)


async def test_a_play_within_the_window_counts_for_each_release_of_the_song(settings: Settings) -> None:
    released = await watched(settings, ("r1", "s", NOW), ("r2", "s", NOW + 10))
    assert released.plays([play("u", "s", NOW - 5)]) == [
        Feedback(release_id=release, user_id="u", kind="played", ts=NOW - 5) for release in ("r1", "r2")
    ]


@pytest.mark.parametrize(
    "late",
    [
        play("u", "s", NOW - WINDOW - 1),
        play("u", "s", NOW + 1),
        play("u", "another", NOW - 5),
        play("u", "s", NOW - 5, "skip"),
        play("u", "s", NOW - 5, "search"),
    ],
)
async def test_what_is_no_play_of_it_in_time_counts_for_none(settings: Settings, late: Click) -> None:
    released = await watched(settings, ("r1", "s", NOW))
    assert released.plays([late]) == []


async def test_a_play_that_is_too_short_counts_for_none(settings: Settings) -> None:
    released = await watched(settings, ("r1", "s", NOW), least_ms_played=30_000)
    played = play("u", "s", NOW - 5)
    assert released.plays([played._replace(ms_played=29_999)]) == []
    assert len(released.plays([played._replace(ms_played=30_000)])) == len(released.plays([played])) == 1


async def test_who_plays_it_again_and_again_has_played_it_once(settings: Settings) -> None:
    released = await watched(settings, ("r1", "s", NOW))
    assert len(released.plays([play("u", "s", NOW - at) for at in range(9)])) == 1


async def test_a_song_whose_window_is_long_over_is_forgotten(settings: Settings, db: redis.Redis) -> None:
    await watched(settings, ("old", "s", NOW - KEPT - 1), ("late", "s", NOW - KEPT + 60))
    assert db.zrange(keys.RELEASED_SONGS, 0, -1) == ["s}late"]


def test_an_ingester_reports_who_has_played_a_released_song(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    db.zadd(keys.RELEASED_SONGS, {"song 7}r1": NOW + 60})
    with Running(ingest, settings):
        clicks = [click("u", "ana", song_id="song 7", at=NOW - 5), click("v", "ana", song_id="x", at=NOW - 5)]
        log.send("clicks", clicks)
        log.wait_until_caught_up("ingest", "clicks")
    (event,) = log.events("feedback")
    assert event == {"release_id": "r1", "user_id": "u", "kind": "played", "ts": NOW - 5}

"""What listeners do, from Kafka into their record of activity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import redis
from redis.asyncio import Redis

from consumers.ingest.ingester import ingest
from models.active_days import TAIL, song_number
from models.traits.activity import Activities, day_of
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.heard import Heard
from stream.stores.listeners import Listeners
from stream.wire.events import Song
from tests.consumers.crowd import NOW, click
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.running import Running


async def activities_of(settings: Settings, *users: str) -> Activities:
    async with Redis.from_url(settings.redis) as client:
        return await Listeners(client).activities(users)


def ingested(settings: Settings, log: KafkaLog, *clicks: dict[str, Any]) -> None:
    with Running(ingest, settings):
        log.send("clicks", list(clicks))
        log.wait_until_caught_up("ingest", "clicks")


async def heard(settings: Settings, user: str) -> list[int]:
    async with Redis.from_url(settings.redis) as client:
        numbers: list[int] = (await Heard(client).of(user)).tolist()
        return numbers


async def test_what_clicks_say_is_in_the_record(settings: Settings, log: KafkaLog, db: redis.Redis) -> None:
    at = NOW - 100
    said = {"ms_played": 200_000, "city": "Pune", "device": "tv", "utc_offset_min": 330}
    ingested(
        settings,
        log,
        click("u", "ana", song_id="s1", at=at) | said,
        click("u", "ana", song_id="s2", at=at, action="complete") | said,
        {"user_id": "u", "ts": at, "action": "search", "query": "rap", "utc_offset_min": 330},
        click("v", "bo", song_id="s1", at=at - 86_400),
    )
    found = await activities_of(settings, "u", "nobody", "v")
    assert found.active.owner.tolist() == [0, 1 + 1]
    day = found.active.days[0]
    assert day["day"] == day_of(at, 330)
    assert {name: int(day[name]) for name in ("play", "complete", "search", "ms", "songs")} == {
        "play": 1,
        "complete": 1,
        "search": 1,
        "ms": 400_000,
        "songs": 2,
    }
    assert (found.cities[0], found.devices[0]) == ({"Pune": 2}, {"tv": 2})
    assert found.hours[0].sum() == 3
    assert (found.first_seen[0], found.last_seen[2]) == (at, at - 86_400)
    assert np.isnan(found.first_seen[1])


async def test_songs_that_were_heard_are_remembered_in_their_order(settings: Settings, log: KafkaLog) -> None:
    actions = {"s1": "play", "s2": "skip", "s3": "like", "s4": "search", "s5": "download", "s6": "complete"}
    ingested(settings, log, *(click("u", "ana", song_id=s, action=action) for s, action in actions.items()))
    assert await heard(settings, "u") == [song_number(song) for song in ("s1", "s3", "s5", "s6")]


async def test_songs_heard_take_a_key_of_their_own_once_there_are_many(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    songs = [f"s{number}" for number in range(TAIL)]
    ingested(settings, log, *(click("u", "ana", song_id=song) for song in songs[1:]))
    assert db.exists("user:{u}:heard") == 0
    ingested(settings, log, click("u", "ana", song_id=songs[0]))
    assert db.strlen("user:{u}:heard") == 4 * TAIL
    assert await heard(settings, "u") == [song_number(song) for song in (*songs[1:], songs[0])]


async def test_songs_heard_as_an_earlier_version_wrote_them_are_gone_on_from(
    settings: Settings, log: KafkaLog
) -> None:
    ingested(settings, log, click("u", "ana", song_id="s0", at=NOW - 100))
    with redis.Redis.from_url(settings.redis) as client:  # bytes, not text
        client.set("user:{u}:activity", client.get("user:{u}:activity")[:-4])
        client.set("user:{u}:heard", song_number("s0").to_bytes(4, "little"))
    songs = [f"s{number}" for number in range(TAIL + 3)]
    ingested(settings, log, *(click("u", "ana", song_id=song, at=NOW - 100) for song in songs[1:]))
    assert await heard(settings, "u") == [song_number(song) for song in songs]
    assert (await activities_of(settings, "u")).active.days["play"].tolist() == [len(songs)]


async def test_no_more_songs_are_remembered_than_twice_as_many_as_are_looked_at(
    settings: Settings, log: KafkaLog
) -> None:
    songs = [f"s{number}" for number in range(300)]
    ingested(settings, log, *(click("u", "ana", song_id=song) for song in songs))
    found = await heard(settings, "u")
    assert 128 <= len(found) <= 256
    assert found == [song_number(song) for song in songs[-len(found) :]]


def test_nothing_is_recorded_where_it_is_turned_off(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    ingested(settings.model_copy(update={"record_activity": False}), log, click("u", "ana"))
    assert db.hget("user:{u}", "clicks") == "1"
    assert db.exists("user:{u}:activity", "user:{u}:heard") == 0


async def test_until_when_a_listener_was_not_recorded_is_known_once_they_are(
    settings: Settings, log: KafkaLog
) -> None:
    ingested(settings.model_copy(update={"record_activity": False}), log, click("u", "ana", at=NOW - 100))
    ingested(settings, log, click("u", "ana", at=NOW - 50), click("v", "ana", at=NOW - 50))
    found = (await activities_of(settings, "u", "v")).unrecorded
    assert found is not None
    np.testing.assert_array_equal(found, [NOW - 100, np.nan])


async def test_a_late_click_of_a_day_that_was_not_recorded_is_no_record_of_that_day(
    settings: Settings, log: KafkaLog
) -> None:
    ingested(
        settings.model_copy(update={"record_activity": False}), log, click("u", "ana", at=NOW - 3 * 86_400)
    )
    ingested(settings, log, click("u", "ana"), click("u", "ana", at=NOW - 20 * 86_400), click("v", "ana"))
    found = await activities_of(settings, "u", "v")
    assert found.active.owner.tolist() == [0, 1]
    assert found.active.days["day"].tolist() == [NOW // 86_400] * 2


def test_what_is_recorded_of_who_clicks_is_erased_once_it_is_turned_off(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    ingested(settings, log, *(click("u", "ana", song_id=f"s{number}") for number in range(40)))
    assert db.exists("user:{u}:activity", "user:{u}:heard") == 2
    ingested(settings.model_copy(update={"record_activity": False}), log, click("u", "ana"))
    assert db.exists("user:{u}:activity", "user:{u}:heard") == 0


def test_that_what_is_recorded_is_erased_is_said_in_the_log(
    settings: Settings, log: KafkaLog, caplog: pytest.LogCaptureFixture
) -> None:
    erased = "what is on record of listeners' activity is erased"
    ingested(settings, log, click("u", "ana"))
    assert erased not in caplog.text
    ingested(settings.model_copy(update={"record_activity": False}), log, click("u", "ana"))
    assert erased in caplog.text


async def test_a_song_of_no_length_is_activity_and_no_affinity(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    async with Redis.from_url(settings.redis) as client:
        await Catalogue(client).put([Song(song_id="jingle", artist_ids=["ana"], duration_ms=0)])
    ingested(settings, log, click("u", song_id="jingle"), click("u", "ana", song_id="jingle"))
    assert db.hget("user:{u}", "clicks") == "2"
    assert db.exists("user:{u}:artists") == 0
    assert await heard(settings, "u") == []
    assert (await activities_of(settings, "u")).active.days["play"].tolist() == [2]


async def test_a_bot_by_the_day_is_in_no_cohort_and_its_activity_is_not_read(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    few = settings.model_copy(update={"bot_plays_per_day": 20})
    start = NOW - NOW % 86_400 - 86_400
    ingested(few, log, *(click("u", "ana", at=start + 1000 * number) for number in range(21)))
    assert db.hget("user:{u}", "bot") == "1"
    assert len((await activities_of(settings, "u")).active.days) == 0

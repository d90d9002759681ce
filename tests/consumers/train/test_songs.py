"""From clicks on songs to songs for a listener, on real servers."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from zlib import crc32

import pytest
import redis

from consumers.ingest.ingester import ingest
from consumers.queries.recommend import SongsForListener, recommend
from consumers.train import trainer
from consumers.train.trainer import train
from models import cohort_learner
from models.sample import Reservoir
from models.song_learner import SongLearner
from models.songs import SongModel
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.song_models import SongModels
from stream.wire.events import Song
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.kept import heartbeat
from tests.consumers.running import Running
from tests.consumers.scenes import LISTENERS, PER_SCENE, SCENES, artist, learning, scene_of
from tests.waiting import wait_for

SONGS_EACH = 2  # of an artist
SILENT = "song 0-0-0"  # of zero length
NEW = "a song that nobody has played"  # of the first artist


def song(scene: int, number: int, which: int) -> str:
    return f"song {scene}-{number}-{which}"


def plays(each: int = 8, seed: int = 1) -> list[dict[str, Any]]:
    """Clicks on songs of the listener's scene that name no artists: the catalogue does."""
    rng = random.Random(seed)  # noqa: S311 - listeners made up, no secret
    events = [
        {
            "user_id": user,
            "song_id": song(scene_of(user), rng.randrange(PER_SCENE), rng.randrange(SONGS_EACH)),
            "ts": time.time() - rng.random() * 3600,
        }
        for user in LISTENERS
        for _ in range(each)
    ]
    rng.shuffle(events)
    return events


def put_songs(settings: Settings) -> None:
    async def put() -> None:
        client = await open_redis(settings)
        await Catalogue(client).put(
            Song(
                song_id=(found := song(scene, number, which)),
                artist_ids=[artist(scene, number)],
                artist_names=[f"{name} {number}"],
                title=f"Title of {found}",
                duration_ms=0 if found == SILENT else 180_000,
            )
            for scene, name in enumerate(SCENES)
            for number in range(PER_SCENE)
            for which in range(SONGS_EACH)
        )
        await Catalogue(client).put([Song(song_id=NEW, artist_ids=[artist(0, 0)])])
        await client.aclose()

    asyncio.run(put())


def songs_for(settings: Settings, user: str, top: int = 10) -> SongsForListener:
    async def ask() -> SongsForListener:
        client = await open_redis(settings)
        try:
            return await recommend(client, settings, user, top, time.time())
        finally:
            await client.aclose()

    return asyncio.run(ask())


def share_learned_from(settings: Settings) -> float:
    """How much of the plays that the trainer holds are of listeners whom songs were learned from."""

    async def ask() -> SongModel | None:
        client = await open_redis(settings)
        found = await SongModels(client).load()
        await client.aclose()
        return found

    model = asyncio.run(ask())
    return float(model.listeners.sum()) / model.plays if model else 0.0


@pytest.fixture
def learned(settings: Settings, log: KafkaLog, db: redis.Redis) -> Iterator[Settings]:
    """A service that has learned from all plays."""
    put_songs(settings)
    events = plays()
    log.send("clicks", events)
    log.send(
        "clicks", [{"user_id": LISTENERS[0], "song_id": "mine", "artist_ids": ["own"], "ts": time.time()}]
    )
    with Running(ingest, settings), Running(train, learning(settings)):
        log.wait_until_caught_up("ingest", "clicks")
        wait_for(lambda: heartbeat(db).get("clicks") == str(len(events) + 1), "all clicks looked at")
        wait_for(lambda: heartbeat(db).get("up_to_date") == "1", "everything learned from")
        wait_for(lambda: db.exists("song-model:current"), "a song model")
    yield settings


def test_songs_for_a_listener_are_what_listeners_alike_play_but_for_those_heard(
    learned: Settings, db: redis.Redis
) -> None:
    user = LISTENERS[0]
    heard = [song(0, number, 0) for number in range(4)]
    with redis.Redis.from_url(learned.redis) as client:
        packed = b"".join(crc32(each.encode()).to_bytes(4, "little") for each in heard)
        client.set(f"user:{{{user}}}:heard", packed)
    found = songs_for(learned, user)
    ids = [each.song_id for each in found.songs]
    assert len(ids) == 10
    assert all(each.startswith("song 0-") or each == NEW for each in ids)
    assert not set(ids) & set(heard)
    assert SILENT not in ids
    first = found.songs[0]
    assert first.title == f"Title of {first.song_id}"
    assert first.artists[0].startswith(f"{SCENES[0]} ")
    played = db.zrange(f"user:{{{user}}}:artists", 0, -1)
    assert first.because
    assert {each.artist_id for each in first.because} <= set(played)


def test_a_song_of_an_artist_whom_nobody_else_plays_is_for_nobody(learned: Settings) -> None:
    everything = songs_for(learned, LISTENERS[0], top=1000)
    assert everything.songs
    assert "mine" not in {each.song_id for each in everything.songs}


def test_a_song_that_nobody_has_played_comes_with_its_artists(learned: Settings) -> None:
    of_its_scene = songs_for(learned, LISTENERS[0], top=1000)
    others = songs_for(learned, LISTENERS[1], top=1000)
    assert NEW in {each.song_id for each in of_its_scene.songs}
    places = [
        next((i for i, s in enumerate(f.songs) if s.song_id == NEW), 1000) for f in (of_its_scene, others)
    ]
    assert places[0] < places[1]


def test_asked_again_within_the_time_the_same_answer_comes(learned: Settings, db: redis.Redis) -> None:
    user = LISTENERS[1]
    first = songs_for(learned, user, top=5)
    assert 0 < db.pttl(f"recommended:{{{user}}}") <= 60_000 * learned.recommended_minutes
    db.delete("model:current")  # nothing could be recreated
    assert songs_for(learned, user, top=5) == first
    assert songs_for(learned, user, top=3).songs == first.songs[:3]


def test_a_setting_of_0_minutes_keeps_no_answer(learned: Settings, db: redis.Redis) -> None:
    songs_for(learned.model_copy(update={"recommended_minutes": 0.0}), LISTENERS[1])
    assert not db.exists(f"recommended:{{{LISTENERS[1]}}}")


def test_songs_are_learned_of_all_whose_songs_are_held_where_the_sample_holds_others(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "SongLearner", partial(SongLearner, max_listeners=12))
    monkeypatch.setattr(cohort_learner, "Reservoir", lambda *_: Reservoir(20))
    put_songs(settings)
    log.send("clicks", plays())
    with Running(ingest, settings), Running(train, learning(settings, first_model_listeners=10)):
        wait_for(lambda: share_learned_from(settings) > 0.5, "songs of all whose songs are held")


def test_no_listener_is_named_in_a_song_model(learned: Settings) -> None:
    with redis.Redis.from_url(learned.redis) as client:
        version = client.get("song-model:current").decode()
        fields = client.hgetall(f"song-model:{version}")
    packed = b"".join(fields[str(number).encode()] for number in range(int(fields[b"pieces"])))
    assert b"song 1-" in packed
    assert b"listener" not in packed.replace(b"listeners", b"")


def test_a_trainer_that_starts_anew_leaves_the_songs_until_it_knows_half_as_much(
    learned: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    version, models = db.get("song-model:current"), int(db.get("model:current"))
    with Running(ingest, learned), Running(train, learning(learned)):
        log.send("clicks", plays(each=1, seed=2))
        wait_for(lambda: int(db.get("model:current")) > models, "another model")
        # Songs follow their model: with the next one, those of this one are there, if there are any.
        models = int(db.get("model:current"))
        log.send("clicks", plays(each=1, seed=4))
        wait_for(lambda: int(db.get("model:current")) > models, "one more")
        assert db.get("song-model:current") == version
        log.send("clicks", plays(each=8, seed=3))
        wait_for(lambda: db.get("song-model:current") != version, "another song model")
    # Few: after so many plays it may be that ten of the scene are not left unheard.
    songs = songs_for(learned.model_copy(update={"recommended_minutes": 0.0}), LISTENERS[0], top=3)
    assert songs.songs
    assert all(each.song_id.startswith("song 0-") or each.song_id == NEW for each in songs.songs)


def test_songs_that_are_long_out_of_date_are_replaced_though_they_were_learned_from_more(
    learned: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    version = db.get("song-model:current")
    db.hset(f"song-model:{version}", mapping={"plays": 10**6, "created_at": time.time() - 30 * 86_400})
    with Running(ingest, learned), Running(train, learning(learned)):
        log.send("clicks", plays(each=4, seed=2))
        wait_for(lambda: db.get("song-model:current") != version, "other songs")
    assert int(db.hget(f"song-model:{db.get('song-model:current')}", "plays")) < 1000


def test_a_trainer_that_learns_in_other_dimensions_leaves_songs_that_do_not_fit_at_once(
    learned: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    version = db.get("song-model:current")
    with Running(ingest, learned), Running(train, learning(learned, dims=6)):
        log.send("clicks", plays(each=1, seed=2))
        wait_for(lambda: db.get("song-model:current") != version, "songs that fit")
    assert songs_for(learned, LISTENERS[0], top=3).songs

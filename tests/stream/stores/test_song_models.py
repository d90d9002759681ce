from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.songs import SongModel
from stream.connect import AnyRedis
from stream.errors import SnapshotDamaged
from stream.stores import keys, song_models
from stream.stores.song_models import SongModels


def model(version: int = 1, **more: Any) -> SongModel:
    values: dict[str, Any] = {
        "version": version,
        "created_at": 5.0,
        "n_listeners": 3,
        "plays": 7,
        "songs": ("s1", "ßong", "s3"),
        "directions": np.eye(3, 2, dtype=np.float16),
        "levels": np.array([1.0, 0.5, 2.0], dtype=np.float32),
        "listeners": np.array([3, 2, 0], dtype=np.int32),
        "artists": ("ana", "bo"),
        "made_by": csr_matrix([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]),
        "beside": csr_matrix([[0.0, 0.25, 0.0], [0.5, 0.0, 0.0]]),
        "to_audience": np.eye(2),
        "strength": 3.0,
        "activity": 0.5,
    }
    return SongModel(**values | more)


@pytest.fixture
def store(redis: AnyRedis) -> SongModels:
    return SongModels(redis)


async def loaded(store: SongModels) -> SongModel:
    found = await store.load()
    assert found is not None
    return found


@pytest.mark.parametrize("piece", [7, 1_000_000])
async def test_what_is_read_is_what_was_published(
    store: SongModels, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(song_models, "PIECE", piece)
    before = model()
    await store.publish(before)
    after = await loaded(store)
    for name in ("version", "created_at", "n_listeners", "plays", "songs", "artists", "strength", "activity"):
        assert getattr(after, name) == getattr(before, name)
    for name in ("directions", "levels", "listeners", "to_audience"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    for name in ("made_by", "beside"):
        np.testing.assert_array_equal(getattr(after, name).toarray(), getattr(before, name).toarray())


async def test_before_the_first_there_is_none(store: SongModels) -> None:
    assert (await store.load(), await store.current(), await store.plays()) == (None, None, 0)
    assert await store.made_at() == 0


async def test_it_is_said_when_the_one_that_serves_was_made(store: SongModels) -> None:
    await store.publish(model(1, created_at=1.25))
    await store.publish(model(2, created_at=2.5))
    assert await store.made_at() == 2.5


async def test_when_a_song_model_was_made_is_known_where_an_earlier_version_published_it(
    store: SongModels, redis: AnyRedis
) -> None:
    await store.publish(model(1, created_at=1.25))
    await redis.hdel(keys.song_model(1), "created_at")
    assert await store.made_at() == 1.25


async def test_a_song_model_that_serves_and_is_written_again_does_not_expire(
    store: SongModels, redis: AnyRedis
) -> None:
    await store.publish(model(1))
    await redis.expire(keys.song_model(1), 100)  # as a replica has it that missed the last command
    await store.publish(model(1))
    assert await redis.ttl(keys.song_model(1)) == -1


async def test_the_last_published_serves_and_the_one_before_goes_soon(
    store: SongModels, redis: AnyRedis
) -> None:
    await store.publish(model(1))
    await store.publish(model(2))
    assert (await loaded(store)).version == 2
    assert 0 < await redis.ttl(keys.song_model(1)) <= song_models.READ_SECONDS
    assert await redis.ttl(keys.song_model(2)) == -1


async def test_a_version_published_again_stays(store: SongModels, redis: AnyRedis) -> None:
    await store.publish(model(1))
    await store.publish(model(1, plays=9))
    assert await redis.ttl(keys.song_model(1)) == -1
    assert await store.plays() == 9


@pytest.mark.parametrize("version", [2, 3], ids=["the same again", "the next"])
async def test_one_that_a_failure_left_behind_goes_soon_after_the_next_is_published(
    store: SongModels, redis: AnyRedis, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    as_usual = redis.expire

    async def fails(key: str, seconds: int) -> None:
        if key == keys.song_model(1):
            raise ConnectionError("away")
        await as_usual(key, seconds)

    await store.publish(model(1))
    with monkeypatch.context() as patch:
        patch.setattr(redis, "expire", fails)
        with pytest.raises(ConnectionError):
            await store.publish(model(2))
    await store.publish(model(version))
    assert await store.current() == version
    assert 0 < await redis.ttl(keys.song_model(1)) <= song_models.READ_SECONDS


async def test_one_whose_trainer_dies_while_it_publishes_it_goes_soon(
    store: SongModels, redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_usual = redis.hset

    async def dies(key: str, *given: Any, **named: Any) -> None:
        if "mapping" in named:
            raise asyncio.CancelledError
        await as_usual(key, *given, **named)

    await store.publish(model(1))
    monkeypatch.setattr(redis, "hset", dies)
    with pytest.raises(asyncio.CancelledError):
        await store.publish(model(2))
    assert await redis.exists(keys.song_model(2))
    assert 0 < await redis.ttl(keys.song_model(2)) <= song_models.WRITE_SECONDS
    assert (await loaded(store)).version == 1


async def test_one_that_another_trainer_publishes_meanwhile_goes_on_serving(
    store: SongModels, redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_usual = redis.hset

    async def overtaken(key: str, *given: Any, **named: Any) -> None:
        await as_usual(key, *given, **named)
        if key == keys.song_model(2) and "mapping" in named:
            await store.publish(model(3))

    await store.publish(model(1))
    monkeypatch.setattr(redis, "hset", overtaken)
    await store.publish(model(2))
    assert (await loaded(store)).version == 3
    assert await redis.ttl(keys.song_model(3)) == -1
    assert 0 < await redis.ttl(keys.song_model(2)) <= song_models.READ_SECONDS


async def test_one_that_serves_can_be_read_while_it_is_published_again(
    store: SongModels, redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_usual, seen = redis.hset, list[int]()

    async def read_before(*given: Any, **named: Any) -> None:
        seen.append((await loaded(store)).version)
        await as_usual(*given, **named)

    monkeypatch.setattr(song_models, "PIECE", 1000)
    await store.publish(model(1))
    await store.publish(model(2))
    monkeypatch.setattr(redis, "hset", read_before)
    await store.publish(model(2))
    assert len(seen) > 2
    assert set(seen) == {2}


async def test_a_damaged_one_is_named(store: SongModels, redis: AnyRedis) -> None:
    await store.publish(model(4))
    piece = await redis.hget(keys.song_model(4), "0")
    await redis.hset(keys.song_model(4), "0", piece[:50] + b"?!" + piece[52:])
    with pytest.raises(SnapshotDamaged, match="song model 4 is damaged"):
        await store.load()


async def test_one_of_which_a_part_is_missing_is_named(store: SongModels, redis: AnyRedis) -> None:
    await store.publish(model(4))
    await redis.hdel(keys.song_model(4), "0")
    with pytest.raises(SnapshotDamaged, match="song model 4 is there in part only"):
        await store.load()


@pytest.mark.parametrize(
    "wrong",
    [
        {"levels": np.ones(2, dtype=np.float32)},
        {"to_audience": np.eye(3)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_parts_that_do_not_fit_together_are_refused(store: SongModels, wrong: dict[str, Any]) -> None:
    await store.publish(model(4, **wrong))
    with pytest.raises(SnapshotDamaged, match="cannot be read"):
        await store.load()

from __future__ import annotations

from zlib import crc32

import numpy as np

from models.active_days import Activity, ActivityColumns
from stream.connect import AnyRedis
from stream.stores import activity_codec, keys
from stream.stores.heard import Heard, song_numbers
from stream.stores.listeners import Listeners
from stream.stores.recommended import Recommended


async def test_songs_heard_are_read_oldest_first_each_as_often_as_it_was_played(redis: AnyRedis) -> None:
    heard = ["s1", "ßong", "s1"]
    packed = b"".join(crc32(song.encode()).to_bytes(4, "little") for song in heard)
    await redis.set(keys.user_heard("u1"), packed)
    assert (await Heard(redis).of("u1")).tolist() == song_numbers(heard).tolist()


async def test_songs_beside_activity_are_newer_than_those_apart(redis: AnyRedis) -> None:
    columns = ActivityColumns()
    columns.grow(1)
    row = np.zeros(1, dtype=np.int64)
    columns.put(row, [Activity(cities={"Pune": 1}, songs=np.array([3, 4], dtype=np.uint32))])
    (activity,) = activity_codec.pack(columns, row)
    await redis.set(keys.user_activity("u1"), activity)
    assert (await Heard(redis).of("u1")).tolist() == [3, 4]
    await redis.set(keys.user_heard("u1"), b"\1\0\0\0\2\0\0\0")
    assert (await Heard(redis).of("u1")).tolist() == [1, 2, 3, 4]


async def test_who_has_heard_nothing_has_no_numbers(redis: AnyRedis) -> None:
    assert (await Heard(redis).of("u1")).tolist() == []


async def test_a_number_that_is_cut_off_is_left_out(redis: AnyRedis) -> None:
    await redis.set(keys.user_heard("u1"), b"\1\0\0\0\2\0")
    assert (await Heard(redis).of("u1")).tolist() == [1]


async def test_what_was_recommended_is_kept_for_its_time(redis: AnyRedis) -> None:
    store = Recommended(redis, seconds=600)
    await redis.hset(keys.user("u1"), "clicks", 1)
    await store.put("u1", b"songs")
    assert await store.get("u1") == b"songs"
    assert 0 < await redis.ttl(keys.recommended("u1")) <= 600
    await store.forget("u1")
    assert await store.get("u1") is None


async def test_what_was_recommended_is_erased_with_its_listener_and_not_kept_after_that(
    redis: AnyRedis,
) -> None:
    store = Recommended(redis, seconds=600)
    await redis.hset(keys.user("u1"), "clicks", 1)
    await store.put("u1", b"songs")
    assert await Listeners(redis).forget("u1")
    assert await store.get("u1") is None
    await store.put("u1", b"songs")  # by whoever had read the listener before
    assert await store.get("u1") is None

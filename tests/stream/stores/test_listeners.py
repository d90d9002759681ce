from __future__ import annotations

import asyncio
import struct
from dataclasses import replace
from typing import Any

import msgpack
import numpy as np
import pytest
from redis.asyncio import Redis

import stream.stores.listeners
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.listeners import Listeners
from tests.stream.written import DIMS, VERSION, listener_of, put, read_one, write

TASTE = (3.0, 0.0, -4.0, 0.5)
SHORT_TERM = (0.5, 0.0, -0.25, 2.0)
MANY = 3000
HALF = 2.0**-10
"""What half precision is right to, relative to a number."""


async def test_one_who_is_not_there_has_revision_0(listeners: Listeners) -> None:
    listener = await read_one(listeners, "u")
    assert (listener.user_id, listener.rev, listener.clicks) == ("u", 0, 0)
    assert (listener.offsets, listener.affinities) == ({}, {})


async def test_what_is_written_is_read(listeners: Listeners) -> None:
    written = listener_of(
        "u", {"a": 1.5, "b": -0.5}, cohort="c3", cohort_from="c1", offsets={"0": 17, "2.1": 5}, bot=True
    )
    await put(listeners, written)
    found = await read_one(listeners, "u")
    assert found.rev > 0
    assert found.offsets == {"0": 17, "2.1": 5}
    assert found.affinities == {"a": 1.5, "b": -0.5}
    for name in ("cohort", "cohort_from", "cohort_since", "moved", "clicks", "first_seen", "last_seen"):
        assert getattr(found, name) == getattr(written, name), name
    assert (found.bot, found.hour, found.hour_clicks) == (True, 4, 2)


async def test_who_made_a_taste_and_the_short_term_one_are_read(listeners: Listeners) -> None:
    short_term = np.array([0.25, 0.0, -2.0, 0.5])
    await put(listeners, listener_of("u", short_term=short_term), tastes=[TASTE])
    found = await read_one(listeners, "u")
    assert found.made_by == VERSION
    assert found.short_term is not None
    assert found.short_term.tolist() == short_term.tolist()


async def test_every_write_gives_another_revision(listeners: Listeners) -> None:
    seen = set()
    for _ in range(5):
        await put(listeners, listener_of("u"))
        seen.add((await read_one(listeners, "u")).rev)
    assert len(seen) == 5


async def test_one_who_comes_back_after_being_forgotten_is_not_taken_for_who_they_were(
    listeners: Listeners,
) -> None:
    await put(listeners, listener_of("u", {"a": 1.0}))
    before = await read_one(listeners, "u")
    await listeners.forget("u")
    await put(listeners, listener_of("u", {"b": 1.0}))
    assert await write(listeners, [before]) == ["u"]
    assert (await read_one(listeners, "u")).affinities == {"b": 1.0}


async def test_after_the_last_revision_comes_one_that_is_not_0(listeners: Listeners) -> None:
    await put(listeners, listener_of("u"))
    state = await listeners.redis.hget(keys.user("u"), "state")
    await listeners.redis.hset(keys.user("u"), "state", b"ffffffff" + state[8:])
    await put(listeners, listener_of("u", {"a": 1.0}))
    assert (await read_one(listeners, "u")).rev == 1


@pytest.mark.parametrize("name", ["ü ñ", "a:b", "Sigur Rós", "0", "*", "🎧", "x" * 256, '"', "user"])
async def test_any_name_may_serve_as_an_id(listeners: Listeners, name: str) -> None:
    await put(listeners, listener_of(name, {name: 2.0}, cohort="c1"))
    assert (await read_one(listeners, name)).affinities == {name: 2.0}
    assert [placed.cohort for placed in await listeners.placed([name])] == ["c1"]


@pytest.mark.parametrize("weight", [1 / 3, 2.0**600 / 3, 1e-300, -0.1, 2.0**1023])
async def test_a_weight_keeps_every_bit(listeners: Listeners, weight: float) -> None:
    await put(listeners, listener_of("u", {"a": weight}))
    assert (await read_one(listeners, "u")).affinities == {"a": weight}


async def test_a_record_is_text_to_whoever_reads_it_as_text(redis: AnyRedis, listeners: Listeners) -> None:
    await put(listeners, listener_of("u", cohort="c1", hour=2**31, hour_clicks=255))
    for value in (await redis.hgetall(keys.user("u"))).values():
        assert value.decode().isprintable()


async def test_a_large_offset_keeps_every_digit(listeners: Listeners) -> None:
    await put(listeners, listener_of("u", offsets={"0": 2**53 - 1}))
    assert (await read_one(listeners, "u")).offsets == {"0": 2**53 - 1}


async def test_a_very_long_row_is_written_and_read(redis: AnyRedis) -> None:
    store = Listeners(redis)
    row = {f"a{i}": float(i + 1) for i in range(9_999)}
    await put(store, listener_of("u", row))
    await put(store, listener_of("u", {"b": 0.5}), dropped=list(row)[:9_000])
    kept = dict(list(row.items())[9_000:]) | {"b": 0.5}
    assert (await read_one(store, "u")).affinities == kept


async def test_who_was_changed_since_they_were_read_is_refused_whole(
    redis: AnyRedis, listeners: Listeners
) -> None:
    await put(listeners, listener_of("u", {"a": 1.0}))
    before = await read_one(listeners, "u")
    late = listener_of("u", {"a": 9.0}, cohort="c9", offsets={"0": 9})
    assert await write(listeners, [late], [TASTE]) == ["u"]
    assert await read_one(listeners, "u") == before
    assert await redis.get(keys.user_taste("u")) is None


async def test_one_refused_keeps_nobody_else_back(listeners: Listeners) -> None:
    await put(listeners, listener_of("b"))
    everybody = [listener_of(user, {"x": 1.0}) for user in "abc"]
    assert await write(listeners, everybody) == ["b"]
    assert await write(listeners, await listeners.read([*"abc"])) == []


async def test_of_two_who_write_at_once_one_is_refused(listeners: Listeners) -> None:
    first, second = listener_of("u", {"a": 1.0}), listener_of("u", {"a": 2.0})
    refused = await asyncio.gather(write(listeners, [first]), write(listeners, [second]))
    assert sorted(map(len, refused)) == [0, 1]


async def test_an_artist_that_is_dropped_and_comes_back_stays(listeners: Listeners) -> None:
    await put(listeners, listener_of("u", {"a": 1.0, "b": 1.0}))
    await put(listeners, listener_of("u", {"a": 5.0}), dropped=["a", "b"])
    assert (await read_one(listeners, "u")).affinities == {"a": 5.0}


async def test_a_cohort_stays_on_record_where_nobody_moved(listeners: Listeners) -> None:
    await put(listeners, listener_of("u", cohort="c1"))
    await put(listeners, listener_of("u", cohort="stale", clicks=4), described=False)
    found = await read_one(listeners, "u")
    assert (found.cohort, found.clicks) == ("c1", 4)


async def test_thousands_at_once_come_back_in_order(redis: AnyRedis, listeners: Listeners) -> None:
    users = [f"u{i}" for i in range(MANY)]
    everybody = [listener_of(user, {user: i + 1.0}, cohort=f"c{i}") for i, user in enumerate(users)]
    await put(listeners, *everybody, tastes=[(i, 1, 0, 0) for i in range(MANY)])
    found = await listeners.read(users)
    assert [listener.user_id for listener in found] == users
    assert [listener.affinities for listener in found] == [{u: i + 1.0} for i, u in enumerate(users)]
    placed = await listeners.placed(users)
    assert [(each.user_id, each.cohort) for each in placed] == [(u, f"c{i}") for i, u in enumerate(users)]
    assert await listeners.rows(users, 5) == [([user], [i + 1.0]) for i, user in enumerate(users)]
    known, rows = await listeners.tastes(users, DIMS)
    assert known == users
    assert np.allclose(rows[:, 0], np.arange(MANY), rtol=HALF)


async def test_tastes_of_many_are_read_some_at_a_time(
    listeners: Listeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [f"u{number}" for number in range(10)]
    having = [i for i in range(10) if i != 5]
    await put(listeners, *(listener_of(users[i]) for i in having), tastes=[(i, 1, 0, 0) for i in having])
    asked: list[int] = []
    evalsha = Redis.evalsha

    def counting(redis: Redis, digest: str, number: int, *arguments: bytes) -> Any:
        asked.append(len(msgpack.unpackb(arguments[0])))
        return evalsha(redis, digest, number, *arguments)

    monkeypatch.setattr(stream.stores.listeners, "TASTES_IN_A_SCRIPT", 4)
    monkeypatch.setattr(Redis, "evalsha", counting)
    known, rows = await listeners.tastes(users, DIMS)
    assert known == [user for user in users if user != "u5"]
    assert rows[:, 0].tolist() == having
    assert asked == ([4, 4, 2] if isinstance(listeners.redis, Redis) else [])  # a cluster: one by one


@pytest.mark.parametrize("scale", [1.0, 2.0**-600, 2.0**900])
async def test_a_taste_of_any_size_is_right_to_half_precision(listeners: Listeners, scale: float) -> None:
    taste = np.array([1 / 3, -0.7, 1e-3, 0.0]) * scale
    await put(listeners, listener_of("u"), tastes=[taste])
    _, (found,) = await listeners.tastes(["u"], DIMS)
    assert found / scale == pytest.approx(taste / scale, rel=HALF, abs=0)


async def test_rows_hold_the_strongest_artists_first(listeners: Listeners) -> None:
    await put(listeners, listener_of("u", {"a": 1.0, "b": 3.0, "c": 2.0}))
    assert await listeners.rows(["u", "nobody"], top=2) == [(["b", "c"], [3.0, 2.0]), ([], [])]


async def test_nothing_is_learned_from_a_bot(listeners: Listeners) -> None:
    await put(listeners, listener_of("u", {"a": 1.0}, bot=True))
    assert await listeners.rows(["u"], top=5) == [([], [])]


async def test_tastes_of_other_dimensions_are_left_out(listeners: Listeners) -> None:
    await put(listeners, listener_of("a"), tastes=[(1, 2, 3, 4)])
    await put(listeners, listener_of("b"), tastes=[(1, 2)])
    await put(listeners, listener_of("c"))
    users, tastes = await listeners.tastes(["a", "b", "c", "nobody"], DIMS)
    assert users == ["a"]
    assert tastes.tolist() == [[1, 2, 3, 4]]


async def test_nobody_asked_for_is_nobody_found(listeners: Listeners) -> None:
    assert await listeners.placed([]) == []
    assert await listeners.rows([], 5) == []
    assert await listeners.read([]) == []
    assert await write(listeners, []) == []
    users, tastes = await listeners.tastes([], DIMS)
    assert users == []
    assert tastes.shape == (0, DIMS)


async def test_scripts_are_sent_anew_to_a_server_that_forgot_them(
    redis: AnyRedis, listeners: Listeners
) -> None:
    await put(listeners, listener_of("u"))
    await redis.script_flush()
    await put(listeners, listener_of("u", {"a": 1.0}))
    assert (await read_one(listeners, "u")).affinities == {"a": 1.0}


async def test_a_server_that_forgot_scripts_writes_each_listener_once(
    redis: AnyRedis, listeners: Listeners
) -> None:
    everybody = [listener_of(f"u{number}", {"a": 1.0}) for number in range(100)]
    await redis.script_flush()
    assert await write(listeners, everybody) == []


# Records of an earlier version


async def put_old(redis: AnyRedis, user: str) -> None:
    """A record as an earlier version wrote it: revision and hour as text, and a taste in single precision."""
    fields = {"rev": 12, "kept": 2, "hour": "4 2", "cohort": "c1", "cohort_since": 100.0}
    fields |= {"moved": "0:1 c9", "clicks": 3, "first_seen": 50.5, "last_seen": 100.25, "bot": 0, "o:0": 17}
    await redis.hset(keys.user(user), mapping=fields)
    await redis.zadd(keys.user_artists(user), {"a": 1.5, "b": 2.0})
    old = np.array([*np.zeros(DIMS), *SHORT_TERM], dtype="<f4").tobytes()
    await redis.set(keys.user_taste(user), struct.pack("<HHIi", 2, DIMS, VERSION, 3) + old)


async def test_an_old_record_is_read(redis: AnyRedis, listeners: Listeners) -> None:
    await put_old(redis, "u")
    found = await read_one(listeners, "u")
    assert found.short_term is not None
    assert found.short_term.tolist() == list(SHORT_TERM)
    expected = listener_of(
        "u", {"a": 1.5, "b": 2.0}, rev=-12, cohort="c1", cohort_from="c9", offsets={"0": 17}
    )
    assert replace(found, short_term=None) == expected
    (placed,) = await listeners.placed(["u"])
    assert (placed.rev, placed.cohort, placed.cohort_from, placed.moved) == (-12, "c1", "c9", "0:1")


async def test_an_old_taste_is_left_out(redis: AnyRedis, listeners: Listeners) -> None:
    await put_old(redis, "u")
    assert (await listeners.tastes(["u"], DIMS))[0] == []


async def test_an_old_record_is_rewritten_without_its_old_fields(
    redis: AnyRedis, listeners: Listeners
) -> None:
    await put_old(redis, "u")
    old = await read_one(listeners, "u")
    old.clicks = 4
    assert await write(listeners, [old], [TASTE], described=False) == []
    fields = await redis.hgetall(keys.user("u"))
    assert not fields.keys() & {b"rev", b"kept", b"hour"}
    found = await read_one(listeners, "u")
    assert found.rev > 0
    assert (found.clicks, found.cohort, found.hour, found.hour_clicks) == (4, "c1", 4, 2)
    assert (await listeners.tastes(["u"], DIMS))[1] == pytest.approx(np.array([TASTE]))


async def test_an_old_record_that_was_changed_since_it_was_read_is_left_alone(
    redis: AnyRedis, listeners: Listeners
) -> None:
    await put_old(redis, "u")
    old, twin = await read_one(listeners, "u"), await read_one(listeners, "u")
    await redis.hset(keys.user("u"), "rev", 13)  # by a process of that version that still runs
    assert await write(listeners, [old]) == ["u"]
    old = await read_one(listeners, "u")
    assert await write(listeners, [old]) == []
    assert await write(listeners, [twin, listener_of("v")]) == ["u"]

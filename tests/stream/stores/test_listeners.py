from __future__ import annotations

import asyncio
from typing import Any

import msgpack
import numpy as np
import pytest
from redis.asyncio import Redis

import stream.stores.listeners
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.listeners import Listeners, Want
from tests.stream.conftest import MAX_ARTISTS
from tests.stream.written import DIMS, VERSION, digest_of, put, read_whole

MODEL = (VERSION, DIMS)
TASTE = (3.0, 0.0, -4.0, 0.5)
MANY = 3000


async def test_one_who_is_not_there_has_revision_0(listeners: Listeners) -> None:
    (listener,), tastes = await listeners.read([Want("u", ("0",), ("a",))], None)
    assert (listener.user_id, listener.rev, listener.clicks, listener.offsets) == ("u", 0, 0, {})
    assert listener.whole
    assert tastes is None


async def test_what_is_written_is_read(listeners: Listeners) -> None:
    digest = digest_of("u", {"a": 1.5, "b": -0.5}, cohort="c3", offsets={"0": 17, "2.1": 5}, bot=True)
    await put(listeners, digest)
    found = await read_whole(listeners, "u", ["0", "2.1", "9"])
    assert found.rev == 1
    assert found.offsets == {"0": 17, "2.1": 5}
    assert found.affinities == {"a": 1.5, "b": -0.5}
    for name in ("cohort", "cohort_from", "cohort_since", "moved", "clicks", "first_seen", "last_seen"):
        assert getattr(found, name) == getattr(digest.listener, name), name
    assert (found.bot, found.hour, found.hour_clicks) == (True, 4, 2)


@pytest.mark.parametrize("name", ["ü ñ", "a:b", "Sigur Rós", "0", "*", "🎧", "x" * 256, '"', "user"])
async def test_any_name_may_serve_as_an_id(listeners: Listeners, name: str) -> None:
    await put(listeners, digest_of(name, {name: 2.0}, cohort="c1"))
    assert (await read_whole(listeners, name)).affinities == {name: 2.0}
    assert [placed.cohort for placed in await listeners.placed([name])] == ["c1"]


@pytest.mark.parametrize("weight", [1 / 3, 2.0**600 / 3, 1e-300, -0.1, 2.0**1023])
async def test_a_weight_keeps_every_bit(listeners: Listeners, weight: float) -> None:
    await put(listeners, digest_of("u", {"a": weight}))
    assert (await read_whole(listeners, "u")).affinities == {"a": weight}


async def test_a_large_offset_keeps_every_digit(listeners: Listeners) -> None:
    await put(listeners, digest_of("u", offsets={"0": 2**53 - 1}))
    assert (await read_whole(listeners, "u", ["0"])).offsets == {"0": 2**53 - 1}


async def test_only_what_is_wanted_is_read_of_one_whose_taste_is_fresh(listeners: Listeners) -> None:
    await put(listeners, digest_of("u", {"a": 1.0, "b": 2.0}, offsets={"0": 1, "1": 1}, taste=TASTE))
    (listener,), tastes = await listeners.read([Want("u", ("1",), ("b", "new"))], MODEL)
    assert not listener.whole
    assert listener.affinities == {"b": 2.0}
    assert listener.offsets == {"1": 1}
    assert tastes is not None
    assert tastes.tolist() == [list(TASTE)]


@pytest.mark.parametrize("model", [(VERSION + 1, DIMS), (VERSION - 1, DIMS), (VERSION, DIMS + 1)])
async def test_the_row_is_whole_where_another_model_made_the_taste(
    listeners: Listeners, model: tuple[int, int]
) -> None:
    await put(listeners, digest_of("u", {"a": 1.0, "b": 2.0}, taste=TASTE))
    (listener,), tastes = await listeners.read([Want("u", (), ("b",))], model)
    assert listener.whole
    assert listener.affinities == {"a": 1.0, "b": 2.0}
    assert tastes is not None
    assert not tastes.any()


async def test_the_row_is_whole_where_it_may_outgrow_its_bound(listeners: Listeners) -> None:
    full = {f"a{i}": 1.0 + i for i in range(MAX_ARTISTS)}
    await put(listeners, digest_of("u", full, taste=TASTE))
    (listener,), _ = await listeners.read([Want("u", (), ("new",))], MODEL)
    assert listener.whole
    assert listener.affinities == full


async def test_whoever_asks_for_very_many_artists_gets_the_row(listeners: Listeners) -> None:
    await put(listeners, digest_of("u", {"a": 1.0}, taste=TASTE))
    (listener,), _ = await listeners.read([Want("u", (), tuple(f"x{i}" for i in range(20_000)))], MODEL)
    assert listener.affinities == {"a": 1.0}


async def test_a_very_long_row_is_written_and_read(redis: AnyRedis) -> None:
    store = Listeners(redis, max_artists=10_000)
    row = {f"a{i}": float(i + 1) for i in range(9_999)}
    await put(store, digest_of("u", row))
    await put(store, digest_of("u", {"b": 0.5}, rev=1, dropped=list(row)[:9_000]))
    kept = dict(list(row.items())[9_000:]) | {"b": 0.5}
    assert (await read_whole(store, "u")).affinities == kept


async def test_who_was_changed_since_they_were_read_is_refused_whole(
    redis: AnyRedis, listeners: Listeners
) -> None:
    await put(listeners, digest_of("u", {"a": 1.0}, offsets={"0": 1}))
    late = digest_of("u", {"a": 9.0}, rev=0, cohort="c9", offsets={"0": 9}, taste=TASTE)
    assert await listeners.write([late], VERSION) == [late]
    found = await read_whole(listeners, "u", ["0"])
    assert (found.rev, found.cohort, found.offsets, found.affinities) == (1, "", {"0": 1}, {"a": 1.0})
    assert await redis.get("user:{u}:taste") is None


async def test_one_refused_keeps_nobody_else_back(listeners: Listeners) -> None:
    await put(listeners, digest_of("b"))
    digests = [digest_of(user, {"x": 1.0}) for user in "abc"]
    assert await listeners.write(digests, VERSION) == [digests[1]]
    assert await listeners.write([digest_of(user, rev=1) for user in "abc"], VERSION) == []


async def test_of_two_who_write_at_once_one_is_refused(listeners: Listeners) -> None:
    first, second = digest_of("u", {"a": 1.0}), digest_of("u", {"a": 2.0})
    refused = await asyncio.gather(listeners.write([first], VERSION), listeners.write([second], VERSION))
    assert sorted(map(len, refused)) == [0, 1]


async def test_an_artist_that_is_dropped_and_comes_back_stays(listeners: Listeners) -> None:
    await put(listeners, digest_of("u", {"a": 1.0, "b": 1.0}))
    await put(listeners, digest_of("u", {"a": 5.0}, rev=1, dropped=["a", "b"]))
    assert (await read_whole(listeners, "u")).affinities == {"a": 5.0}


async def test_a_cohort_stays_on_record_where_nobody_moved(listeners: Listeners) -> None:
    await put(listeners, digest_of("u", cohort="c1"))
    same = digest_of("u", rev=1, cohort="stale")
    await put(listeners, same)
    assert (await read_whole(listeners, "u")).cohort == "c1"


async def test_thousands_at_once_come_back_in_order(redis: AnyRedis, listeners: Listeners) -> None:
    users = [f"u{i}" for i in range(MANY)]
    await put(
        listeners,
        *(digest_of(u, {u: i + 1.0}, cohort=f"c{i}", taste=(i, 1, 0, 0)) for i, u in enumerate(users)),
    )
    found, tastes = await listeners.read([Want(user, (), (user,)) for user in users], MODEL)
    assert [listener.user_id for listener in found] == users
    assert [listener.affinities for listener in found] == [{u: i + 1.0} for i, u in enumerate(users)]
    assert tastes is not None
    assert np.array_equal(tastes[:, 0], np.arange(MANY))
    placed = await listeners.placed(users)
    assert [(each.user_id, each.cohort) for each in placed] == [(u, f"c{i}") for i, u in enumerate(users)]
    assert await listeners.rows(users, 5) == [([user], [i + 1.0]) for i, user in enumerate(users)]
    known, rows = await listeners.tastes(users, DIMS)
    assert known == users
    assert np.array_equal(rows, tastes)


async def test_tastes_of_many_are_read_some_at_a_time(
    listeners: Listeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [f"u{number}" for number in range(10)]
    await put(listeners, *(digest_of(u, taste=(i, 1, 0, 0)) for i, u in enumerate(users) if i != 5))
    asked: list[int] = []
    evalsha = Redis.evalsha

    def counting(redis: Redis, digest: str, number: int, *arguments: bytes) -> Any:
        asked.append(len(msgpack.unpackb(arguments[0])))
        return evalsha(redis, digest, number, *arguments)

    monkeypatch.setattr(stream.stores.listeners, "TASTES_IN_A_SCRIPT", 4)
    monkeypatch.setattr(Redis, "evalsha", counting)
    known, rows = await listeners.tastes(users, DIMS)
    assert known == [user for user in users if user != "u5"]
    assert rows[:, 0].tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert asked == ([4, 4, 2] if isinstance(listeners.redis, Redis) else [])  # a cluster: one by one


async def test_rows_hold_the_strongest_artists_first(listeners: Listeners) -> None:
    await put(listeners, digest_of("u", {"a": 1.0, "b": 3.0, "c": 2.0}))
    assert await listeners.rows(["u", "nobody"], top=2) == [(["b", "c"], [3.0, 2.0]), ([], [])]


async def test_nothing_is_learned_from_a_bot(listeners: Listeners) -> None:
    await put(listeners, digest_of("u", {"a": 1.0}, bot=True))
    assert await listeners.rows(["u"], top=5) == [([], [])]


async def test_tastes_of_other_dimensions_are_left_out(listeners: Listeners) -> None:
    await put(listeners, digest_of("a", taste=(1, 2, 3, 4)), digest_of("c"))
    await put(listeners, digest_of("b", taste=(1, 2)))
    users, tastes = await listeners.tastes(["a", "b", "c", "nobody"], DIMS)
    assert users == ["a"]
    assert tastes.tolist() == [[1, 2, 3, 4]]


async def test_nobody_asked_for_is_nobody_found(listeners: Listeners) -> None:
    assert await listeners.placed([]) == []
    assert await listeners.rows([], 5) == []
    assert (await listeners.read([], MODEL))[0] == []
    assert await listeners.write([], VERSION) == []
    users, tastes = await listeners.tastes([], DIMS)
    assert users == []
    assert tastes.shape == (0, DIMS)


async def test_scripts_are_sent_anew_to_a_server_that_forgot_them(
    redis: AnyRedis, listeners: Listeners
) -> None:
    await put(listeners, digest_of("u"))
    await redis.script_flush()
    await put(listeners, digest_of("u", {"a": 1.0}, rev=1))
    assert await redis.hget(keys.user("u"), "rev") == b"2"

from __future__ import annotations

import asyncio
import time

import pytest

from models.listener import OffsetSource
from stream.connect import AnyRedis
from stream.stores.heartbeats import Heartbeat
from stream.stores.history import LOAD, Ends, History, LoadState, load_source, load_state


async def test_two_loads_that_begin_at_once_have_numbers_and_ends_of_their_own(
    redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, both = History.ends, asyncio.Barrier(2)

    async def read_by_both(history: History) -> Ends:
        found = await read(history)
        await both.wait()
        return found

    monkeypatch.setattr(History, "ends", read_by_both)
    ends = [{OffsetSource(0): 5, OffsetSource(1): 7}, {OffsetSource(0): 6, OffsetSource(1): 8}]
    numbers = await asyncio.gather(*(History(redis).begin(each) for each in ends))
    assert sorted(numbers) == [0, 1]
    assert await read(History(redis)) == {
        source: {load_source(number): each[source] for number, each in zip(numbers, ends, strict=True)}
        for source in ends[0]
    }


async def test_a_load_is_numbered_by_how_many_began_before(redis: AnyRedis) -> None:
    history = History(redis)
    assert [await history.begin({OffsetSource(0): end}) for end in (5, 5, 9)] == [0, 1, 2]


async def test_a_load_is_unfinished_until_it_is_noted_that_it_has_ended(redis: AnyRedis) -> None:
    history, heartbeat = History(redis), Heartbeat(redis, LOAD)
    states = [await load_state(redis)]
    await heartbeat.beat(time.time())
    await history.begin({OffsetSource(0): 5})
    states.append(await load_state(redis))
    await heartbeat.stop()
    states.append(await load_state(redis))
    await history.end(0)
    states.append(await load_state(redis))
    assert states == [LoadState.NONE, LoadState.RUNS, LoadState.UNFINISHED, LoadState.NONE]
    assert not await history.give_up()


async def test_a_load_that_ends_does_not_end_one_that_began_after_it(redis: AnyRedis) -> None:
    history = History(redis)
    for _ in range(2):
        await history.begin({OffsetSource(0): 5})
    await history.end(0)
    assert await load_state(redis) is LoadState.UNFINISHED
    assert await history.give_up()

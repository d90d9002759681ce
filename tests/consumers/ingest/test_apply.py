"""A process may die before any step of its way through Redis; whoever comes next mends what it left."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

import stream.stores.listeners
from consumers.ingest import apply as apply_module
from consumers.ingest.apply import Applier
from models.affinity import ForwardDecay
from models.listener import Click, Move, OffsetSource, Rules
from models.model import Model
from models.residents import Residents
from models.update import Changes
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from tests.consumers.redis_state import State, assert_agrees, assert_same, read_state
from tests.consumers.small_model import small_model

RULES = Rules(ForwardDecay(), margin=0.02, max_artists=4, bot_clicks_per_hour=1000)
NOW = 1_700_000_000.0


class Died(BaseException):
    """Nothing of the program goes on after this."""


class Mortal:
    """A Redis client whose process dies just before its n-th script or round trip, also in a pipeline."""

    def __init__(self, redis: AnyRedis, trips: float = float("inf")) -> None:
        self._redis = redis
        self.left = trips

    def _trip(self) -> None:
        if self.left <= 0:
            raise Died
        self.left -= 1

    async def evalsha(self, *arguments: Any) -> Any:
        self._trip()
        return await self._redis.evalsha(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._redis, name)

    def pipeline(self, *, transaction: bool) -> Any:
        pipeline = self._redis.pipeline(transaction=transaction)
        execute = pipeline.execute

        async def trip(**options: Any) -> Any:
            number = len(pipeline)
            if number <= self.left:
                self.left -= number
                return await execute(**options)
            del pipeline.command_stack[int(self.left) :]
            self.left = 0
            await execute(**options)
            raise Died

        pipeline.execute = trip
        return pipeline


class Process:
    """Clicks applied, then member sets, as an ingester does it; listeners stay in its memory."""

    def __init__(self, redis: Any) -> None:
        self.listeners = Listeners(redis)
        self.cohorts = Cohorts(redis, self.listeners)
        self.applier = Applier(self.listeners, RULES)

    async def apply(self, clicks: dict[str, list[Click]], model: Model | None, now: float) -> list[Move]:
        moves = await self.applier.apply(clicks, model, now)
        await self.cohorts.follow(moves)
        return moves


def by_user(clicks: Iterable[Click]) -> dict[str, list[Click]]:
    found: dict[str, list[Click]] = {}
    for click in clicks:
        found.setdefault(click.user_id, []).append(click)
    return found


def history() -> list[Click]:
    """Five listeners; who plays what changes half way."""
    return [
        Click(
            f"u{at % 5}",
            OffsetSource(0),
            at,
            NOW - 3e6 + at * 1e5,
            "s",
            (f"a{(at % 5 + (3 if at > 12 else 0) + at % 2) % 6}",),
            "like" if at > 12 else "play",
        )
        for at in range(25)
    ]


async def run(settings: Settings, batches: list[list[Click]], model: Model) -> State:
    """All in order, nobody dies; in a database that is emptied first."""
    redis = await open_redis(settings)
    await redis.flushdb()
    process = Process(redis)
    for batch in batches:
        await process.apply(by_user(batch), model, NOW)
    await redis.aclose()
    return await asyncio.to_thread(read_state, settings.redis)


async def test_a_death_before_any_round_trip_is_mended_by_what_kafka_delivers_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream.stores.listeners, "IN_A_SCRIPT", 2)  # of five listeners
    clicks, model = history(), small_model()
    batches = [clicks[:9], clicks[9:16], clicks[16:]]
    expected = await run(settings, batches, model)
    assert len(set(expected.cohorts.values())) > 1
    redis = await open_redis(settings)
    deaths = 0
    for trips in range(100):
        await redis.flushdb()
        process = Process(Mortal(redis, trips))
        try:
            for at, batch in enumerate(batches):
                done = at
                await process.apply(by_user(batch), model, NOW)
            break
        except Died:
            deaths += 1
        # Offsets are committed up to the batch in hand; its clicks come again, cut in another way.
        rest = [click for batch in batches[done:] for click in batch]
        process = Process(redis)
        for at in range(0, len(rest), 4):
            await process.apply(by_user(rest[at : at + 4]), model, NOW)
        state = await asyncio.to_thread(read_state, settings.redis)
        assert_agrees(state)
        assert_same(state, expected)
    await redis.aclose()
    assert deaths > 15


async def test_moves_that_may_not_have_been_said_are_said_again(settings: Settings) -> None:
    clicks, model = history(), small_model()
    redis = await open_redis(settings)
    first, second = by_user(clicks[:15]), by_user(clicks[15:])
    await Process(redis).apply(first, model, NOW)
    said = await Process(redis).apply(second, model, NOW)
    again = await Process(redis).apply(second, model, NOW)
    assert sorted(again) == sorted(said) != []
    await redis.aclose()


async def test_two_processes_with_the_same_clicks_apply_them_once(settings: Settings) -> None:
    clicks, model = history(), small_model()
    expected = await run(settings, [clicks], model)
    redis = await open_redis(settings)
    await redis.flushdb()
    # One of them was thought dead: both read the same partition, the one batch after the other.
    batches = [clicks[at : at + 5] for at in range(0, 25, 5)]

    async def whole() -> None:
        process = Process(redis)
        for batch in batches:
            await process.apply(by_user(batch), model, NOW)

    await asyncio.gather(*(whole() for _ in range(4)))
    state = await asyncio.to_thread(read_state, settings.redis)
    assert_agrees(state)
    assert_same(state, expected)
    await redis.aclose()


@pytest.mark.parametrize("others", [1, 3])
async def test_listeners_that_several_processes_click_for_at_once_keep_every_click(
    settings: Settings, others: int
) -> None:
    redis = await open_redis(settings)

    async def whole(partition: int) -> None:
        process = Process(redis)
        for click in history():
            own = click._replace(partition=OffsetSource(partition))
            await process.apply(by_user([own]), small_model(), NOW)

    await asyncio.gather(*(whole(partition) for partition in range(others + 1)))
    state = await asyncio.to_thread(read_state, settings.redis)
    assert state.clicks == 25 * (others + 1)
    assert_agrees(state)
    await redis.aclose()


async def test_a_birth_is_no_change_of_cohort_where_there_is_no_model(settings: Settings) -> None:
    redis = await open_redis(settings)
    moves = await Process(redis).apply(by_user(history()[:1]), None, NOW)
    assert moves == [Move("u0", "", "", history()[0].ts)]
    await redis.aclose()


async def test_clicks_of_several_partitions_in_one_batch_are_each_applied_once(settings: Settings) -> None:
    model = small_model()
    clicks = [click._replace(partition=OffsetSource(at // 5 % 2)) for at, click in enumerate(history())]
    expected = await run(settings, [clicks], model)
    redis = await open_redis(settings)
    await Process(redis).apply(by_user(clicks), model, NOW)  # it died before it could commit
    state = await asyncio.to_thread(read_state, settings.redis)
    assert state.clicks == len(clicks)
    assert_same(state, expected)
    await redis.aclose()


async def test_an_old_record_takes_clicks_that_it_has_not_counted_once(settings: Settings) -> None:
    clicks, model = history(), small_model()
    redis = await open_redis(settings)
    expected = await run(settings, [clicks], model)
    await run(settings, [clicks[:15]], model)
    for at in range(5):
        await age(redis, f"u{at}")
    process = Process(redis)
    for _ in range(2):
        await process.apply(by_user(clicks), model, NOW)
    assert_same(await asyncio.to_thread(read_state, settings.redis), expected)
    await redis.aclose()


async def age(redis: AnyRedis, user: str) -> None:
    """Let a record be as an earlier version wrote it."""
    (found,) = await Listeners(redis).read([user])
    await redis.hdel(keys.user(user), "state")
    old = {"rev": 9, "kept": len(found.affinities), "hour": f"{found.hour} {found.hour_clicks}"}
    await redis.hset(keys.user(user), mapping=old)
    assert found.short_term is not None
    head, taste = struct.pack("<HHIi", 2, 3, small_model().version, 0), bytes(12)
    await redis.set(keys.user_taste(user), head + taste + found.short_term.astype("<f4").tobytes())


async def test_where_a_part_fails_the_moves_of_the_others_are_not_lost(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply_module, "AT_ONCE", 1)
    redis = await open_redis(settings)
    listeners = Listeners(redis)
    applier, write = Applier(listeners, RULES), listeners.write

    async def fails_for_b(residents: Residents, changes: Changes, version: int) -> list[str]:
        if [residents.users[row] for row in changes.rows] == ["b"]:
            raise RedisConnectionError
        return await write(residents, changes, version)

    monkeypatch.setattr(listeners, "write", fails_for_b)
    clicks = by_user([Click(user, OffsetSource(0), 1, NOW, "s", ("a1",), "play") for user in "abc"])
    moves: list[Move] = []
    with pytest.raises(RedisConnectionError):
        await applier.apply(clicks, small_model(), NOW, moves)
    assert sorted(move.user_id for move in moves) == ["a", "c"]
    await redis.aclose()


async def test_where_listeners_read_once_more_cannot_be_written_the_moves_of_the_others_are_not_lost(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = await open_redis(settings)
    listeners = Listeners(redis)
    applier, write, times = Applier(listeners, RULES), listeners.write, 0

    async def refuses_b_and_fails(residents: Residents, changes: Changes, version: int) -> list[str]:
        nonlocal times
        times += 1
        if times > 1:
            raise RedisConnectionError
        await write(residents, changes, version)
        return ["b"]  # as if somebody else had written them meanwhile

    monkeypatch.setattr(listeners, "write", refuses_b_and_fails)
    clicks = by_user([Click(user, OffsetSource(0), 1, NOW, "s", ("a1",), "play") for user in "ab"])
    moves: list[Move] = []
    with pytest.raises(RedisConnectionError):
        await applier.apply(clicks, small_model(), NOW, moves)
    assert [move.user_id for move in moves] == ["a"]
    await redis.aclose()

"""In whatever order moves of a listener arrive, member sets and what is said agree with the record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from consumers.runtime.moves import Moves
from models.listener import Listener, last_move
from stream.connect import AnyRedis, open_redis
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from tests.consumers.producer import Producer
from tests.consumers.small_model import small_model
from tests.stream.written import listener_of, put

MODEL = small_model(version=7)  # of cohorts c1, c2 and c5


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[AnyRedis]:
    redis = await open_redis(settings)
    yield redis
    await redis.aclose()


@pytest.fixture
def listeners(redis: AnyRedis) -> Listeners:
    return Listeners(redis)


@pytest.fixture
def producer() -> Producer:
    return Producer()


@pytest.fixture
def moves(redis: AnyRedis, listeners: Listeners, producer: Producer) -> Moves:
    return Moves(Cohorts(redis, listeners), producer, Retry(asyncio.Event()))


def moved(origin: str, to: str, ts: float, place: str) -> Listener:
    """u, whom a move has brought from one cohort to another."""
    return listener_of("u", cohort=to, cohort_from=origin, cohort_since=ts, moved=place)


async def test_a_move_says_the_listener_both_cohorts_and_why(
    moves: Moves, listeners: Listeners, producer: Producer
) -> None:
    gone = moved("c9", "c2", 5.0, "0:1")
    await put(listeners, gone)
    await moves.follow([last_move(gone, MODEL)], MODEL)
    assert producer.said() == [
        {"user_id": "u", "from": "c9", "to": "c2", "reason": "rebirth", "model_version": 7, "ts": 5.0}
    ]


async def test_a_birth_into_no_cohort_is_not_said(
    moves: Moves, listeners: Listeners, producer: Producer
) -> None:
    birth = moved("", "", 1.0, "0:1")
    await put(listeners, birth)
    await moves.follow([last_move(birth, MODEL)], None)
    assert producer.sent == []


async def test_who_is_overtaken_by_another_move_says_that_too(
    moves: Moves, listeners: Listeners, producer: Producer, redis: AnyRedis
) -> None:
    first, second = moved("c1", "c2", 5.0, "0:1"), moved("c2", "c5", 6.0, "model:7")
    await put(listeners, first)

    async def another_moves_on() -> None:
        # On record after the first, said before it.
        await put(listeners, second)
        await moves.follow([last_move(second, MODEL)], MODEL)

    producer.before = another_moves_on
    await moves.follow([last_move(first, MODEL)], MODEL)
    said = [(change["from"], change["to"], change["reason"], change["ts"]) for change in producer.said()]
    assert said == [
        ("c2", "c5", "refresh", 6.0),
        ("c1", "c2", "click", 5.0),
        ("c2", "c5", "refresh", 6.0),
    ]
    assert [await redis.sismember(keys.cohort_users(cohort), "u") for cohort in ("c1", "c2", "c5")] == [
        0,
        0,
        1,
    ]

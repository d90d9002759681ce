"""What Redis's client does where whoever waits for it is cancelled."""

from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import ConnectionError  # noqa: A004 - redis-py's name for it

from stream.connect import AnyRedis, open_redis
from stream.settings import Settings

MOMENTS = 8  # turns of the loop: a command has gone out within fewer
TIMES = 10


async def go_round(redis: AnyRedis) -> None:
    while True:
        await redis.set("a key", "a value")


async def test_a_connection_that_another_task_closes_before_a_command_has_gone_out_is_one_that_was_lost(
    redis_url: str,
) -> None:
    redis = await open_redis(Settings(redis=redis_url))
    connection = await redis.connection_pool.get_connection()
    sending = asyncio.create_task(connection.send_command("PING"))
    await asyncio.sleep(0)  # it is about to send
    await connection.disconnect(nowait=True)
    with pytest.raises(ConnectionError, match="another task"):
        await sending
    await redis.connection_pool.release(connection)
    await redis.aclose()


@pytest.mark.parametrize("fixture", ["redis_url", "redis_cluster_url"])
async def test_who_is_cancelled_ends_at_whatever_moment_it_comes(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    redis = await open_redis(Settings(redis=request.getfixturevalue(fixture)))
    await redis.set("a key", "a value")
    goes_on = []
    for moment in range(TIMES * MOMENTS):
        task = asyncio.create_task(go_round(redis))
        for _ in range(moment % MOMENTS):
            await asyncio.sleep(0)
        task.cancel()
        ended, _ = await asyncio.wait({task}, timeout=10)
        while not task.done():  # for the next moment
            task.cancel()
            await asyncio.sleep(0.01)
        if not ended:
            goes_on.append(moment)
            break
        assert await redis.get("a key") == b"a value"  # by a connection that is ready for the next moment
    await redis.aclose()
    assert goes_on == []

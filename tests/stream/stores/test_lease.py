from __future__ import annotations

import asyncio

from stream.connect import AnyRedis
from stream.stores.lease import Lease
from tests.waiting import wait_for_it


async def test_one_holds_the_lease(redis: AnyRedis) -> None:
    first, second = Lease(redis, "t1"), Lease(redis, "t2")
    assert await first.hold()
    assert not await second.hold()
    assert await first.hold()


async def test_of_many_who_ask_at_once_one_holds_it(redis: AnyRedis) -> None:
    asked = await asyncio.gather(*(Lease(redis, f"t{i}").hold() for i in range(30)))
    assert asked.count(True) == 1


async def test_given_back_it_is_free(redis: AnyRedis) -> None:
    first, second = Lease(redis, "t1"), Lease(redis, "t2")
    await first.hold()
    await first.free()
    assert await second.hold()


async def test_only_the_holder_gives_it_back(redis: AnyRedis) -> None:
    first, second = Lease(redis, "t1"), Lease(redis, "t2")
    await first.hold()
    await second.free()
    assert not await second.hold()


async def test_it_is_free_again_when_its_holder_dies(redis: AnyRedis) -> None:
    await Lease(redis, "t1", seconds=0.3).hold()
    second = Lease(redis, "t2")
    await wait_for_it(second.hold, "the lease")
    assert not await Lease(redis, "t1", seconds=0.3).hold()


async def test_renewing_it_makes_it_last(redis: AnyRedis) -> None:
    await Lease(redis, "t1", seconds=1.0).hold()
    await Lease(redis, "t1", seconds=1000.0).hold()
    assert await redis.pttl("model:lease") > 900_000


async def test_leases_to_other_things_are_others(redis: AnyRedis) -> None:
    assert await Lease(redis, "t1").hold()
    assert await Lease(redis, "t2", key="sweep:lease").hold()

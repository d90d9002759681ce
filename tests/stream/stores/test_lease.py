from __future__ import annotations

import asyncio

import pytest

from stream.connect import AnyRedis
from stream.errors import CannotStart
from stream.stores import keys
from stream.stores.lease import COMMAND_SECONDS, Lease, alone
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


async def test_a_second_run_of_a_command_is_refused_and_told_which_is_at_work(redis: AnyRedis) -> None:
    async with alone(redis, "redrive", keys.REDRIVE_LEASE) as first:
        with pytest.raises(CannotStart, match=first.holder):
            async with alone(redis, "redrive", keys.REDRIVE_LEASE):
                pass
    async with alone(redis, "redrive", keys.REDRIVE_LEASE) as later:
        assert later.holder != first.holder


async def test_the_lease_of_a_command_that_is_killed_ends(redis: AnyRedis) -> None:
    async with alone(redis, "redrive", keys.REDRIVE_LEASE):
        assert 0 < await redis.pttl(keys.REDRIVE_LEASE) <= 1000 * COMMAND_SECONDS


async def test_a_command_at_work_keeps_its_lease(redis: AnyRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.stores.lease.RENEW_SECONDS", 0.01)

    async def renewed() -> bool:
        return bool(await redis.pttl(keys.REDRIVE_LEASE) > 20_000)

    async with alone(redis, "redrive", keys.REDRIVE_LEASE):
        await redis.pexpire(keys.REDRIVE_LEASE, 20_000)
        await wait_for_it(renewed, "the lease to be renewed")

"""The copy in memory of who opted out holds all who did, and nobody else, on every backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from models.names import hashes
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores import opted_out as opted_out_module
from stream.stores.opted_out import LOOKS, OptedOut
from stream.stores.scan import members


@pytest.fixture
def opted_out(redis: AnyRedis) -> OptedOut:
    return OptedOut(redis)


def assert_held(opted_out: OptedOut, *users: str) -> None:
    assert opted_out.held == set(users)
    assert np.array_equal(opted_out.hashes, np.sort(hashes(users)))


def never_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody read the whole set from here on."""

    def refuse(*_: Any) -> None:
        raise AssertionError("the whole set is read")

    monkeypatch.setattr(opted_out_module, "members", refuse)


async def test_whoever_opts_out_is_followed_and_the_set_is_not_read_again(
    opted_out: OptedOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opted_out_module, "AT_ONCE", 2)
    await opted_out.add([f"u{n}" for n in range(5)])
    assert await opted_out.refresh()
    assert_held(opted_out, *[f"u{n}" for n in range(5)])
    never_whole(monkeypatch)
    for first in (5, 12):
        await opted_out.add([f"u{n}" for n in range(first, first + 7)])
        await opted_out.add(["u1", f"u{first}"])  # said once more
        assert await opted_out.refresh()
        assert_held(opted_out, *[f"u{n}" for n in range(first + 7)])
        assert not await opted_out.refresh()


async def test_a_removal_and_an_opt_out_between_two_looks_leave_nobody_out(
    redis: AnyRedis, opted_out: OptedOut
) -> None:
    await opted_out.add(["a", "b"])
    await opted_out.refresh()
    await redis.srem(keys.OPTED_OUT, "a")
    await opted_out.add(["c"])
    assert await opted_out.refresh()
    assert_held(opted_out, "b", "c")


async def test_who_is_in_the_set_and_was_never_announced_is_held_in_the_end(
    redis: AnyRedis, opted_out: OptedOut
) -> None:
    await opted_out.add(["a"])
    await opted_out.refresh()
    await redis.sadd(keys.OPTED_OUT, "by hand")
    for _ in range(LOOKS - 1):
        assert not await opted_out.refresh()
        assert len(opted_out.hashes) < await opted_out.count(), "planners ask Redis"
    assert await opted_out.refresh()
    assert_held(opted_out, "a", "by hand")


async def test_looks_that_others_have_caught_up_between_do_not_add_up(
    redis: AnyRedis, opted_out: OptedOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opted_out.refresh()
    never_whole(monkeypatch)
    for number in range(2 * LOOKS):
        await redis.sadd(keys.OPTED_OUT, f"u{number}")  # and not announced yet
        assert not await opted_out.refresh()
        await opted_out.add([f"u{number}"])
        assert await opted_out.refresh()
    assert_held(opted_out, *[f"u{number}" for number in range(2 * LOOKS)])


async def test_more_than_the_stream_keeps_are_held_in_the_end(redis: AnyRedis, opted_out: OptedOut) -> None:
    await opted_out.add(["a"])
    await opted_out.refresh()
    await opted_out.add(["b", "c"])
    await redis.delete(keys.OPTED_OUT_LATELY)
    await opted_out.add(["d"])
    for _ in range(LOOKS):
        await opted_out.refresh()
    assert_held(opted_out, "a", "b", "c", "d")


async def test_who_opts_out_while_the_set_is_read_is_held(
    opted_out: OptedOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opted_out.add(["a"])

    async def overtaken(redis: AnyRedis, key: str, at_once: int) -> AsyncIterator[list[str]]:
        async for users in members(redis, key, at_once):
            yield users
        await opted_out.add(["late"])

    monkeypatch.setattr(opted_out_module, "members", overtaken)
    await opted_out.refresh()
    assert len(opted_out.hashes) < await opted_out.count(), "planners ask Redis"
    await opted_out.refresh()
    assert_held(opted_out, "a", "late")


async def test_a_set_that_is_gone_is_held_no_more(redis: AnyRedis, opted_out: OptedOut) -> None:
    await opted_out.add(["a", "b"])
    await opted_out.refresh()
    await redis.delete(keys.OPTED_OUT, keys.OPTED_OUT_LATELY)
    await opted_out.refresh()
    assert_held(opted_out)


async def test_who_is_taken_out_of_the_set_and_forgotten_is_announced_nowhere(
    redis: AnyRedis, opted_out: OptedOut
) -> None:
    await opted_out.add(["a", "b", "a"])
    await redis.srem(keys.OPTED_OUT, "a")
    await opted_out.forget(["a"])
    assert [fields for _, fields in await redis.xrange(keys.OPTED_OUT_LATELY)] == [{b"id": b"b"}]

"""An erasure is said to be done once no end of Redis brings the listener back."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from consumers.actions.forget_listener import forget_listener
from consumers.runtime import wiring
from stream.connect import open_redis
from stream.errors import NotErased
from stream.settings import Settings
from stream.stores import keys
from tests.consumers.losing_redis import LosingRedis
from tests.consumers.own_redis import OwnRedis
from tests.consumers.placed import place


async def test_an_erasure_that_redis_lost_when_it_was_killed_is_said_to_have_failed_and_may_be_repeated(
    settings: Settings, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_redis.start()
    there = settings.model_copy(update={"redis": own_redis.url})
    await asyncio.to_thread(place, there, {"c1": ["u", "v"]})
    redis = await open_redis(there)
    lose = partial(own_redis.lose, own_redis.appended())
    with monkeypatch.context() as patch:
        patch.setattr(wiring, "Durability", lambda redis, replicas: LosingRedis(redis, lose))
        with pytest.raises(NotErased, match="'u' may not be erased: Redis failed before") as failed:
            await forget_listener(redis, there, "u")
    assert failed.value.hint == "Run `refrain forget u` again: it erases what is left."
    assert await redis.exists(keys.user("u"))
    assert (await forget_listener(redis, there, "u")).cohorts == ("c1",)
    assert not await redis.exists(keys.user("u"))
    assert await redis.exists(keys.user("v"))
    await redis.aclose()


async def test_that_they_were_erased_as_dormant_before_is_not_known_either(settings: Settings) -> None:
    await asyncio.to_thread(place, settings, {"c1": ["u", "v"]})
    redis = await open_redis(settings)
    await wiring.Stores.on(redis, settings).expired.add_told({"u": 2e9, "v": 2e9})
    await forget_listener(redis, settings, "u")
    assert await redis.zrange(keys.EXPIRED_TOLD, 0, -1) == [b"v"]
    await redis.aclose()

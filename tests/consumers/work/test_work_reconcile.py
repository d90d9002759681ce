"""Releases that Faust has passed over are found behind it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer
from redis.exceptions import ConnectionError as RedisAway

from consumers.work import reconciler as reconcile
from consumers.work.reconciler import Reconciler
from stream.connect import open_redis
from stream.stores.releases import Releases
from stream.wire.events import Release
from tests.consumers.desk import Desk
from tests.waiting import wait_for_it

NAMES = [f"r{number}" for number in range(6)]


@dataclass
class Answers:
    """Stands for the emitter: notes whom it answers; every other time Redis is away."""

    tried: int = 0
    names: list[str] = field(default_factory=list)

    async def answer(self, release: Release, published_at: float) -> None:
        self.tried += 1
        if self.tried % 2:
            raise RedisAway
        self.names.append(release.release_id)


@dataclass
class Behind:
    answers: Answers
    releases: Releases
    reconciler: Reconciler

    async def look(self) -> bool:
        """Look once more; say whether all releases were answered by now."""
        try:
            await self.reconciler.look()
        except RedisAway:
            return False
        return len(self.answers.names) >= len(NAMES)


@pytest.fixture
async def behind(desk: Desk) -> AsyncIterator[Behind]:
    redis = await open_redis(desk.settings)
    answers, releases = Answers(), Releases(redis, 3600)
    async with AIOKafkaConsumer(bootstrap_servers=desk.settings.kafka, enable_auto_commit=False) as consumer:
        desk.publish_all(NAMES, "a1")
        reconciler = Reconciler(consumer, answers, releases)
        await reconciler.begin(set(range(desk.settings.partitions)))
        yield Behind(answers, releases, reconciler)
    await redis.aclose()


async def test_each_is_answered_though_redis_is_away_in_between(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "YOUNG", 0.0)
    await wait_for_it(behind.look, "all releases")
    assert sorted(behind.answers.names) == NAMES


async def test_those_from_a_clock_far_ahead_are_not_waited_for(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "time", SimpleNamespace(time=lambda: time.time() - 3600.0))
    await wait_for_it(behind.look, "all releases")
    assert sorted(behind.answers.names) == NAMES


async def test_what_somebody_has_in_hand_is_left_to_them(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "YOUNG", 0.0)
    await behind.releases.claim(Release(release_id="r2", artist_ids=["a1"]), "w1", 5.0, 5.0)
    others = [name for name in NAMES if name != "r2"]

    async def others_answered() -> bool:
        await behind.look()
        return len(behind.answers.names) >= len(others)

    await wait_for_it(others_answered, "the others")
    assert sorted(behind.answers.names) == others


async def test_what_has_just_come_is_looked_at_later(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "YOUNG", 3600.0)
    for _ in range(20):
        assert not await behind.look()
    assert behind.answers.tried == 0
    monkeypatch.setattr(reconcile, "YOUNG", 0.0)
    await wait_for_it(behind.look, "all releases")

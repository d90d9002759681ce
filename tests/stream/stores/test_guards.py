from __future__ import annotations

import time

import pytest

from models.affinity import DAY, ForwardDecay
from stream.connect import AnyRedis
from stream.errors import ClusterChanged, DecayChanged
from stream.stores import keys
from stream.stores.guards import begun, guard_cluster, guard_decay, topic_epoch

OURS = ForwardDecay(half_life=14 * DAY)


async def test_the_same_decay_is_right_every_time(redis: AnyRedis) -> None:
    for _ in range(3):
        await guard_decay(redis, OURS)


async def test_another_half_life_is_refused_with_the_way_out(redis: AnyRedis) -> None:
    await guard_decay(redis, OURS)
    with pytest.raises(
        DecayChanged, match=r"(?s)half-life of 14 days.*ask for 30.*REFRAIN_HALF_LIFE_DAYS=14.*REFRAIN_GROUP"
    ):
        await guard_decay(redis, ForwardDecay(half_life=30 * DAY))
    await guard_decay(redis, OURS)


async def test_another_landmark_is_refused(redis: AnyRedis) -> None:
    await guard_decay(redis, OURS)
    with pytest.raises(DecayChanged):
        await guard_decay(redis, ForwardDecay(half_life=14 * DAY, landmark=0.0))


async def test_another_cluster_of_kafka_is_refused_until_it_is_named(redis: AnyRedis) -> None:
    for _ in range(2):
        await guard_cluster(redis, "first")
    with pytest.raises(
        ClusterChanged, match=r"(?s)cluster first, and this is cluster second.*REFRAIN_KAFKA_CLUSTER=second"
    ):
        await guard_cluster(redis, "second")
    await guard_cluster(redis, "second", allowed="second")
    await guard_cluster(redis, "second")
    with pytest.raises(ClusterChanged, match="cluster second, and this is cluster first"):
        await guard_cluster(redis, "first")


async def test_a_cluster_that_is_not_the_one_named_is_refused_and_not_remembered(redis: AnyRedis) -> None:
    with pytest.raises(ClusterChanged, match="Kafka's cluster is first, REFRAIN_KAFKA_CLUSTER=second"):
        await guard_cluster(redis, "first", allowed="second")
    await guard_cluster(redis, "third")


async def test_a_topic_made_anew_has_another_epoch(redis: AnyRedis) -> None:
    assert await topic_epoch(redis, "clicks", "first") == 0
    assert await topic_epoch(redis, "clicks", "second") == 1
    assert await topic_epoch(redis, "clicks", "third") == 2
    assert await topic_epoch(redis, "clicks", "second") == 1
    assert await topic_epoch(redis, "feedback", "other") == 0


async def test_a_database_says_when_it_was_begun(redis: AnyRedis) -> None:
    assert await begun(redis) == 0.0
    before = time.time()
    await guard_decay(redis, OURS)
    first = await begun(redis)
    assert before <= first <= time.time()
    await guard_decay(redis, OURS)
    assert await begun(redis) == first


async def test_of_a_database_that_an_earlier_version_began_it_is_not_known_when(redis: AnyRedis) -> None:
    await guard_decay(redis, OURS)
    await redis.delete(keys.BEGUN)
    await guard_decay(redis, OURS)
    assert await begun(redis) == 0.0

"""What Redis remembers of its own making, and what must not change under it."""

from __future__ import annotations

import time

from models.affinity import ForwardDecay
from stream.connect import AnyRedis
from stream.errors import ClusterChanged, DecayChanged
from stream.stores import keys

__all__ = ["begun", "guard_cluster", "guard_decay", "topic_epoch"]


async def guard_decay(redis: AnyRedis, decay: ForwardDecay) -> None:
    """Hold the service to the half-life and landmark that its affinities were stored with.

    Raises
    ------
    DecayChanged
        Where Redis holds affinities of others: the same numbers would mean something else.
    """
    ours = {"half_life": repr(decay.half_life), "landmark": repr(decay.landmark)}
    theirs = await _decay(redis)
    if theirs.keys() != ours.keys():  # else a Redis that takes no writes would keep us from starting
        if not theirs:
            await redis.set(keys.BEGUN, time.time(), nx=True)
        for field, value in ours.items():
            await redis.hsetnx(keys.DECAY, field, value)
        theirs = await _decay(redis)
    if theirs != ours:
        days = float(theirs["half_life"]) / 86400
        raise DecayChanged(
            f"Redis holds affinities with a half-life of {days:g} days, the settings ask for "
            f"{decay.half_life / 86400:g}",
            hint=f"Set REFRAIN_HALF_LIFE_DAYS={days:g} to go on. Or rebuild, with an empty database "
            "(REFRAIN_REDIS) and another group (REFRAIN_GROUP), as docs/runbooks.md says step by step: else "
            "releases are announced again.",
        )


async def _decay(redis: AnyRedis) -> dict[str, str]:
    return {field.decode(): value.decode() for field, value in (await redis.hgetall(keys.DECAY)).items()}


async def begun(redis: AnyRedis) -> float:
    """Return when the database was begun, Unix seconds; 0: an earlier version began it, or nobody has."""
    return float(await redis.get(keys.BEGUN) or 0.0)


async def guard_cluster(redis: AnyRedis, cluster_id: str, allowed: str = "") -> None:
    """Hold the service to the cluster of Kafka that its clicks came from.

    Parameters
    ----------
    cluster_id
        That of the cluster that answers.
    allowed
        A cluster that Redis is to take for the one from now on.

    Raises
    ------
    ClusterChanged
        Where Redis remembers another, or the one that answers is not the one `allowed`.
    """
    if allowed and cluster_id != allowed:
        raise ClusterChanged(
            f"Kafka's cluster is {cluster_id}, REFRAIN_KAFKA_CLUSTER={allowed}",
            hint="Set REFRAIN_KAFKA to the servers of that cluster, or REFRAIN_KAFKA_CLUSTER to this one.",
        )
    remembered = await redis.get(keys.KAFKA_CLUSTER)
    if remembered is None:  # else a Redis that takes no writes would keep us from starting
        await redis.set(keys.KAFKA_CLUSTER, cluster_id, nx=True)
        remembered = await redis.get(keys.KAFKA_CLUSTER)
    if remembered.decode() == cluster_id:
        return
    if allowed:
        await redis.set(keys.KAFKA_CLUSTER, cluster_id)
        return
    raise ClusterChanged(
        f"Redis holds what came from Kafka's cluster {remembered.decode()}, and this is cluster {cluster_id}",
        hint="Set REFRAIN_KAFKA back to the former, or REFRAIN_REDIS to the database of this one. Or, where "
        f"you have moved, set REFRAIN_KAFKA_CLUSTER={cluster_id}: its topics are then read from the start, "
        "on top of what Redis holds, so clicks that were copied from the former cluster count twice, and "
        "releases that were copied are announced again.",
    )


async def topic_epoch(redis: AnyRedis, topic: str, topic_id: str) -> int:
    """Say how often a topic has been recreated.

    Offsets applied are remembered in Redis; a topic that was deleted and made again counts from 0, and all
    that is in it would seem to be applied already.
    """
    key = keys.topic(topic)
    if await redis.hget(key, topic_id) is None:
        await redis.hsetnx(key, topic_id, await redis.hlen(key))
    return int(await redis.hget(key, topic_id) or 0)

"""Before a load and after it: nobody is in the way, and the stream goes on from there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing

from consumers.runtime.wiring import decay_of
from models.listener import OffsetSource
from stream.connect import open_redis
from stream.errors import WrongUse
from stream.settings import Settings
from stream.stores.guards import guard_cluster, guard_decay, topic_epoch
from stream.stores.heartbeats import heartbeats
from stream.stores.history import History
from stream.stores.sweeps import Sweeps
from stream.wire.lag import ends
from stream.wire.topics import cluster_id, create_missing, describe_topics, open_admin

__all__ = ["after_load", "before_load"]

IN_THE_WAY = "ingest", "train"
"""Processes that hold in memory who there is."""


async def before_load(settings: Settings) -> int:
    """See that nobody is in the way, and note how far `clicks` is: clicks before that may be in files, too.

    Returns
    -------
    The number of the load.

    Raises
    ------
    WrongUse
        Where an ingester or a trainer runs.
    RefrainError
        Where Redis holds affinities of another half-life, or belongs to another Kafka; where one of them does
        not answer.
    """
    redis = await open_redis(settings)
    async with aclosing(redis):
        await guard_decay(redis, decay_of(settings))
        running = Counter(state["kind"] for state in (await heartbeats(redis)).values())
        if there := [f"{running[kind]} {kind}" for kind in IN_THE_WAY if running[kind]]:
            raise WrongUse(
                f"{' and '.join(there)} running, with listeners in memory: history is loaded while none does",
                hint="Stop `refrain ingest` and `refrain train`, load, and start them again: they go on from "
                "there.",
            )
        cluster, topic_id, behind = await asyncio.to_thread(_clicks_topic, settings)
        await guard_cluster(redis, cluster, settings.kafka_cluster)
        epoch = await topic_epoch(redis, "clicks", topic_id)
        return await History(redis).begin({OffsetSource(place, epoch): end for place, end in behind.items()})


def _clicks_topic(settings: Settings) -> tuple[str, str, Mapping[int, int]]:
    """Return the cluster of Kafka, the id of its topic of clicks, and the offset behind each partition."""
    with open_admin(settings) as admin:
        create_missing(admin, settings)
        state = describe_topics(admin, settings)["clicks"]
        return cluster_id(admin), state.topic_id if state else "", ends(admin, "clicks")


async def after_load(settings: Settings) -> None:
    """Let the model that serves, where one does, be taken to those who are new."""
    redis = await open_redis(settings)
    async with aclosing(redis):
        await Sweeps(redis).due()

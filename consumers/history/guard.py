"""Before a load and after it: nobody is in the way, nor comes, and the stream goes on from there."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import aclosing, contextmanager
from functools import partial

from consumers.runtime.process import end
from consumers.runtime.wiring import decay_of
from models.listener import OffsetSource
from stream.connect import AnyRedis, open_redis
from stream.errors import WrongUse
from stream.settings import Settings
from stream.stores.guards import guard_cluster, guard_decay, topic_epoch
from stream.stores.heartbeats import SECONDS, Heartbeat, heartbeats
from stream.stores.history import AFTER_LOADS, LOAD, History, LoadState, load_state
from stream.stores.sweeps import Sweeps
from stream.wire.lag import ends
from stream.wire.topics import cluster_id, create_missing, describe_topics, open_admin

__all__ = ["abandon", "after_load", "announced", "before_load"]


@contextmanager
def announced(settings: Settings) -> Iterator[str]:
    """Give the sign of life of a load while the block runs, and say its name.

    Ingesters and trainers that start meanwhile wait (`consumers.runtime.startup.once_loaded`). It comes from
    a thread, as the block waits for Spark; of a load that is killed it fades as that of any process, and what
    `before_load` has noted keeps them waiting.

    Raises
    ------
    Unreachable
        Where Redis does not answer.
    """
    begun: Future[tuple[str, Callable[[], object]]] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_live(settings, begun)), name="sign of life", daemon=True
    )
    thread.start()
    name, let_end = begun.result()
    try:
        yield name
    finally:
        let_end()
        thread.join()


async def _live(settings: Settings, begun: Future[tuple[str, Callable[[], object]]]) -> None:
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    try:
        async with aclosing(await open_redis(settings)) as redis:
            heartbeat = Heartbeat(redis, LOAD)
            await heartbeat.beat(time.time())
            begun.set_result((heartbeat.name, partial(loop.call_soon_threadsafe, ended.set)))
            keeping = asyncio.create_task(heartbeat.keep())
            await ended.wait()
            await end([keeping])
            await heartbeat.stop()
    except Exception as error:
        if begun.done():
            raise
        begun.set_exception(error)


async def before_load(settings: Settings, ours: str = "") -> int:
    """See that nobody is in the way, and note how far `clicks` is: clicks before that may be in files, too.

    From then on ingesters and trainers wait until `after_load`, or `abandon`.

    Parameters
    ----------
    ours
        The name of this load's own sign of life. It is given before this looks for those of others, as they
        do it: of two who begin at once, one at least sees the other.

    Returns
    -------
    The number of the load.

    Raises
    ------
    WrongUse
        Where an ingester, a trainer or another load runs.
    RefrainError
        Where Redis holds affinities of another half-life, or belongs to another Kafka; where one of them does
        not answer.
    """
    redis = await open_redis(settings)
    async with aclosing(redis):
        await guard_decay(redis, decay_of(settings))
        alive = await heartbeats(redis)
        running = Counter(state["kind"] for name, state in alive.items() if name != ours)
        if running[LOAD]:
            raise WrongUse(
                "another `refrain history load` runs: two at once would not know whom the other loads",
                hint="Load when it is done: who is there is not loaded twice. One that was killed counts for "
                f"{SECONDS} seconds more.",
            )
        if there := [f"{running[kind]} {kind}" for kind in AFTER_LOADS if running[kind]]:
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


async def after_load(settings: Settings, number: int) -> None:
    """Let the model that serves, where one does, be taken to those who are new; and whoever waits begin."""
    redis = await open_redis(settings)
    async with aclosing(redis):
        await Sweeps(redis).due()
        await History(redis).end(number)


async def abandon(redis: AnyRedis) -> bool:
    """Give up a load that did not end: whoever waits for it begins.

    Returns
    -------
    Whether there was one.

    Raises
    ------
    WrongUse
        Where it runs.
    """
    if await load_state(redis) is LoadState.RUNS:
        raise WrongUse(
            "a `refrain history load` runs",
            hint=f"End it first. One that was killed counts for {SECONDS} seconds more.",
        )
    return await History(redis).give_up()

"""`refrain traits`: what listeners are about to do, kept current."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Collection
from contextlib import AsyncExitStack
from functools import partial

from redis.exceptions import NoPermissionError

from consumers.runtime.lead import lead
from consumers.runtime.live_model import LiveModel
from consumers.runtime.newest_click import NewestClick
from consumers.runtime.process import starts_over, together
from consumers.runtime.startup import begin, begin_producer
from consumers.runtime.wiring import Stores, churn_span_of, limits_of
from consumers.traits.churn import Churn
from consumers.traits.clicked import Clicked
from consumers.traits.expiry import Expiry
from consumers.traits.labels import LabelReader
from consumers.traits.looks import Looks
from consumers.traits.next_week import NextWeekTrait
from consumers.traits.rounds import Rounds
from consumers.traits.scorer import Scorer
from consumers.traits.segments import SegmentTraits
from consumers.traits.shares import ActivityShares
from models.traits.next_week import ENOUGH
from stream.connect import REDIS_ERRORS, ask_redis, open_kafka
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import keys
from stream.stores.artist_aliases import REFRESH_SECONDS
from stream.stores.heartbeats import Heartbeat
from stream.stores.lease import Lease
from stream.stores.memory import Memory
from stream.stores.next_week_model import NextWeekModel

__all__ = ["traits"]

KEEP_SECONDS = 30.0  # between two writings of what is learned
MEASURE_SECONDS = 600.0  # between two measurements of Redis's memory
LOOK_SECONDS = 5.0  # between two looks whether a new day has begun, whether there are new labels
SAMPLE = 2000  # listeners, by whom it is seen whether history is on its way

logger = logging.getLogger(__name__)


@starts_over
async def traits(settings: Settings, stop: asyncio.Event) -> None:
    """Wire a process from settings, and run it, or wait in reserve while another holds the lease.

    Raises
    ------
    RefrainError
        Where it cannot start: Kafka or Redis away, affinities of another half-life.
    """
    async with AsyncExitStack() as stack:
        retry = Retry(stop)
        redis, heartbeat, watch = await begin(settings, "traits", stack)
        stores = Stores.on(redis, settings)
        producer = await begin_producer(settings, stack)
        next_week = NextWeekTrait(NextWeekModel(redis), Looks(stores.listeners, stores.cohorts.drawn, SAMPLE))
        churn = Churn(
            stores.churn,
            stores.listeners,
            stores.cohorts.drawn,
            churn_span_of(settings),
            settings.churn_sample,
        )
        live = LiveModel(stores.snapshots, heartbeat, NewestClick.on(redis, settings))
        await ask_redis(settings, live.refresh, logger.info)
        await ask_redis(settings, stores.durability.begin, logger.info)
        await ask_redis(settings, stores.aliases.refresh, logger.info)
        shares = ActivityShares(stores.listeners, stores.catalogue)
        segments = SegmentTraits(
            stores.listeners, stores.segments, lambda: live.model, settings.max_artists, shares
        )
        scorer = Scorer(
            stores.listeners,
            stores.traits,
            next_week,
            churn,
            segments,
            limits_of(settings),
            producer,
            heartbeat,
            retry,
        )

        async def roots(users: Collection[str]) -> dict[str, str]:
            return await retry("asking whose ids these are", stores.merges.roots, users)

        clicked = Clicked(scorer, roots, heartbeat, stop)
        rounds = Rounds(
            scorer, stores.cohorts, heartbeat, stop, retry, settings.traits_round_minutes, next_week.keep
        )

        expiry = Expiry(
            stores,
            producer,
            lambda: live.model,
            heartbeat,
            stop,
            retry,
            dormant_seconds=settings.forget_dormant_seconds,
            quiet_seconds=settings.retention_seconds,
            minutes=settings.traits_round_minutes,
        )

        measure = partial(_measure, Memory(redis, stores.cohorts), heartbeat)

        async def score() -> None:
            # Another may have led meanwhile, and learned more.
            await retry("reading what is learned of the next week", next_week.begin)
            try:
                await together(
                    clicked.score(),
                    rounds.run(),
                    retry.every(LOOK_SECONDS, "looking for history", partial(_look, next_week, rounds)),
                    retry.every(LOOK_SECONDS, "learning who churns", learn_churn),
                    retry.every(LOOK_SECONDS, "learning segments", learn_segments),
                    retry.every(LOOK_SECONDS, "looking for merges", look_for_merges),
                    retry.every(KEEP_SECONDS, "writing what is learned of the next week", next_week.keep),
                    retry.every(MEASURE_SECONDS, "measuring Redis's memory", measure),
                )
            finally:
                if stop.is_set():  # else the lease has gone to another, who has learned more
                    await _keep_at_the_end(next_week)

        async def learn_churn() -> None:
            before = churn.version
            await churn.tick(time.time())
            if churn.version != before:
                rounds.again()

        async def learn_segments() -> None:
            await segments.learn()
            if segments.news:
                segments.news = False
                rounds.again()

        async def look_for_merges() -> None:
            clicked.look_again(await stores.merged_lately.refresh())

        labels = LabelReader.consumer(settings, watch)
        stack.push_async_callback(labels.stop)
        reader = LabelReader(
            labels,
            stores.segments,
            stores.merges,
            stores.durability,
            producer,
            heartbeat,
            retry,
            stop,
            watch.shapes["labels"].topic_id,
        )
        await open_kafka(settings, labels.start, logger.info)
        lease = Lease(redis, heartbeat.name, key=keys.TRAITS_LEASE)
        logger.info("keeping traits current")
        beside = [score, expiry.run] if settings.forget_dormant_days else [score]
        leading = lead(settings, watch, clicked.read, beside, lease, heartbeat, stop, retry, begin="latest")
        following = retry.every(REFRESH_SECONDS, "reading aliases of artists", stores.aliases.refresh)
        await together(leading, live.follow(), reader.run(), following, heartbeat.keep(), watch.run())


async def _look(next_week: NextWeekTrait, rounds: Rounds) -> None:
    if await next_week.look(time.time()) and next_week.model.version < ENOUGH:
        rounds.again()  # nothing was learned in the rounds before


async def _keep_at_the_end(next_week: NextWeekTrait) -> None:
    try:
        await next_week.keep()
    except REDIS_ERRORS as error:
        logger.warning("what was learned of the next week since the last half minute is lost: %s", error)


async def _measure(memory: Memory, heartbeat: Heartbeat) -> None:
    with contextlib.suppress(NoPermissionError):  # `refrain doctor` says so
        await memory.remember(time.time())
        fullest = max(await memory.servers(), key=lambda each: each.used / (each.limit or math.inf))
        heartbeat.led.update({"redis used": fullest.used, "redis limit": fullest.limit})

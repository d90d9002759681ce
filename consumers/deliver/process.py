"""`refrain deliver`: audiences and changes of cohort to who has no Kafka."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from consumers.deliver.deliverer import Deliver, Deliverer
from consumers.deliver.outgoing import Outgoing, audience_post, changes_post
from consumers.deliver.release_files import ReleaseFiles
from consumers.deliver.webhook import Webhook
from consumers.runtime.process import end, starts_over, together
from consumers.runtime.startup import begin, begin_producer
from stream.connect import open_kafka
from stream.errors import CannotStart
from stream.retry import Retry
from stream.settings import Settings
from stream.wire.consumer import Consumer
from stream.wire.dead_letter import DeadLetter, Reason
from stream.wire.groups import GROUPS
from stream.wire.parsing import parse_audience
from stream.wire.record import Record

__all__ = ["deliver"]

CHANGES = 500  # changes of cohort in a post, at most
REBALANCE_SECONDS = 10.0  # beside the time that one post may take

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Reader:
    """What is read, by the group of which name, and how so many events are delivered at once."""

    topic: str
    name: str
    deliver: Deliver
    together: int = 1


@starts_over
async def deliver(settings: Settings, stop: asyncio.Event) -> None:
    """Wire the readers that the settings ask for, and run them until asked to stop.

    Raises
    ------
    RefrainError
        Where it cannot start: Kafka or Redis away, nothing to deliver to.
    """
    if not settings.deliver_url and not settings.deliver_folder:
        raise CannotStart(
            "there is nothing to deliver to",
            hint="Set REFRAIN_DELIVER_URL and REFRAIN_DELIVER_SECRET_FILE, or REFRAIN_DELIVER_FOLDER.",
        )
    async with AsyncExitStack() as stack:
        retry = Retry(stop)
        redis, heartbeat, watch = await begin(settings, "deliver", stack)
        producer = await begin_producer(settings, stack)
        readers = []
        if settings.deliver_url:
            webhook = await stack.enter_async_context(Webhook(settings, redis, heartbeat))
            logger.info("posting to %s", webhook.host)
            readers.append(_Reader("audiences", "deliver", _posts(webhook, audience_post)))
            if settings.deliver_cohort_changes:
                posts = _posts(webhook, changes_post)
                readers.append(_Reader("cohort-changes", "deliver-changes", posts, CHANGES))
        if settings.deliver_folder:
            logger.info("writing to %s", settings.deliver_folder)
            written = _files(ReleaseFiles(settings.deliver_folder))
            readers.append(_Reader("audiences", "deliver-files", written))
        running = []
        for each in readers:
            consumer = Consumer(
                settings,
                watch=watch,
                decode=False,  # Refrain wrote it
                group_id=GROUPS[each.name].full_name(settings),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                # For so long a rebalance waits for what is being posted (`Deliverer.on_partitions_revoked`).
                rebalance_timeout_ms=round(1000 * (settings.deliver_timeout + REBALANCE_SECONDS)),
            )
            stack.push_async_callback(consumer.stop)
            await open_kafka(settings, consumer.start, logger.info)
            running.append(
                Deliverer(
                    consumer,
                    each.topic,
                    each.name,
                    each.deliver,
                    each.together,
                    producer,
                    heartbeat,
                    retry,
                    stop,
                ).run()
            )
        await together(_all(running), heartbeat.keep(), watch.run())


async def _all(running: Iterable[Coroutine[Any, Any, None]]) -> None:
    tasks = [asyncio.create_task(each) for each in running]
    try:
        await asyncio.gather(*tasks)
    finally:
        await end(tasks)  # what they work with is closed next


def _posts(webhook: Webhook, made: Callable[[Sequence[Record]], Outgoing]) -> Deliver:
    async def post(records: Sequence[Record], ending: asyncio.Event) -> Sequence[DeadLetter]:
        outgoing = made(records)
        why = await webhook.deliver(outgoing.post, ending) if outgoing.post else ""
        unusable = {id(letter.record) for letter in outgoing.dead}
        refused = [each for each in records if id(each) not in unusable] if why else []
        return [*outgoing.dead, *(DeadLetter(record, Reason.UNDELIVERED, why) for record in refused)]

    return post


def _files(files: ReleaseFiles) -> Deliver:
    async def write(records: Sequence[Record], ending: asyncio.Event) -> Sequence[DeadLetter]:
        (record,) = records
        event = parse_audience(record)
        if isinstance(event, DeadLetter):
            return [event]
        await Retry(ending)("writing files of releases", asyncio.to_thread, files.take, event)
        return []

    return write

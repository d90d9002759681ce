"""A replay from its plan to its end: what is sent, where it stopped, what became of it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

from consumers.replay.options import Sending
from consumers.replay.plan import Plan, Progress, in_order
from consumers.replay.refused import Sent, find_refused
from consumers.replay.sender import Replay
from consumers.replay.sent_before import refuse_sent_before
from consumers.replay.summary import Pair, Summary
from stream.errors import Unreachable, WrongUse
from stream.files.bookmark import Bookmark
from stream.files.tally import Tally
from stream.settings import Settings
from stream.wire.topics import create_missing, describe_topics, open_admin

__all__ = ["FOLDER", "carry_out"]

FOLDER = "replays"
"""Within the data folder: bookmarks, and what cannot stand beside the files."""


def carry_out(
    plan: Plan, settings: Settings, sending: Sending, watch: Callable[[Progress], object]
) -> Summary:
    """Send the events of a plan, until they are all sent, or SIGINT or SIGTERM comes.

    Parameters
    ----------
    sending
        How fast, and what to do where the same replay stopped before.
    watch
        Is told now and then.

    Raises
    ------
    WrongUse
        Where it is to go on, and cannot without sending events a second time.
    RefrainError
        Where it cannot be done. What is in Kafka is noted, and `resume` goes on from there.
    """
    with open_admin(settings) as admin:
        create_missing(admin, settings)
        state = describe_topics(admin, settings)[plan.topic]
    if state is None:
        raise Unreachable(
            f"Kafka has no topic {plan.topic} yet, though it was asked to make it", hint="Try again."
        )
    folder = settings.data / FOLDER
    known = plan.options.known_artists
    files = [*plan.files, *plan.options.songs, *([known] if known else [])]
    bookmark, old = Bookmark.find(folder, state.topic_id, files, plan.identity, plan.selection)
    if old and sending.resume:
        if changed := bookmark.changed:
            raise WrongUse(
                f"{changed} has changed since it was replayed ({bookmark.events:,} events), so this cannot "
                "go on where it was",
                hint="--anew begins again, and sends those events a second time.",
            )
        if bookmark.finished:
            return Summary(0, bookmark.events, True, 0.0, Tally())
    elif old and not sending.anew and not bookmark.finished:
        raise WrongUse(
            f"this replay stopped after {bookmark.events:,} events (or still runs)",
            hint="--resume goes on there, --anew begins again and sends those a second time.",
        )
    else:
        if sending.resume:
            refuse_sent_before(bookmark, plan.files)
        bookmark = bookmark.anew(time.time())

    reading = plan.reading(bookmark.started, folder)
    progress = Progress(reading)

    def told(sent: int) -> None:
        progress.sent = sent
        watch(progress)

    with ExitStack() as stack:
        events = in_order(plan, reading, bookmark.started, progress, lambda: watch(progress), stack)
        began, began_at = time.monotonic(), time.time()
        replay = Replay(
            settings,
            state.topic.name,
            state.partitions,
            bookmark,
            settings.connect_timeout,
            sending.rate,
            told,
        )
        finished = asyncio.run(_until_told(replay, events))
        seconds = time.monotonic() - began
    before = replay.bookmark.events - replay.sent
    unknown = sending.resume and not old
    summary = Summary(replay.sent, before, finished, seconds, reading.tally, unknown=unknown)
    if not (finished and replay.sent):
        return summary
    sent = Sent(plan.topic, replay.starts, replay.bookmark.offsets, began_at)
    return replace(summary, refused=find_refused(settings, sent))


async def _until_told(replay: Replay, events: Iterator[Pair | None]) -> bool:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, replay.stop.set)
    return await replay.run(events)

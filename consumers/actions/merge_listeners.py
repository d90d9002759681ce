"""Makes an id part of a listener, or one of its own again: says so to Kafka, and waits for an ingester.

Not done here, as an erasure is: what becomes of the listener goes by the model, the rules and the clicks that
ingesters hold, and the topic keeps merges and their undoing in order for each id.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from shlex import quote

from pydantic import ValidationError

from consumers.runtime.wiring import Stores
from stream.connect import AnyRedis
from stream.errors import NotMerged, WrongUse
from stream.settings import Settings
from stream.stores.merges import Forward, Merges
from stream.wire.events import Merge, encode
from stream.wire.parsing import why
from stream.wire.sender import Message, open_sender
from stream.wire.topics import create_topics

__all__ = ["Merged", "Undone", "merge_listeners", "undo_merge"]

LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Merged:
    """A merge that was made.

    Attributes
    ----------
    into
        The listener that the id is part of by now.
    clicks, cohort
        Theirs, with all of the id's.
    undo_days
        For how long it may be undone.
    """

    user_id: str
    into: str
    clicks: int
    cohort: str
    undo_days: float


@dataclass(frozen=True)
class Undone:
    """A merge that was undone.

    Attributes
    ----------
    into
        The listener that the id was part of.
    clicks, into_clicks
        The clicks of each by now.
    """

    user_id: str
    into: str
    clicks: int
    into_clicks: int


async def merge_listeners(
    redis: AnyRedis, settings: Settings, user_id: str, into: str, wait: float
) -> Merged:
    """Make an id part of a listener.

    Parameters
    ----------
    wait
        Seconds for an ingester to do it.

    Raises
    ------
    WrongUse
        Where it cannot be: the id is part of another listener, or the listener part of the id.
    NotMerged
        Where no ingester has done it in time.
    Unreachable
        Where Kafka does not answer.
    """
    stores = Stores.on(redis, settings)
    chain = await stores.merges.chain(into)
    root = chain[-1].into if chain else into
    if user_id in (into, root, *(forward.user_id for forward in chain)):
        reason = "the same id" if user_id == into else f"{into!r} is part of it already"
        raise WrongUse(f"{user_id!r} cannot become part of {into!r}: {reason}")
    own = await stores.merges.chain(user_id)
    if own and own[-1].into != root:
        raise WrongUse(
            f"{user_id!r} is part of {own[-1].into!r} already: "
            f"`refrain merge --undo {quote(user_id)}` undoes that first"
        )
    try:
        event = Merge(user_id=user_id, into=into, ts=time.time())
    except ValidationError as error:
        _, detail = why(error)
        raise WrongUse(f"{user_id!r} cannot become part of {into!r}: {detail}") from error
    await _publish(settings, event)
    forward = await _wait(stores.merges, user_id, wait, lambda found: found is not None and found.done)
    about = await stores.listeners.about(forward.into if forward else into)
    return Merged(
        user_id,
        forward.into if forward else into,
        int(about.get("clicks", 0)),
        about.get("cohort", ""),
        settings.merge_undo_days,
    )


async def undo_merge(redis: AnyRedis, settings: Settings, user_id: str, wait: float) -> Undone:
    """Make an id that is part of a listener one of its own again.

    Raises
    ------
    WrongUse
        Where it is part of none, or has been for too long; or where its listener is part of another.
    NotMerged
        Where no ingester has done it in time.
    Unreachable
        Where Kafka does not answer.
    """
    stores = Stores.on(redis, settings)
    forward, parts = await stores.merges.read(user_id)
    if forward is None:
        raise WrongUse(f"{user_id!r} is part of no other listener")
    if parts is None:
        raise WrongUse(
            f"{user_id!r} became part of {forward.into!r} too long ago: that can be undone for "
            f"{settings.merge_undo_days:g} days (REFRAIN_MERGE_UNDO_DAYS)"
        )
    if other := await stores.merges.forward(forward.into):
        raise WrongUse(
            f"{user_id!r} is part of {forward.into!r}, who is part of {other.into!r} by now: "
            f"`refrain merge --undo {quote(forward.into)}` undoes that first"
        )
    await _publish(settings, Merge(user_id=user_id, undo=True, ts=time.time()))
    await _wait(stores.merges, user_id, wait, lambda found: found is None)
    clicks = [int((await stores.listeners.about(user)).get("clicks", 0)) for user in (user_id, forward.into)]
    return Undone(user_id, forward.into, *clicks)


async def _publish(settings: Settings, event: Merge) -> None:
    await asyncio.to_thread(create_topics, settings)
    async with open_sender(settings) as sender:
        await sender.deliver([Message("merges", event.user_id.encode(), encode(event))])


async def _wait(
    merges: Merges, user_id: str, seconds: float, is_done: Callable[[Forward | None], bool]
) -> Forward | None:
    give_up = time.monotonic() + seconds
    while not is_done(found := await merges.forward(user_id)):
        if time.monotonic() > give_up:
            raise NotMerged(
                f"no ingester has done it within {seconds:g} s; it is in the topic merges, and will be done, "
                "or become a dead letter where it cannot be by then",
                hint="`refrain doctor` says whether an ingester runs.",
            )
        await asyncio.sleep(LOOK_SECONDS)
    return found

"""Erases a labelled segment."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from shlex import quote

from consumers.queries.segments import check_segment
from consumers.runtime.wiring import Stores
from models.traits.where import SEGMENT
from stream.connect import REDIS_ERRORS, AnyRedis
from stream.errors import NotErased, WrongUse
from stream.settings import Settings
from stream.stores.segments import OUR_CLOCK, Came, topic_clock
from stream.wire.lag import ends
from stream.wire.topic_watch import topic_shapes
from stream.wire.topics import open_admin

__all__ = ["ForgottenSegment", "SegmentSize", "forget_segment", "size_of_segment"]

TOPIC = "labels"


@dataclass(frozen=True)
class SegmentSize:
    """What there is of a segment.

    Attributes
    ----------
    labels
        Listeners with a label.
    predicted
        What is predicted by them: the segment itself, or its classes (``SEGMENT:CLASS``).
    members
        Listeners who are in one of the sets of these, each counted once for each.
    """

    segment: str
    labels: int
    predicted: tuple[str, ...]
    members: int


@dataclass(frozen=True)
class ForgottenSegment(SegmentSize):
    """What was erased of a segment.

    Attributes
    ----------
    listeners
        Those whose traits said how likely they are in it.
    """

    listeners: int


async def size_of_segment(redis: AnyRedis, settings: Settings, segment: str) -> SegmentSize:
    """Return what there is of a segment that is to be erased.

    Raises
    ------
    UnknownSegment
        Where there are no labels of it.
    WrongUse
        Where it is one class of a segment.
    """
    store = Stores.on(redis, settings).segments
    predicted = await store.predicted()
    of = [name for name, (owner, _) in predicted.items() if owner == segment]
    if not of and not await store.half_forgotten(segment):
        check_segment(segment, predicted)
        owner, _ = predicted[segment]
        raise WrongUse(
            f"{segment!r} is one class of {owner!r}, and forgotten with it alone",
            hint=f"`refrain segment forget {quote(owner)}` erases all its classes.",
        )
    members = sum([(await store.members(name, 0, 1))[1] for name in of])
    return SegmentSize(segment, await store.size(segment), tuple(of), members)


async def forget_segment(redis: AnyRedis, settings: Settings, segment: str) -> ForgottenSegment:
    """Erase a segment: its labels, what was learned of it, who is in it, and what traits say of it.

    Labels that are in Kafka by now count no more, also where they are read again; later ones make it again.

    Raises
    ------
    UnknownSegment, WrongUse
        As `size_of_segment`.
    NotErased
        Where Redis fails on the way.
    Unreachable
        Where Kafka does not answer.
    """
    size = await size_of_segment(redis, settings, segment)
    stores = Stores.on(redis, settings)
    bounds = await asyncio.to_thread(_ends, settings)
    try:
        names = await stores.segments.forget_segment(segment, [*bounds, Came(OUR_CLOCK, time.time())])
        fields = [SEGMENT + name for name in names]
        if not await stores.segments.predicted():
            fields += ["segments:version", "segments:at"]
        listeners = await stores.traits.drop_of_all(fields)
        await stores.segments.forgotten_wholly(segment)
    except REDIS_ERRORS as error:
        raise NotErased(
            f"segment {segment!r} is not erased wholly, as Redis failed ({error})",
            hint=f"Run `refrain segment forget {quote(segment)}` again: it erases what is left.",
        ) from error
    return ForgottenSegment(**vars(size) | {"predicted": tuple(names)}, listeners=listeners)


def _ends(settings: Settings) -> list[Came]:
    """Return where the topic of labels ends: those behind it come after the segment is forgotten."""
    with open_admin(settings) as admin:
        shape = topic_shapes(admin, [TOPIC]).get(TOPIC)
        found = ends(admin, TOPIC) if shape else {}
    return [Came(topic_clock(shape.topic_id, partition), end) for partition, end in found.items() if shape]

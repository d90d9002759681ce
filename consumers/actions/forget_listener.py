"""Erases a listener."""

from __future__ import annotations

import itertools
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from shlex import quote

from consumers.runtime.wiring import Stores
from stream.connect import REDIS_ERRORS, AnyRedis
from stream.error_policy import Action, case_of
from stream.errors import NotErased, UnknownListener
from stream.settings import Settings
from stream.wire.composed import nfc

__all__ = ["Forgotten", "forget_listener"]


@dataclass(frozen=True)
class Forgotten:
    """What was erased of a listener, and what stays.

    Attributes
    ----------
    ids
        Ids that were part of them, of which nothing is left either.
    artists
        How many artists the clicks were summed up in.
    cohorts
        Those that they were a member of.
    told_of_releases
        How many releases they had been told of.
    labels
        How many segments they had a label in.
    opt_out_kept
        Whether their id stays among those who have opted out.
    kafka_retention_days
        How long Kafka keeps the clicks, where Refrain made the topic.
    """

    user_id: str
    ids: tuple[str, ...]
    clicks: int
    artists: int
    cohorts: tuple[str, ...]
    told_of_releases: int
    labels: int
    opt_out_kept: bool
    kafka_retention_days: float


async def forget_listener(redis: AnyRedis, settings: Settings, user_id: str) -> Forgotten:
    """Erase all that Redis holds of a listener, except that they have opted out.

    Earlier versions kept ids in the Unicode form in which they came: what they wrote is erased with it.

    Raises
    ------
    UnknownListener, NotErased
        As `_forget`; the first where there are none in any form.
    """
    found, unknown = [], list[UnknownListener]()
    for form in dict.fromkeys((nfc(user_id), user_id, unicodedata.normalize("NFD", user_id))):
        try:
            found.append(await _forget(redis, settings, form))
        except UnknownListener as error:
            unknown.append(error)
    if not found:
        raise unknown[0]
    first, *others = found
    return replace(
        first,
        ids=tuple(itertools.chain(first.ids, *((each.user_id, *each.ids) for each in others))),
        clicks=sum(each.clicks for each in found),
        artists=sum(each.artists for each in found),
        cohorts=tuple(dict.fromkeys(cohort for each in found for cohort in each.cohorts)),
        told_of_releases=sum(each.told_of_releases for each in found),
        labels=sum(each.labels for each in found),
        opt_out_kept=any(each.opt_out_kept for each in found),
    )


async def _forget(redis: AnyRedis, settings: Settings, user_id: str) -> Forgotten:
    """Erase all that is kept under an id.

    No step needs what an earlier one erases, so that one that failed may be repeated; and none of them lets
    Redis grow, so that a Redis that is full takes them all.

    Raises
    ------
    UnknownListener
        Where there is nothing to erase; or the id is part of another listener, who is to be erased.
    NotErased
        Where Redis fails on the way; it says what is left.
    """
    stores = Stores.on(redis, settings)
    listeners, releases = stores.listeners, stores.releases
    if part_of := await stores.merges.roots([user_id]):
        raise UnknownListener(
            f"{user_id!r} is part of {part_of[user_id]!r}, so there is nothing to erase of it alone",
            hint=f"`refrain forget {quote(part_of[user_id])}` erases them under all their ids.",
        )
    ids = (await stores.merges.ids([user_id]))[user_id]
    # First, and also of who is not there any more: they may be in exports.
    with _left(user_id, ", and of ".join(["all of it", *ids])):
        await stores.erased.add([user_id, *ids], time.time())
    with _left(user_id, ", and of ".join(["all of it", *ids])):
        of_ids = [await _erase_part(stores, each) for each in ids]
        await stores.merged_lately.forget({user_id, *ids})
    _, artists = await listeners.strongest(user_id, 1)
    clicks = int((await listeners.about(user_id)).get("clicks", 0))
    with _left(user_id, "all of it"):
        await stores.waiting.forget(user_id)
        await stores.recommended.forget(user_id)
    # The record first of what the listener is: from then on nobody takes them for a member.
    with _left(user_id, "the record, labels, traits, membership of a cohort, having been told of releases"):
        there = await listeners.forget(user_id)
    # From here on nothing is known of them that a segment could be predicted from.
    with _left(
        user_id, "labels, traits, membership of segments and of a cohort, having been told of releases"
    ):
        labels = await stores.segments.forget(user_id)
    with _left(user_id, "traits, membership of a cohort, having been told of releases"):
        traits = await stores.traits.forget(user_id)
    with _left(user_id, "membership of a cohort, having been told of releases"):
        cohorts = await stores.cohorts.forget(user_id)
    with _left(user_id, "having been told of releases"):
        told = await releases.forget(user_id)
        await stores.told.forget(user_id)
        await stores.decisions.forget(user_id)
        await stores.churn.forget(user_id)
    opted_out = user_id in await stores.opted_out.among([user_id])
    if not opted_out:  # who was taken out of those who have is not named where it was announced either
        await stores.opted_out.forget([user_id])
    if not (there or traits or cohorts or told or labels):
        known = "; that they have opted out is remembered" if opted_out else ""
        raise UnknownListener(f"there is no listener {user_id!r}, so there is nothing to erase{known}")
    return Forgotten(
        user_id=user_id,
        ids=tuple(ids),
        clicks=clicks,
        artists=artists,
        cohorts=tuple(cohort for cohort in cohorts if cohort),
        told_of_releases=told + sum(of_ids),
        labels=labels,
        opt_out_kept=opted_out,
        kafka_retention_days=settings.retention_days,
    )


async def _erase_part(stores: Stores, user_id: str) -> int:
    """Erase what is left of an id that is part of a listener, whose part it is last."""
    await stores.waiting.forget(user_id)
    await stores.segments.forget(user_id)
    await stores.traits.forget(user_id)
    await stores.cohorts.forget(user_id)
    told = await stores.releases.forget(user_id)
    await stores.told.forget(user_id)
    await stores.decisions.forget(user_id)
    await stores.churn.forget(user_id)
    await stores.recommended.forget(user_id)
    await stores.listeners.forget(user_id)
    return told


@contextmanager
def _left(user_id: str, what: str) -> Iterator[None]:
    """Say what may be left of a listener where Redis fails in the block."""
    try:
        yield
    except REDIS_ERRORS as error:
        case, again = case_of(error), f"Run `refrain forget {quote(user_id)}` again: it erases what is left."
        raise NotErased(
            f"{user_id!r} is not erased wholly: {what} may be left, as Redis failed ({error})",
            hint=f"{case.hint} {again}" if case.action is Action.REPORT else again,
        ) from error

"""Erases a listener."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from shlex import quote
from typing import NamedTuple

from consumers.runtime.wiring import Stores
from stream.connect import REDIS_ERRORS, AnyRedis
from stream.error_policy import Action, case_of
from stream.errors import NotDurable, NotErased, UnknownListener
from stream.settings import Settings
from stream.stores.durability import Durability, Primaries
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
    No step needs what an earlier one erases, so that one that failed may be repeated; and none of them lets
    Redis grow, so that a Redis that is full takes them all.

    Raises
    ------
    UnknownListener
        Where there is nothing to erase; or the id is part of another listener, who is to be erased.
    NotErased
        Where Redis fails on the way; it says what is left. Or where what was erased is back if Redis dies.
    """
    stores = Stores.on(redis, settings)
    await stores.durability.begin()
    since = stores.durability.primaries
    forms = dict.fromkeys((nfc(user_id), user_id, unicodedata.normalize("NFD", user_id)))
    part_of = await stores.merges.roots(list(forms))
    own = [form for form in forms if form not in part_of]
    if not own:
        whole = part_of[nfc(user_id)]
        raise UnknownListener(
            f"{user_id!r} is part of {whole!r}, so there is nothing to erase of it alone",
            hint=f"`refrain forget {quote(whole)}` erases them under all their ids.",
        )
    ids = [part for parts in (await stores.merges.ids(own)).values() for part in parts]
    with _left(user_id, ", and of ".join(["all of it", *ids])):
        # First, and also of who is not there any more: they may be in exports.
        await stores.erased.add([*own, *ids], await stores.erased.now())
        told_of_ids = await _erase_parts(stores, ids)
        await stores.merged_lately.forget({*own, *ids})
    erased = [await _erase_listener(stores, each) for each in own]
    with _left(user_id, "having been told of releases"):
        for each in own:
            await stores.told.forget(each)
            await stores.churn.forget(each)
        # Who was erased as dormant before stands there for as long as caps count what they were told.
        await stores.expired.done_told([*own, *ids])
        told = await stores.release_traces.forget(own)
    opted_out = await stores.opted_out.among(own)
    # Who was taken out of those who have is not named where it was announced either.
    await stores.opted_out.forget([each for each in own if each not in opted_out])
    # Once more: an export that has begun meanwhile may have read what was still there.
    await stores.erased.add([*own, *ids], await stores.erased.now())
    await _keep_erased(stores.durability, since, user_id)
    there = [form for form, each in zip(own, erased, strict=True) if each.there or told[form]]
    if not there:
        known = "; that they have opted out is remembered" if opted_out else ""
        raise UnknownListener(f"there is no listener {user_id!r}, so there is nothing to erase{known}")
    return Forgotten(
        user_id=there[0],
        ids=(*there[1:], *ids),
        clicks=sum(each.clicks for each in erased),
        artists=sum(each.artists for each in erased),
        cohorts=tuple(dict.fromkeys(cohort for each in erased for cohort in each.cohorts if cohort)),
        told_of_releases=told.total() + told_of_ids,
        labels=sum(each.labels for each in erased),
        opt_out_kept=bool(opted_out),
        kafka_retention_days=settings.retention_days,
    )


class _Erased(NamedTuple):
    """What there was of an id, releases aside."""

    there: bool
    clicks: int
    artists: int
    cohorts: list[str]
    labels: int


async def _erase_listener(stores: Stores, user_id: str) -> _Erased:
    """Erase what is kept under a listener's own id, but of what they were told."""
    _, artists = await stores.listeners.strongest(user_id, 1)
    clicks = int((await stores.listeners.about(user_id)).get("clicks", 0))
    with _left(user_id, "all of it"):
        await stores.waiting.forget(user_id)
    # The record first of what the listener is: from then on nobody takes them for a member.
    with _left(user_id, "the record, labels, traits, membership of a cohort, having been told of releases"):
        there = await stores.listeners.forget(user_id)
    # From here on nothing is known of them that a segment could be predicted from.
    with _left(
        user_id, "labels, traits, membership of segments and of a cohort, having been told of releases"
    ):
        labels = await stores.segments.forget([user_id])
    with _left(user_id, "traits, membership of a cohort, having been told of releases"):
        traits = await stores.traits.forget(user_id)
    with _left(user_id, "membership of a cohort, having been told of releases"):
        cohorts = await stores.cohorts.forget(user_id)
    return _Erased(bool(there or traits or cohorts or labels), clicks, artists, cohorts, labels)


async def _erase_parts(stores: Stores, ids: Sequence[str]) -> int:
    """Erase what is left of ids that are part of a listener; return of how many releases they were told."""
    await stores.segments.forget(ids)
    for each in ids:
        await stores.waiting.forget(each)
        await stores.traits.forget(each)
        await stores.cohorts.forget(each)
        await stores.told.forget(each)
        await stores.churn.forget(each)
    told = await stores.release_traces.forget(ids)
    # Whose part they are last: one that is broken off is found again by it.
    for each in ids:
        await stores.listeners.forget(each)
    return told.total()


async def _keep_erased(durability: Durability, since: Primaries, user_id: str) -> None:
    """Wait until no end of Redis brings a listener back."""
    try:
        kept = await durability.acknowledged(since)
    except NotDurable as error:
        raise NotErased(
            f"{user_id!r} is erased, and may be back if Redis dies now: {error}", hint=_again(user_id)
        ) from error
    except REDIS_ERRORS as error:
        raise NotErased(
            f"{user_id!r} may not be erased: Redis failed before it was sure ({error})", hint=_again(user_id)
        ) from error
    if not kept:
        raise NotErased(
            f"{user_id!r} may not be erased: Redis has failed over or was restarted meanwhile",
            hint=_again(user_id),
        )


def _again(user_id: str) -> str:
    return f"Run `refrain forget {quote(user_id)}` again: it erases what is left."


@contextmanager
def _left(user_id: str, what: str) -> Iterator[None]:
    """Say what may be left of a listener where Redis fails in the block."""
    try:
        yield
    except REDIS_ERRORS as error:
        case, again = case_of(error), _again(user_id)
        raise NotErased(
            f"{user_id!r} is not erased wholly: {what} may be left, as Redis failed ({error})",
            hint=f"{case.hint} {again}" if case.action is Action.REPORT else again,
        ) from error

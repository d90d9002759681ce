"""Listeners in the order of their ids, a page at a time."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from stream.connect import AnyRedis
from stream.errors import UnknownCohort
from stream.settings import Settings
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.opted_out import OptedOut

__all__ = ["NO_COHORT", "ListedListener", "ListenerPage", "list_listeners"]

NO_COHORT = "none"
"""How the listeners who are in no cohort are asked for."""

ARTISTS = 3
MANY = 10  # times a page: so many ids are kept until the smallest are picked
TOGETHER = 8  # cohorts read at once


@dataclass(frozen=True)
class ListedListener:
    """A listener in a list.

    Attributes
    ----------
    cohort, label
        The cohort and its name for people; "" where the listener is in none.
    last_seen
        Time of the last click, Unix seconds; None while all clicks wait for their songs.
    artists
        Names of the artists that weigh most, at most three; none of a bot's.
    """

    user_id: str
    cohort: str
    label: str
    clicks: int
    last_seen: float | None
    bot: bool
    opted_out: bool
    artists: tuple[str, ...]


@dataclass(frozen=True)
class ListenerPage:
    """A page of listeners.

    Attributes
    ----------
    total
        How many listeners there are, in all pages.
    after
        What to ask the next page with: the last id of this one. None where this is the last page.
    """

    listeners: tuple[ListedListener, ...]
    total: int
    after: str | None


async def list_listeners(
    redis: AnyRedis, settings: Settings, cohort: str | None, limit: int, after: str = ""
) -> ListenerPage:
    """Return the listeners whose ids come next after `after`.

    Goes through all members for each page, some hundred at a time, so that Redis is never held up: of a
    million listeners that takes two seconds. Whoever is there throughout is on exactly one page.

    Parameters
    ----------
    cohort
        Only of this cohort; "none": only those in no cohort; None: everybody.
    limit
        Listeners on a page.

    Raises
    ------
    UnknownCohort
        Where there is none of that id.
    """
    aliases = ArtistAliases(redis)
    await aliases.refresh()
    listeners = Listeners(redis, aliases)
    cohorts = Cohorts(redis, listeners)
    chosen = await _chosen(cohorts, cohort)
    # One more than the page holds: whether another page follows.
    users = await _next_ids(cohorts, chosen, after, limit + 1)
    page, more = users[:limit], len(users) > limit
    return ListenerPage(
        listeners=await _described(redis, listeners, cohorts, page),
        total=await cohorts.listeners(chosen),
        after=page[-1] if more else None,
    )


async def _chosen(cohorts: Cohorts, cohort: str | None) -> list[str]:
    """Return the ids of the member sets that are asked for; "" is that of those in no cohort."""
    everything = await cohorts.all()
    if cohort is None:
        return everything
    wanted = cohort.strip().lower()
    if wanted == NO_COHORT:
        return [""]
    if wanted not in everything:
        raise UnknownCohort(
            f"there is no cohort {cohort!r}; `refrain cohorts` lists the {len(everything) - 1} there are, "
            f"{NO_COHORT} stands for those in no cohort"
        )
    return [wanted]


async def _next_ids(cohorts: Cohorts, chosen: Sequence[str], after: str, number: int) -> list[str]:
    """Return the `number` smallest ids that are larger than `after`, each once, in order."""
    kept: set[str] = set()
    last = ""  # the largest that can still be among them; "": any

    async def go_through(cohort: str) -> None:
        nonlocal kept, last
        async for users in cohorts.members(cohort):
            kept.update(user for user in users if user > after and not (last and user > last))
            if len(kept) > MANY * number:
                kept = set(heapq.nsmallest(number, kept))
                last = max(kept)

    for at in range(0, len(chosen), TOGETHER):
        await asyncio.gather(*map(go_through, chosen[at : at + TOGETHER]))
    return heapq.nsmallest(number, kept)


async def _described(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts, users: Sequence[str]
) -> tuple[ListedListener, ...]:
    if not users:
        return ()
    found = await listeners.read(users)
    rows = [artists for artists, _ in await listeners.rows(users, ARTISTS)]
    names = await Catalogue(redis).names(list({artist for artists in rows for artist in artists}))
    opted_out = await OptedOut(redis).among(users)
    homes = list({listener.cohort for listener in found})
    labels = {
        cohort: about.get("label", "")
        for cohort, about in zip(homes, await cohorts.about_each(homes), strict=True)
    }
    return tuple(
        ListedListener(
            user_id=listener.user_id,
            cohort=listener.cohort,
            label=labels[listener.cohort],
            clicks=listener.clicks,
            last_seen=listener.last_seen if listener.clicks else None,
            bot=listener.bot,
            opted_out=listener.user_id in opted_out,
            artists=tuple(names[artist] for artist in artists),
        )
        for listener, artists in zip(found, rows, strict=True)
        if listener.rev
    )

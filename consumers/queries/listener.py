"""One listener: the cohort and why this one, the artists, the clicks."""

from __future__ import annotations

from dataclasses import dataclass

from consumers.queries.known_listener import read_known_listener
from consumers.queries.listener_activity import ListenerActivity, activity_of
from consumers.queries.listener_traits import ListenerTraits, read_traits
from consumers.queries.placement import WhyCohort, why_cohort
from consumers.runtime.live_model import LiveModel
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.merges import Merges
from stream.stores.snapshots import Snapshots

__all__ = ["ListenerView", "WeightedArtist", "read_listener"]


@dataclass(frozen=True)
class WeightedArtist:
    """An artist that a listener plays, and what that weighs now: in clicks, faded with the half-life."""

    artist_id: str
    name: str
    weight: float


@dataclass(frozen=True)
class ListenerView:
    """A listener.

    Attributes
    ----------
    ids
        Other ids that are part of them.
    cohort, label
        The cohort and its name for people; "" where the listener is in none.
    cohort_since
        Since when they are in it, Unix seconds; None where they are in none. A click of the past may have
        brought them there (history that was replayed), yet not before the cohort was born.
    why
        Why they are in that cohort, or in none; None where no model serves.
    bot
        Whether they click like a bot: then they are in no cohort and no audience.
    first_seen, last_seen
        Times of the first and last click, Unix seconds; None while all clicks wait for their songs.
    activity
        What they did lately; None where that is not recorded.
    traits
        What is predicted of them; None where `refrain traits` has not met them.
    artists_kept
        How many artists are kept; `artists` are the strongest.
    """

    user_id: str
    ids: tuple[str, ...]
    cohort: str
    label: str
    cohort_since: float | None
    why: WhyCohort | None
    bot: bool
    opted_out: bool
    clicks: int
    first_seen: float | None
    last_seen: float | None
    activity: ListenerActivity | None
    traits: ListenerTraits | None
    artists_kept: int
    artists: tuple[WeightedArtist, ...]


async def read_listener(
    redis: AnyRedis,
    settings: Settings,
    user_id: str,
    top: int,
    now: float,
    live: LiveModel | None = None,
) -> ListenerView:
    """Return a listener and their `top` artists with weights as of `now` (Unix seconds).

    Parameters
    ----------
    live
        The model that serves, where it is at hand.

    Raises
    ------
    UnknownListener
        Where there is none of that id.
    DecayChanged
        Where affinities were stored with another half-life.
    """
    live = live or LiveModel(Snapshots(redis))
    await live.refresh()
    known = await read_known_listener(redis, settings, user_id)
    listener, catalogue = known.listener, Catalogue(redis)
    strongest = list(listener.affinities.items())[:top]
    names = await catalogue.names([artist for artist, _ in strongest])
    about = await Cohorts(redis, Listeners(redis)).about(listener.cohort)
    return ListenerView(
        user_id=user_id,
        ids=tuple((await Merges(redis).ids([user_id]))[user_id]),
        cohort=listener.cohort,
        label=about.get("label", ""),
        cohort_since=max(listener.cohort_since, float(about.get("born", 0))) if listener.cohort else None,
        why=await why_cohort(known, live.model, catalogue) if live.model else None,
        bot=listener.bot,
        opted_out=known.opted_out,
        clicks=listener.clicks,
        first_seen=listener.first_seen if listener.clicks else None,
        last_seen=listener.last_seen if listener.clicks else None,
        activity=activity_of(listener.activity, now, listener.utc_offset_min) if listener.activity else None,
        traits=await read_traits(redis, user_id),
        artists_kept=len(listener.affinities),
        artists=tuple(
            WeightedArtist(artist, names[artist], _rounded(known.rules.decay.read(stored, now)))
            for artist, stored in strongest
        ),
    )


def _rounded(weight: float) -> float:
    """Round to four digits that count: a weight of long ago is small, and no zero."""
    return float(f"{weight:.4g}")

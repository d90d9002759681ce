"""What goes on at this moment: clicks, cohorts, the model, the latest releases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from consumers.queries.releases import ReleaseSummary, list_releases
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.cohorts import Cohorts
from stream.stores.heartbeats import heartbeats, starting_for
from stream.stores.listeners import Listeners
from stream.stores.snapshots import Snapshots

__all__ = ["Now", "read_now"]

RELEASES = 5


@dataclass(frozen=True)
class Now:
    """What goes on.

    Attributes
    ----------
    at
        Unix seconds.
    clicks
        How many the ingesters that run have read since they began.
    clicks_per_second
        Over the time since the moment before; None: there is none.
    behind
        Clicks that wait in Kafka, as of the ingesters' last batches; None: no ingester is at work.
    dead_letters
        Events that could not be used, of the processes that run.
    listeners, in_no_cohort
        How many are in a cohort, and in none.
    first_model_listeners
        How many listeners the first model waits for.
    model_version
        The model that serves; None before the first.
    processes, starting
        Kind -> how many are at work, and how many are not yet.
    releases
        The latest that somebody was told of.
    """

    at: float
    clicks: int
    clicks_per_second: float | None
    behind: int | None
    dead_letters: int
    listeners: int
    in_no_cohort: int
    cohorts: int
    first_model_listeners: int
    model_version: int | None
    processes: Mapping[str, int]
    starting: Mapping[str, int]
    releases: tuple[ReleaseSummary, ...]


async def read_now(redis: AnyRedis, settings: Settings, at: float, before: Now | None = None) -> Now:
    """Return what goes on.

    Parameters
    ----------
    at
        Unix seconds.
    before
        What this returned a moment ago: clicks a second are counted from then on.
    """
    states = list((await heartbeats(redis)).values())
    at_work = [state for state in states if starting_for(state) is None]
    ingesters = [state for state in at_work if state["kind"] == "ingest"]
    clicks = sum(int(state.get("clicks", 0)) for state in ingesters)
    cohorts = Cohorts(redis, Listeners(redis))
    sizes = await cohorts.sizes()
    rate = None
    if before is not None and at > before.at:
        rate = max(clicks - before.clicks, 0) / (at - before.at)
    return Now(
        at=at,
        clicks=clicks,
        clicks_per_second=rate,
        behind=sum(int(float(state.get("behind", 0))) for state in ingesters) if ingesters else None,
        dead_letters=sum(
            int(number) for state in states for name, number in state.items() if name.startswith("dead:")
        ),
        listeners=sum(sizes.values()),
        in_no_cohort=await cohorts.unplaced(),
        cohorts=len(sizes),
        first_model_listeners=settings.first_model_listeners,
        model_version=await Snapshots(redis).current(),
        processes=dict(Counter(state["kind"] for state in at_work)),
        starting=dict(Counter(state["kind"] for state in states if starting_for(state) is not None)),
        releases=await list_releases(redis, settings, RELEASES),
    )

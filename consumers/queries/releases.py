"""The releases that somebody was told of, the latest first."""

from __future__ import annotations

import time
from dataclasses import dataclass

from consumers.queries.ctr_fields import ctr_fields
from consumers.queries.hash_fields import number_of
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.releases import Releases

__all__ = ["ReleaseSummary", "list_releases"]


@dataclass(frozen=True)
class ReleaseSummary:
    """A release in a list.

    Attributes
    ----------
    planned_at
        Unix seconds.
    audience
        How many listeners are told.
    ctr, ctr_low, ctr_high
        `consumers.queries.ctr_fields`.
    random_ctr
        Predicted CTR of as many listeners drawn at random; None before the first CTR model.
    first_page_ms
        From the release event to the broker's word that it has the first page.
    """

    release_id: str
    title: str
    state: str
    planned_at: float
    audience: int
    sent: int
    clicked: int
    opted_out: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None
    random_ctr: float | None
    first_page_ms: float | None


async def list_releases(redis: AnyRedis, settings: Settings, top: int) -> tuple[ReleaseSummary, ...]:
    """Return the `top` latest releases."""
    releases = Releases(redis, settings.release_seconds)
    found = []
    for name in await releases.latest(top, time.time()):
        about = await releases.about(name)
        if "planned_at" not in about:
            continue  # its days are over, or it is listed before its first page is fixed
        found.append(
            ReleaseSummary(
                release_id=name,
                title=about.get("title", ""),
                state=about["state"],
                planned_at=float(about["planned_at"]),
                audience=int(about.get("audience", 0)),
                sent=int(about.get("sent", 0)),
                clicked=int(about.get("clicked", 0)),
                opted_out=int(about.get("opted_out", 0)),
                **ctr_fields(int(about.get("clicked", 0)), int(about.get("sent", 0))),
                random_ctr=number_of(about, "random_ctr"),
                first_page_ms=number_of(about, "latency_ms"),
            )
        )
    return tuple(found)

"""What is predicted of one listener."""

from __future__ import annotations

from dataclasses import dataclass

from consumers.queries.hash_fields import number_of
from models.traits.where import SEGMENT
from stream.connect import AnyRedis
from stream.stores.listeners import Listeners
from stream.stores.traits import Traits

__all__ = ["ListenerTraits", "read_traits"]


@dataclass(frozen=True)
class ListenerTraits:
    """A listener's traits; None for what is not predicted yet, or not of them.

    Attributes
    ----------
    stage, stage_since
        The stage, and when it was found, Unix seconds; "" and None where there is none.
    zero_week, expected_week
        How likely they do nothing in the next seven days, and how many actions are expected in them.
    churn
        How likely they do nothing in the next `REFRAIN_CHURN_DAYS`.
    segments
        Segment -> how likely they are in it.
    """

    stage: str
    stage_since: float | None
    zero_week: float | None
    expected_week: float | None
    churn: float | None
    segments: dict[str, float]


async def read_traits(redis: AnyRedis, user_id: str) -> ListenerTraits | None:
    """Return a listener's traits; None where `refrain traits` has not met them."""
    about = await Traits(redis, Listeners(redis)).about(user_id)
    if not about:
        return None
    return ListenerTraits(
        about.get("stage", ""),
        number_of(about, "stage_since"),
        number_of(about, "zero_week"),
        number_of(about, "expected_week"),
        number_of(about, "churn"),
        {
            field.removeprefix(SEGMENT): float(value)
            for field, value in sorted(about.items())
            if field.startswith(SEGMENT) and value
        },
    )

"""The stages of some listeners, as they are written with their traits."""

from __future__ import annotations

from collections.abc import Sequence

from models.traits.activity import Activities
from models.traits.lifecycle import STAGES, UNSEEN, Limits, stages
from models.traits.today import Aligned, day_numbers
from models.traits.weeks import codes_by_week, remember

__all__ = ["stage_fields"]


def stage_fields(
    activities: Activities, aligned: Aligned, today: int, remembered: Sequence[str], limits: Limits
) -> tuple[list[str], list[str]]:
    """Return the stage of each listener, "" for none, and what is to be remembered of the last weeks."""
    codes = stages(aligned.active, today, aligned.first_day, aligned.last_day, limits)
    first, last = day_numbers(activities.first_seen), day_numbers(activities.last_seen)
    by_week = codes_by_week(activities.active, today, remembered, first, last, limits)
    return ["" if code == UNSEEN else STAGES[code] for code in codes.tolist()], remember(by_week, today)

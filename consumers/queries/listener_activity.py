"""What a listener did lately, in figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.active_days import HOURS, Activity
from models.traits.activity import FEATURES, ActiveDays, day_of, features

__all__ = ["ListenerActivity", "activity_of"]


@dataclass(frozen=True)
class ListenerActivity:
    """What a listener did, up to and with today by their own clock.

    Attributes
    ----------
    active_days
        Of the last 30, on which they did anything.
    plays, seconds
        Of the last 30 days; 0 seconds also where no click says how long was played.
    share_to_the_end
        Of these plays.
    weeks
        What they did in each of the last five weeks, the latest first.
    hours
        Shares of what they did by hour of the day, 24 numbers; fading.
    cities, devices
        Clicks by city and by device, the most frequent first; fading.
    """

    active_days: int
    plays: int
    seconds: int
    share_to_the_end: float
    weeks: tuple[int, ...]
    hours: tuple[float, ...]
    cities: dict[str, int]
    devices: dict[str, int]


def activity_of(held: Activity, now: float, utc_offset_min: int | None) -> ListenerActivity:
    """Return the figures as of a time, in Unix seconds."""
    active = ActiveDays(1, np.zeros(len(held.days), dtype=np.int64), held.days)
    made = features(active, day_of(now, utc_offset_min) + 1)[0]
    said = dict(zip(FEATURES, made.tolist(), strict=True))
    hours = held.hours / max(int(held.hours.sum()), 1)
    return ListenerActivity(
        int(said["active_days_last_30"]),
        int(said["freq_P_last_30"]),
        round(said["time_last_30"]),
        round(said["share_to_the_end"], 4),
        tuple(int(said[name]) for name in FEATURES if name.startswith("week_")),
        tuple(round(float(hours[hour]), 4) for hour in range(HOURS)),
        _by_number(held.cities),
        _by_number(held.devices),
    )


def _by_number(places: dict[str, int]) -> dict[str, int]:
    return dict(sorted(places.items(), key=lambda place: -place[1]))

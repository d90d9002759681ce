"""What listeners did before today, whichever day it is on their clocks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.traits.activity import DAYS, WEEK, ActiveDays, Activities, weekly

__all__ = [
    "WHOLE_WEEKS",
    "Aligned",
    "align",
    "changed",
    "day_numbers",
    "is_current",
    "of_some",
    "on_record",
    "recorded_from",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

NEVER = 1 << 40  # a day that is later than any
SECONDS = 86_400
WHOLE_WEEKS = (DAYS - 2) // WEEK
"""Before yesterday: over on all clocks, and a click of tomorrow, by the latest, drops none of their days."""


class Aligned(NamedTuple):
    """What listeners did before a day.

    Attributes
    ----------
    active
        Their days. Of who did something today already, by their own clock, all are a day earlier, so that
        today counts as soon as something happened, and not before: in the morning nobody has been away for
        a day longer.
    first_day, last_day
        Shape (n,), moved in the same way; -1 for who has not clicked, or is a bot.
    recorded_from
        Shape (n,), moved in the same way (`recorded_from`).
    """

    active: ActiveDays
    first_day: Ints
    last_day: Ints
    recorded_from: Ints


def align(activities: Activities, today: int) -> Aligned:
    """Return what listeners did as it is seen on a day (UTC)."""
    active = activities.active
    day = active.days["day"].astype(np.int64)
    first, last = day_numbers(activities.first_seen), day_numbers(activities.last_seen)
    recorded = recorded_from(activities)
    latest = _latest(active)
    # Later than any clock explains: what they did was not recorded then.
    latest = np.where(last > latest + 1, last, latest)
    shift = np.maximum(latest + 1 - today, 0)
    days = active.days.copy()
    days["day"] = (day - shift[active.owner]).astype(np.uint16)
    return Aligned(
        ActiveDays(active.number, active.owner, days),
        np.where(first >= 0, first - shift, -1),
        np.where(last >= 0, last - shift, -1),
        np.where(recorded >= 0, recorded - shift, -1),
    )


def day_numbers(times: Floats) -> Ints:
    """Return the days of times, Unix seconds; -1 for what is no time: NaN, infinite.

    Examples
    --------
    >>> day_numbers(np.array([86_400.0, np.nan, np.inf])).tolist()
    [1, -1, -1]
    """
    is_one = np.isfinite(times)
    return np.where(is_one, np.where(is_one, times, 0.0) // SECONDS, -1.0).astype(np.int64)


def is_current(active: ActiveDays, today: int) -> bool:
    """Say whether any of some listeners did anything yesterday or later: if not, history is on its way."""
    return bool(len(active.days)) and int(active.days["day"].max()) >= today - 1


def changed(before: Activities, after: Activities, today: int) -> int:
    """Return of how many listeners what they did on days that are over on all clocks differs at two looks.

    If it is of more than a few, history is on its way.
    """
    until = today - 1  # which goes on where clocks are behind UTC
    first, second = (weekly(each.active, until, WHOLE_WEEKS) for each in (before, after))
    other = (first != second).any(axis=1)
    # Of who was active last long ago no day may be among these, but the latest moment is known.
    long_ago = after.last_seen < SECONDS * until
    other |= long_ago & (before.last_seen != after.last_seen)
    return int(other.sum())


def on_record(active: ActiveDays, last_day: Ints) -> Flags:
    """Say for each listener whether what they did is on record, shape (n,).

    It is not where no day is, nor where they were last seen later than any clock explains: they were not
    recorded any more then.

    Parameters
    ----------
    last_day
        Shape (n,), the day on which each was last seen, by UTC; -1 where that is not known.
    """
    latest = _latest(active)
    there: Flags = (latest >= 0) & (last_day <= latest + 1)
    return there


def recorded_from(activities: Activities) -> Ints:
    """Return for each listener the day from which on it is on record what they did, shape (n,).

    It is the day on which they were first seen, -1 for never. What somebody did was not recorded for a time
    within the days that are kept: then it is the first of the days that are on record. As of who was there
    before Refrain was, nothing is known of the time before, which is not that they did nothing.
    """
    active, first = activities.active, day_numbers(activities.first_seen)
    if activities.unrecorded is None:
        return first
    until = day_numbers(activities.unrecorded)
    recorded = np.full(active.number, NEVER, dtype=np.int64)
    np.minimum.at(recorded, active.owner, active.days["day"].astype(np.int64))
    return np.where((until >= 0) & (until >= _latest(active) - DAYS), recorded, first)


def of_some(active: ActiveDays, rows: Ints) -> ActiveDays:
    """Return the days of some listeners, renumbered in their order, which rises."""
    at = np.full(active.number, -1, dtype=np.int64)
    at[rows] = np.arange(len(rows))
    theirs = at[active.owner] >= 0
    return ActiveDays(len(rows), at[active.owner[theirs]], active.days[theirs])


def _latest(active: ActiveDays) -> Ints:
    """Return the latest day of each listener, -1 of none."""
    latest = np.full(active.number, -1, dtype=np.int64)
    np.maximum.at(latest, active.owner, active.days["day"].astype(np.int64))
    return latest

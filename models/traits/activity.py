"""What listeners did day by day over the last 60 days, and the features made of it.

A day is a number: days since 1970-01-01 (`day_of`). Features look at whole days, those before a given day;
what happens on that day or later changes none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "DAY",
    "DAYS",
    "FEATURES",
    "WEEK",
    "WEEKS",
    "WINDOWS",
    "ActiveDays",
    "Activities",
    "day_of",
    "features",
    "first_days",
    "weekday_shares",
    "weekly",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DAYS = 60
"""So many days, up to the listener's latest, are kept."""

WINDOWS = 1, 3, 7, 14, 30
"""Days that the features look back: those usual in churn prediction (KKBox and Music Box use the same)."""

WEEK = 7  # days
WEEKS = 5

SECONDS = 86_400
NEVER = 1 << 40  # a day that is later than any
THURSDAY = 3  # which day 0, 1970-01-01, was

DAY = np.dtype(
    [
        ("day", "<u2"),
        ("play", "<u2"),
        ("complete", "<u2"),
        ("like", "u1"),
        ("download", "u1"),
        ("search", "u1"),
        ("skip", "u1"),
        ("ms", "<u4"),
        ("songs", "u1"),
    ]
)
"""One day of one listener on which they did something, 15 bytes: the day; how often they did what (`play`:
not to the end, or not known; `complete`: to the end); milliseconds played; distinct songs, estimated. A
number stops at the largest that its field holds."""


@dataclass(frozen=True, eq=False)
class ActiveDays:
    """The days on which listeners did something.

    Attributes
    ----------
    number
        Listeners.
    owner
        Shape (m,), whose day it is, 0 to `number` - 1, rising.
    days
        Shape (m,) of type `DAY`; of one owner the days rise, each there once.
    """

    number: int
    owner: Ints
    days: npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Activities:
    """What is on record of what some listeners did.

    Attributes
    ----------
    active
        Their days.
    first_seen, last_seen
        Shape (n,), Unix seconds; NaN for who has not clicked, or is a bot.
    hours
        Shape (n, 24): clicks by hour of the day, halved with each 30 days.
    cities, devices
        Of each listener: clicks by city and by device, halved in the same way.
    unrecorded
        Shape (n,), Unix seconds: until when what they did was not recorded, or has been erased; NaN where it
        always was. None: all of everybody was.
    """

    active: ActiveDays
    first_seen: Floats
    last_seen: Floats
    hours: Floats
    cities: list[dict[str, int]]
    devices: list[dict[str, int]]
    unrecorded: Floats | None = None


def day_of(ts: float, utc_offset_min: int | None = None) -> int:
    """Return the day of a time (Unix seconds), by a clock so many minutes ahead of UTC; by UTC without.

    Examples
    --------
    >>> day_of(86_399.0), day_of(86_399.0, utc_offset_min=60)
    (0, 1)
    """
    return int((ts + 60 * (utc_offset_min or 0)) // SECONDS)


FEATURES = (
    "days_from_last_play",
    "days_from_last_activity",
    *(f"freq_{kind}_last_{days}" for kind in "PSD" for days in WINDOWS),
    *(f"time_last_{days}" for days in WINDOWS),
    *(f"active_days_last_{days}" for days in WINDOWS),
    *(f"songs_last_{days}" for days in WINDOWS),
    "share_to_the_end",
    "share_skipped",
    "share_liked",
    "tenure",
    *(f"week_{week}" for week in range(1, WEEKS + 1)),
)
"""The columns of `features`. P are plays (`play`, `complete` and `skip`), S searches, D downloads; times are
in seconds; shares are of the plays of 30 days; `week_1` counts what was done in the last seven days, `week_2`
in the seven before, and so on."""


def features(active: ActiveDays, until: int, first_day: Ints | None = None) -> Floats:
    """Make features of what listeners did before a day.

    Parameters
    ----------
    until
        The first day that is not looked at: for a service that is running, tomorrow; in training, the first
        day of the label.
    first_day
        Shape (n,), the day on which each was first seen, for `tenure`; the first of the active days without.

    Returns
    -------
    Shape (n, len(FEATURES)). Who did nothing has 60 days since the last play, and 0 elsewhere.

    Examples
    --------
    >>> days = np.zeros(2, dtype=DAY)
    >>> days["day"], days["play"] = [90, 98], [3, 5]
    >>> made = features(ActiveDays(1, np.array([0, 0]), days), until=100)[0]
    >>> said = dict(zip(FEATURES, made.tolist(), strict=True))
    >>> said["days_from_last_play"], said["freq_P_last_3"], said["freq_P_last_14"], said["tenure"]
    (2.0, 5.0, 8.0, 10.0)
    """
    day = active.days["day"].astype(np.int64)
    seen = (day < until) & (day >= until - DAYS)
    owner, days, ago = active.owner[seen], active.days[seen], until - day[seen]
    columns = {name: days[name].astype(np.float64) for name in DAY.names or ()}
    plays = columns["play"] + columns["complete"] + columns["skip"]
    done = plays + columns["like"] + columns["download"] + columns["search"]

    def total(values: Floats, of: npt.NDArray[np.bool_]) -> Floats:
        return np.bincount(owner[of], values[of], minlength=active.number).astype(np.float64)

    def last(of: npt.NDArray[np.bool_]) -> Floats:
        nearest = np.full(active.number, float(DAYS))
        np.minimum.at(nearest, owner[of], ago[of].astype(np.float64))
        return nearest

    within = [ago <= window for window in WINDOWS]
    by_kind = {"P": plays, "S": columns["search"], "D": columns["download"]}
    month = ago <= WINDOWS[-1]
    of_month = np.maximum(total(plays, month), 1.0)
    made = [last(plays > 0), last(done > 0)]
    made += [total(by_kind[kind], part) for kind in "PSD" for part in within]
    made += [total(columns["ms"] / 1000.0, part) for part in within]
    made += [total(np.ones(len(ago)), part) for part in within]
    made += [total(columns["songs"], part) for part in within]
    made += [total(columns[name], month) / of_month for name in ("complete", "skip", "like")]
    made.append(_tenure(active, until, first_day))
    made += list(_by_week(owner, ago, done, active.number, WEEKS).T)
    return np.column_stack(made)


def first_days(active: ActiveDays, until: int, first_seen: Ints | None = None) -> Ints:
    """Return the day on which each listener was first active, shape (n,); `until` for who was not before it.

    Parameters
    ----------
    first_seen
        Shape (n,), what is known of it besides, as active days are kept for `DAYS` only: days by UTC; -1:
        nothing.

    Notes
    -----
    Active days are by the listener's own clock. Where the first is the day after `first_seen`, they came on
    that day, by a clock ahead of UTC. Of who did come the day before, and has nothing on record of it, this
    is a day too late. Else everybody who comes in the early morning there would have come on a day, and at
    times in a week, in which they did nothing.

    Examples
    --------
    >>> days = np.zeros(2, dtype=DAY)
    >>> days["day"] = [90, 98]
    >>> first_days(ActiveDays(3, np.array([0, 0]), days), 100, np.array([-1, 40, -1])).tolist()
    [90, 40, 100]
    >>> first_days(ActiveDays(1, np.array([0, 0]), days), 100, np.array([89])).tolist()
    [90]
    """
    day = active.days["day"].astype(np.int64)
    recorded = np.full(active.number, NEVER, dtype=np.int64)
    np.minimum.at(recorded, active.owner, day)
    first = np.minimum(recorded, until)
    if first_seen is None:
        return first
    latest = np.full(active.number, -1, dtype=np.int64)
    np.maximum.at(latest, active.owner, day)
    # The day before the first on record says something only while it would be kept.
    ahead = (recorded == first_seen + 1) & (first_seen > latest - DAYS)
    return np.where(first_seen >= 0, np.minimum(first, first_seen + ahead), first)


def weekly(active: ActiveDays, until: int, weeks: int = WEEKS) -> Floats:
    """Count what listeners did in each of the last weeks before a day, shape (n, weeks), the latest first.

    Examples
    --------
    >>> days = np.zeros(2, dtype=DAY)
    >>> days["day"], days["play"] = [90, 98], [3, 5]
    >>> weekly(ActiveDays(1, np.array([0, 0]), days), until=100, weeks=3)
    array([[5., 3., 0.]])
    """
    day = active.days["day"].astype(np.int64)
    seen = day < until
    counts = [active.days[name][seen].astype(np.float64) for name in (*_PLAYS, *_OTHERS)]
    return _by_week(active.owner[seen], until - day[seen], np.sum(counts, axis=0), active.number, weeks)


def weekday_shares(active: ActiveDays, until: int, half_life: float = 30.0) -> Floats:
    """Return the shares of what listeners did by weekday, Monday first, shape (n, 7); days fade.

    Parameters
    ----------
    half_life
        Days after which what was done counts half.

    Examples
    --------
    >>> days = np.zeros(2, dtype=DAY)
    >>> days["day"], days["play"] = [4, 5], [1, 1]  # the first Monday of 1970, and the day after it
    >>> weekday_shares(ActiveDays(1, np.array([0, 0]), days), until=6).round(2)
    array([[0.49, 0.51, 0.  , 0.  , 0.  , 0.  , 0.  ]])
    """
    day = active.days["day"].astype(np.int64)
    seen = day < until
    counts = [active.days[name][seen].astype(np.float64) for name in (*_PLAYS, *_OTHERS)]
    faded = np.sum(counts, axis=0) * 0.5 ** ((until - day[seen]) / half_life)
    place = active.owner[seen] * WEEK + (day[seen] + THURSDAY) % WEEK
    sums = np.bincount(place, faded, minlength=WEEK * active.number).reshape(-1, WEEK)
    shares: Floats = sums / np.maximum(sums.sum(axis=1, keepdims=True), 1e-300)
    return shares


_PLAYS = "play", "complete", "skip"
_OTHERS = "like", "download", "search"


def _by_week(owner: Ints, ago: Ints, done: Floats, number: int, weeks: int) -> Floats:
    week = (ago - 1) // WEEK
    recent = week < weeks
    counts = np.bincount(owner[recent] * weeks + week[recent], done[recent], minlength=number * weeks)
    return counts.astype(np.float64).reshape(number, weeks)


def _tenure(active: ActiveDays, until: int, first_day: Ints | None) -> Floats:
    first = first_days(active, until) if first_day is None else first_day
    return np.maximum(until - first, 0).astype(np.float64)

"""Rows of listeners: what they are, their traits, their stage when each week began, their weeks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np

from consumers.export.tables import Row
from consumers.runtime.wiring import Stores
from models.traits.activity import DAYS, WEEK, Activities, day_of
from models.traits.lifecycle import STAGES, UNSEEN, Limits
from models.traits.today import day_numbers
from models.traits.weeks import KEPT, begin_of, codes_by_week, week_of

__all__ = ["Rows", "moment", "rows_of_everybody", "rows_of_listeners"]

Rows = Mapping[str, Sequence[Row]]
"""Table -> rows of it."""

CHUNK = 500  # listeners
FIELDS = ("state", "cohort", "cohort_since", "clicks", "first_seen", "last_seen", "bot")
TRAITS = ("stage", "stage_since", "zero_week", "expected_week", "churn", "weeks")
EPOCH = date(1970, 1, 1)
PLAYS = ("play", "complete")
OTHERS = ("like", "download", "search", "skip")


async def rows_of_everybody(stores: Stores, limits: Limits, now: float) -> AsyncIterator[Rows]:
    """Go through all listeners. One who moves to another cohort meanwhile may come twice, or not at all."""
    segments = sorted(await stores.segments.predicted())
    for cohort in await stores.cohorts.all():
        async for users in stores.cohorts.members(cohort):
            for at in range(0, len(users), CHUNK):
                yield await rows_of_listeners(stores, users[at : at + CHUNK], segments, limits, now)


async def rows_of_listeners(
    stores: Stores, users: Sequence[str], segments: Sequence[str], limits: Limits, now: float
) -> Rows:
    """Return the rows of listeners; none of who is not there.

    Parameters
    ----------
    segments
        Those whose traits are looked at.
    now
        Unix seconds.
    """
    if not users:
        return {}
    records = await stores.listeners.fields(users, FIELDS)
    there = [(user, record) for user, record in zip(users, records, strict=True) if record[0]]
    names = [user for user, _ in there]
    opted_out = await stores.opted_out.among(names)
    traits = await stores.traits.read(names, (*TRAITS, *(f"segment:{name}" for name in segments)))
    activities = await stores.listeners.activities(names)
    remembered = [row[len(TRAITS) - 1] for row in traits]
    return {
        "listeners": [_listener(user, record, opted_out) for user, record in there],
        "traits": [_traits(user, row, segments) for user, row in zip(names, traits, strict=True) if any(row)],
        "stages": _stages(names, activities, remembered, limits, day_of(now)),
        "activity": _weeks(names, activities),
    }


def moment(seconds: str | float | None) -> datetime | None:
    """Return Unix seconds as a time; None for none.

    Examples
    --------
    >>> moment("1.5").isoformat(), moment("")
    ('1970-01-01T00:00:01.500000+00:00', None)
    """
    if seconds in ("", None) or not np.isfinite(float(seconds)):
        return None
    return datetime.fromtimestamp(float(seconds), UTC)


def _listener(user: str, record: Sequence[str], opted_out: Collection[str]) -> Row:
    _, cohort, since, clicks, first, last, bot = record
    seen = int(clicks or 0) > 0  # else all clicks wait for their songs
    return {
        "user_id": user,
        "cohort_id": cohort or None,
        "cohort_since": moment(since) if cohort else None,
        "clicks": int(clicks or 0),
        "first_seen": moment(first) if seen else None,
        "last_seen": moment(last) if seen else None,
        "bot": bot == "1",
        "opted_out": user in opted_out,
    }


def _traits(user: str, row: Sequence[str], segments: Sequence[str]) -> Row:
    stage, since, zero, expected, churn, _, *chances = row
    held = {name: float(chance) for name, chance in zip(segments, chances, strict=True) if chance}
    return {
        "user_id": user,
        "stage": stage or None,
        "stage_since": moment(since),
        "zero_week": float(zero) if zero else None,
        "expected_week": float(expected) if expected else None,
        "churn": float(churn) if churn else None,
        "segments": json.dumps(held, ensure_ascii=False) if held else None,
    }


def _stages(
    users: Sequence[str], activities: Activities, remembered: Sequence[str], limits: Limits, today: int
) -> list[Row]:
    first, last = day_numbers(activities.first_seen), day_numbers(activities.last_seen)
    codes = codes_by_week(activities.active, today, remembered, first, last, limits)
    mondays = [_day(begin_of(week_of(today) - ago)) for ago in reversed(range(KEPT))]
    return [
        {"user_id": users[row], "week": mondays[at], "stage": STAGES[codes[row, at]]}
        for row, at in np.argwhere(codes != UNSEEN).tolist()
    ]


def _weeks(users: Sequence[str], activities: Activities) -> list[Row]:
    """Return what listeners did by week, of weeks of which each day is on record."""
    active = activities.active
    owner, days = active.owner, active.days["day"].astype(np.int64)
    latest = np.zeros(active.number, dtype=np.int64)
    np.maximum.at(latest, owner, days)
    weeks = (days - begin_of(1)) // WEEK + 1  # `week_of` of each
    whole = (weeks - 1) * WEEK + begin_of(1) > latest[owner] - DAYS
    owner, weeks, kept = owner[whole], weeks[whole], active.days[whole]
    plays = sum((kept[kind].astype(np.int64) for kind in PLAYS), np.zeros(len(kept), dtype=np.int64))
    actions = sum((kept[kind].astype(np.int64) for kind in OTHERS), plays)
    first = np.flatnonzero(np.diff(owner, prepend=-1) | np.diff(weeks, prepend=-1))  # days rise
    sums = (np.add.reduceat(each, first) if len(first) else each for each in (plays, actions))
    counts = np.diff(first, append=len(owner))
    rows = zip(owner[first], weeks[first], counts, *sums, strict=True)
    return [
        {
            "user_id": users[at],
            "week": _day(begin_of(int(week))),
            "days": int(n),
            "plays": int(p),
            "actions": int(a),
        }
        for at, week, n, p, a in rows
    ]


def _day(number: int) -> date:
    return EPOCH + timedelta(days=number)

"""What two ids of one listener did day by day, as of one listener; and taken apart again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models.active_days import KINDS, PLACES, SKETCH_BITS, SONGS, Activity
from models.traits.activity import DAY, DAYS

__all__ = ["activity_of_both", "activity_without"]

Days = npt.NDArray[Any]
ADDED = (*KINDS, "ms")


def activity_of_both(one: Activity, other: Activity) -> Activity:
    """Add up what two did.

    Counts of a day are those of both, exactly, up to the largest number that each has room for. How many
    songs were distinct is known of the latest day, where both say which songs there were; of an earlier day
    it is at most the sum. Songs heard are none: those of both are to be written apart.

    Examples
    --------
    >>> one, other = Activity(np.zeros(1, dtype=DAY)), Activity(np.zeros(1, dtype=DAY))
    >>> one.days["day"] = other.days["day"] = 20_000
    >>> one.days["play"], other.days["play"] = 2, 3
    >>> activity_of_both(one, other).days["play"].tolist()
    [5]
    """
    days = _by_day(one.days, other.days, sign=1)
    sketch = 0
    if len(days):
        newest = int(days["day"][-1])
        days = days[days["day"] > newest - DAYS]
        sketch = _sketch_of(one, newest) | _sketch_of(other, newest)
        both_there = all(newest in each.days["day"] for each in (one, other))
        if both_there:
            days["songs"][-1] = SONGS[min(sketch.bit_count(), SKETCH_BITS)]
    period = max(one.period, other.period)
    hours = _faded(one, period, one.hours) + _faded(other, period, other.hours)
    return Activity(
        days,
        sketch,
        period,
        _fitting(hours, np.uint16),
        _places(one, other, period, one.cities, other.cities),
        _places(one, other, period, one.devices, other.devices),
    )


def activity_without(both: Activity, other: Activity) -> Activity:
    """Take away what one of two did; what is left is never below nothing.

    A day on which nothing is left is none. Which songs there were cannot be told apart: the sketch stays, and
    so do songs heard.
    """
    days = _by_day(both.days, other.days, sign=-1)
    known = np.isin(days["day"], both.days["day"])
    did = sum(days[name].astype(np.int64) for name in ADDED)
    days = days[known & (did > 0)]
    same = len(days) and len(both.days) and days["day"][-1] == both.days["day"][-1]
    hours = both.hours.astype(np.int64) - _faded(other, both.period, other.hours)
    return Activity(
        days,
        both.sketch if same else 0,
        both.period,
        _fitting(np.maximum(hours, 0), np.uint16),
        _left(both.cities, _faded_places(other, both.period, other.cities)),
        _left(both.devices, _faded_places(other, both.period, other.devices)),
        both.songs,
    )


def _by_day(one: Days, other: Days, sign: int) -> Days:
    numbers = np.union1d(one["day"], other["day"])
    days = np.zeros(len(numbers), dtype=DAY)
    days["day"] = numbers
    at, at_other = np.searchsorted(numbers, one["day"]), np.searchsorted(numbers, other["day"])
    for name in (*ADDED, "songs"):
        total = np.zeros(len(numbers), dtype=np.int64)
        total[at] = one[name]
        total[at_other] += sign * other[name].astype(np.int64)
        days[name] = _fitting(np.maximum(total, 0), days[name].dtype)
    return days


def _sketch_of(each: Activity, day: int) -> int:
    return each.sketch if len(each.days) and each.days["day"][-1] == day else 0


def _faded(of: Activity, period: int, counts: npt.NDArray[np.uint16]) -> npt.NDArray[np.int64]:
    faded: npt.NDArray[np.int64] = counts.astype(np.int64) >> min(max(period - of.period, 0), 15)
    return faded


def _faded_places(of: Activity, period: int, places: Mapping[str, int]) -> dict[str, int]:
    return {name: number >> min(max(period - of.period, 0), 15) for name, number in places.items()}


def _places(
    one: Activity, other: Activity, period: int, places: Mapping[str, int], others: Mapping[str, int]
) -> dict[str, int]:
    counts = Counter(_faded_places(one, period, places)) + Counter(_faded_places(other, period, others))
    largest = np.iinfo(np.uint16).max
    return {name: min(number, largest) for name, number in counts.most_common(PLACES)}


def _left(places: Mapping[str, int], others: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(places) - Counter(others))


def _fitting(numbers: npt.NDArray[np.int64], dtype: Any) -> npt.NDArray[Any]:
    return np.minimum(numbers, np.iinfo(dtype).max).astype(dtype)

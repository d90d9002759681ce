"""The stage that listeners are in on a day: new, regular, occasional, fading, dormant, gone, returned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.traits.activity import DAYS, WEEK, ActiveDays, first_days

__all__ = ["LOOK_BACK", "RULES", "STAGES", "UNSEEN", "History", "Limits", "Rule", "history", "stages"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]

STAGES = ("new", "regular", "occasional", "fading", "dormant", "gone", "returned")
UNSEEN = -1
"""The code of a listener who had done nothing by then."""

RECENT = 14  # days that are compared with those before
BEFORE = 28
MONTH = 28
LOOK_BACK = RECENT + BEFORE
"""So many days before a day decide on its stage; of earlier ones only when the last was."""
NEVER = 1e9  # days


@dataclass(frozen=True)
class Limits:
    """Where one stage ends and another begins.

    Attributes
    ----------
    new_days
        A listener is new for so many days.
    regular_days
        Active days a week, over four weeks, from which a listener is regular.
    fading_share
        A regular listener fades whose active days a week, over two weeks, are at most this share of those in
        the four weeks before.
    dormant_days, gone_days
        Days without activity after which a listener is dormant, and gone.
    returned_days
        For so many days is a listener called returned who was dormant or gone before.
    """

    new_days: float = 14
    regular_days: float = 2.0
    fading_share: float = 0.5
    dormant_days: float = 14
    gone_days: float = 60
    returned_days: float = 14


class History(NamedTuple):
    """What stages are decided by, shape (n,) each.

    Attributes
    ----------
    tenure
        Days since the first activity; 0 for who had done nothing yet.
    idle
        Days since the last activity: 1 for who was active on the last day that is looked at.
    month, recent, before
        Active days a week: over four weeks, over the last two, over the four before those two. Of a
        listener who has been here for less, over that.
    returned
        Days since they came back from more than `Limits.dormant_days` without activity; `NEVER` if never.
    """

    tenure: Floats
    idle: Floats
    month: Floats
    recent: Floats
    before: Floats
    returned: Floats


class Rule(NamedTuple):
    """Who is in a stage, in words and as a function of `History` and `Limits`."""

    stage: str
    words: str
    holds: Callable[[History, Limits], Flags]


RULES = (
    Rule("gone", "nothing for more than `gone_days`", lambda h, limits: h.idle > limits.gone_days),
    Rule("dormant", "nothing for more than `dormant_days`", lambda h, limits: h.idle > limits.dormant_days),
    Rule("new", "first seen in the last `new_days`", lambda h, limits: h.tenure <= limits.new_days),
    Rule(
        "returned",
        "back, in the last `returned_days`, from more than `dormant_days` without activity",
        lambda h, limits: h.returned <= limits.returned_days,
    ),
    Rule(
        "fading",
        "regular in the four weeks before the last two, and active in those at most `fading_share` as often",
        lambda h, limits: (h.before >= limits.regular_days) & (h.recent <= limits.fading_share * h.before),
    ),
    Rule(
        "regular",
        "active on `regular_days` a week or more, over four weeks",
        lambda h, limits: h.month >= limits.regular_days,
    ),
    Rule("occasional", "all others", lambda h, limits: h.idle < NEVER),
)
"""The first that holds says the stage."""


def stages(
    active: ActiveDays,
    until: int,
    first_day: Ints | None = None,
    last_day: Ints | None = None,
    limits: Limits | None = None,
) -> Codes:
    """Return the stage of each listener, shape (n,): places in `STAGES`, or `UNSEEN`.

    Parameters
    ----------
    until
        The first day that is not looked at: tomorrow, for the stage of today.
    first_day, last_day
        Shape (n,), the days on which each was first and last seen, -1 where never; without, of the
        active days.

    Notes
    -----
    Active days are kept for 60 days up to a listener's latest, so that stages of up to two weeks ago are
    those of that day, too, where `returned_days` and `dormant_days` add up to 45 at most. Up to 60 the stage
    of today is right; of two weeks ago it is not known of everybody that they had returned.

    Examples
    --------
    One clicks daily, one did three weeks ago.

    >>> from models.traits.activity import DAY
    >>> days = np.zeros(31, dtype=DAY)
    >>> days["day"], days["play"] = [*range(70, 100), 79], 1
    >>> active = ActiveDays(2, np.array([0] * 30 + [1]), days)
    >>> [STAGES[code] for code in stages(active, until=100)]
    ['regular', 'dormant']
    """
    limits = limits or Limits()
    seen = history(active, until, first_day, last_day, limits.dormant_days)
    conditions = [rule.holds(seen, limits) & (seen.tenure > 0) for rule in RULES]
    codes = [STAGES.index(rule.stage) for rule in RULES]
    return np.select(conditions, codes, UNSEEN).astype(np.int8)


def history(
    active: ActiveDays,
    until: int,
    first_day: Ints | None = None,
    last_day: Ints | None = None,
    dormant_days: float = Limits.dormant_days,
) -> History:
    """Return what stages are decided by; parameters as in `stages`."""
    day = active.days["day"].astype(np.int64)
    latest = np.full(active.number, -1, dtype=np.int64)
    np.maximum.at(latest, active.owner, day)
    first, last = _bounds(active, latest, until, first_day, last_day)
    known = day < until
    owner, day = active.owner[known], day[known]
    ago = until - day
    there = first < until
    tenure = np.where(there, until - first, 0).astype(np.float64)

    def a_week(newest: int, days: int) -> Floats:
        """Return active days a week of so many days, of which the newest is so many days ago."""
        within = (ago >= newest) & (ago < newest + days)
        count = np.bincount(owner[within], minlength=active.number)
        lived = np.clip(tenure - (newest - 1), WEEK, days)  # of one day nobody can say how many a week
        return np.asarray(count * WEEK / lived, dtype=np.float64)

    before = np.where(tenure >= RECENT + WEEK, a_week(RECENT + 1, BEFORE), 0.0)
    return History(
        tenure,
        np.where(there, until - last, NEVER).astype(np.float64),
        a_week(1, MONTH),
        a_week(1, RECENT),
        before,
        _returned(latest, owner, day, until, first, dormant_days),
    )


def _bounds(
    active: ActiveDays, latest: Ints, until: int, first_day: Ints | None, last_day: Ints | None
) -> tuple[Ints, Ints]:
    """Return the first and the last day before `until` on which each did something; `until` for never."""
    first = first_days(active, until, first_day)
    day = active.days["day"].astype(np.int64)
    last = np.full(active.number, -1, dtype=np.int64)
    before = day < until
    np.maximum.at(last, active.owner[before], day[before])
    if last_day is not None:
        last = np.where(last_day < until, np.maximum(last, last_day), last)
        latest = np.maximum(latest, last_day)
    # Of who has no day before `until` that is kept, the last one was no later than this.
    last = np.where((last < 0) & (first < until), np.clip(latest - DAYS, first, until - 1), last)
    return first, last


def _returned(latest: Ints, owner: Ints, day: Ints, until: int, first: Ints, dormant_days: float) -> Floats:
    """Return how long ago each came back from being dormant; days are before `until`, of one owner they rise,
    and `latest` is the latest of each, later or not."""
    before = np.concatenate([[-1], day[:-1]])
    begins = np.concatenate([[True], owner[1:] != owner[:-1]])[: len(owner)]
    # Days before the first that is kept are gone, 60 before the latest; the very first is known.
    before = np.where(begins, np.maximum(first, latest - DAYS)[owner], before[: len(owner)])
    back = day - before > dormant_days
    when = np.full(len(latest), -NEVER)
    np.maximum.at(when, owner[back], day[back].astype(np.float64))
    return np.asarray(np.minimum(until - when, NEVER), dtype=np.float64)

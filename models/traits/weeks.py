"""The stages of listeners at the beginnings of weeks, remembered for longer than their days are kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.traits.activity import WEEK, ActiveDays
from models.traits.lifecycle import STAGES, UNSEEN, Limits, stages

__all__ = ["KEPT", "begin_of", "codes_by_week", "remember", "week_of"]

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]

MONDAY = 4  # the first day since 1970-01-01 that was one
KEPT = 13
"""Beginnings of weeks that are remembered."""
EXACT = 2
"""Of so many weeks, this one and the one before, 60 days say what the stage was when they began; but of who
has come back since, after 60 days or more, whether they were dormant or gone already."""
AWAY = STAGES.index("dormant"), STAGES.index("gone")
UNKNOWN = "-"
LETTERS = "0123456"


def week_of(day: int) -> int:
    """Return the number of the week, Monday to Sunday, that a day is in.

    Examples
    --------
    >>> week_of(3), week_of(4), begin_of(1)
    (0, 1, 4)
    """
    return (day - MONDAY) // WEEK + 1


def begin_of(week: int) -> int:
    """Return the Monday that a week begins with."""
    return (week - 1) * WEEK + MONDAY


def codes_by_week(
    active: ActiveDays,
    today: int,
    remembered: Sequence[str],
    first_day: Ints | None = None,
    last_day: Ints | None = None,
    limits: Limits | None = None,
) -> Codes:
    """Return the stages of listeners when the last weeks began, shape (n, KEPT), this week last.

    Parameters
    ----------
    today
        A day of this week.
    remembered
        For each listener what `remember` returned, or "".
    first_day, last_day, limits
        As in `models.traits.lifecycle.stages`.

    Returns
    -------
    Places in `STAGES`; `UNSEEN` also where a week is not remembered and too long ago.
    """
    this = week_of(today)
    codes = np.full((active.number, KEPT), UNSEEN, dtype=np.int8)
    known = np.zeros((active.number, KEPT), dtype=bool)
    for row, text in enumerate(remembered):
        week, _, letters = text.partition(":")
        if not letters:
            continue
        shift = this - int(week)
        for ago, letter in enumerate(reversed(letters), start=shift):
            if 0 <= ago < KEPT:
                known[row, -1 - ago] = True
                codes[row, -1 - ago] = UNSEEN if letter == UNKNOWN else LETTERS.index(letter)
    for ago in range(EXACT):
        # What is remembered may have been found while history was on its way.
        then = stages(active, begin_of(this - ago), first_day, last_day, limits)
        held = codes[:, -1 - ago]
        no_more_known = (then == UNSEEN) | (np.isin(held, AWAY) & np.isin(then, AWAY))
        codes[:, -1 - ago] = np.where(known[:, -1 - ago] & no_more_known, held, then)
    return codes


def remember(codes: Codes, today: int) -> list[str]:
    """Return what is to be remembered of stages by week, as `codes_by_week` returned them.

    Examples
    --------
    >>> remember(np.array([[-1, -1, 0, 1]], dtype=np.int8), today=4)
    ['1:01']
    """
    assert len(LETTERS) == len(STAGES)  # noqa: S101 - each stage is one letter
    week = week_of(today)
    found = []
    for row in codes.tolist():
        text = "".join(UNKNOWN if code == UNSEEN else LETTERS[code] for code in row)
        found.append(f"{week}:{text.lstrip(UNKNOWN)}")
    return found

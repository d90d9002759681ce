"""Features and outcome of churn: from the days before a day, and from that day on; they never overlap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.traits.activity import FEATURES, ActiveDays, features, first_days

__all__ = ["Span", "churned", "known"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

ACTIVE = FEATURES.index("days_from_last_activity")


class Span(NamedTuple):
    """The two spans around a day.

    Attributes
    ----------
    history
        Days before it that features look at. Who did nothing in them is not predicted: they are gone already.
    outcome
        Days from it on: who does nothing in them has churned.
    """

    history: int = 30
    outcome: int = 14


def known(active: ActiveDays, until: int, span: Span, first_day: Ints | None = None) -> tuple[Floats, Flags]:
    """Return what may be known of listeners when a day begins, and who is to be predicted.

    Parameters
    ----------
    until
        The day: the first of the outcome. Nothing of it or later is looked at.
    first_day
        Shape (n,), the day on which each was first seen, by UTC; by the active days without.

    Returns
    -------
    Shape (n, d), `models.traits.activity.features`, and shape (n,), who was active in the span before.

    Examples
    --------
    >>> from models.traits.activity import DAY
    >>> days = np.zeros(3, dtype=DAY)
    >>> days["day"], days["play"] = [60, 90, 101], 1
    >>> rows, asked = known(ActiveDays(2, np.array([0, 1, 1]), days), until=100, span=Span())
    >>> rows[1, ACTIVE], asked.tolist()
    (np.float64(10.0), [False, True])
    """
    day = active.days["day"].astype(np.int64)
    first_day = first_days(active, until, first_day)
    seen = (day < until) & (day >= until - span.history)
    rows = features(ActiveDays(active.number, active.owner[seen], active.days[seen]), until, first_day)
    return rows, _any(active, seen)


def churned(active: ActiveDays, until: int, span: Span) -> Flags:
    """Return who did nothing in the days of the outcome, the first of which is `until`; shape (n,)."""
    day = active.days["day"].astype(np.int64)
    return ~_any(active, (day >= until) & (day < until + span.outcome))


def _any(active: ActiveDays, of: Flags) -> Flags:
    return np.bincount(active.owner[of], minlength=active.number) > 0

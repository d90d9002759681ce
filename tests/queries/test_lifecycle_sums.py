"""What is added up over listeners for `refrain lifecycle`."""

from __future__ import annotations

import numpy as np
import pytest

from consumers.queries.lifecycle_sums import LifecycleSums
from models.traits.activity import DAY, ActiveDays, Activities
from models.traits.lifecycle import Limits
from models.traits.next_week import NextWeek

TODAY = 20_000
SECONDS = 86_400.0


def sums_of(*ago: int, first_seen: float | None = None, number: int = 1) -> LifecycleSums:
    """Return the sums of listeners who did something so many days ago, on that day by UTC if not said."""
    days = np.zeros(len(ago), dtype=DAY)
    days["day"], days["play"] = [TODAY - each for each in sorted(ago, reverse=True)], 1
    first, last = (np.full(number, (TODAY - each) * SECONDS) for each in (first_seen or max(ago), min(ago)))
    active = ActiveDays(number, np.repeat(np.arange(number), len(ago)), np.tile(days, number))
    sums = LifecycleSums(TODAY, 1, Limits(), NextWeek())
    users = [f"u{at}" for at in range(number)]
    whole = Activities(active, first, last, np.zeros((number, 24)), [{}] * number, [{}] * number)
    sums.add(users, whole, [""] * number, [])
    return sums


def test_yesterday_which_goes_on_behind_utc_says_nothing_yet_of_a_groups_week() -> None:
    (before, away), (after, away_too) = sums_of(20, 12).sample(), sums_of(20, 12, 1).sample()
    assert before.tolist() == after.tolist() == [[1.0, 1.0, 0.0, 0.0, 0.0]]
    assert (away.tolist(), away_too.tolist()) == ([True], [True])


def test_groups_are_not_of_who_came_within_that_week_by_a_clock_ahead_of_utc() -> None:
    (came, _), (there, _) = sums_of(8, first_seen=8.04).sample(), sums_of(9, first_seen=9.04).sample()
    assert (len(came), len(there)) == (0, 1)


@pytest.mark.parametrize("number", [100, 10_000])
def test_where_weeks_differ_for_all_what_is_expected_of_many_is_as_uncertain(number: int) -> None:
    deviation = sums_of(3, 17, 31, 45, first_seen=58, number=number).zero_deviation
    assert deviation == pytest.approx(number, rel=0.01)


@pytest.mark.parametrize(("first_seen", "known"), [(29, False), (30, True)])
def test_how_weeks_differ_is_known_once_there_are_four(first_seen: int, known: bool) -> None:
    sums = sums_of(3, 10, first_seen=first_seen)
    assert (sums.zero_deviation is not None) is known

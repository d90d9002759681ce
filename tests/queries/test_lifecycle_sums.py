"""What is added up over listeners for `refrain lifecycle`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.year import Year, simulate
from consumers.queries.lifecycle_sums import LifecycleSums
from models.traits.activity import DAY, ActiveDays, Activities
from models.traits.lifecycle import STAGES, Limits
from models.traits.next_week import NextWeek
from models.traits.today import of_some
from models.traits.transitions import Transitions
from models.traits.weeks import codes_by_week, remember

TODAY = 20_000
SECONDS = 86_400.0


def activities_of(*ago: int, first_seen: float | None = None, number: int = 1) -> Activities:
    """Return listeners who did something so many days ago, on that day by UTC if not said."""
    days = np.zeros(len(ago), dtype=DAY)
    days["day"], days["play"] = [TODAY - each for each in sorted(ago, reverse=True)], 1
    first, last = (np.full(number, (TODAY - each) * SECONDS) for each in (first_seen or max(ago), min(ago)))
    active = ActiveDays(number, np.repeat(np.arange(number), len(ago)), np.tile(days, number))
    return Activities(active, first, last, np.zeros((number, 24)), [{}] * number, [{}] * number)


def sums_over(*parts: Activities) -> LifecycleSums:
    sums = LifecycleSums(TODAY, 1, Limits(), NextWeek())
    for part in parts:
        users = [f"u{at}" for at in range(part.active.number)]
        sums.add(users, part, [""] * len(users), [])
    return sums


def sums_of(*ago: int, first_seen: float | None = None, number: int = 1) -> LifecycleSums:
    return sums_over(activities_of(*ago, first_seen=first_seen, number=number))


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


def test_weeks_in_which_few_of_todays_listeners_were_there_say_little_of_how_weeks_differ() -> None:
    half = activities_of(*range(1, 41), number=500), activities_of(40, number=500)
    alone = sums_over(*half).zero_deviation
    assert alone is not None
    among_few = sums_over(activities_of(*range(1, 59), number=3), *half).zero_deviation
    assert among_few == pytest.approx(alone, rel=0.01)


def test_a_change_between_weeks_weighs_as_much_as_listeners_were_there_in_both() -> None:
    half = activities_of(*range(1, 41), number=500), activities_of(40, number=500)
    sums = sums_over(activities_of(*range(1, 59), number=200), *half)
    change = (500 / 1200) ** 2 * 200 / (3 * 200 + 4 * 1200)
    assert sums.zero_deviation == pytest.approx((1200 * 0.25 + 1200**2 * change) ** 0.5)


@pytest.fixture
def unrecorded() -> Activities:
    """A hundred listeners who were there today, but nothing is on record."""
    nothing = ActiveDays(100, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=DAY))
    first, last = np.full(100, (TODAY - 58) * SECONDS), np.full(100, TODAY * SECONDS)
    return Activities(nothing, first, last, np.zeros((100, 24)), [{}] * 100, [{}] * 100)


def test_of_whom_nothing_is_on_record_nothing_is_expected(unrecorded: Activities) -> None:
    sums = sums_over(unrecorded)
    assert sums.sizes.sum() == 100
    assert (sums.zero, sums.expected, sums.recorded) == (0, 0, 0)


def test_nothing_is_expected_of_who_was_seen_long_after_the_last_day_on_record() -> None:
    days = activities_of(*range(20, 58), number=100)
    sums = sums_over(replace(days, last_seen=np.full(100, TODAY * SECONDS)))
    assert sums.sizes.sum() == 100
    assert (sums.zero, sums.expected, sums.recorded) == (0, 0, 0)


def test_groups_are_of_those_whose_activity_is_on_record(unrecorded: Activities) -> None:
    assert len(sums_over(unrecorded, activities_of(20, 12)).sample()[0]) == 1


def test_of_whom_nothing_is_on_record_no_week_was_without_activity(unrecorded: Activities) -> None:
    recorded = activities_of(3, 17, 31, 45, first_seen=58, number=100)
    assert sums_over(unrecorded, recorded).zero_deviation == sums_over(recorded).zero_deviation


def recorded_after(days: Activities, ago: int) -> Activities:
    """Return listeners of whom nothing is on record up to so many days ago, as it was not recorded."""
    return replace(days, unrecorded=np.full(days.active.number, (TODAY - ago) * SECONDS))


def test_weeks_that_were_not_recorded_are_not_taken_for_weeks_without_activity() -> None:
    again = activities_of(0, first_seen=200, number=100)
    assert sums_over(again).zero_deviation is not None
    assert sums_over(recorded_after(again, 1)).zero_deviation is None


def test_groups_are_not_of_who_was_not_recorded_before_that_week() -> None:
    before, later = activities_of(9, 3, first_seen=200), activities_of(8, 3, first_seen=200)
    found = [len(sums_over(recorded_after(each, 10)).sample()[0]) for each in (before, later)]
    assert found == [1, 0]


def test_retention_is_of_those_who_were_always_recorded() -> None:
    came = activities_of(3, first_seen=30, number=100)
    found = [sums_over(each).retention.came.sum() for each in (came, recorded_after(came, 4))]
    assert found == [100, 0]


@pytest.fixture(scope="module")
def year() -> Year:
    return simulate(500, days=330, seed=3)


@pytest.fixture(scope="module")
def remembered(year: Year) -> list[str]:
    """Return what is remembered of their stages, who were scored week by week."""
    remembered = [""] * year.listeners
    for until in range(year.end - 15 * 7, year.end + 1, 7):
        active, first = year.active(until), year.first_days(until)
        remembered = remember(codes_by_week(active, until, remembered, first, last_days(active)), until)
    return remembered


def last_days(active: ActiveDays) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    last = np.full(active.number, -1, dtype=np.int64)
    np.maximum.at(last, active.owner, active.days["day"].astype(np.int64))
    return last


def ways(
    year: Year, remembered: list[str], idle: int, *, erased_after: float = 0.0
) -> dict[int, Transitions]:
    """Return the ways of listeners who have been idle for less than so many days."""
    active, first = year.active(year.end), year.first_days(year.end)
    last = last_days(active)
    here = np.flatnonzero(last > year.end - idle)
    seen = (each[here] * SECONDS for each in (first, last))
    number = len(here)
    of_them = Activities(of_some(active, here), *seen, np.zeros((number, 24)), [{}] * number, [{}] * number)
    sums = LifecycleSums(year.end, 12, Limits(), NextWeek(), erased_after=erased_after)
    sums.add([f"u{at}" for at in here], of_them, [remembered[at] for at in here], [])
    return sums.transitions


@pytest.mark.parametrize(("days", "same"), [(91, False), (151, True)])
def test_who_was_not_gone_is_counted_alike_in_all_weeks_where_who_is_idle_for_151_days_is_erased(
    year: Year, remembered: list[str], days: int, same: bool
) -> None:
    every, left = (ways(year, remembered, idle) for idle in (10_000, days))
    others = [stage != "gone" for stage in STAGES]
    alike = [(every[ahead].total == left[ahead].total)[others].all() for ahead in every]
    assert all(alike) is same


@pytest.mark.parametrize("days", [91, 100, 120, 150])
def test_weeks_of_which_who_was_dormant_and_stayed_away_is_erased_are_not_counted(
    year: Year, remembered: list[str], days: int
) -> None:
    every, left = (ways(year, remembered, idle, erased_after=days) for idle in (10_000, days))
    others = [stage != "gone" for stage in STAGES]
    assert all((every[ahead].total == left[ahead].total)[others].all() for ahead in every)
    assert left[1].total[others].sum() > 0


@pytest.mark.parametrize(
    ("days", "gone_days", "left_out"),
    [(0, 60, 0), (151, 60, 0), (150, 60, 1), (100, 60, 8), (91, 60, 9), (121, 30, 0), (91, 90, 12)],
)
def test_how_many_weeks_are_left_out_goes_by_who_may_be_erased(
    days: float, gone_days: float, left_out: int
) -> None:
    sunday = 20_002
    sums = LifecycleSums(sunday, 1, Limits(gone_days=gone_days), NextWeek(), erased_after=days)
    assert sums.weeks_left_out == left_out


def test_where_who_is_gone_is_erased_nobody_is_expected_back(year: Year, remembered: list[str]) -> None:
    gone = STAGES.index("gone")
    known, erased = (ways(year, remembered, 151, erased_after=after)[1].total[gone] for after in (0, 151))
    assert known.sum() > known[gone]
    assert erased.tolist() == [0] * gone + [known.sum()] + [0] * (len(STAGES) - gone - 1)

"""The retention triangle, and groups by the shape of weekly counts."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from models.traits.activity import DAY, DAYS, ActiveDays
from models.traits.groups import Groups
from models.traits.retention import Retention
from models.traits.today import day_numbers

UNTIL = 20_000


def active(lives: list[list[int]]) -> ActiveDays:
    days = np.zeros(sum(map(len, lives)), dtype=DAY)
    days["day"] = [UNTIL - ago for life in lives for ago in sorted(life, reverse=True)]
    return ActiveDays(len(lives), np.repeat(np.arange(len(lives)), list(map(len, lives))), days)


LIVES = st.lists(st.lists(st.integers(-5, 58), unique=True), max_size=10)


@given(LIVES)
def test_all_who_came_are_active_in_the_week_they_came(lives: list[list[int]]) -> None:
    found = Retention.of(active(lives), UNTIL)
    assert found.active[:, 0].tolist() == found.came.tolist()
    assert (found.active <= found.came[:, None]).all()


@given(LIVES)
def test_everybody_who_came_in_these_weeks_is_in_one_row(lives: list[list[int]]) -> None:
    came = [max(life) for life in lives if life and 0 < max(life) <= 49]
    assert Retention.of(active(lives), UNTIL).came.sum() == len(came)


@given(st.lists(st.lists(st.integers(-6, 120), min_size=1, unique=True), max_size=10))
@example([[56, -6]])
@example([[49, -6]])
def test_the_days_that_are_kept_say_what_all_days_would(lives: list[list[int]]) -> None:
    kept = [[ago for ago in life if ago < min(life) + DAYS] for life in lives]
    first = np.array([UNTIL - max(life) for life in lives], dtype=np.int64)
    found, whole = (Retention.of(active(days), UNTIL, first_day=first) for days in (kept, lives))
    assert found.came.tolist() == whole.came.tolist()
    assert found.active.tolist() == whole.active.tolist()


@given(LIVES)
def test_two_halves_add_up(lives: list[list[int]]) -> None:
    whole, halves = (
        Retention.of(active(lives), UNTIL),
        [Retention.of(active(lives[at::2]), UNTIL) for at in (0, 1)],
    )
    assert ((halves[0] + halves[1]).active == whole.active).all()


def test_weeks_to_come_have_no_share() -> None:
    shares = Retention.of(active([[10], [3]]), UNTIL, weeks=2).shares()
    assert np.isnan(shares).tolist() == [[False, False], [False, True]]


def test_who_was_first_seen_before_is_in_no_row() -> None:
    first = np.array([UNTIL - 100])
    assert Retention.of(active([[10]]), UNTIL, first_day=first).came.sum() == 0


def test_who_came_on_a_monday_by_a_clock_ahead_of_utc_is_in_its_week_though_it_was_sunday_by_utc() -> None:
    monday = UNTIL - 7
    sunday = day_numbers(np.array([86_400.0 * monday - 3600]))
    found = Retention.of(active([[7]]), UNTIL, weeks=2, first_day=sunday)
    assert found.came.tolist() == [0, 1]
    assert found.active.tolist() == [[0, 0], [1, 0]]


def test_who_came_two_days_before_the_first_on_record_is_in_the_week_they_came() -> None:
    found = Retention.of(active([[7]]), UNTIL, weeks=2, first_day=np.array([UNTIL - 9]))
    assert found.came.tolist() == [1, 0]


def test_groups_are_by_shape_the_most_active_first() -> None:
    steady, starting, gone = [5.0] * 5, [6.0, 5.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 5.0, 5.0]
    weekly = np.array([steady] * 20 + [starting] * 20 + [gone] * 20)
    zero = np.array([False] * 40 + [True] * 20)
    found = Groups(3).fit(weekly).describe(weekly, zero)
    assert found[0].weekly == (5.0,) * 5
    assert sorted(group.listeners for group in found) == [20, 20, 20]
    assert sorted(group.zero_week for group in found if group.zero_week is not None) == [0.0, 0.0, 1.0]


def test_there_are_no_more_groups_than_different_listeners() -> None:
    weekly = np.array([[1.0] * 5] * 30)
    assert len(Groups(6).fit(weekly).describe(weekly)) == 1

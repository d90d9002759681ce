"""Stages at the beginnings of weeks are remembered for longer than days are kept."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.traits.activity import DAY, ActiveDays
from models.traits.lifecycle import STAGES, stages
from models.traits.weeks import KEPT, begin_of, codes_by_week, remember, week_of

TODAY = 20_000
NOBODY = ActiveDays(1, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=DAY))


@given(st.integers(0, 30_000))
def test_a_day_is_in_the_week_that_begins_with_its_monday(day: int) -> None:
    begin = begin_of(week_of(day))
    assert begin <= day < begin + 7
    assert (begin + 3) % 7 == 0, "1970-01-01 was a Thursday"


def living(days: list[int]) -> ActiveDays:
    made = np.zeros(len(days), dtype=DAY)
    made["day"] = sorted(days)
    return ActiveDays(1, np.zeros(len(days), dtype=np.int64), made)


@given(st.lists(st.integers(TODAY - 200, TODAY - 1), min_size=1, max_size=60, unique=True), st.data())
def test_met_once_a_week_each_weeks_stage_is_that_of_its_monday(days: list[int], data: st.DataObject) -> None:
    first = np.array([min(days)])
    text = ""
    this = week_of(TODAY)
    for week in range(this - KEPT + 1, this + 1):
        met = begin_of(week) + data.draw(st.integers(0, 6))
        so_far = [day for day in days if day < met]
        known = living([day for day in so_far if day > max(so_far) - 60])
        (text,) = remember(codes_by_week(known, met, [text], np.where(first < met, first, -1)), met)
    found = codes_by_week(NOBODY, TODAY, [text])[0]
    expected = [stages(living(days), begin_of(week), first)[0] for week in range(this - KEPT + 1, this + 1)]
    # Of who has come back that week after more than 60 days, when they went is not kept.
    away = [STAGES.index("dormant"), STAGES.index("gone")]
    assert [code in away or code for code in found.tolist()] == [code in away or code for code in expected]


def test_weeks_in_which_nobody_looked_are_not_known_but_the_last_two() -> None:
    steady = living(list(range(TODAY - 60, TODAY)))
    long_ago = remember(codes_by_week(steady, TODAY - 35, [""]), TODAY - 35)
    found = codes_by_week(steady, TODAY, long_ago)[0]
    assert (found[-2:] >= 0).all()
    assert (found[-5:-2] < 0).all()
    assert (found[-7:-5] >= 0).all()


def test_a_stage_that_was_found_while_history_was_on_its_way_is_mended() -> None:
    half = remember(codes_by_week(living(list(range(TODAY - 55, TODAY - 30))), TODAY, [""]), TODAY)
    whole = living(list(range(TODAY - 55, TODAY)))
    assert codes_by_week(whole, TODAY, half).tolist() == codes_by_week(whole, TODAY, [""]).tolist()


def test_what_is_remembered_is_at_most_so_many_weeks() -> None:
    text = f"{week_of(TODAY)}:{'1' * 50}"
    (again,) = remember(codes_by_week(NOBODY, TODAY, [text]), TODAY)
    assert len(again.partition(":")[2]) == KEPT

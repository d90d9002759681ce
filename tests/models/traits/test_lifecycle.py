"""Stages of listeners."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.traits.activity import DAY, DAYS, ActiveDays
from models.traits.lifecycle import RULES, STAGES, UNSEEN, Limits, stages

UNTIL = 20_000


def active(*listeners: list[int]) -> ActiveDays:
    """Return the days on which listeners did something, each said as days before `UNTIL`."""
    days = np.zeros(sum(len(each) for each in listeners), dtype=DAY)
    days["day"] = [UNTIL - ago for each in listeners for ago in sorted(each, reverse=True)]
    days["play"] = 1
    return ActiveDays(len(listeners), np.repeat(np.arange(len(listeners)), [len(e) for e in listeners]), days)


def stage_of(ago: list[int], until: int = UNTIL, limits: Limits | None = None, **seen: int) -> str:
    bounds = {name: np.array([UNTIL - day]) for name, day in seen.items()}
    code = stages(active(ago), until, limits=limits, **bounds)[0]
    return "" if code == UNSEEN else STAGES[code]


def test_a_listener_without_clicks_has_no_stage() -> None:
    assert stage_of([]) == ""


def test_what_happens_later_is_not_seen() -> None:
    assert stage_of([-1, -2]) == ""


def test_a_listener_of_two_weeks_is_new() -> None:
    assert (stage_of([14, 1]), stage_of([15, 1])) == ("new", "occasional")


def test_two_days_a_week_are_regular() -> None:
    assert stage_of([*range(1, 60, 3)]) == "regular"
    assert stage_of([*range(1, 60, 4)]) == "occasional"


def test_of_a_listener_of_three_weeks_three_weeks_count() -> None:
    assert stage_of([21, 18, 14, 11, 8, 4, 1]) == "regular"


def test_half_as_often_as_before_is_fading() -> None:
    assert stage_of([*range(15, 43, 2), 3, 7, 11]) == "fading"
    assert stage_of([*range(15, 43, 2), 3, 5, 7, 11]) == "regular"


def test_who_was_never_regular_does_not_fade() -> None:
    assert stage_of([5, 19, 25, 30, 35, 40]) == "occasional"


def test_more_than_two_weeks_without_activity_is_dormant() -> None:
    assert (stage_of([28, 14]), stage_of([28, 15])) == ("occasional", "dormant")


def test_more_than_sixty_days_without_activity_is_gone() -> None:
    assert (stage_of([80, 60]), stage_of([80, 61])) == ("dormant", "gone")


def test_who_was_dormant_and_came_back_has_returned_for_two_weeks() -> None:
    assert stage_of([40, 39, 5, 2]) == "returned"
    assert stage_of([40, 39, 14, 2]) == "returned"
    assert stage_of([40, 39, 15, 2]) == "occasional"


def test_who_comes_back_after_all_their_days_were_forgotten_has_returned() -> None:
    assert stage_of([3], first_day=300) == "returned"


def test_who_was_active_daily_had_not_returned_a_fortnight_ago_though_older_days_were_dropped_since() -> None:
    daily = [*range(1, DAYS + 1)]
    assert stage_of(daily, UNTIL - 14, Limits(returned_days=60), first_day=300) == "regular"


@pytest.mark.parametrize("dormant_days", [14, 30])
@pytest.mark.parametrize("weeks", [0, 1, 2])
def test_how_long_ago_somebody_returned_is_known_as_far_as_the_record_goes(
    weeks: int, dormant_days: int
) -> None:
    until, limits = UNTIL - 7 * weeks, Limits(dormant_days=dormant_days, returned_days=DAYS)
    known = DAYS - dormant_days
    assert stage_of([*range(1, known + 1)], until, limits, first_day=300) == "returned"
    assert stage_of([*range(1, known + 2)], until, limits, first_day=300) == "regular"


def test_where_no_days_are_kept_the_last_one_counts() -> None:
    assert stage_of([], first_day=300, last_day=20) == "dormant"
    assert stage_of([], first_day=300, last_day=100) == "gone"


def test_who_has_nothing_on_record_came_on_the_day_they_were_first_seen() -> None:
    assert stage_of([], first_day=1, last_day=1) == "new"


def test_limits_move_the_stages() -> None:
    assert stage_of([50, 15], limits=Limits(dormant_days=20)) == "occasional"
    assert stage_of([*range(1, 60, 4)], limits=Limits(regular_days=1.5)) == "regular"


def test_every_stage_has_a_rule_and_words() -> None:
    assert sorted(rule.stage for rule in RULES) == sorted(STAGES)


LIVES = st.lists(st.lists(st.integers(-10, 130), unique=True), min_size=1, max_size=8)
LIMITS = st.builds(
    Limits,
    new_days=st.integers(1, 40),
    regular_days=st.floats(0.2, 7),
    fading_share=st.floats(0, 1),
    dormant_days=st.integers(1, 40),
    gone_days=st.integers(1, 90),
    returned_days=st.integers(1, 40),
)


@given(LIVES, LIMITS)
def test_each_listener_is_in_one_stage_from_the_first_day_on_and_in_none_before(
    lives: list[list[int]], limits: Limits
) -> None:
    codes = stages(active(*lives), UNTIL, limits=limits)
    assert [code != UNSEEN for code in codes] == [any(ago > 0 for ago in life) for life in lives]


@given(LIVES)
def test_a_stage_depends_on_nobody_else(lives: list[list[int]]) -> None:
    together = stages(active(*lives), UNTIL).tolist()
    assert together == [stages(active(life), UNTIL)[0] for life in lives]


@pytest.mark.parametrize("weeks", [0, 1, 2])
@given(lives=LIVES)
def test_of_two_weeks_ago_sixty_days_say_as_much_as_all(lives: list[list[int]], weeks: int) -> None:
    lives = [[ago for ago in life if ago > 0] for life in lives]
    kept = [[ago for ago in life if ago < min(life) + DAYS] for life in lives]
    first = np.array([UNTIL - max(life) if life else -1 for life in lives])
    until = UNTIL - 7 * weeks
    whole = stages(active(*lives), until, first)
    short = stages(active(*kept), until, first)
    # Of who is away for longest, and back today, only that they were away is known.
    away = np.isin(whole, [STAGES.index("dormant"), STAGES.index("gone")])
    assert (short[~away] == whole[~away]).all()
    assert np.isin(short[away], [STAGES.index("dormant"), STAGES.index("gone")]).all()

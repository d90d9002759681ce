"""What listeners did before today, whichever day it is on their clocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from models.traits.activity import DAY, ActiveDays, Activities
from models.traits.lifecycle import STAGES, stages
from models.traits.today import align, recorded_from

TODAY = 20_000
SECONDS = 86_400.0


def stage_of(days: Sequence[int], first: float, last: float) -> str:
    """Return the stage today of who is on record with these days, and was seen first and last so long ago."""
    held = np.zeros(len(days), dtype=DAY)
    held["day"], held["play"] = [TODAY + day for day in sorted(days)], 1
    seen = [np.array([(TODAY + day) * SECONDS]) for day in (first, last)]
    active = ActiveDays(1, np.zeros(len(days), dtype=np.int64), held)
    aligned = align(Activities(active, *seen, np.zeros((1, 24)), [{}], [{}]), TODAY)
    (code,) = stages(aligned.active, TODAY, aligned.first_day, aligned.last_day).tolist()
    return STAGES[code]


@pytest.mark.parametrize("days", [[], [*range(-60, -40)]], ids=["never recorded", "no more recorded"])
def test_who_clicked_today_is_not_away_where_that_is_not_recorded(days: list[int]) -> None:
    assert stage_of(days, first=-60, last=0.5) not in ("dormant", "gone")


def test_who_was_last_seen_long_ago_is_away_where_that_is_not_recorded() -> None:
    assert stage_of([], first=-60, last=-20.5) == "dormant"


@pytest.mark.parametrize("newest", [-1, 0, 1])
def test_a_stage_does_not_depend_on_the_listeners_clock(newest: int) -> None:
    """Seen last at this hour, which is yesterday, today or tomorrow where they are."""
    days = [newest - 3 * ago for ago in range(14)]
    assert stage_of(days, first=-42, last=0.4) == "regular"


@pytest.mark.parametrize(
    ("unrecorded", "first"),
    [(None, -200), (-5, -3), (-59, -3), (-61, -200)],
    ids=["always was", "5 days ago", "59 days ago", "61 days ago"],
)
def test_what_was_not_recorded_is_not_taken_for_no_activity_while_it_would_be_kept(
    unrecorded: int | None, first: int
) -> None:
    held = np.zeros(2, dtype=DAY)
    held["day"], held["play"] = [TODAY - 3, TODAY], 1
    active = ActiveDays(1, np.zeros(2, dtype=np.int64), held)
    days = (-200, 0, unrecorded)
    seen = [np.array([np.nan if day is None else (TODAY + day) * SECONDS]) for day in days]
    found = recorded_from(Activities(active, *seen[:2], np.zeros((1, 24)), [{}], [{}], seen[2]))
    assert found.tolist() == [TODAY + first]

"""What may be known for a prediction of churn ends where its outcome begins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.quality.binary import auc
from models.traits.activity import DAY, FEATURES, ActiveDays
from models.traits.churn import ChurnModel
from models.traits.churn_span import Span, churned, known

UNTIL = 100
LEAST_AUC, MOST_AUC = 0.45, 0.55


def active(number: int, deeds: list[tuple[int, int, int]]) -> ActiveDays:
    """Of listener, day and plays."""
    by_day = sorted({(owner, day): plays for owner, day, plays in deeds}.items())
    days = np.zeros(len(by_day), dtype=DAY)
    days["day"], days["play"] = [day for (_, day), _ in by_day], [plays for _, plays in by_day]
    return ActiveDays(number, np.array([owner for (owner, _), _ in by_day], dtype=np.int64), days)


DEEDS = st.lists(st.tuples(st.integers(0, 3), st.integers(50, 130), st.integers(1, 50)), max_size=40)


@given(DEEDS, DEEDS, st.sampled_from([Span(), Span(7, 3), Span(45, 30)]))
def test_nothing_done_on_the_first_day_of_the_outcome_or_later_changes_what_is_known(
    before: list[tuple[int, int, int]], after: list[tuple[int, int, int]], span: Span
) -> None:
    past = [deed for deed in before if deed[1] < UNTIL]
    future = [deed for deed in after if deed[1] >= UNTIL]
    rows, asked = known(active(4, past), UNTIL, span)
    rows_too, asked_too = known(active(4, past + future), UNTIL, span)
    assert np.array_equal(rows, rows_too)
    assert np.array_equal(asked, asked_too)


@given(DEEDS, DEEDS)
def test_nothing_done_before_the_outcome_changes_who_has_churned(
    before: list[tuple[int, int, int]], after: list[tuple[int, int, int]]
) -> None:
    past = [deed for deed in before if deed[1] < UNTIL]
    future = [deed for deed in after if deed[1] >= UNTIL]
    alone, together = (churned(active(4, deeds), UNTIL, Span()) for deeds in (future, past + future))
    assert np.array_equal(alone, together)


def test_the_outcome_ends_with_its_last_day() -> None:
    last, next_day = (churned(active(1, [(0, day, 1)]), UNTIL, Span()) for day in (UNTIL + 13, UNTIL + 14))
    assert (last.tolist(), next_day.tolist()) == ([False], [True])


def test_what_was_done_before_the_span_is_not_looked_at_but_for_tenure() -> None:
    rows, asked = known(active(1, [(0, UNTIL - 8, 5)]), UNTIL, Span(history=7))
    said = dict(zip(FEATURES, rows[0].tolist(), strict=True))
    assert (said["freq_P_last_14"], said["tenure"], asked.tolist()) == (0.0, 8.0, [False])


@pytest.mark.parametrize("first_seen", [-21, -20, -19], ids=["ahead of UTC", "as UTC", "behind UTC"])
def test_tenure_is_since_the_first_day_by_the_listeners_clock(first_seen: int) -> None:
    rows, _ = known(active(1, [(0, UNTIL - 20, 5)]), UNTIL, Span(), np.array([UNTIL + first_seen]))
    assert rows[0, FEATURES.index("tenure")] == 20


def test_tenure_of_who_was_there_before_the_span_is_since_they_came() -> None:
    since = UNTIL - 31
    rows, _ = known(active(1, [(0, since, 5), (0, since + 1, 5)]), UNTIL, Span(30), np.array([since]))
    assert rows[0, FEATURES.index("tenure")] == 31


def chance_world(seed: int, number: int = 3000) -> tuple[npt.NDArray[np.bool_], ActiveDays]:
    """Who comes back is drawn by a coin, and comes back at once: to see the outcome is to know it."""
    random = np.random.default_rng(seed)
    back = random.random(number) < 0.5
    deeds = [(n, int(day), 5) for n in range(number) for day in random.integers(UNTIL - 30, UNTIL, 4)]
    deeds += [(n, UNTIL + day, 5) for n in np.flatnonzero(back).tolist() for day in range(3)]
    return back, active(number, deeds)


def predicted(until: int) -> float:
    """AUC of a model that learns what is known at a day, and whose outcome begins at UNTIL."""
    back, there = chance_world(seed=1)
    rows, _ = known(there, until, Span())
    outcome = churned(there, UNTIL, Span())
    assert np.array_equal(outcome, ~back)
    model = ChurnModel(FEATURES)
    model.learn(rows[:2000], outcome[:2000])
    return auc(model.predict(rows[2000:]), outcome[2000:])


def test_what_is_decided_by_a_coin_is_not_predicted_as_no_feature_sees_the_outcome() -> None:
    assert LEAST_AUC < predicted(UNTIL) < MOST_AUC


def test_one_day_of_the_outcome_would_give_it_all_away() -> None:
    assert predicted(UNTIL + 1) > 0.999

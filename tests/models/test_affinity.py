from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.affinity import ACTION_WEIGHTS, DAY, ForwardDecay

YEAR = 365.25 * DAY
TIMES = st.floats(1_500_000_000, 1_900_000_000)
CLICKS = st.lists(st.tuples(st.sampled_from(sorted(ACTION_WEIGHTS)), TIMES), min_size=1, max_size=30)


@given(weight=st.floats(0.1, 10), ts=TIMES, age=st.floats(0, 2 * YEAR), half_life=st.floats(7 * DAY, YEAR))
def test_a_weight_halves_with_every_half_life(weight: float, ts: float, age: float, half_life: float) -> None:
    decay = ForwardDecay(half_life)
    expected = weight * 0.5 ** (age / half_life)
    assert math.isclose(decay.read(decay.stored(weight, ts), ts + age), expected, rel_tol=1e-9)


@given(clicks=CLICKS, order=st.randoms(use_true_random=False))
def test_a_late_click_gives_the_same_affinity(clicks: list[tuple[str, float]], order) -> None:  # type: ignore[no-untyped-def]
    decay = ForwardDecay()
    stored = [decay.stored(ACTION_WEIGHTS[action], ts) for action, ts in clicks]
    shuffled = list(stored)
    order.shuffle(shuffled)
    size = sum(abs(value) for value in stored)
    assert abs(sum(stored) - sum(shuffled)) <= 1e-12 * size


@given(early=TIMES, later=st.floats(1, YEAR), now=TIMES)
def test_ranks_need_no_reading(early: float, later: float, now: float) -> None:
    decay = ForwardDecay()
    a, b = decay.stored(2.0, early), decay.stored(1.0, early + later)
    assert (a < b) == (2.0 * 0.5 ** (later / decay.half_life) < 1.0) or math.isclose(a, b, rel_tol=1e-6)


def test_another_half_life_gives_another_affinity() -> None:
    slow, fast = (ForwardDecay(half_life=days * DAY, landmark=0.0) for days in (28, 7))
    read = [decay.read(decay.stored(1.0, 0.0), 28 * DAY) for decay in (slow, fast)]
    assert read == pytest.approx([0.5, 0.0625])


def test_doubles_last_nineteen_years_at_a_week() -> None:
    decay = ForwardDecay(half_life=7 * DAY)
    late = decay.landmark + 19 * YEAR
    stored = 1000 * decay.stored(1.0, late)
    assert math.isfinite(stored)
    assert math.isclose(decay.read(stored, late), 1000.0, rel_tol=1e-9)


def test_arrays_are_stored_as_scalars_are() -> None:
    decay = ForwardDecay()
    ts = np.array([1.6e9, 1.7e9])
    assert decay.stored(np.array([1.0, -0.5]), ts).tolist() == [
        decay.stored(1.0, 1.6e9),
        decay.stored(-0.5, 1.7e9),
    ]


def test_a_skip_takes_back_and_nothing_else_does() -> None:
    assert [action for action, weight in ACTION_WEIGHTS.items() if weight <= 0] == ["skip"]


@pytest.mark.parametrize("half_life", [0.0, -1.0, float("inf"), float("nan")])
def test_a_half_life_that_is_no_time_is_refused(half_life: float) -> None:
    with pytest.raises(ValueError, match="half_life"):
        ForwardDecay(half_life)

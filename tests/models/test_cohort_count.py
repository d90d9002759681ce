from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from models.cohort_count import LEAST, CohortCount
from models.quality.validation import Comparison

BETTER = Comparison(500, gain=0.02, error=0.001)
NO_BETTER = Comparison(500, gain=0.0, error=0.001)


def test_cohorts_become_more_as_long_as_that_helps() -> None:
    count, k = CohortCount(smallest=10), 16
    trial = None
    for _ in range(10):
        more = count.next(k, listeners=100_000, judged=True, trial=trial)
        assert more > k
        k, trial = more, BETTER


def test_a_step_that_does_not_help_is_taken_back() -> None:
    count = CohortCount(smallest=10)
    for k in (16, 24, 48, 100):
        more = count.next(k, listeners=100_000, judged=True, trial=BETTER)
        assert count.next(more, listeners=100_000, judged=True, trial=NO_BETTER) == k
        count = CohortCount(smallest=10)


def test_each_try_in_vain_makes_the_next_come_later() -> None:
    count, k, tries, trial = CohortCount(smallest=10), 16, [], None
    for snapshot in range(400):
        wanted = count.next(k, listeners=100_000, judged=True, trial=trial)
        trial = NO_BETTER if wanted > k else None
        if trial:
            tries.append(snapshot)
        k = wanted
    gaps = [b - a for a, b in pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 4 * gaps[0]


def test_nothing_is_tried_where_nothing_can_be_judged() -> None:
    assert CohortCount(smallest=10).next(16, listeners=100_000, judged=False, trial=None) == 16


def test_a_service_that_begins_small_has_sixteen_as_soon_as_its_listeners_allow() -> None:
    assert CohortCount(smallest=10).next(9, listeners=400, judged=False, trial=None) == 16
    assert CohortCount(smallest=50).next(9, listeners=600, judged=False, trial=None) == 12


@given(st.integers(LEAST, 500), st.integers(0, 10_000), st.integers(2, 200))
def test_cohorts_do_not_become_smaller_than_is_useful(now: int, listeners: int, smallest: int) -> None:
    count, most = CohortCount(smallest), max(listeners // smallest, LEAST)
    for _ in range(60):
        now = count.next(now, listeners, judged=True, trial=BETTER)
    assert LEAST <= now <= most

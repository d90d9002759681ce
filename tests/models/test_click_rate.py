from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.affinity import DAY, ForwardDecay
from models.click_rate import HALF_LIFE, MIN_SENT, click_rate, credible_interval, shrunk_rate

counts = st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda pair: (min(pair), max(pair)))


@pytest.mark.parametrize("typical", [0.02, 0.08, 0.3])
def test_intervals_cover_at_their_level_over_2000_simulated_releases(typical: float) -> None:
    random = np.random.default_rng(1)
    truth = random.beta(40 * typical, 40 * (1 - typical), 2000)
    sent = random.integers(MIN_SENT, 2000, 2000)
    clicked = random.binomial(sent, truth)
    low, high = credible_interval(clicked, sent)
    covered = np.mean((low <= truth) & (truth <= high))
    assert 0.935 < covered < 0.975  # three standard errors; wider where nothing was clicked


def test_intervals_of_faded_counts_cover_too() -> None:
    # All sent at once, long ago: half of each count is left, and the interval is as wide as half of it is.
    decay, random = ForwardDecay(HALF_LIFE, landmark=0.0), np.random.default_rng(2)
    truth = random.beta(2, 20, 2000)
    clicked = random.binomial(400, truth)
    sent = decay.read(decay.stored(400.0, 0.0), HALF_LIFE)
    assert sent == pytest.approx(200.0)
    low, high = credible_interval(decay.read(decay.stored(clicked.astype(float), 0.0), HALF_LIFE), sent)
    assert np.mean((low <= truth) & (truth <= high)) > 0.95


@given(counts)
def test_a_rate_is_within_its_interval_and_between_0_and_1(pair: tuple[int, int]) -> None:
    clicked, sent = pair
    shown = click_rate(clicked, sent)
    assert 0 <= shown.low <= shown.high <= 1
    if shown.rate is not None:
        assert shown.low - 0.001 <= shown.rate <= shown.high + 0.001


def test_no_rate_is_shown_of_few_notifications_but_the_interval_is() -> None:
    few = click_rate(1, MIN_SENT - 1)
    assert few.rate is None
    assert few.high - few.low > 0.2
    assert click_rate(1, MIN_SENT).rate == 1 / MIN_SENT


def test_a_click_implies_a_notification_so_no_rate_is_above_1() -> None:
    assert click_rate(5 * MIN_SENT, 1).rate == 1.0
    assert shrunk_rate([5], [1], 0.1, strength=1.0)[0] < 1


@given(counts, st.floats(0.01, 0.99), st.floats(0.1, 1000))
def test_a_shrunk_rate_lies_between_the_parents_and_its_own(
    pair: tuple[int, int], parent: float, strength: float
) -> None:
    clicked, sent = pair
    rate = float(shrunk_rate(clicked, sent, parent, strength)[()])
    own = clicked / sent if sent else parent
    assert min(parent, own) - 1e-9 <= rate <= max(parent, own) + 1e-9


@given(counts)
def test_one_more_click_never_lowers_a_shrunk_rate(pair: tuple[int, int]) -> None:
    clicked, sent = pair
    less, more = shrunk_rate([clicked, clicked + 1], [sent + 1, sent + 1], 0.1, 20.0)
    assert less < more


def test_half_of_a_count_is_left_after_90_days() -> None:
    decay = ForwardDecay(HALF_LIFE, landmark=0.0)
    assert decay.read(decay.stored(8.0, 0.0), 90 * DAY) == pytest.approx(4.0)

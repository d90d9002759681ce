from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import minimize

from models.quality.qini import qini_coefficient
from models.uplift import PRIOR_SPREAD_OF_BASE, UpliftModel

Floats = npt.NDArray[np.float64]


def trial(n: int, share: float = 0.5, seed: int = 0) -> tuple[Floats, Floats, Floats, Floats]:
    """Features, treated, outcomes, and by how much each is moved: the second feature alone says."""
    rng = np.random.default_rng(seed)
    rows, treated = rng.normal(size=(n, 3)), (rng.random(n) < share).astype(float)
    moved = 0.15 / (1 + np.exp(-2 * rows[:, 1]))
    anyway = 0.3 / (1 + np.exp(-rows[:, 0]))
    return rows, treated, (rng.random(n) < anyway + treated * moved).astype(float), moved


def test_who_is_moved_is_ranked_first_though_others_do_it_anyway() -> None:
    rows, treated, outcomes, _ = trial(20_000)
    new, new_treated, new_outcomes, moved = trial(20_000, seed=1)
    found = UpliftModel.fit(rows, treated, outcomes).predict(new)
    assert np.corrcoef(found, moved)[0, 1] > 0.8
    assert qini_coefficient(found, new_treated, new_outcomes) > 0.02
    assert qini_coefficient(new[:, 0], new_treated, new_outcomes) < 0.01


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_predicted_uplift_is_right_in_the_mean_at_any_share_treated(share: float) -> None:
    rows, treated, outcomes, moved = trial(40_000, share)
    assert UpliftModel.fit(rows, treated, outcomes).predict(rows).mean() == pytest.approx(
        moved.mean(), abs=0.02
    )


def test_of_few_rows_uplifts_are_held_together() -> None:
    few, many = (UpliftModel.fit(*trial(n)[:3]) for n in (60, 20_000))
    rows = trial(1000, seed=2)[0]
    alone = UpliftModel.fit(*(part[:60] for part in trial(20_000)[:3]))
    assert np.abs(alone.coefficients[-3:]).max() < 0.6
    assert few.predict(rows).std() < 2 * many.predict(rows).std()


def test_the_fit_is_the_maximum_of_the_posterior() -> None:
    rows, treated, outcomes, _ = trial(500)
    model = UpliftModel.fit(rows, treated, outcomes)
    t = (treated - treated.mean())[:, None]
    columns = np.hstack([np.ones((500, 1)), rows, t, t * rows])
    rate = outcomes.mean()
    center = np.r_[np.log(rate / (1 - rate)), np.zeros(7)]
    spreads = np.r_[3.0, [PRIOR_SPREAD_OF_BASE] * 3, 1.0, [0.3] * 3]

    def loss(b: Floats) -> float:
        eta = columns @ b
        return float(np.logaddexp(0, eta).sum() - outcomes @ eta + (((b - center) / spreads) ** 2).sum() / 2)

    assert loss(model.coefficients) <= minimize(loss, center).fun + 1e-6


@pytest.mark.parametrize(("treated", "outcomes"), [(np.ones(9), np.eye(9)[0]), (np.eye(9)[0], np.zeros(9))])
def test_it_takes_both_groups_and_both_outcomes(treated: Floats, outcomes: Floats) -> None:
    with pytest.raises(ValueError, match="with and without"):
        UpliftModel.fit(np.ones((9, 1)), treated, outcomes)

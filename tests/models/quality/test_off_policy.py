from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.sparse import csr_matrix

from models.quality.off_policy import (
    LEAST_EFFECTIVE,
    PolicyLog,
    PolicyValue,
    TooLittleOverlap,
    doubly_robust,
    ips,
    logged,
    snips,
)
from models.quality.reward_model import FOLDS, cross_fitted
from models.quality.weighted_rate import gamma_interval, variance_of_mean

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ACTIONS = 10
probabilities = st.floats(0.01, 1)


@dataclass(frozen=True)
class World:
    """Rates of actions by context, and two policies: that which logs, and that which is to be judged."""

    rates: Floats
    logging: Floats
    judged: Floats

    @property
    def truth(self) -> float:
        """What the policy to be judged earns, contexts being equally likely."""
        return float((self.judged * self.rates).sum(axis=1).mean())

    def log(self, n: int, rng: np.random.Generator) -> tuple[PolicyLog, Ints, Ints]:
        """A log of the one, its contexts and its actions."""
        contexts = rng.integers(len(self.rates), size=n)
        chances = self.logging[contexts].cumsum(axis=1)
        actions = (rng.random(n)[:, None] > chances).sum(axis=1)
        clicked = (rng.random(n) < self.rates[contexts, actions]).astype(float)
        at = (contexts, actions)
        return PolicyLog(self.logging[at], self.judged[at], clicked, np.arange(n)), contexts, actions

    def doubly_robust(self, log: PolicyLog, contexts: Ints, actions: Ints) -> PolicyValue:
        context = np.eye(len(self.rates))[contexts]
        did, would = np.eye(ACTIONS)[actions], self.judged[contexts]
        rows = (csr_matrix(np.hstack([context, part])) for part in (did, would))
        return doubly_robust(log, *cross_fitted(*rows, log.rewards, log.units))


def make_world(rate: float, spread: float = 1.0, seed: int = 0) -> World:
    rng = np.random.default_rng(seed)
    logging, judged = (np.exp(spread * rng.normal(size=(3, ACTIONS))) for _ in range(2))
    rates = np.clip(rate * np.exp(0.7 * rng.normal(size=(3, ACTIONS))), 0, 1)
    return World(rates, logging / logging.sum(axis=1)[:, None], judged / judged.sum(axis=1)[:, None])


def estimates(world: World, n: int, logs: int) -> dict[str, list[PolicyValue]]:
    rng = np.random.default_rng(1)
    found: dict[str, list[PolicyValue]] = {"IPS": [], "SNIPS": [], "DR": []}
    for _ in range(logs):
        log, contexts, actions = world.log(n, rng)
        found["IPS"].append(ips(log))
        found["SNIPS"].append(snips(log))
        found["DR"].append(world.doubly_robust(log, contexts, actions))
    return found


@pytest.fixture(scope="module")
def often_clicked() -> dict[str, list[PolicyValue]]:
    return estimates(make_world(0.2), 2000, 200)


@pytest.mark.parametrize("name", ["IPS", "SNIPS", "DR"])
def test_an_estimate_is_right_in_the_mean_over_logs(
    name: str, often_clicked: dict[str, list[PolicyValue]]
) -> None:
    world = make_world(0.2)
    values = np.array([found.value for found in often_clicked[name]])
    assert abs(values.mean() - world.truth) < 4 * values.std() / len(values) ** 0.5
    log, *_ = world.log(200_000, np.random.default_rng(2))
    assert abs(logged(log).value - world.truth) > 0.02, "a plain mean would pass, too"


@pytest.mark.parametrize("rate", [0.005, 0.05, 0.3])
def test_an_interval_holds_the_truth_in_95_of_100_logs(rate: float) -> None:
    world = make_world(rate)
    for name, found in estimates(world, 2000, 300).items():
        held = np.mean([each.low <= world.truth <= each.high for each in found])
        assert held > 0.925, name  # 0.95 less two standard errors of 300 logs


def test_the_usual_interval_misses_far_more_often_where_clicks_are_rare() -> None:
    world = make_world(0.005)
    found = np.array(
        [(each.value, ips_error(log)) for log in logs(world, 300) for each in (ips(log),)], dtype=float
    )
    missed = np.abs(found[:, 0] - world.truth) > 1.96 * found[:, 1]
    assert missed.mean() > 0.1, "the test above would not tell"


def logs(world: World, number: int) -> list[PolicyLog]:
    rng = np.random.default_rng(1)
    return [world.log(2000, rng)[0] for _ in range(number)]


def ips_error(log: PolicyLog) -> float:
    weighted = log.weights * log.rewards
    return float(weighted.std() / len(weighted) ** 0.5)


def test_a_model_of_rewards_that_knows_makes_the_estimate_vary_less() -> None:
    world = make_world(0.6)
    world = replace(world, rates=1 - world.rates / 5)
    found = estimates(world, 2000, 200)
    errors = {name: np.std([each.value for each in values]) for name, values in found.items()}
    assert errors["DR"] < 0.6 * errors["IPS"]


def test_a_model_of_rewards_that_is_wrong_does_no_harm_in_the_mean() -> None:
    world, rng = make_world(0.2), np.random.default_rng(3)
    values = []
    for _ in range(300):
        log, *_ = world.log(1000, rng)
        values.append(doubly_robust(log, np.full(1000, 0.9), np.full(1000, 0.9)).value)
    assert abs(np.mean(values) - world.truth) < 4 * np.std(values) / 300**0.5


@given(
    arrays.arrays(float, 50, elements=st.sampled_from([0.0, 1.0])),
    arrays.arrays(float, 50, elements=probabilities),
)
def test_the_policy_that_logged_is_judged_at_the_plain_mean(rewards: Floats, chances: Floats) -> None:
    log = PolicyLog(chances, chances, rewards, np.arange(50))
    for found in (ips(log), snips(log), doubly_robust(log, np.full(50, 0.3), np.full(50, 0.3))):
        assert found.value == pytest.approx(rewards.mean())
    overlap = log.overlap()
    assert (overlap.effective, overlap.largest, overlap.mean) == pytest.approx((50, 1, 1))


@given(
    arrays.arrays(float, 30, elements=probabilities),
    arrays.arrays(float, 30, elements=probabilities),
    arrays.arrays(float, 30, elements=st.floats(0, 1)),
)
def test_the_self_normalised_estimate_is_never_beyond_the_rewards(
    chances: Floats, targets: Floats, rewards: Floats
) -> None:
    found = snips(PolicyLog(chances, targets, rewards, np.arange(30)))
    assert rewards.min() - 1e-9 <= found.value <= rewards.max() + 1e-9
    assert found.low <= found.value <= found.high


@given(arrays.arrays(float, 40, elements=probabilities), st.integers(0, 39))
def test_effective_rows_are_between_one_and_all(targets: Floats, row: int) -> None:
    chances = np.full(40, 1.0)
    assert 1 <= PolicyLog(chances, targets, chances, np.arange(40)).overlap().effective <= 40.0001
    alone = np.zeros(40)
    alone[row] = 1.0
    assert PolicyLog(chances, alone, chances, np.arange(40)).overlap().effective == pytest.approx(1)


def test_weights_that_leave_few_effective_rows_are_refused() -> None:
    chances = np.full(10_000, 0.5)
    chances[:5] = 0.0005
    log = PolicyLog(chances, np.full(10_000, 0.5), np.zeros(10_000), np.arange(10_000))
    assert log.overlap().effective < LEAST_EFFECTIVE
    with pytest.raises(TooLittleOverlap, match=r"as much of this policy as \d+\.\d rows"):
        log.overlap().check()


def test_a_policy_that_chooses_what_the_log_never_could_is_refused_by_its_mean_weight() -> None:
    """Of what it would have chosen three in four could not be logged: the weights are 1/4 in the mean."""
    log = PolicyLog(np.full(4000, 0.5), np.full(4000, 0.125), np.zeros(4000), np.arange(4000))
    with pytest.raises(TooLittleOverlap, match=r"mean of target / propensity is 0\.250"):
        log.overlap().check()


def test_a_policy_that_is_known_to_choose_what_the_log_never_has_is_refused() -> None:
    log = PolicyLog(np.full(4000, 0.5), np.full(4000, 0.5), np.zeros(4000), np.arange(4000))
    log.overlap(unseen=0.009).check()
    with pytest.raises(TooLittleOverlap, match=r"1\.1 % of the policy's choices") as refused:
        log.overlap(unseen=0.011).check()
    assert refused.value.hint


def test_a_policy_that_never_does_what_was_done_is_refused() -> None:
    log = PolicyLog(np.full(400, 0.5), np.zeros(400), np.ones(400), np.arange(400))
    with pytest.raises(TooLittleOverlap):
        log.overlap().check()


def test_sound_logs_are_refused_for_their_mean_weight_less_than_once_in_a_hundred() -> None:
    world = make_world(0.1)
    refused = [not log.overlap().mean_low <= 1 <= log.overlap().mean_high for log in logs(world, 300)]
    assert sum(refused) <= 3


def test_rows_of_one_listener_count_as_one_in_the_interval() -> None:
    rng = np.random.default_rng(4)
    clicked = np.repeat(rng.random(200) < 0.3, 10).astype(float)  # each listener does the same ten times
    half = np.full(2000, 0.5)
    alone, together = (
        ips(PolicyLog(half, half, clicked, units)) for units in (np.arange(2000), np.arange(2000) // 10)
    )
    assert alone.value == together.value
    assert together.high - together.low > 2.5 * (alone.high - alone.low)


def test_rewards_that_are_amounts_have_a_symmetric_interval() -> None:
    spent = np.random.default_rng(5).exponential(20, 3000)
    half = np.full(3000, 0.5)
    found = ips(PolicyLog(half, half, spent, np.arange(3000)))
    assert found.high - found.value == pytest.approx(found.value - found.low)


@pytest.mark.parametrize(
    ("propensities", "targets"), [([0.0], [0.5]), ([1.1], [0.5]), ([0.5], [-0.1]), ([0.5], [1.1]), ([], [])]
)
def test_what_is_no_probability_is_no_log(propensities: list[float], targets: list[float]) -> None:
    n = len(propensities)
    with pytest.raises(ValueError, match=r"propensities|targets|without a row"):
        PolicyLog(np.array(propensities), np.array(targets), np.zeros(n), np.arange(n))


def test_a_row_is_predicted_by_folds_that_do_not_have_its_listener() -> None:
    """Rewards that are a listener's own cannot be predicted: if they are, they were learned."""
    units = np.repeat(np.arange(200), 10)
    rewards = np.random.default_rng(6).normal(size=200)[units]
    columns = csr_matrix(np.eye(200)[units])
    predicted, _ = cross_fitted(columns, columns, rewards, units)
    assert len(set(predicted.round(6))) == FOLDS
    assert abs(np.corrcoef(predicted, rewards)[0, 1]) < 0.2


@settings(max_examples=50)
@given(st.floats(1e-4, 0.9), st.floats(1e-8, 0.1), st.floats(1e-6, 0.5))
def test_a_gamma_interval_holds_its_value_and_starts_at_zero_or_above(
    value: float, variance: float, largest: float
) -> None:
    low, high = gamma_interval(value, variance, largest)
    assert 0 <= low <= value + 1e-9
    assert high > low


@given(arrays.arrays(float, 20, elements=st.floats(-1, 1)))
def test_rows_that_are_units_of_their_own_have_the_usual_variance(values: Floats) -> None:
    deviations = values - values.mean()
    assert variance_of_mean(deviations, np.arange(20)) == pytest.approx(values.var(ddof=1) / 20)

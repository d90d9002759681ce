from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from models.ctr import CtrModel, features
from models.ctr_learner import ENOUGH, CtrLearner


def stationary(n: int, seed: int = 0, level: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Features, and true click probabilities that are not those assumed at first."""
    random = np.random.default_rng(seed)
    rate, own = np.exp(random.normal(-3.0, 0.8, n)), random.uniform(0.03, 0.3, n)
    day, hour = random.poisson(0.4, n), random.uniform(0, 24, n)
    rows = features(play_rate=rate, listener_ctr=own, sent_day=day, local_hour=hour)
    odds = 0.6 * np.log(rate) + 0.8 * (logit(own) - logit(0.1)) - 0.5 * np.log1p(day)
    return rows, expit(odds + 0.3 * np.sin(2 * np.pi * hour / 24) + level)


def learned(n: int, seed: int = 0) -> CtrLearner:
    rows, truth = stationary(n, seed)
    learner = CtrLearner()
    learner.learn(rows, np.random.default_rng(seed + 100).random(n) < truth)
    return learner


def test_what_is_learned_ends_near_the_truth() -> None:
    rows, truth = stationary(2000, seed=9)
    off = np.abs(logit(learned(50_000).model().predict(rows)) - logit(truth))
    assert np.mean(off) < 0.05


def test_predictions_made_before_learning_are_calibrated() -> None:
    rows, truth = stationary(60_000)
    learner = CtrLearner()
    clicked = np.random.default_rng(1).random(60_000) < truth
    predicted = learner.learn(rows, clicked)
    figures = learner.figures()
    assert figures["calibration_error"] < 0.01
    assert figures["log_loss"] < figures["log_loss_of_ctr"]
    assert figures["auc"] > 0.65
    assert abs(predicted[5000:].mean() - clicked[5000:].mean()) < 0.005


def test_figures_are_of_predictions_that_had_not_seen_the_outcome() -> None:
    rows = features(play_rate=np.full(ENOUGH, 0.2))
    learner = CtrLearner()
    first = learner.learn(rows, np.ones(ENOUGH))
    assert first == pytest.approx(CtrModel().predict(rows))
    assert learner.figures()["predicted_ctr"] == pytest.approx(1 / 6, rel=1e-5)


def test_there_are_no_figures_of_few_examples() -> None:
    learner = CtrLearner()
    learner.learn(features(play_rate=np.full(ENOUGH - 1, 0.2)), np.ones(ENOUGH - 1))
    assert learner.figures() == {}


def test_log_loss_auc_and_calibration_error_are_as_defined() -> None:
    learner = CtrLearner()
    rows, truth = stationary(1000)
    clicked = np.random.default_rng(5).random(1000) < truth
    p = learner.learn(rows, clicked)
    figures = learner.figures()
    yes, no = p[clicked], p[~clicked]
    assert figures["auc"] == pytest.approx(np.mean(yes[:, None] > no) + np.mean(yes[:, None] == no) / 2)
    assert figures["log_loss"] == pytest.approx(-np.mean(np.log(np.where(clicked, p, 1 - p))))
    tenths = np.argsort(p, kind="stable").reshape(10, 100)
    apart = [abs(p[tenth].mean() - clicked[tenth].mean()) for tenth in tenths]
    assert figures["calibration_error"] == pytest.approx(np.mean(apart))


def test_little_feedback_leaves_the_ranking_by_taste_nearly_as_it_was() -> None:
    # 30 notifications that by bad luck were clicked by those of least taste.
    random = np.random.default_rng(3)
    rate = np.exp(random.normal(-3.0, 1.0, 30))
    learner = CtrLearner()
    learner.learn(
        features(play_rate=rate, local_hour=random.uniform(0, 24, 30)), rate < np.quantile(rate, 0.1)
    )
    rates = np.exp(np.linspace(-6, -1, 50))
    assert (np.diff(learner.model().log_odds(features(play_rate=rates))) > 0).all()


def test_late_clicks_that_are_corrected_end_where_no_delay_would_have() -> None:
    rows, truth = stationary(40_000)
    random = np.random.default_rng(2)
    clicked = random.random(len(truth)) < truth
    late = clicked & (random.random(len(truth)) < 0.2)
    prompt, corrected, left = CtrLearner(), CtrLearner(), CtrLearner()
    prompt.learn(rows, clicked)
    left.learn(rows, clicked & ~late)
    for start in range(0, len(rows), 2000):  # the late clicks of a part come while the next is learned
        part = slice(start, start + 2000)
        corrected.learn(rows[part], (clicked & ~late)[part])
        before = slice(max(start - 2000, 0), start)
        corrected.correct(rows[before][late[before]])
    corrected.correct(rows[-2000:][late[-2000:]])
    fresh, _ = stationary(5000, seed=7)
    aim, found, uncorrected = (one.model().predict(fresh) for one in (prompt, corrected, left))
    assert np.abs(found / aim - 1).mean() < 0.02
    assert np.abs(uncorrected / aim - 1).mean() > 0.1
    assert corrected.clicks == prompt.clicks


def test_a_correction_moves_as_much_as_a_positive_of_weight_one_over_one_less_p_in_its_gradient() -> None:
    learner = learned(20_000)
    row = features(play_rate=0.1, listener_ctr=0.2)
    p = float(learner.model().predict(row)[0])
    before = learner.model()
    learner.correct(row)
    other = CtrLearner(before)
    other.learn(row, [1.0], weights=[1.0 / (1.0 - p)])
    moved = learner.model().coefficients - before.coefficients
    assert moved == pytest.approx(other.model().coefficients - before.coefficients, rel=0.05, abs=1e-7)


def test_a_corrected_example_counts_as_clicked_in_the_figures() -> None:
    rows, truth = stationary(2000)
    clicked = np.random.default_rng(6).random(2000) < truth
    learner = CtrLearner()
    learner.learn(rows, np.zeros(2000))
    assert learner.figures()["ctr"] == 0.0
    learner.correct(rows[clicked])
    figures = learner.figures()
    assert figures["ctr"] == pytest.approx(clicked.mean())
    assert figures["examples"] == 2000


def test_a_late_click_on_what_was_learned_before_a_restart_is_in_no_figure() -> None:
    rows, truth = stationary(2500)
    before = CtrLearner()
    before.learn(rows[:2000], np.zeros(2000))
    learner = CtrLearner(before.model())
    learner.correct(rows[:1500])
    clicked = np.random.default_rng(6).random(500) < truth[2000:]
    learner.learn(rows[2000:], clicked)
    figures = learner.figures()
    assert (figures["examples"], figures["ctr"]) == (500, pytest.approx(clicked.mean()))
    assert np.isfinite(list(figures.values())).all()


def test_a_late_click_on_an_example_that_is_no_longer_recent_is_in_no_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.ctr_learner.RECENT", 1000)
    rows, _ = stationary(2000)
    learner = CtrLearner()
    learner.learn(rows, np.zeros(2000))
    before = learner.figures()
    learner.correct(rows[:1000])
    assert learner.figures() == before
    learner.correct(rows[1000:1100])
    assert learner.figures()["ctr"] == pytest.approx(0.1)


def test_of_examples_that_are_alike_as_many_count_as_clicked_as_are_corrected() -> None:
    rows = features(play_rate=np.full(1000, 0.2))
    learner = CtrLearner()
    learner.learn(rows, np.arange(1000) < 100)
    learner.correct(rows[:50])
    learner.correct(rows[:30])
    assert learner.figures()["ctr"] == pytest.approx(0.18)


def test_a_weight_of_two_is_an_example_learned_twice() -> None:
    rows, truth = stationary(400)
    clicked = np.random.default_rng(6).random(400) < truth
    once, twice = CtrLearner(), CtrLearner()
    once.learn(rows, clicked, weights=np.full(400, 2.0))
    twice.learn(np.repeat(rows, 2, axis=0), np.repeat(clicked, 2))
    assert once.model().coefficients == pytest.approx(twice.model().coefficients, abs=1e-6)


def test_what_is_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, truth = stationary(20_000, seed=5, level=-1.0)
    clicked = np.random.default_rng(8).random(20_000) < truth
    off = []
    for memory in (4000.0, 1e9):
        monkeypatch.setattr("models.ctr_learner.MEMORY", memory)
        learner = learned(40_000)
        learner.learn(rows, clicked)
        off.append(abs(learner.model().predict(rows).mean() / truth.mean() - 1))
    assert off[0] < 0.1
    assert off[1] > 0.3


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_outcomes_that_are_all_alike_end_in_finite_numbers(value: float) -> None:
    rows, _ = stationary(3000)
    learner = CtrLearner()
    learner.learn(rows, np.full(3000, value))
    learner.correct(rows[:0])
    assert np.isfinite(learner.model().coefficients).all()

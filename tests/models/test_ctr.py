from __future__ import annotations

import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from models.ctr import FEATURES, CtrModel, features
from models.ctr_learner import CtrLearner
from tests.world import DELAY, DELAY_SPREAD


def anybody(n: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return features(
        play_rate=np.exp(random.normal(-3.5, 1.0, n)),
        plays_artist=random.random(n) < 0.3,
        activity=random.normal(size=n),
        cohort_ctr=random.uniform(0.05, 0.2, n),
        listener_ctr=random.uniform(0.02, 0.4, n),
        listener_sent=random.poisson(4, n),
        sent_day=random.poisson(0.3, n),
        sent_week=random.poisson(1, n),
        hours_since_sent=random.exponential(60, n),
        local_hour=random.uniform(0, 24, n),
        weekday=random.integers(7, size=n),
        artist_listeners=random.integers(1000, size=n),
        closeness=random.uniform(-0.2, 0.9, n),
    )


def taught() -> CtrModel:
    rows = anybody(5000, seed=1)
    learner = CtrLearner()
    learner.learn(rows, np.random.default_rng(2).random(5000) < 0.3 * CtrModel().predict(rows))
    return learner.model(version=4, now=7.0)


def test_with_nothing_learned_listeners_rank_by_their_play_rates_ties_included() -> None:
    rows = anybody(20_000)
    rows[::7, 0] = rows[0, 0]  # ties, of listeners who differ in all else
    predicted = CtrModel().predict(rows)
    by_taste = np.unique(rows[:, 0], return_inverse=True)[1]
    assert np.array_equal(np.unique(predicted, return_inverse=True)[1], by_taste)


@given(st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=30))
def test_with_nothing_learned_the_prediction_is_no_more_than_the_play_rate(rates: list[float]) -> None:
    predicted = CtrModel().predict(features(play_rate=rates))
    assert predicted == pytest.approx(np.array(rates) / (1 + np.array(rates)), rel=1e-5)


def test_a_listener_who_clicks_more_is_predicted_no_lower_until_feedback_says_so() -> None:
    rates = features(play_rate=0.1, listener_ctr=np.linspace(0.01, 0.9, 50))
    assert (np.diff(CtrModel().predict(rates)) >= 0).all()
    random = np.random.default_rng(3)
    own = random.uniform(0.02, 0.4, 20_000)
    rows = features(play_rate=0.1, listener_ctr=own)
    for truth, sign in ((own, 1), (0.42 - own, -1)):
        learner = CtrLearner()
        learner.learn(rows, random.random(len(own)) < truth)
        assert (sign * np.diff(learner.model().predict(rates)) > 0).all()


def test_a_model_comes_back_from_its_snapshot_as_it_was() -> None:
    model, rows = taught(), anybody(100)
    header, arrays = model.to_arrays()
    again = CtrModel.from_arrays(json.loads(json.dumps(header)), arrays)
    assert np.array_equal(again.predict(rows), model.predict(rows))
    assert (again.version, again.created_at, again.examples) == (4, 7.0, 5000)
    assert (again.clicks, again.validation) == (model.clicks, model.validation)
    assert again.validation["log_loss"] > 0


def test_a_learner_goes_on_from_a_snapshot_as_if_it_had_never_stopped() -> None:
    rows, clicked = anybody(4000, seed=3), np.random.default_rng(4).random(4000) < 0.1
    whole, first = CtrLearner(), CtrLearner()
    whole.learn(rows, clicked)
    first.learn(rows[:2000], clicked[:2000])
    second = CtrLearner(CtrModel.from_arrays(*first.model().to_arrays()))
    second.learn(rows[2000:], clicked[2000:])
    assert np.array_equal(second.model().coefficients, whole.model().coefficients)
    assert (second.examples, second.clicks) == (whole.examples, whole.clicks)


def test_a_snapshot_from_before_a_feature_was_added_predicts_as_it_did() -> None:
    header, arrays = taught().to_arrays()
    fewer = len(FEATURES) - 1
    header["features"] = header["features"][:fewer]
    arrays = {
        "coefficients": arrays["coefficients"][: fewer + 1],
        "precision": arrays["precision"][: fewer + 1, : fewer + 1],
        "means": arrays["means"][:fewer],
        "scales": arrays["scales"][:fewer],
    }
    older, rows = CtrModel.from_arrays(header, arrays), anybody(50)
    without = rows.copy()
    without[:, -1] = 0.9
    assert np.array_equal(older.predict(rows), older.predict(without))


@pytest.mark.parametrize(
    "change",
    [
        lambda header, arrays: header.update(format=2),
        lambda header, arrays: header.update(features=["shoe_size"]),
        lambda header, arrays: header.update(features=[]),
        lambda header, arrays: arrays.pop("means"),
        lambda header, arrays: arrays.update(scales=np.ones(2)),
        lambda header, arrays: arrays.update(coefficients=np.full(1 + len(FEATURES), np.nan)),
    ],
)
def test_a_snapshot_that_does_not_fit_is_refused(change) -> None:  # type: ignore[no-untyped-def]
    header, arrays = taught().to_arrays()
    change(header, arrays)
    with pytest.raises(ValueError, match="CTR model"):
        CtrModel.from_arrays(header, arrays)


def test_each_column_is_what_its_name_says() -> None:
    row = features(
        play_rate=0.1,
        plays_artist=True,
        activity=1.5,
        ctr=0.1,
        cohort_ctr=0.2,
        listener_ctr=0.05,
        listener_sent=3.0,
        sent_day=1,
        sent_week=2,
        hours_since_sent=9.0,
        local_hour=6.0,
        weekday=6,
        release_age_hours=48.0,
        artist_listeners=99,
        closeness=0.4,
    )[0]
    expected = {
        "log_play_rate": np.log(0.1),
        "plays_artist": 1.0,
        "activity": 1.5,
        "cohort_ctr": np.log(9 / 4),
        "listener_ctr": np.log(9 / 19),
        "listener_sent": np.log(4),
        "sent_day": np.log(2),
        "sent_week": np.log(3),
        "hours_since_sent": np.log(10),
        "hour_sin": 1.0,
        "hour_cos": 0.0,
        "weekend": 1.0,
        "release_age": np.log(3),
        "artist_listeners": np.log(100),
        "closeness": 0.4,
    }
    assert dict(zip(FEATURES, row.tolist(), strict=True)) == pytest.approx(expected, abs=1e-6)


def test_features_are_finite_whatever_is_not_known() -> None:
    rows = features(
        play_rate=[0.0, 1.0],
        activity=[np.nan, -np.inf],
        hours_since_sent=[np.inf, np.nan],
        cohort_ctr=[0.0, 1.0],
        listener_ctr=[1.0, 0.0],
        listener_sent=1e6,
        release_age_hours=-3.0,
        artist_listeners=1e9,
    )
    assert np.isfinite(rows.astype(np.float16)).all()


def test_features_in_half_precision_hardly_change_a_prediction() -> None:
    rows, model = anybody(5000), taught()
    assert model.predict(rows.astype(np.float16)) == pytest.approx(model.predict(rows), rel=0.02)


def test_a_million_listeners_are_predicted_in_a_moment() -> None:
    rows, model = np.tile(anybody(1000), (1000, 1)), taught()
    model.predict(rows[:10])
    spent = []
    for _ in range(3):
        started = time.process_time()
        model.predict(rows)
        spent.append(time.process_time() - started)
    assert min(spent) < 0.25


@pytest.mark.parametrize("waves", [0.5, 1.0, 2.0, 3.0, 8.0, 32.0, 96.0])
def test_the_share_of_clicks_that_have_come_is_about_that_of_log_normal_delays(waves: float) -> None:
    def come(minutes: float) -> float:
        return float(norm.cdf(np.log(60 * minutes / DELAY) / DELAY_SPREAD))

    model = CtrModel(early=1000 * come(15), clicked=1000)
    assert model.come_after(waves) == pytest.approx(come(15 * waves), abs=0.03)


def test_the_share_of_clicks_that_have_come_when_the_next_wave_is_due_is_the_one_that_is_learned() -> None:
    assert CtrModel(early=30, clicked=120).come_after(1.0) == pytest.approx(0.25)


@pytest.mark.parametrize("early", [5, 100])
def test_no_click_comes_before_its_notification(early: int) -> None:
    model = CtrModel(early=early, clicked=100)
    assert model.come_after(0.0) == model.come_after(-1.0) == 0.0


def test_of_nobody_nothing_is_known() -> None:
    rows = features(play_rate=np.zeros(0), local_hour=7.0)
    assert rows.shape == (0, len(FEATURES))
    assert CtrModel().predict(rows).shape == (0,)

from __future__ import annotations

import numpy as np
import pytest

from models.play_rate import LEVELS, PROPORTIONAL, PlayRateLearner, times_likelier


def world(seed: int, power: float, number: int, learner: PlayRateLearner) -> PlayRateLearner:
    """Discoveries of listeners who discover by their scores to a power."""
    random = np.random.default_rng(seed)
    for _ in range(number):
        crowd = np.exp(random.normal(size=300))
        chances = crowd**power
        at = random.choice(len(crowd), p=chances / chances.sum())
        learner.see(crowd[at], np.delete(crowd, at))
    return learner


@pytest.mark.parametrize("power", [0.3, 1.0, 1.6])
def test_play_rates_go_with_scores_as_discoveries_do(power: float) -> None:
    found = []
    for seed in range(1, 7):
        curve = world(seed, power, 3000, PlayRateLearner()).curve
        low, high = times_likelier(curve, [0.5, 4.0])
        found.append(np.log2(high / low) / 3)
    assert np.mean(found) == pytest.approx(power, abs=0.1)
    assert np.std(found) < 0.12


def test_a_crowd_of_likelier_listeners_does_not_make_a_discovery_less_telling() -> None:
    # Artists differ in how many like them: pooled over all crowds, high scores would look half as telling.
    learner, random = PlayRateLearner(), np.random.default_rng(4)
    many, few = np.repeat([0.5, 4.0], [30, 270]), np.repeat([0.5, 4.0], [270, 30])
    for _ in range(2000):
        for crowd in (many, few):
            chances = crowd / crowd.sum()
            at = random.choice(len(crowd), p=chances)
            learner.see(crowd[at], np.delete(crowd, at))
    low, high = times_likelier(learner.curve, [0.5, 4.0])
    assert np.log2(high / low) == pytest.approx(3.0, abs=0.35)


@pytest.mark.parametrize("power", [0.3, 1.6])
def test_play_rates_that_are_learned_are_calibrated_and_those_assumed_are_not(power: float) -> None:
    learned = world(2, power, 3000, PlayRateLearner())
    assert learned.error is not None
    assert learned.error < 0.025
    assumed = PlayRateLearner()
    assumed._learned = lambda: assumed.assumed  # type: ignore[method-assign]
    wrong = world(2, power, 3000, assumed).error
    assert wrong is not None
    assert wrong > 2 * learned.error


def test_who_scores_higher_never_has_a_lower_play_rate() -> None:
    learner = PlayRateLearner()
    for own in (0.5, 1.0, 0.3) * 200:  # those of high scores discover nothing
        learner.see(own, np.exp2(LEVELS))
    assert (np.diff(learner.curve) > 0).all()


def test_the_average_listener_of_the_crowd_is_as_likely_as_the_average() -> None:
    learner, crowd = PlayRateLearner(), np.repeat([0.5, 2.0], [200, 100])
    for own in (0.5, 2.0) * 300:
        learner.see(own, crowd)
    assert times_likelier(learner.curve, crowd).mean() == pytest.approx(1.0)


def test_before_anything_is_discovered_a_play_rate_is_in_proportion_to_the_score() -> None:
    learner = PlayRateLearner()
    assert np.allclose(learner.curve, PROPORTIONAL)
    assert learner.error is None


def test_a_learner_goes_on_from_the_curve_of_the_last_model() -> None:
    before = world(3, 0.3, 3000, PlayRateLearner()).curve
    after = world(4, 0.3, 5, PlayRateLearner(before)).curve
    from_nothing = world(4, 0.3, 5, PlayRateLearner()).curve
    assert np.abs(np.log2(after / before)).max() < 0.5 * np.abs(np.log2(from_nothing / before)).max()


def test_a_thousand_discoveries_take_few_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []
    honest = PlayRateLearner._learned
    monkeypatch.setattr(PlayRateLearner, "_learned", lambda learner: fits.append(1) or honest(learner))
    asked, seldom = PlayRateLearner(), PlayRateLearner()
    random = np.random.default_rng(3)
    for _ in range(1000):
        own, crowd = random.exponential(), random.exponential(size=20)
        seldom.see(own, crowd)
        asked.see(own, crowd)
    assert 50 < len(fits) / 2 < 250
    for _ in range(5):
        asked.curve  # noqa: B018 - read without need
    assert (asked.curve == seldom.curve).all()


def test_a_crowd_of_nobody_says_nothing() -> None:
    learner = PlayRateLearner()
    learner.see(1.0, np.zeros(0))
    assert learner.discoveries == 0

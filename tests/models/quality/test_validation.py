from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.cohort_learner import CohortLearner
from models.model import Model
from models.quality.validation import Discovery, Foresight, Validation, compare, discoveries

SCENES = [[f"s{scene} a{artist}" for artist in range(15)] for scene in range(6)]


def rows(number: int, seed: int) -> list[tuple[list[str], list[float]]]:
    """Listeners of six scenes, eight artists each."""
    random = np.random.default_rng(seed)
    return [
        ([str(a) for a in random.choice(SCENES[at % 6], 8, replace=False)], [1.0] * 8) for at in range(number)
    ]


def learned(seed: int, shuffled: bool = False) -> Model:
    learner = CohortLearner(n_cohorts=6, n_dims=6)
    random = np.random.default_rng(seed)
    everything = [artist for scene in SCENES for artist in scene]
    for at, (artists, stored) in enumerate(rows(600, seed)):
        played = random.choice(everything, 8, replace=False).tolist() if shuffled else artists
        learner.learn_many([(played, stored)], [at])
    return learner.snapshot(1, 0.0)


def found(number: int, seed: int) -> list[Discovery]:
    """Each listener discovers the last of their artists."""
    return [Discovery(tuple(a[:-1]), tuple(w[:-1]), a[-1]) for a, w in rows(number, seed)]


@pytest.fixture(scope="module")
def good() -> Foresight:
    return Foresight(learned(1), rows(300, 2))


@pytest.fixture(scope="module")
def poor() -> Foresight:
    return Foresight(learned(1, shuffled=True), rows(300, 2))


def test_an_artist_is_found_when_the_clicks_are_all_there_is() -> None:
    assert [each.found for each in discoveries(["a", "b"], [3.0, 2.0], {"a": 1.0, "b": 2.0})] == ["b"]


def test_an_artist_is_found_also_where_the_row_does_not_have_it_yet() -> None:
    assert discoveries(["a"], [3.0], {"b": 1.0}) == [Discovery(("a",), (3.0,), "b")]


def test_a_listener_without_a_past_finds_nothing_that_could_be_predicted() -> None:
    assert discoveries(["a"], [1.0], {"a": 1.0}) == []


def test_a_skip_is_no_discovery() -> None:
    assert discoveries(["a"], [1.0], {"b": -0.5}) == []


def test_who_discovers_within_the_scene_was_ranked_high(good: Foresight) -> None:
    running = Validation()
    running.add(good.sights(found(200, 3)))
    figures = running.figures()
    assert figures["auc_cohort"] > 0.85
    assert figures["auc_listener"] > 0.85
    assert figures["lift_cohort"] > 4
    assert figures["discoveries"] == 200


def test_who_discovers_at_random_is_ranked_in_the_middle(poor: Foresight) -> None:
    running = Validation()
    running.add(poor.sights(found(300, 3)))
    assert abs(running.figures()["auc_listener"] - 0.5) < 0.1


def test_an_artist_nobody_knew_is_not_judged(good: Foresight) -> None:
    unknown = [Discovery(("s0 a1",), (1.0,), "new"), Discovery(("new",), (1.0,), "s0 a1")]
    assert np.isnan(good.judge(unknown)).all()
    running = Validation()
    running.add(good.sights(unknown))
    assert running.figures() == {}


def test_a_model_that_learned_nothing_is_worse(good: Foresight, poor: Foresight) -> None:
    assert compare(poor, good, found(500, 4)).worse
    assert compare(good, poor, found(500, 4)).better


def test_few_discoveries_do_not_say_that_a_model_is_worse(good: Foresight, poor: Foresight) -> None:
    assert not compare(poor, good, found(100, 4)).worse


def test_a_model_is_neither_worse_nor_better_than_itself(good: Foresight) -> None:
    same = compare(good, good, found(500, 4))
    assert (same.gain, same.worse, same.better) == (0.0, False, False)


def test_an_artist_that_is_hardly_played_any_more_adds_nothing_to_a_score(good: Foresight) -> None:
    played, new, *_ = SCENES[0]
    beside = np.zeros((len(good.model.artists),) * 2, dtype=np.float32)
    beside[good.model.index[new], good.model.index[played]] = 0.5
    model = replace(good.model, neighbours=csr_matrix(beside), play_now=8.0)
    found = [Discovery((played,), (weight,), new) for weight in (0.99, 1.01)]
    hardly, still = (sight.own for sight in Foresight(model, good.crowd).sights(found))
    assert still > 1.5 * hardly


def test_the_scale_of_weights_is_of_no_account(good: Foresight) -> None:
    # Half-lives later all stored weights are larger; so are lengths, the square roots of their squares.
    crowd = [(artists, [weight * 2.0**300 for weight in stored]) for artists, stored in good.crowd]
    later = Foresight(replace(good.model, strength=good.model.strength + 150), crowd)
    scaled = [each._replace(stored=tuple(w * 2.0**300 for w in each.stored)) for each in found(50, 5)]
    assert np.allclose(later.judge(scaled), good.judge(found(50, 5)))

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.evaluation import Holdout, holdout, lift
from tests.models.worlds import World


def one_artist(known: list[int], held: list[int], n: int = 100) -> Holdout:
    parts = [csr_matrix((np.ones(len(who)), (who, np.zeros(len(who), int))), (n, 1)) for who in (known, held)]
    return Holdout(parts[0], parts[1], np.array([0]))


def test_every_pair_is_known_or_held_and_the_share_is_held(world: World) -> None:
    split = holdout(world.plays, share=0.2, seed=1)
    assert (abs(split.known + split.held - world.plays)).nnz == 0
    assert split.held.nnz == pytest.approx(0.2 * world.plays.nnz, rel=0.1)


def test_artists_asked_about_have_enough_on_both_sides(world: World) -> None:
    split = holdout(world.plays, least=5, seed=1)
    for part in (split.known, split.held):
        assert (np.bincount(part.indices, minlength=part.shape[1])[split.artists] >= 5).all()


def test_the_best_audience_possible_finds_everyone() -> None:
    split = one_artist(known=[], held=[3, 4, 5])
    scores = np.zeros(100)
    scores[[3, 4, 5]] = 1
    assert lift(split, [scores], share=0.05).value == pytest.approx(20)


def test_one_score_for_all_is_no_better_than_random() -> None:
    split = one_artist(known=[0], held=[3, 4, 5])
    assert lift(split, [np.ones(100)], share=0.05).value == pytest.approx(1)


def test_listeners_who_already_play_the_artist_are_left_out() -> None:
    split = one_artist(known=list(range(10, 60)), held=[3])
    scores = np.zeros(100)
    scores[10:60] = 2
    scores[3] = 1
    assert lift(split, [scores], share=0.02).value == pytest.approx(50)


def test_a_cohort_that_only_partly_fits_counts_by_expectation() -> None:
    split = one_artist(known=[], held=[0, 50])
    scores = np.where(np.arange(100) < 20, 1.0, 0.0)
    assert lift(split, [scores], share=0.1).value == pytest.approx(0.5 * 0.5 / 0.1)


def test_who_is_not_a_candidate_is_never_told() -> None:
    split = one_artist(known=[], held=[0, 1])
    scores = np.full(100, -np.inf)
    scores[5:8] = 1
    assert lift(split, [scores], share=0.5).value == 0


def test_the_interval_holds_the_value(world: World) -> None:
    split = holdout(world.plays, seed=1)
    rng = np.random.default_rng(0)
    result = lift(split, [rng.random(400) for _ in split.artists])
    assert result.low < result.value < result.high
    assert result.low < 1 < result.high


def test_too_few_plays_to_ask_about_are_refused() -> None:
    with pytest.raises(ValueError, match="more plays"):
        lift(holdout(csr_matrix(np.eye(5))), [])

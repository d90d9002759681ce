from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.quality.evaluation import Holdout, holdout, lift, lift_by_group, measure
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


def test_lift_precision_and_recall_are_one_count_told_three_ways() -> None:
    split = one_artist(known=list(range(20)), held=[20, 21, 22, 23])
    scores = -np.arange(100.0)
    (reach,) = measure(split, [scores], shares=(0.05,)).reach
    # 80 do not play it, 4 are told, and all of these are to be found
    assert (reach.lift.value, reach.precision.value, reach.recall.value) == pytest.approx((20, 1, 1))


def test_pairs_count_alike_whichever_artist_they_are_of() -> None:
    held = np.zeros((100, 2))
    held[:9, 0], held[50, 1] = 1, 1
    split = Holdout(csr_matrix((100, 2)), csr_matrix(held), np.array([0, 1]))
    found = measure(split, [-np.arange(100.0)] * 2, shares=(0.1,))
    assert found.reach[0].recall.value == pytest.approx(0.9)


def test_figures_by_artist_are_those_of_each_artist_asked_about_alone() -> None:
    held = np.zeros((100, 3))
    held[:9, 0], held[[4, 50], 1], held[:, 2] = 1, 1, 1
    scores = [-np.arange(100.0), np.arange(100.0)]
    both = measure(Holdout(csr_matrix((100, 3)), csr_matrix(held), np.array([0, 1])), scores, (0.05, 0.6))
    for row, score in enumerate(scores):
        alone = Holdout(csr_matrix((100, 1)), csr_matrix(held[:, [row]]), np.array([0]))
        reach = measure(alone, [score], (0.05, 0.6)).reach
        assert both.lift_by_artist[row] == pytest.approx([entry.lift.value for entry in reach])
    assert both.sought.tolist() == [9, 2]
    assert both.pairs == 11


def test_auc_is_one_for_the_best_ranking_and_half_for_none() -> None:
    split = one_artist(known=[0], held=[3, 4, 5])
    best = np.zeros(100)
    best[[3, 4, 5]] = 1
    for scores, auc in ((best, 1.0), (-best, 0.0), (np.ones(100), 0.5), (np.full(100, -np.inf), 0.5)):
        assert measure(split, [scores]).auc.value == pytest.approx(auc)


def test_gain_rises_to_all_for_who_scores_everybody_and_stops_where_scores_do() -> None:
    split = one_artist(known=[], held=list(range(0, 100, 10)))
    whole = -np.arange(100.0)
    half = np.where(np.arange(100) < 50, whole, -np.inf)
    curves = [measure(split, [scores]).gain for scores in (whole, half)]
    assert (np.diff(curves[0]) >= 0).all()
    assert (curves[0][-1], curves[1][-1]) == pytest.approx((1.0, 0.5))


def test_lift_by_group_says_among_whose_members_audiences_find_listeners() -> None:
    split = one_artist(known=[], held=[0, 1, 2, 3])
    scores = np.where(np.isin(np.arange(100), [0, 1, 50, 51, 90]), 1.0, 0.0)
    groups = np.repeat([0, 1, 2, -1], [40, 40, 10, 10])
    lifts = lift_by_group(split, [scores], groups, 3, share=0.05)
    assert lifts[0] > 10
    assert lifts[1] == 0
    assert np.isnan(lifts[2])

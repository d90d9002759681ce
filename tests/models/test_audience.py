from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from models.audience import (
    Target,
    aim,
    best_rows,
    choose_cohorts,
    mean_score,
    play_rates,
    rank_cohorts,
    score_members,
)
from models.directions import ACTIVITY
from models.model import Model
from models.taste import log_length, taste, unit
from tests.consumers.small_model import two_cohorts
from tests.models.worlds import World, rows_of


def cohort_of(world: World, model: Model, scene: int) -> int:
    cohorts = model.assign(taste(rows_of(world, model), model.factors))
    return int(np.bincount(cohorts[world.scene == scene]).argmax())


def by_genre(world: World) -> dict[str, list[str]]:
    """Scenes as genres; everybody plays live."""
    found: dict[str, list[str]] = {"live": list(world.artists)}
    for artist in world.artists:
        found.setdefault(artist.split("a")[0], []).append(artist)
    return found


@pytest.mark.parametrize("scene", range(8))
@pytest.mark.parametrize("asked", ["artists", "featuring", "similar_to", "label", "genres"])
def test_a_release_goes_to_its_scenes_cohort(world: World, model: Model, scene: int, asked: str) -> None:
    known = ["live", f"s{scene}"] if asked == "genres" else [f"s{scene}a3", "never heard"]
    given: dict[str, Any] = {"artists": ["never heard"]} | {asked: known}
    target = aim(model, **given, by_genre=by_genre(world))
    assert target.relied_on == asked
    rates = rank_cohorts(model, target)
    assert int(rates.argmax()) == cohort_of(world, model, scene)


def scarce(model: Model, artist: str, listeners: int) -> Model:
    """The model, of whose sample only so many listeners play an artist."""
    holders = model.holders.tolil()
    holders[:, model.index[artist]] = 0
    holders[0, model.index[artist]] = listeners
    return replace(model, holders=csr_matrix(holders))


def test_the_fewer_know_an_artist_the_more_counts_whom_it_is_like(world: World, model: Model) -> None:
    like: dict[str, Any] = {
        "similar_to": ["s1a1", "s1a2", "s1a3"],
        "genres": ["s1"],
        "by_genre": by_genre(world),
    }
    targets = [aim(scarce(model, "s0a0", n), ["s0a0"], **like) for n in (0, 4, 8, 20, 60, 4000)]
    own = [aim(model, ["s0a0"]).vector @ target.vector for target in targets]
    assert (np.diff(own) > 0).all()
    assert own[-1] > 0.999
    assert [target.relied_on for target in targets] == [
        "genres, similar_to",
        "genres, similar_to, artists",
        "genres, similar_to, artists",
        "artists, genres, similar_to",
        "artists, genres, similar_to",
        "artists",
    ]
    for target in targets:
        assert 0 <= sum(target.weights) <= 1 + 1e-9
        assert len(target.artists) == len(target.weights)


def test_artists_that_have_nothing_in_common_say_less(model: Model) -> None:
    alike, unlike = ["s1a0", "s1a1", "s1a2", "s1a3"], ["s1a0", "s2a0", "s3a0", "s4a0"]
    like: dict[str, Any] = {"similar_to": ["s0a1", "s0a2"]}
    share = []
    for artists in (alike, unlike):
        target = aim(model, ["new"], label=artists, **like)
        share.append(sum(w for a, w in zip(target.artists, target.weights, strict=True) if a in artists))
    assert share[0] > 1.3 * share[1]


def test_for_genres_stands_who_has_most_of_them(world: World, model: Model) -> None:
    some = {"indie": [f"s1a{i}" for i in range(20)] + [f"s2a{i}" for i in range(20)]}
    some |= {"folk": [f"s2a{i}" for i in range(20)] + [f"s3a{i}" for i in range(20)]}
    rates = rank_cohorts(model, aim(model, ["new"], genres=["indie", "folk"], by_genre=some))
    assert int(rates.argmax()) == cohort_of(world, model, 2)


def test_an_artist_is_not_on_its_own_label_or_of_its_own_genre(model: Model) -> None:
    alone = aim(model, ["s0a0"], label=["s0a0"], genres=["pop"], by_genre={"pop": ["s0a0"]})
    assert (alone.relied_on, alone.artists, alone.weights) == ("artists", ("s0a0",), (1.0,))


def test_the_order_of_what_is_given_makes_no_difference(world: World, model: Model) -> None:
    one = aim(
        model, ["s0a0", "s0a1"], similar_to=["s1a1", "s1a2"], genres=["live", "s1"], by_genre=by_genre(world)
    )
    other = aim(
        model, ["s0a1", "s0a0"], similar_to=["s1a2", "s1a1"], genres=["s1", "live"], by_genre=by_genre(world)
    )
    np.testing.assert_allclose(one.vector, other.vector, atol=1e-12)
    np.testing.assert_allclose(rank_cohorts(model, one), rank_cohorts(model, other), atol=1e-12)


def test_whom_nobody_has_played_for_long_does_not_take_the_others_their_say() -> None:
    model = two_cohorts(counts=np.array([2.0, 1e-170]))
    target = aim(model, ["ana"], similar_to=["bo"])
    assert "artists" in target.relied_on
    for counts in (np.array([2.0, 5e-324]), np.array([5e-324, 2.0])):
        assert np.isfinite(aim(replace(model, counts=counts), ["ana"], similar_to=["bo"]).adds).all()


def test_of_what_nothing_is_known_nobody_is_told(model: Model) -> None:
    target = aim(model, ["new"], genres=["unheard"], by_genre={})
    assert target.relied_on == "nothing"
    rates = rank_cohorts(model, target)
    assert not rates.any()
    assert len(choose_cohorts(rates, model.sizes, model.sizes, places=100)) == 0


def test_predicted_rates_are_probabilities_that_add_up_to_the_artists_listeners(model: Model) -> None:
    for artist in ("s0a0", "s3a7", "s7a20"):
        rates = rank_cohorts(model, aim(model, [artist]))
        assert ((rates >= 0) & (rates <= 1)).all()
        held = model.holders[:, model.index[artist]].sum()
        assert rates @ model.sizes == pytest.approx(held, rel=0.3)


def test_an_artist_known_by_its_genres_alone_is_played_as_much_as_others(world: World, model: Model) -> None:
    rates = rank_cohorts(model, aim(model, ["new"], genres=["s1"], by_genre=by_genre(world)))
    usual = np.asarray(model.holders.sum(axis=0)).mean()  # all artists of this world have listeners
    assert rates @ model.sizes == pytest.approx(usual, rel=0.3)


def test_a_cohort_that_plays_the_artist_more_is_predicted_more(model: Model) -> None:
    rates = rank_cohorts(model, aim(model, ["s2a0"]))
    share = np.asarray(model.holders[:, [model.index["s2a0"]]].todense()).ravel() / model.sizes
    assert rates.argmax() == share.argmax()
    assert abs(rates.max() - share.max()) < 0.1


@given(
    predicted=st.lists(st.floats(0, 1), min_size=1, max_size=10),
    places=st.integers(1, 10_000),
    sizes=st.lists(st.integers(0, 20_000), min_size=10, max_size=10),
    at_hand=st.lists(st.booleans(), min_size=10, max_size=10),
)
def test_all_cohorts_at_hand_are_scored_and_the_best_of_the_others(
    predicted: list[float], places: int, sizes: list[int], at_hand: list[bool]
) -> None:
    rates = np.array(predicted)
    members, held = np.array(sizes[: len(rates)]), np.array(at_hand[: len(rates)])
    chosen = choose_cohorts(rates, members, np.where(held, 0, members), places)
    assert (np.diff(rates[chosen]) <= 0).all()
    assert (members[chosen] > 0).all()
    there = (rates > 0) & (members > 0)
    assert set(np.flatnonzero(there & held)) <= set(chosen)
    read = [row for row in chosen if not held[row]]
    left = [row for row in np.flatnonzero(there & ~held) if row not in read]
    assert members[read].sum() <= max(5 * places, 20_000) or len(read) == 1
    assert not read or not left or rates[left].max() <= rates[read].min()
    if there.any():
        assert rates[chosen[0]] == rates[there].max()


def test_cohorts_below_the_least_rate_are_left_out() -> None:
    rates, sizes = np.array([0.3, 0.1, 0.2]), np.full(3, 5)
    assert choose_cohorts(rates, sizes, sizes, places=9, min_play_rate=0.15).tolist() == [0, 2]


def test_members_are_ranked_best_first(world: World, model: Model) -> None:
    sums = taste(rows_of(world, model), model.factors)
    target = aim(model, ["s4a2"])
    scores = score_members(model, unit(sums), log_length(sums), target)
    order = best_rows(scores, len(scores))
    assert (np.diff(scores[order]) <= 0).all()
    assert (world.scene[order[:40]] == 4).mean() > 0.95


def test_of_two_who_like_the_same_the_one_who_plays_more_scores_higher(world: World, model: Model) -> None:
    sums = taste(rows_of(world, model), model.factors)
    target = aim(model, ["s4a2"])
    near = np.flatnonzero(unit(sums) @ target.vector > 0)
    sums = np.stack([sums[near[0]], 3 * sums[near[0]]])
    once, thrice = score_members(model, unit(sums), log_length(sums), target)
    assert thrice == pytest.approx(3**ACTIVITY * once)


def test_a_model_that_does_not_weigh_activity_scores_them_alike(world: World, model: Model) -> None:
    alike = replace(model, activity=0.0)
    sums = taste(rows_of(world, alike), alike.factors)
    target = aim(alike, ["s4a2"])
    once, thrice = (score_members(alike, unit(by * sums), log_length(by * sums), target) for by in (1.0, 3.0))
    assert np.allclose(once, thrice)


def scores_of(world: World, model: Model, target: Target) -> np.ndarray:
    rows = rows_of(world, model)
    sums = taste(rows, model.factors)
    added = (rows.tocsc()[:, target.beside] > 0) @ target.adds
    return score_members(model, unit(sums), log_length(sums), target, added)


def test_the_mean_score_is_that_of_the_sample(world: World, model: Model) -> None:
    target = aim(model, ["s4a2"])
    scores = scores_of(world, model, target)
    assert mean_score(model, target) == pytest.approx(scores.mean(), rel=0.1)


def test_scores_of_who_goes_on_as_before_stay_while_a_model_serves_for_months(
    world: World, model: Model
) -> None:
    learned = replace(model, play_now=1.0)
    later = learned.as_of(2.0**8)
    assert later.neighbours is learned.neighbours
    target = aim(learned, ["s4a2"])
    assert len(target.beside)
    grown = replace(world, plays=world.plays * 2.0**8)
    scores, then = scores_of(world, learned, target), scores_of(grown, later, target)
    assert then == pytest.approx(scores, rel=1e-9)
    assert play_rates(later, target, then) == pytest.approx(play_rates(learned, target, scores), rel=1e-9)
    assert ((then >= mean_score(later, target)) == (scores >= mean_score(learned, target))).all()
    heard = rows_of(world, model).data
    assert ((heard * 2.0**8 > later.faded) == (heard > learned.faded)).all()


def test_who_has_stopped_listening_scores_lower_as_others_go_on(world: World, model: Model) -> None:
    learned = replace(model, play_now=1.0)
    sums = taste(rows_of(world, model), model.factors)
    target = aim(model, ["s4a2"])
    now, then = (
        score_members(each, unit(sums), log_length(sums), target) for each in (learned, learned.as_of(2.0**8))
    )
    assert then == pytest.approx(now / 2 ** (8 / 2 * ACTIVITY))


def test_a_model_without_the_time_of_its_newest_click_stays_as_it_is(model: Model) -> None:
    old = replace(model, play_now=0.0)
    assert old.as_of(2.0**8) is old


def test_a_model_is_never_taken_back_to_before_its_newest_click(model: Model) -> None:
    learned = replace(model, play_now=8.0)
    assert learned.as_of(4.0) is learned
    assert learned.as_of(0.0) is learned


def test_a_cohorts_play_rate_is_in_proportion_to_its_members_mean_score(world: World, model: Model) -> None:
    target = aim(model, ["s4a2"])
    scores = scores_of(world, model, target)
    cohorts, rates = model.assign(taste(rows_of(world, model), model.factors)), rank_cohorts(model, target)
    means = np.array([scores[cohorts == row].mean() for row in range(len(rates))])
    assert int(means.argmax()) == int(rates.argmax())
    assert rates.max() / rates.mean() == pytest.approx(means.max() / np.maximum(means, 0.0).mean(), rel=0.2)


@pytest.mark.parametrize("kind", ["all differ", "few values", "the best lie together", "mostly none"])
def test_of_many_the_best_rows_are_the_first_of_all_ranked(kind: str) -> None:
    random = np.random.default_rng(0)
    scores = {
        "all differ": random.normal(size=40_000),
        "few values": random.integers(0, 4, 40_000).astype(np.float64),
        "the best lie together": np.arange(40_000, 0, -1.0),
        "mostly none": np.where(random.random(40_000) < 0.01, 1.0, -np.inf),
    }[kind]
    rows = best_rows(scores, 4000)
    assert scores[rows].tolist() == sorted(scores.tolist(), reverse=True)[:4000]
    assert len(set(rows.tolist())) == 4000


@given(st.lists(st.sampled_from([-np.inf, -0.5, 0.0, 0.25, 0.5, 1.0]), max_size=60))
def test_of_equal_scores_the_earlier_row_comes_first(scores: list[float]) -> None:
    ranked = sorted(range(len(scores)), key=lambda row: -scores[row])
    assert best_rows(np.array(scores), len(scores)).tolist() == ranked


@given(st.lists(st.sampled_from([-0.5, 0.0, 0.25, 0.5, 1.0]), max_size=30), st.integers(0, 40))
def test_the_best_rows_are_the_first_of_all_ranked(scores: list[float], number: int) -> None:
    given_scores = np.array(scores)
    rows = best_rows(given_scores, number)
    ranked = sorted(scores, reverse=True)
    assert given_scores[rows].tolist() == ranked[:number]
    assert len(set(rows.tolist())) == min(number, len(scores))

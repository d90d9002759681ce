from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audience import aim, choose_cohorts, genre_vectors, rank_cohorts, rank_members
from models.model import Model
from models.taste import taste, unit
from tests.models.worlds import World, rows_of


def cohort_of(world: World, model: Model, scene: int) -> int:
    cohorts = model.assign(taste(rows_of(world, model), model.factors))
    return int(np.bincount(cohorts[world.scene == scene]).argmax())


@pytest.mark.parametrize("scene", range(8))
@pytest.mark.parametrize("asked", ["artists", "featuring", "similar_to", "genres"])
def test_a_release_goes_to_its_scenes_cohort(world: World, model: Model, scene: int, asked: str) -> None:
    by_genre = genre_vectors(model, {artist: [artist.split("a")[0]] for artist in world.artists})
    named = {asked: [f"s{scene}"] if asked == "genres" else [f"s{scene}a3", "never heard"]}
    target = aim(model, **{"artists": ["never heard"]} | named, by_genre=by_genre)
    assert target.relied_on == asked
    ctr = rank_cohorts(model, target)
    assert int(ctr.argmax()) == cohort_of(world, model, scene)


def test_what_is_known_best_is_relied_on(model: Model) -> None:
    by_genre = {"rock": np.ones(model.n_dims)}
    words = {"featuring": ["s1a1"], "similar_to": ["s2a2"], "genres": ["rock"], "by_genre": by_genre}
    assert aim(model, ["s0a0"], **words).relied_on == "artists"
    assert aim(model, ["new"], **words).relied_on == "featuring"
    assert aim(model, ["new"], **words | {"featuring": []}).relied_on == "similar_to"
    assert aim(model, ["new"], **words | {"featuring": ["x"], "similar_to": []}).relied_on == "genres"


def test_of_what_nothing_is_known_nobody_is_told(model: Model) -> None:
    target = aim(model, ["new"], genres=["unheard"], by_genre={})
    assert target.relied_on == "nothing"
    ctr = rank_cohorts(model, target)
    assert not ctr.any()
    assert len(choose_cohorts(ctr, model.sizes, limit=100)) == 0


def test_predicted_rates_are_probabilities_that_add_up_to_the_artists_listeners(model: Model) -> None:
    for artist in ("s0a0", "s3a7", "s7a20"):
        ctr = rank_cohorts(model, aim(model, [artist]))
        assert ((ctr >= 0) & (ctr <= 1)).all()
        held = model.holders[:, model.index[artist]].sum()
        assert ctr @ model.sizes == pytest.approx(held, rel=0.3)


def test_a_cohort_that_plays_the_artist_more_is_predicted_more(model: Model) -> None:
    ctr = rank_cohorts(model, aim(model, ["s2a0"]))
    share = np.asarray(model.holders[:, [model.index["s2a0"]]].todense()).ravel() / model.sizes
    assert ctr.argmax() == share.argmax()
    assert abs(ctr.max() - share.max()) < 0.1


@given(
    ctr=st.lists(st.floats(0, 1), min_size=1, max_size=10),
    limit=st.integers(1, 60),
    sizes=st.lists(st.integers(0, 20), min_size=10, max_size=10),
)
def test_chosen_cohorts_are_the_best_that_fit(ctr: list[float], limit: int, sizes: list[int]) -> None:
    rates, members = np.array(ctr), np.array(sizes[: len(ctr)])
    chosen = choose_cohorts(rates, members, limit)
    assert (np.diff(rates[chosen]) <= 0).all()
    assert len(chosen) <= 1 or members[chosen].sum() <= limit
    assert (members[chosen] > 0).all()
    if ((rates > 0) & (members > 0)).any():
        assert len(chosen)
        assert rates[chosen[0]] == rates[members > 0].max()


def test_cohorts_below_the_least_rate_are_left_out() -> None:
    assert choose_cohorts(np.array([0.3, 0.1, 0.2]), np.full(3, 5), limit=99, min_ctr=0.15).tolist() == [0, 2]


def test_members_are_ranked_best_first(world: World, model: Model) -> None:
    tastes = unit(taste(rows_of(world, model), model.factors))
    target = aim(model, ["s4a2"])
    order, scores = rank_members(tastes, target)
    assert (np.diff(scores) <= 0).all()
    assert (world.scene[order[:40]] == 4).mean() > 0.95

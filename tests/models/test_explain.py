from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from models.affinity import ForwardDecay
from models.audience import aim
from models.cohorts import settle
from models.explain import neighbour_pulls, placement, pulls
from models.listener import Listener, Rules
from models.model import Model
from models.taste import root, unit
from tests.consumers.small_model import ARTISTS, UNKNOWN, small_model
from tests.models.worlds import World

RULES = Rules(ForwardDecay(), margin=0.03)
MODEL = small_model()

weights = st.dictionaries(
    st.sampled_from([*ARTISTS, *UNKNOWN]), st.floats(-1e9, 1e60, allow_subnormal=False), min_size=1
)


def listener(affinities: dict[str, float], **more: object) -> Listener:
    return Listener("u", rev=1, last_seen=5.0, affinities=dict(affinities), **more)


def taste_of(affinities: dict[str, float], model: Model) -> np.ndarray:
    known = {a: w for a, w in affinities.items() if a in model.index}
    rows = [model.index[artist] for artist in known]
    return root(np.array(list(known.values()))) @ model.factors[rows].astype(float)


@given(weights)
def test_pulls_add_up_to_the_similarity_with_the_cohorts_centre(affinities: dict[str, float]) -> None:
    found = placement(listener(affinities), MODEL, RULES)
    if found.cohort:
        taste = taste_of(affinities, MODEL)
        expected = MODEL.similarity(taste[None, :])[0, MODEL.cohort_ids.index(found.cohort)]
        assert found.similarity == pytest.approx(expected, abs=1e-6)
        assert sum(found.pulls.values()) - found.centre == pytest.approx(found.similarity, abs=1e-6)
        assert list(found.pulls.values()) == sorted(found.pulls.values(), reverse=True)


@given(weights)
def test_pulls_add_up_to_how_close_a_listener_is_to_a_release(affinities: dict[str, float]) -> None:
    target = aim(MODEL, ["a1"], similar_to=["a2"])
    found = pulls(affinities, MODEL, target.vector)
    if any(affinities[artist] > 0 for artist in found):
        closeness = unit(taste_of(affinities, MODEL)) @ target.vector
        assert sum(found.values()) == pytest.approx(closeness, abs=1e-6)


def test_an_artist_that_is_hardly_played_any_more_is_no_neighbour() -> None:
    beside = csr_matrix(np.array([[0.0, 0.5, 0.25, 0, 0, 0]] * 6, dtype=np.float32))
    model = replace(MODEL, neighbours=beside, play_now=8.0)
    played = {"a1": 1.0, "a2": 2.0, "a3": 9.0}
    target = aim(model, ["a0"])
    assert list(neighbour_pulls(played, model, target)) == ["a2"]
    assert list(neighbour_pulls(played, replace(model, play_now=0.0), target)) == ["a1", "a2"]


@given(weights, st.sampled_from(["", *MODEL.cohort_ids]), st.lists(st.floats(-5, 5), min_size=3, max_size=3))
def test_it_says_by_how_much_the_second_is_farther(
    affinities: dict[str, float], cohort: str, lately: list[float]
) -> None:
    found = placement(listener(affinities, cohort=cohort, short_term=np.array(lately)), MODEL, RULES)
    if found.cohort:
        assert found.second not in ("", found.cohort)
        assert (found.ahead < 0) == (found.reason == "stays")
        assert found.ahead >= -RULES.margin
        assert found.reason != "stays" or found.cohort == cohort


@pytest.mark.parametrize("scene", range(8))
def test_the_artists_of_a_listeners_scene_pull(world: World, model: Model, scene: int) -> None:
    affinities = {f"s{scene}a{number}": 5.0 for number in range(6)} | {f"s{(scene + 1) % 8}a0": 1.0}
    found = placement(listener(affinities), model, RULES)
    assert found.reason == "nearest"
    assert {artist[:2] for artist in list(found.pulls)[:6]} == {f"s{scene}"}


def test_who_is_near_two_cohorts_stays_in_the_one_they_are_in(world: World, model: Model) -> None:
    affinities = {f"s{scene}a{number}": 5.0 for scene in (1, 2) for number in range(6)}
    at = placement(listener(affinities), model, RULES)
    found = placement(listener(affinities, cohort=at.second), model, replace(RULES, margin=at.ahead + 0.01))
    assert (found.cohort, found.reason, found.second) == (at.second, "stays", at.cohort)
    assert found.ahead == pytest.approx(-at.ahead)


def test_last_clicks_of_another_scene_decide(world: World, model: Model) -> None:
    old, new = ({f"s{scene}a{number}": 5.0 for number in range(6)} for scene in (1, 2))
    home, there = (placement(listener(artists), model, RULES).cohort for artists in (old, new))
    found = placement(listener(old, cohort=home, short_term=taste_of(new, model)), model, RULES)
    assert (found.cohort, found.reason, found.by_taste) == (there, "lately", home)


def test_without_a_cohort_it_says_why() -> None:
    assert placement(listener({"a1": 1.0}, bot=True), MODEL, RULES).reason == "bot"
    assert placement(listener({"x0": 1.0}), MODEL, RULES).reason == "unknown"
    assert placement(listener({"a1": -1.0, "x0": 1.0}), MODEL, RULES).reason == "nothing"
    assert placement(listener({}), MODEL, RULES).reason == "unknown"


def test_looking_changes_nothing() -> None:
    before = listener({"a1": 1.0, "a2": 3.0})
    placement(before, MODEL, RULES)
    assert before == listener({"a1": 1.0, "a2": 3.0})


@given(weights)
def test_a_listener_is_placed_where_the_model_assigns_them(affinities: dict[str, float]) -> None:
    found = placement(listener(affinities), MODEL, RULES)
    taste = taste_of(affinities, MODEL)
    if found.cohort:
        (row,) = settle(MODEL.similarity(taste[None, :]), np.array([-1]), RULES.margin)
        assert found.cohort == MODEL.cohort_ids[row]

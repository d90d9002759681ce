from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_matrix

from models.cohorts import genres, heirs, labels, named_after, settle, standing_out

SIMILARITY = hnp.arrays(np.float64, (12, 5), elements=st.floats(-1, 1, width=16))
TOPS = st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(1, 9), max_size=6), max_size=6)


@given(near=SIMILARITY, margin=st.floats(0, 0.5))
def test_settling_twice_changes_nothing(near: np.ndarray, margin: float) -> None:
    once = settle(near, np.full(12, -1), margin)
    assert (settle(near, once, margin) == once).all()


@given(
    near=SIMILARITY,
    current=hnp.arrays(np.int64, 12, elements=st.integers(-1, 4)),
    margin=st.floats(0.01, 0.5),
)
def test_whoever_moves_gains_more_than_the_margin(
    near: np.ndarray, current: np.ndarray, margin: float
) -> None:
    settled = settle(near, current, margin)
    moved = np.flatnonzero((settled != current) & (current >= 0))
    assert (near[moved, settled[moved]] - near[moved, current[moved]] > margin).all()
    stayed = np.flatnonzero((settled == current) & (current >= 0))
    assert (near[stayed].max(axis=1) - near[stayed, current[stayed]] <= margin).all()


@given(near=SIMILARITY, wobble=SIMILARITY)
def test_a_wobble_within_half_the_margin_never_oscillates(near: np.ndarray, wobble: np.ndarray) -> None:
    margin = 0.1
    cohorts = settle(near, np.full(12, -1), margin)
    for sign in (1, -1, 1, -1):
        cohorts_now = settle(near + sign * wobble * 0.049 / 1.0, cohorts, margin)
        assert (cohorts_now == cohorts).all()


@given(near=SIMILARITY)
def test_the_numbering_of_cohorts_makes_no_difference(near: np.ndarray) -> None:
    order = np.random.default_rng(0).permutation(5)
    near = near + np.arange(5) * 1e-6
    settled = settle(near[:, order], np.full(12, -1), 0.1)
    assert (order[settled] == settle(near, np.full(12, -1), 0.1)).all()


def test_one_members_oddity_does_not_stand_above_what_half_the_cohort_plays() -> None:
    holders = csr_matrix([[20.0, 1.0, 30.0], [5.0, 0.0, 700.0]])
    ratio = standing_out(holders, np.array([40.0, 960.0]), np.array([25.0, 1.0, 730.0]), 1000.0).toarray()
    assert ratio[0].argmax() == 0
    assert ratio[0, 1] < 1.5
    assert ratio[0, 2] < 1.2


@given(tops=TOPS)
def test_labels_are_unique_and_no_artist_stands_in_two(tops: list[dict[str, float]]) -> None:
    ids = [f"c{number}" for number in range(len(tops))]
    after = named_after(tops, ids)
    assert len({artist for artists in after for artist in artists}) == sum(map(len, after))
    assert len(set(labels(after, ids))) == len(tops)


@given(tops=TOPS, genres=st.lists(st.sampled_from(["", "pop", "rock"]), min_size=6, max_size=6))
def test_labels_are_unique_though_all_artists_have_one_name(
    tops: list[dict[str, float]], genres: list[str]
) -> None:
    ids = [f"c{number}" for number in range(len(tops))]
    assert len(set(labels(named_after(tops, ids), ids, lambda _: "The Same", genres))) == len(tops)


@given(tops=TOPS, before=TOPS, seed=st.integers(0, 99))
def test_the_numbering_of_cohorts_makes_no_difference_to_their_names(
    tops: list[dict[str, float]], before: list[dict[str, float]], seed: int
) -> None:
    ids = [f"c{number}" for number in range(len(tops))]
    last = {f"c{number}": list(top)[:3] for number, top in enumerate(before)}
    genres_of = {artist: ["pop" if artist < "d" else "rock", "live"] for artist in "abcdefgh"}
    order = np.random.default_rng(seed).permutation(len(tops)).tolist()
    turned, turned_ids = [tops[row] for row in order], [ids[row] for row in order]
    named, other = named_after(tops, ids, last), named_after(turned, turned_ids, last)
    assert other == tuple(named[row] for row in order)
    said, others = genres(tops, genres_of, ids), genres(turned, genres_of, turned_ids)
    assert others == tuple(said[row] for row in order)
    one = dict(zip(ids, labels(named, ids, genres=said), strict=True))
    assert dict(zip(turned_ids, labels(other, turned_ids, genres=others), strict=True)) == one


def test_an_artist_names_the_cohort_that_it_sets_apart_most() -> None:
    assert named_after([{"x": 2.0, "y": 1.5}, {"x": 3.0}], ["c1", "c2"]) == (("y",), ("x",))


@given(tops=TOPS, noise=st.lists(st.floats(1, 1.2), min_size=50, max_size=50))
def test_names_do_not_flicker(tops: list[dict[str, float]], noise: list[float]) -> None:
    ids = [f"c{number}" for number in range(len(tops))]
    once = named_after(tops, ids)
    wobble = iter(noise)
    shaken = [{artist: score * next(wobble) for artist, score in top.items()} for top in tops]
    assert named_after(shaken, ids, dict(zip(ids, once, strict=True))) == once


def test_a_name_goes_to_whom_it_fits_much_better() -> None:
    before = {"c1": ("x",), "c2": ("y",)}
    assert named_after([{"x": 2.0}, {"x": 2.4, "y": 1.1}], ["c1", "c2"], before)[0] == ("x",)
    assert named_after([{"x": 2.0}, {"x": 2.6, "y": 1.1}], ["c1", "c2"], before) == ((), ("y", "x"))


TWO = [{"a": 4.0, "b": 3.0, "c": 2.0}, {"d": 4.0, "e": 3.0, "f": 2.0}]


def test_a_genre_that_is_everywhere_names_no_cohort() -> None:
    everywhere = {artist: ["pop"] for artist in "abcdef"}
    assert genres(TWO, everywhere, ["c1", "c2"]) == ("", "")
    assert genres(TWO, everywhere | {"a": ["pop", "indie"], "b": ["indie"]}, ["c1", "c2"])[0] == "indie"


def test_a_genre_of_few_artists_names_no_cohort() -> None:
    assert genres([{"a": 9.0, "b": 8.0, "c": 1.2}, {"d": 3.0}], {"c": ["rare"]}, ["c1", "c2"]) == ("", "")


def test_a_genre_stays_until_another_says_clearly_more() -> None:
    genres_of = {"a": ["indie"], "b": ["rock"], "c": ["rock"]}
    top = {"a": 2.0, "b": 1.5, "c": 1.4}  # nearly as much of the one as of the other
    assert genres([top, TWO[1]], genres_of, ["c1", "c2"])[0] == "rock"
    assert genres([top, TWO[1]], genres_of, ["c1", "c2"], {"c1": "indie"})[0] == "indie"
    assert genres([top | {"c": 4.0}, TWO[1]], genres_of, ["c1", "c2"], {"c1": "indie"})[0] == "rock"


def test_whoever_had_no_members_has_no_heir() -> None:
    before, after = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1])
    assert heirs(before, after, ["c1", "c2", "c3"], ["c2", "c4"]) == {"c1": "c4", "c3": ""}

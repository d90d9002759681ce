from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, diags, hstack

from models.taste import idf, root_rows, unit_rows
from models.vectors import ArtistVectors, procrustes
from tests.models.worlds import World, make_world


def learned(world: World, dims: int = 8, batches: int = 60, **params: float) -> ArtistVectors:
    vectors = ArtistVectors(dims, seed=3, **params)  # type: ignore[arg-type]
    vectors.grow(len(world.artists))
    rng = np.random.default_rng(4)
    for _ in range(batches):
        vectors.learn_many(world.plays[rng.choice(world.plays.shape[0], 100, replace=False)])
    return vectors


def normal_rows(plays: csr_matrix, vectors: ArtistVectors) -> np.ndarray:
    weights = np.sqrt(idf(vectors.counts, vectors.n_rows))
    return unit_rows(csr_matrix(root_rows(plays) @ diags(weights))).toarray()


@pytest.fixture(scope="module")
def stream(world: World) -> ArtistVectors:
    return learned(world)


def test_columns_are_orthonormal(stream: ArtistVectors) -> None:
    e = stream.vectors().astype(np.float64)
    np.testing.assert_allclose(e.T @ e, np.eye(8), atol=1e-5)


def test_the_stream_finds_the_leading_singular_space(world: World, stream: ArtistVectors) -> None:
    rows = normal_rows(world.plays, stream)
    best = np.linalg.svd(rows)[2][:8].T
    energy = np.linalg.norm(rows @ stream.vectors()) ** 2 / np.linalg.norm(rows @ best) ** 2
    assert energy > 0.99


def test_the_spread_is_the_second_moment_of_tastes(world: World, stream: ArtistVectors) -> None:
    tastes = normal_rows(world.plays, stream) @ stream.vectors()
    moment = tastes.T @ tastes / len(tastes)
    np.testing.assert_allclose(stream.spread, moment, atol=0.05 * moment.max())


def test_counts_are_the_share_of_rows_that_hold_the_artist(world: World, stream: ArtistVectors) -> None:
    share = np.asarray((world.plays > 0).mean(axis=0)).ravel()
    np.testing.assert_allclose(stream.counts / stream.n_rows, share, atol=0.05)


def test_the_scale_of_a_row_makes_no_difference(world: World) -> None:
    one, other = (ArtistVectors(8, seed=3) for _ in range(2))
    rows = world.plays[:50]
    scaled = csr_matrix(diags(2.0 ** np.linspace(-700, 900, 50)) @ rows)
    for vectors, batch in ((one, rows), (other, scaled)):
        vectors.grow(len(world.artists))
        vectors.learn_many(batch)
    np.testing.assert_allclose(one.vectors(), other.vectors(), atol=1e-5)


def test_what_it_learned_last_weighs_more_with_a_short_memory() -> None:
    before, after = make_world(seed=1), make_world(seed=9)
    space = csr_matrix((before.plays.shape[0], len(before.artists)))
    old, new = csr_matrix(hstack([before.plays, space])), csr_matrix(hstack([space, after.plays]))
    kept = []
    for memory in (500.0, 1e9):
        vectors = ArtistVectors(8, memory, seed=3)
        vectors.grow(old.shape[1])
        for rows in (old, new):
            for start in range(0, 4000, 100):
                vectors.learn_many(rows[start % 400 : start % 400 + 100])
        kept.append(np.linalg.norm(vectors.vectors()[: len(before.artists)]) ** 2)
    assert kept[0] < 0.1
    assert kept[1] > 2


def test_it_goes_on_from_what_was_published(world: World, stream: ArtistVectors) -> None:
    resumed = ArtistVectors.resume(stream.vectors(), stream.spread, stream.counts, stream.n_rows)
    np.testing.assert_allclose(resumed.vectors(), stream.vectors(), atol=1e-4)
    np.testing.assert_allclose(resumed.spread, stream.spread, atol=1e-4)
    np.testing.assert_allclose(resumed.counts / resumed.n_rows, stream.counts / stream.n_rows)
    resumed.learn_many(world.plays[:100])
    overlap = np.linalg.svd(resumed.vectors().T @ stream.vectors())[1]
    assert overlap.min() > 0.97


def test_a_batch_touches_only_its_own_artists(world: World) -> None:
    vectors = learned(world, batches=5)
    before = vectors._m.copy()
    rows = world.plays[:3]
    vectors.learn_many(rows)
    changed = np.flatnonzero((vectors._m != before).any(axis=1))
    assert set(changed) == set(rows.indices)


def test_the_gram_matrix_follows_from_the_rows_touched(world: World) -> None:
    vectors = learned(world, batches=50)
    followed = vectors._gram.copy()
    vectors._sum_gram()
    np.testing.assert_allclose(followed, vectors._gram, rtol=1e-6, atol=1e-6 * np.abs(followed).max())


def test_a_faded_scale_is_taken_up_before_it_is_too_small(world: World) -> None:
    vectors = learned(world, batches=60, memory=100.0)
    e = vectors.vectors().astype(np.float64)
    np.testing.assert_allclose(e.T @ e, np.eye(8), atol=1e-4)
    assert np.isfinite(vectors.spread).all()


def test_directions_without_listeners_stay_open_for_those_to_come(world: World) -> None:
    vectors = ArtistVectors(8, memory=1000.0, seed=3)
    vectors.grow(len(world.artists))
    for _ in range(30):
        vectors.learn_many(world.plays[world.scene == 0])
    for _ in range(10):
        for start in range(0, 400, 100):
            vectors.learn_many(world.plays[start : start + 100])
    rows = normal_rows(world.plays, vectors)
    best = np.linalg.svd(rows)[2][:8].T
    assert np.linalg.norm(rows @ vectors.vectors()) ** 2 > 0.98 * np.linalg.norm(rows @ best) ** 2


def test_forgotten_artists_leave_the_others_as_they_were(world: World) -> None:
    vectors = learned(world)
    kept = np.arange(0, len(world.artists), 2)
    m, counts = vectors._m[kept].copy(), vectors.counts[kept].copy()
    vectors.keep(kept)
    assert len(vectors) == len(kept)
    assert (vectors._m == m).all()
    assert (vectors.counts == counts).all()
    e = vectors.vectors().astype(np.float64)
    np.testing.assert_allclose(e.T @ e, np.eye(8), atol=1e-5)


def test_empty_rows_change_nothing(world: World) -> None:
    vectors = learned(world, batches=5)
    before = vectors.vectors()
    vectors.learn_many(csr_matrix((3, len(world.artists))))
    assert (vectors.vectors() == before).all()


@given(seed=st.integers(0, 10_000), dims=st.integers(1, 6))
def test_alignment_is_orthogonal(seed: int, dims: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 20, dims))
    rotation = procrustes(x, y, rng.random(20))
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(dims), atol=1e-9)


@given(seed=st.integers(0, 10_000))
def test_alignment_takes_back_a_rotation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(30, 5))
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    np.testing.assert_allclose(x @ turn @ procrustes(x @ turn, x, np.ones(30)), x, atol=1e-8)

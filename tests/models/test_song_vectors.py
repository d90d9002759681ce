from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from models import song_vectors as module
from models.directions import directions
from models.song_vectors import FANS, artists_beside, song_vectors, to_audience
from models.taste import unit

RNG = np.random.default_rng(0)
TASTES = unit(RNG.normal(size=(300, 6)) + 1.0)
HELD = csr_matrix((RNG.random((300, 12)) < 0.3).astype(float))


def test_a_song_that_nobody_has_played_points_where_its_artists_listeners_are() -> None:
    made_by = csr_matrix(np.eye(12))
    nothing = csr_matrix((300, 12))
    found = song_vectors(nothing, TASTES, HELD, made_by)
    theirs = song_vectors(HELD, TASTES, HELD, made_by)
    np.testing.assert_allclose(unit(found), unit(theirs), atol=1e-9)


def test_the_more_have_played_a_song_the_less_its_artists_say() -> None:
    tastes = np.eye(2)[[0, 1] * 100]  # the artist's listeners like one thing, the song's the other
    held, made_by = csr_matrix(tastes[:, :1]), csr_matrix([[1.0]])
    near = []
    for listeners in (0, 1, 5, 50):
        played = np.zeros((200, 1))
        played[1 : 2 * listeners : 2] = 1.0
        near.append(float(unit(song_vectors(csr_matrix(played), tastes, held, made_by))[0, 0]))
    assert near == sorted(near, reverse=True)
    assert near[0] == pytest.approx(1.0)
    assert near[-1] < 0.1


def test_with_few_listeners_whose_tastes_say_nothing_songs_are_ranked_by_how_many_play_them() -> None:
    chance = np.random.default_rng(1)
    tastes = unit(chance.normal(size=(160, 64)) + 0.7)
    played = csr_matrix((chance.random((80, 30)) < np.linspace(0.6, 0.02, 30)).astype(float))
    found = song_vectors(played, tastes[:80], csr_matrix((80, 1)), csr_matrix((30, 1)))
    fans = np.asarray(played.sum(axis=0)).ravel()
    alike = [np.corrcoef(scores, fans)[0, 1] for scores in tastes[80:] @ found.T]
    assert np.mean(alike) > 0.9


def test_a_song_of_no_artist_that_is_known_goes_by_its_listeners_alone() -> None:
    played = csr_matrix((RNG.random((300, 1)) < 0.1).astype(float))
    found = song_vectors(played, TASTES, HELD, csr_matrix((1, 12)))[0]
    spread = TASTES.T @ TASTES
    spread += module.PENALTY * np.trace(spread) / 6 * np.eye(6)
    np.testing.assert_allclose(found, np.linalg.solve(spread, np.asarray(played.T @ TASTES)[0]), rtol=1e-9)


def test_a_song_of_which_nothing_is_known_is_nowhere() -> None:
    assert not song_vectors(csr_matrix((300, 1)), TASTES, HELD, csr_matrix((1, 12))).any()


def test_turned_to_audiences_a_song_points_where_the_directions_of_artists_do() -> None:
    played = csr_matrix((RNG.random((300, 1)) < 0.4).astype(float))
    ours = song_vectors(played, TASTES, HELD, csr_matrix((1, 12)))[0]
    theirs = directions(played, TASTES, np.zeros((1, 6)))[0]
    np.testing.assert_allclose(unit(to_audience(TASTES) @ ours), theirs, atol=1e-9)


def test_artists_add_only_what_tastes_leave_unexplained() -> None:
    played = csr_matrix((RNG.random((300, 5)) < 0.3).astype(float))
    certain = np.full((5, 6), 10.0)  # by their tastes everybody plays everything
    assert artists_beside(played, np.ones((300, 6)), HELD, certain).nnz == 0


def test_of_an_artist_no_more_than_so_many_songs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NUMBER", 2)
    played = csr_matrix((RNG.random((300, 20)) < 0.3).astype(float))
    all_of_them = artists_beside(played, TASTES, HELD, np.zeros((20, 6))).toarray()
    assert ((all_of_them > 0).sum(axis=1) <= 2).all()
    together = (HELD.T @ played).toarray()
    np.testing.assert_array_equal(
        np.sort((all_of_them > 0) * together, axis=1)[:, -1], np.sort(together, axis=1)[:, -1]
    )


@given(st.integers(1, 2000))
def test_what_artists_say_is_the_same_in_blocks_of_any_size(at_once: int) -> None:
    played = csr_matrix((np.random.default_rng(1).random((300, 20)) < 0.3).astype(float))
    vectors = song_vectors(played, TASTES, HELD, csr_matrix((20, 12)))
    whole = artists_beside(played, TASTES, HELD, vectors).toarray()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AT_ONCE", at_once)
        np.testing.assert_allclose(
            artists_beside(played, TASTES, HELD, vectors).toarray(), whole, rtol=1e-5, atol=1e-7
        )


def test_where_there_are_too_many_pairs_some_listeners_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    played = csr_matrix((RNG.random((300, 5)) < 0.5).astype(float))
    whole = artists_beside(played, TASTES, HELD, np.zeros((5, 6))).toarray()
    monkeypatch.setattr(module, "PAIRS", 1000)
    part = artists_beside(played, TASTES, HELD, np.zeros((5, 6))).toarray()
    assert part.sum() < whole.sum() * 1.2
    assert part.any()


def test_nobody_has_played_anything() -> None:
    empty = csr_matrix((0, 4))
    assert artists_beside(empty, np.zeros((0, 6)), csr_matrix((0, 12)), np.zeros((4, 6))).shape == (12, 4)
    assert song_vectors(empty, np.zeros((0, 6)), csr_matrix((0, 12)), csr_matrix((4, 12))).shape == (4, 6)


def test_one_listener_is_shrunk_as_the_constant_says() -> None:
    """c = (c_song + FANS c_artists) / (1 + FANS), in taste space, before the regression."""
    played = np.zeros((300, 1))
    played[7] = 1.0
    made_by = csr_matrix(np.eye(12)[:1])
    found = song_vectors(csr_matrix(played), TASTES, HELD, made_by)[0]
    spread = TASTES.T @ TASTES
    spread += module.PENALTY * np.trace(spread) / 6 * np.eye(6)
    fans = HELD.toarray()[:, 0] > 0
    mean = (TASTES[7] + FANS * TASTES[fans].mean(axis=0)) / (1 + FANS)
    np.testing.assert_allclose(unit(spread @ found), unit(mean), atol=1e-9)

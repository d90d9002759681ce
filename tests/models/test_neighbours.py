from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csc_matrix, csr_matrix

from models import neighbours as part
from models.directions import directions
from models.neighbours import add_up, neighbours
from models.taste import unit

LISTENERS, PAIRS = 400, 40
"""Artists come in pairs that are played together; tastes of two dimensions cannot tell the pairs apart."""


def sessions(seed: int = 0) -> csr_matrix:
    random = np.random.default_rng(seed)
    pair = random.integers(0, PAIRS, LISTENERS)
    columns = np.column_stack([2 * pair, 2 * pair + 1]).ravel()
    return csr_matrix((np.ones(2 * LISTENERS), columns, np.arange(0, 2 * LISTENERS + 1, 2)))


def tastes(seed: int = 1) -> np.ndarray:
    return unit(np.random.default_rng(seed).random((LISTENERS, 2)))


def learned(held: csr_matrix, those: np.ndarray) -> csr_matrix:
    vectors = unit(np.random.default_rng(2).normal(size=(held.shape[1], those.shape[1])))
    return neighbours(held, those, directions(held, those, vectors))


def test_who_is_played_beside_an_artist_is_its_neighbour_where_tastes_do_not_say_it() -> None:
    found = learned(sessions(), tastes()).toarray()
    np.fill_diagonal(found, 0.0)
    assert (found.argmax(axis=1) == np.arange(2 * PAIRS) ^ 1).all()


def test_what_tastes_say_already_is_not_said_again() -> None:
    held = csr_matrix(np.kron(np.eye(2), np.ones((LISTENERS // 2, 6))))
    explained = learned(held, np.repeat(np.eye(2), LISTENERS // 2, axis=0))
    unexplained = learned(held, np.ones((LISTENERS, 1)))
    assert explained.sum() < 0.1 * unexplained.sum()


def test_no_artist_has_more_neighbours_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    held = csr_matrix((np.random.default_rng(3).random((200, 50)) < 0.3).astype(float))
    everyone = learned(held, unit(np.ones((200, 1)))).toarray()
    monkeypatch.setattr(part, "NUMBER", 5)
    found = learned(held, unit(np.ones((200, 1)))).toarray()
    assert ((found > 0).sum(axis=1) <= 5).all()
    assert np.allclose(found.max(axis=1), everyone.max(axis=1))


def test_the_size_of_blocks_is_of_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = learned(sessions(), tastes())
    monkeypatch.setattr(part, "AT_ONCE", 10)
    assert (abs(learned(sessions(), tastes()) - whole) > 1e-6).nnz == 0


def test_more_pairs_than_may_be_counted_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "PAIRS", 4 * LISTENERS // 2)
    found = learned(sessions(), tastes()).toarray()
    np.fill_diagonal(found, 0.0)
    assert (found.argmax(axis=1) == np.arange(2 * PAIRS) ^ 1).mean() > 0.9


def test_nobody_is_beside_an_artist_whom_nobody_plays() -> None:
    held = csr_matrix((np.ones(2), [0, 0], [0, 1, 2]), shape=(2, 3))
    found = learned(held, np.ones((2, 1))).toarray()
    assert not found[1:].any()
    assert not found[:, 1:].any()


@pytest.mark.parametrize("seed", range(5))
def test_what_is_added_is_the_sum_over_what_a_listener_plays(seed: int) -> None:
    random = np.random.default_rng(seed)
    plays = csc_matrix(random.random((20, 30)) < 0.2)
    sizes = [7, 0, 12, 1]
    groups = [who_plays_what(part) for part in np.split(plays.toarray(), np.cumsum(sizes)[:-1])]
    rows, adds = random.permutation(30)[:8], random.random(8)
    assert np.allclose(add_up(rows, adds, groups, sizes), plays[:, rows] @ adds)


def test_where_nobody_plays_anything_nothing_is_added() -> None:
    groups = [who_plays_what(np.zeros((2, 9)))]
    assert add_up(np.array([1, 2]), np.ones(2), groups, [2]).tolist() == [0.0, 0.0]
    assert add_up(np.array([1, 2]), np.ones(2), [], []).tolist() == []


def who_plays_what(plays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Artists and players, by artist."""
    artists, players = plays.T.nonzero()
    return artists.astype(np.int32), players.astype(np.int32)

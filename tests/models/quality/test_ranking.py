"""What `benchmarks.songs` is judged by."""

from __future__ import annotations

import pytest

from benchmarks.ranking import ndcg, recall


def test_ndcg_weighs_hits_by_their_place() -> None:
    assert ndcg([7, 3, 5], {7, 5}, at=3) == pytest.approx(0.9197, abs=5e-5)


def test_recall_is_the_share_of_what_is_sought_that_is_among_the_first() -> None:
    assert recall([7, 3, 5], {7, 5, 1, 2}, at=3) == 0.5

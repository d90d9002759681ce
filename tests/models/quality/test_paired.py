from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.quality.evaluation import Holdout, Quality, measure
from models.quality.paired import advantages

N, ARTISTS = 200, 40


def asked(hits: list[int], seed: int = 0) -> Quality:
    """What is found where as many of each artist's ten listeners as said stand first, the others last."""
    sought = np.arange(N) < 10
    scores = [np.where(sought & (np.arange(N) < hit), 1.0, np.where(sought, -1.0, 0.0)) for hit in hits]
    held = csr_matrix(np.repeat(sought[:, None], len(hits), axis=1).astype(float))
    return measure(Holdout(csr_matrix(held.shape), held, np.arange(len(hits))), scores, (0.05, 0.1), seed)


@pytest.fixture(scope="module")
def uneven() -> list[int]:
    """Of some artists nearly all listeners are found, of others nearly none."""
    found: list[int] = np.random.default_rng(1).integers(1, 9, ARTISTS).tolist()
    return found


def test_one_more_listener_of_every_artist_is_ahead_by_the_same_in_every_resample(uneven: list[int]) -> None:
    more, fewer = asked([hit + 1 for hit in uneven]), asked(uneven)
    narrow, _ = advantages(more, fewer)
    # Of ten to be found one more is, at 5 %: a recall higher by 0.1, a lift by 2.
    assert (narrow.difference.low, narrow.difference.value, narrow.difference.high) == pytest.approx(
        (2, 2, 2)
    )
    assert narrow.sign == 1


def test_lifts_whose_intervals_overlap_are_told_apart_over_the_same_artists(uneven: list[int]) -> None:
    more, fewer = asked([hit + 1 for hit in uneven]), asked(uneven)
    assert more.reach[0].lift.low < fewer.reach[0].lift.high
    assert [advantages(more, fewer)[0].sign, advantages(fewer, more)[0].sign] == [1, -1]


def test_what_is_as_often_ahead_as_behind_is_neither(uneven: list[int]) -> None:
    other = [hit + (1 if at % 2 else -1) for at, hit in enumerate(uneven)]
    (advantage, _) = advantages(asked(other), asked(uneven))
    assert advantage.difference.low < 0 < advantage.difference.high
    assert advantage.sign == 0


def test_a_ranking_is_level_with_itself(uneven: list[int]) -> None:
    for advantage in advantages(asked(uneven), asked(uneven)):
        assert (advantage.difference.low, advantage.difference.high, advantage.sign) == (0, 0, 0)
        assert advantage.ratio is not None
        assert (advantage.ratio.low, advantage.ratio.high) == (1, 1)


def test_difference_and_ratio_are_of_the_lifts_that_are_shown(uneven: list[int]) -> None:
    one, two = asked([9] * ARTISTS), asked(uneven)
    for advantage, a, b in zip(advantages(one, two), one.reach, two.reach, strict=True):
        assert advantage.share == a.share
        assert advantage.difference.value == pytest.approx(a.lift.value - b.lift.value)
        assert advantage.ratio is not None
        assert advantage.ratio.value == pytest.approx(a.lift.value / b.lift.value)
        assert advantage.ratio.low < advantage.ratio.value < advantage.ratio.high


def test_there_is_no_ratio_to_what_finds_nobody(uneven: list[int]) -> None:
    nobody = asked([0] * ARTISTS)
    assert [advantage.ratio for advantage in advantages(asked(uneven), nobody)] == [None, None]
    assert advantages(asked(uneven), nobody)[0].sign == 1


def test_what_was_asked_about_other_artists_is_not_compared(uneven: list[int]) -> None:
    with pytest.raises(ValueError, match="the same artists"):
        advantages(asked(uneven), asked(uneven[1:]))

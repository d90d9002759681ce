from __future__ import annotations

import numpy as np
import pytest

from models.quality.anytime import share_between, uplift

RUNS, LOOKS = 400, (5, 10, 20, 40, 80, 160, 320, 640)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_a_share_is_within_its_interval_at_every_look_in_95_of_100_streams(share: float) -> None:
    rng = np.random.default_rng(7)
    hits = rng.random((RUNS, LOOKS[-1])) < share
    missed = 0
    for stream in hits:
        seen = np.cumsum(stream)
        bounds = [share_between(int(seen[n - 1]), n) for n in LOOKS]
        missed += any(not low <= share <= high for low, high in bounds)
    assert missed / RUNS <= 0.05


def test_an_interval_that_holds_at_one_look_only_misses_more_often_when_one_keeps_looking() -> None:
    rng = np.random.default_rng(7)
    missed = 0
    for stream in rng.random((RUNS, LOOKS[-1])) < 0.5:
        seen = np.cumsum(stream)
        shares = [seen[n - 1] / n for n in LOOKS]
        missed += any(abs(s - 0.5) > 1.96 * np.sqrt(0.25 / n) for s, n in zip(shares, LOOKS, strict=True))
    assert missed / RUNS > 0.1, "the streams of the test above would not tell"


def test_the_interval_narrows_around_the_share() -> None:
    widths = [high - low for low, high in (share_between(n // 10, n) for n in (10, 100, 1000, 10_000))]
    assert widths == sorted(widths, reverse=True)
    low, high = share_between(1000, 10_000)
    assert 0.08 < low < 0.1 < high < 0.12


@pytest.mark.parametrize("of", [1, 7, 500])
def test_none_and_all_are_at_the_edges(of: int) -> None:
    assert share_between(0, of)[0] == 0.0
    assert share_between(of, of)[1] == 1.0


def test_what_telling_brings_is_within_its_interval_in_95_of_100_experiments() -> None:
    rng = np.random.default_rng(8)
    missed = 0
    for _ in range(RUNS):
        told, control = rng.random(2000) < 0.12, rng.random(200) < 0.05
        looks = [uplift(int(told[: 10 * n].sum()), 10 * n, int(control[:n].sum()), n) for n in (10, 50, 200)]
        missed += any(not look.uplift_low <= 0.07 <= look.uplift_high for look in looks)
    assert missed / RUNS <= 0.05


def test_without_a_control_group_nothing_is_known() -> None:
    found = uplift(10, 100, 0, 0)
    assert (found.control, found.uplift) == (None, None)

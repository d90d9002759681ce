from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from models.quality.anytime import Outcomes, share_between, uplift, uplift_within

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


def by_share(rng: np.random.Generator, brings: float = 0.0) -> list[Outcomes]:
    """Ten parts of which few are told, and ten of which half are, and all are hits more often."""
    groups = [(100, 900, 0.03)] * 10 + [(500, 500, 0.09)] * 10
    return [
        Outcomes(int(rng.binomial(told, rate + brings)), told, int(rng.binomial(control, rate)), control)
        for told, control, rate in groups
    ]


@pytest.mark.parametrize("brings", [0.0, 0.02])
def test_within_parts_of_other_rates_the_difference_is_within_its_interval_in_95_of_100_experiments(
    brings: float,
) -> None:
    rng = np.random.default_rng(9)
    missed = pooled = 0
    for _ in range(RUNS):
        parts = by_share(rng, brings)
        looks = [uplift_within(parts[:n]) for n in (5, 10, 15, 20)]
        missed += any(not look.uplift_low <= brings <= look.uplift_high for look in looks)
        sums = uplift(*np.sum(parts, axis=0).tolist())
        pooled += not sums.uplift_low <= brings <= sums.uplift_high
    assert missed / RUNS <= 0.05
    assert pooled / RUNS > 0.5, "the sums would not tell"


@pytest.mark.parametrize(
    "groups",
    [
        [(100, 10_000, 0.3, 0.3), (10_000, 100, 0.01, 0.01)],
        [(100, 10_000, 0.3, 0.03), *[(10_000, 100, 0.001, 0.001)] * 20],
    ],
)
def test_within_parts_of_opposite_proportions_and_far_rates_the_difference_is_within_its_interval(
    groups: list[tuple[int, int, float, float]],
) -> None:
    rng = np.random.default_rng(10)
    told, control, told_rate, control_rate = np.array(groups).T
    weight = told * control / (told + control)
    brings = weight @ (told_rate - control_rate) / weight.sum()
    part_told, part_control = (told // 10).astype(int), (control // 10).astype(int)
    missed = 0
    for _ in range(RUNS):
        seen = np.zeros((len(groups), 4), dtype=int)
        looks = []
        for _ in range(10):  # a tenth of the listeners each
            hits = rng.binomial(part_told, told_rate), rng.binomial(part_control, control_rate)
            seen += np.stack([hits[0], part_told, hits[1], part_control], axis=1)
            looks.append(uplift_within([Outcomes(*part) for part in seen.tolist()]))
        missed += any(not look.uplift_low <= brings <= look.uplift_high for look in looks)
    assert missed / RUNS <= 0.05


def test_parts_of_the_same_proportions_are_compared_as_their_sums_are() -> None:
    parts = [Outcomes(30, 100, 9, 50), Outcomes(80, 200, 10, 100)]
    assert astuple(uplift_within(parts)) == pytest.approx(astuple(uplift(110, 300, 19, 150)))


def test_a_part_that_one_group_is_not_in_says_nothing() -> None:
    part = Outcomes(30, 100, 9, 50)
    assert uplift_within([part, Outcomes(50, 50, 0, 0)]) == uplift_within([part])
    nothing = uplift_within([Outcomes(50, 50, 0, 0)])
    assert (nothing.uplift, nothing.uplift_low, nothing.uplift_high) == (None, -1.0, 1.0)


def test_where_all_are_hits_the_shares_are_one() -> None:
    found = uplift_within([Outcomes(7, 7, 3, 3), Outcomes(11, 11, 13, 13), Outcomes(3, 3, 1, 1)])
    assert (found.told, found.control, found.uplift) == pytest.approx((1.0, 1.0, 0.0))
    assert found.uplift_low < 0 < found.uplift_high

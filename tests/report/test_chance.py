from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from consumers.report.chance import random_clusters, rate_of

LISTENERS = 2000
CLICKED = {1: 150, 2: 60, 7: 20}  # times -> listeners


def times_of_all() -> np.ndarray:
    some = np.repeat(list(CLICKED), list(CLICKED.values()))
    return np.concatenate([some, np.zeros(LISTENERS - len(some), dtype=int)])


def test_random_clusters_have_the_rates_of_clusters_that_are_drawn_listener_by_listener() -> None:
    rng, times = np.random.default_rng(1), times_of_all()
    drawn = [rng.choice(times, 120, replace=False).sum() / (120 * 8) for _ in range(4000)]
    found = random_clusters(CLICKED, LISTENERS, 120, 8, 4000, np.random.default_rng(2))
    assert found.random_ctr == pytest.approx(times.mean() / 8, abs=1e-6)
    assert found.random_low == pytest.approx(np.quantile(drawn, 0.025), abs=0.003)
    assert found.random_high == pytest.approx(np.quantile(drawn, 0.975), abs=0.003)


def test_the_same_seed_draws_the_same_clusters() -> None:
    first, second = (
        random_clusters(CLICKED, LISTENERS, 120, 8, 100, np.random.default_rng(3)) for _ in range(2)
    )
    assert first == second


def test_a_cluster_of_all_listeners_has_the_rate_of_all() -> None:
    found = random_clusters(CLICKED, LISTENERS, LISTENERS, 8, 100, np.random.default_rng(1))
    assert found.random_low == found.random_ctr == found.random_high


def test_the_interval_covers_also_where_the_same_members_click_on_every_release() -> None:
    rng, releases, members, covered = np.random.default_rng(4), 10, 200, 0
    for _ in range(500):
        likely = np.where(rng.random(members) < 0.1, 0.9, 0.01)  # the mean is 0.099
        times = Counter(rng.binomial(releases, likely).tolist())
        del times[0]
        found = rate_of(times, members, releases)
        assert found.ctr_low is not None
        assert found.ctr_high is not None
        covered += found.ctr_low <= 0.099 <= found.ctr_high
    assert covered / 500 == pytest.approx(0.95, abs=0.03)


def test_of_too_few_no_rate_is_given() -> None:
    assert rate_of({1: 9}, members=19, releases=1).ctr is None
    assert rate_of({1: 9}, members=19, releases=2).ctr is not None

from __future__ import annotations

import copy
import tracemalloc
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest
import river.checks
from hypothesis import given
from hypothesis import strategies as st
from river import cluster

from models.kmeans import KMeans

RNG = np.random.default_rng(0)
BLOBS = np.vstack([RNG.normal(center, 0.2, (60, 3)) for center in (-3, 0, 3)])
BLOBS = BLOBS[RNG.permutation(len(BLOBS))]


class Observations:
    """Dicts of features, in the shape in which River's checks want a data set."""

    def __iter__(self):  # type: ignore[no-untyped-def]
        for row in BLOBS.tolist():
            yield {"a": row[0], "b": row[1], "c": row[2], "d": row[0] * row[1], "e": 1.0}, None


def river_checks() -> list[Callable[[KMeans], None]]:
    # River has no data set for clusterers, which skips the half of its checks: it gets one of ours.
    datasets, river.checks._yield_datasets = river.checks._yield_datasets, lambda *_, **__: [Observations()]
    try:
        return list(river.checks.yield_checks(KMeans()))
    finally:
        river.checks._yield_datasets = datasets


@pytest.mark.parametrize("check", river_checks(), ids=lambda check: check.__name__)
@pytest.mark.parametrize("params", list(KMeans._unit_test_params()), ids=str)
def test_rivers_own_check_passes(check: Callable[[KMeans], None], params: dict[str, int]) -> None:
    check(KMeans(**params))


@given(
    seed=st.integers(0, 10_000),
    p=st.sampled_from([1, 2, 3]),
    halflife=st.floats(0.01, 1),
    k=st.integers(1, 6),
)
def test_fed_one_by_one_the_centres_are_rivers(seed: int, p: int, halflife: float, k: int) -> None:
    rng = np.random.default_rng(seed)
    start, rows = rng.normal(size=(k, 4)), rng.normal(size=(60, 4))
    theirs = cluster.KMeans(n_clusters=k, halflife=halflife, p=p)
    theirs.centers = {i: defaultdict(float, enumerate(center)) for i, center in enumerate(start.tolist())}
    ours = KMeans(n_clusters=k, halflife=halflife, p=p)
    ours.centers = {i: dict(enumerate(center)) for i, center in enumerate(start.tolist())}
    for row in rows.tolist():
        x = dict(enumerate(row))
        assert ours.learn_predict_one(x) == theirs.learn_predict_one(x)
    expected = [[theirs.centers[i][f] for f in range(4)] for i in range(k)]
    np.testing.assert_allclose(ours.matrix, expected, rtol=0, atol=1e-9)


@given(seed=st.integers(0, 10_000), data=st.data())
def test_features_that_are_missing_are_treated_as_river_does(seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    start = {i: dict(enumerate(center)) for i, center in enumerate(rng.normal(size=(3, 4)).tolist())}
    theirs, ours = cluster.KMeans(n_clusters=3, halflife=0.3), KMeans(n_clusters=3, halflife=0.3)
    theirs.centers = {i: defaultdict(float, center) for i, center in start.items()}
    ours.centers = start
    for row in rng.normal(size=(20, 4)).tolist():
        present = data.draw(st.sets(st.integers(0, 3), min_size=1))
        x = {feature: row[feature] for feature in present}
        assert ours.learn_predict_one(x) == theirs.learn_predict_one(x)
    for i, center in ours.centers.items():
        for feature, value in center.items():
            assert abs(value - theirs.centers[i][feature]) < 1e-9  # type: ignore[index]


def test_predicting_changes_nothing() -> None:
    for model in (KMeans(n_clusters=3, seed=1, first=10), KMeans(n_clusters=3, seed=1, first=0)):
        for row in BLOBS[:30].tolist():
            model.learn_one(dict(enumerate(row)))
        before = copy.deepcopy(model.__dict__)
        model.predict_one({0: 1.0, "never seen": 2.0})
        model.predict_many(BLOBS)
        assert model._rng.getstate() == before.pop("_rng").getstate()
        assert (model.matrix == before.pop("matrix")).all()
        assert {name: model.__dict__[name] for name in before} == before


def test_a_batch_of_one_is_learned_like_one() -> None:
    one, many = (KMeans(n_clusters=3, halflife=0.2, seed=1, first=30) for _ in range(2))
    for row in BLOBS:
        one.learn_one(dict(enumerate(row.tolist())))
        many.learn_many(row[None, :])
    np.testing.assert_allclose(one.matrix, many.matrix, rtol=0, atol=1e-12)


def test_a_batch_does_not_depend_on_its_order() -> None:
    one, other = (KMeans(n_clusters=3, halflife=0.2, seed=1, first=30) for _ in range(2))
    for model, rows in ((one, BLOBS[30:]), (other, BLOBS[:29:-1])):
        model.learn_many(BLOBS[:30])
        model.learn_many(rows)
    np.testing.assert_allclose(one.matrix, other.matrix, atol=1e-12)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_many_are_predicted_as_one_by_one(p: int) -> None:
    model = KMeans(n_clusters=4, seed=1, first=30, p=p)
    model.learn_many(BLOBS)
    one = [model.predict_one(dict(enumerate(row))) for row in BLOBS.tolist()]
    assert model.predict_many(BLOBS).tolist() == one


def test_the_start_from_data_finds_every_blob() -> None:
    model = KMeans(n_clusters=3, seed=1, first=60)
    model.learn_many(BLOBS[:60])
    found = np.sort(model.matrix.mean(axis=1))
    np.testing.assert_allclose(found, [-3, 0, 3], atol=0.3)


def test_everything_is_in_cluster_0_before_the_start() -> None:
    model = KMeans(n_clusters=3, first=50)
    model.learn_many(BLOBS[:49])
    assert model.predict_one({0: 1.0}) == 0
    assert set(model.predict_many(BLOBS).tolist()) == {0}
    model.learn_one(dict(enumerate(BLOBS[49].tolist())))
    assert len(set(model.predict_many(BLOBS).tolist())) == 3


def test_a_dead_centre_is_reborn_under_a_new_id() -> None:
    model = KMeans(n_clusters=3)
    model.centers = {
        0: {0: -3.0, 1: -3.0, 2: -3.0},
        1: {0: 1.5, 1: 1.5, 2: 1.5},
        2: {0: 90.0, 1: 90.0, 2: 90.0},
    }
    assert model.rebirth(BLOBS) == {3: 1}
    assert sorted(model.ids) == [0, 1, 3]
    assert np.bincount(model.predict_many(BLOBS)).tolist() == [60, 60, 0, 60]


def test_other_centres_stay_where_they_are_when_one_is_split() -> None:
    model = KMeans(n_clusters=3, seed=1)
    model.resume(np.array([[-3.0, -3.0, -3.0], [1.5, 1.5, 1.5]]), [0, 1], next_id=2)
    assert model.rebirth(BLOBS) == {2: 1}
    assert model.matrix[0].tolist() == [-3.0, -3.0, -3.0]
    assert np.bincount(model.predict_many(BLOBS)).tolist() == [60, 60, 60]


def test_the_larger_part_of_a_split_keeps_the_id() -> None:
    rows = np.vstack([BLOBS[BLOBS[:, 0] < -1], BLOBS[BLOBS[:, 0] > 1][:20]])
    model = KMeans(n_clusters=2, seed=1)
    model.resume(rows.mean(axis=0, keepdims=True), [4], next_id=5)
    model.rebirth(rows)
    assert np.bincount(model.predict_many(rows))[4:].tolist() == [60, 20]


def test_two_become_one_where_there_are_to_be_fewer() -> None:
    model = KMeans(n_clusters=2, seed=1)
    centers = np.array([[-3.1] * 3, [-2.6] * 3, [0.0] * 3, [3.0] * 3])
    model.resume(centers, [0, 1, 2, 3], next_id=4)
    sizes = np.bincount(model.predict_many(BLOBS), minlength=4)
    assert sizes[0] > sizes[1] > 0
    model.n_clusters = 3
    assert model.merge(BLOBS) == {1: 0}
    assert model.ids == [0, 2, 3]
    np.testing.assert_allclose(model.matrix[1:], centers[2:])
    np.testing.assert_allclose(model.matrix[0], (sizes[0] * centers[0] + sizes[1] * centers[1]) / 60)


def merged_anew(model: KMeans, sizes: np.ndarray) -> tuple[dict[int, int], list[int], np.ndarray]:
    """Ward's rule with all distances anew for each pair."""
    matrix, ids = model.matrix.copy(), list(model.ids)
    gone: dict[int, int] = {}
    while len(ids) > model.n_clusters:
        apart = ((matrix[:, None, :] - matrix) ** 2).sum(axis=2)
        both = sizes[:, None] + sizes
        cost = sizes[:, None] * sizes / np.maximum(both, 1.0) * apart
        np.fill_diagonal(cost, np.inf)
        pair = np.unravel_index(cost.argmin(), cost.shape)
        kept, lost = sorted((int(row) for row in pair), key=lambda row: -sizes[row])
        share = sizes[lost] / max(both[kept, lost], 1.0)
        matrix[kept] += share * (matrix[lost] - matrix[kept])
        gone = {old: ids[kept] if new == ids[lost] else new for old, new in gone.items()}
        gone[ids[lost]] = ids[kept]
        sizes[kept] += sizes[lost]
        sizes, matrix = np.delete(sizes, lost), np.delete(matrix, lost, axis=0)
        del ids[lost]
    return gone, ids, matrix


@pytest.mark.parametrize("seed", range(5))
def test_the_pairs_are_joined_that_all_distances_anew_would_join(seed: int) -> None:
    random = np.random.default_rng(seed)
    centers, rows = (random.integers(-3, 4, (n, 2)) / 10 for n in (40, 100))  # with ties, and without rows
    model = KMeans(n_clusters=5)
    model.resume(centers, list(range(40)), next_id=40)
    sizes = np.bincount(model.predict_many(rows), minlength=40).astype(np.float64)
    gone, ids, matrix = merged_anew(model, sizes)
    assert model.merge(rows) == gone
    assert model.ids == ids
    np.testing.assert_array_equal(model.matrix, matrix)


def test_joining_takes_memory_for_pairs_of_centres_and_not_for_their_dimensions_too() -> None:
    centers = np.random.default_rng(0).normal(size=(600, 64))
    model = KMeans(n_clusters=597)
    model.resume(centers, list(range(600)), next_id=600)
    tracemalloc.start()
    try:
        model.merge(centers)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(model.ids) == 597
    assert peak < 20e6


def test_what_is_joined_again_is_named_by_where_it_ended() -> None:
    model = KMeans(n_clusters=1, seed=1)
    model.start(BLOBS)
    model.resume(np.array([[-3.1] * 3, [-2.6] * 3, [2.0] * 3]), [0, 1, 2], next_id=3)
    gone = model.merge(BLOBS)
    assert len(model.ids) == 1
    assert set(gone.values()) == set(model.ids)
    assert set(gone) == {0, 1, 2} - set(model.ids)


def test_missing_centres_are_made_up_for_under_new_ids() -> None:
    model = KMeans(n_clusters=3)
    model.resume(BLOBS.mean(axis=0, keepdims=True), [4], next_id=7)
    model.rebirth(BLOBS)
    assert sorted(model.ids) == [4, 7, 8]
    assert sorted(np.unique(model.predict_many(BLOBS), return_counts=True)[1].tolist()) == [60, 60, 60]


def distortion(model: KMeans) -> float:
    return float(((BLOBS[:, None, :] - model.matrix) ** 2).sum(axis=2).min(axis=1).sum())


def test_centres_far_off_are_refined_until_they_settle_and_settled_ones_once() -> None:
    far = np.array([[-1.0] * 3, [0.0] * 3, [1.0] * 3])
    model, once = KMeans(n_clusters=3), KMeans(n_clusters=3)
    for each in (model, once):
        each.resume(far, [0, 1, 2], next_id=3)
    once.refine(BLOBS, 1, share=0.3)
    model.refine(BLOBS, 50, share=0.3, until=0.01)
    settled = distortion(model)
    assert settled < 0.5 * distortion(once)
    before, expected = model.matrix.copy(), KMeans(n_clusters=3)
    expected.resume(before, [0, 1, 2], next_id=3)
    expected.refine(BLOBS, 1, share=0.3)
    model.refine(BLOBS, 50, share=0.3, until=0.01)
    assert (model.matrix == expected.matrix).all()
    assert settled - distortion(model) < 0.01 * settled


def test_living_centres_are_left_alone_by_rebirth() -> None:
    model = KMeans(n_clusters=3, seed=1)
    model.start(BLOBS)
    before, ids = model.matrix.copy(), list(model.ids)
    assert model.rebirth(BLOBS) == {}
    assert (model.matrix == before).all()
    assert model.ids == ids


def test_fewer_distinct_rows_than_clusters_give_fewer_clusters() -> None:
    model = KMeans(n_clusters=5, seed=1)
    model.start(np.array([[0.0, 1.0], [1.0, 0.0]] * 10))
    model.rebirth(np.array([[0.0, 1.0], [1.0, 0.0]] * 10))
    assert len(model.ids) == 2


def test_rows_that_differ_by_rounding_only_are_not_split() -> None:
    row = np.random.default_rng(0).normal(size=64)
    rows = (
        np.outer(np.linspace(1, 3, 600), row)
        / np.linalg.norm(np.outer(np.linspace(1, 3, 600), row), axis=1)[:, None]
    )
    assert len(np.unique(rows, axis=0)) > 1
    model = KMeans(n_clusters=5, seed=1)
    model.start(rows)
    assert model.rebirth(rows) == {}
    assert model.ids == [0]


def test_centres_without_rows_go_where_there_is_nothing_to_split() -> None:
    model = KMeans(n_clusters=3, seed=1)
    model.resume(np.array([[0.0, 1.0], [1.0, 0.0], [5.0, 5.0]]), [3, 4, 7], next_id=8)
    model.rebirth(np.array([[0.0, 1.0], [1.0, 0.0]] * 10))
    assert model.ids == [3, 4]


def test_rows_of_another_width_are_refused() -> None:
    model = KMeans(n_clusters=3, first=10)
    model.learn_many(BLOBS)
    with pytest.raises(ValueError, match="columns"):
        model.learn_many(BLOBS[:, :2])

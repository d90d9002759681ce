from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.audience import aim
from models.directions import ACTIVITY
from models.model import Model
from models.taste import taste
from tests.models.worlds import World, rows_of


def test_arrays_and_back_is_the_same_to_the_bit(world: World, model: Model) -> None:
    header, arrays = model.to_arrays()
    again = Model.from_arrays(json.loads(json.dumps(header)), arrays)
    for entry in fields(Model):
        one, other = getattr(model, entry.name), getattr(again, entry.name)
        if isinstance(one, np.ndarray):
            assert one.tobytes() == other.tobytes()
        elif isinstance(one, csr_matrix):
            assert (one != other).nnz == 0
        else:
            assert one == other
    tastes = taste(rows_of(world, model), model.factors)
    assert (model.assign(tastes) == again.assign(tastes)).all()


def test_listeners_of_a_scene_are_together(world: World, model: Model) -> None:
    cohorts = model.assign(taste(rows_of(world, model), model.factors))
    for scene in range(8):
        assert np.bincount(cohorts[world.scene == scene]).max() >= 48


def test_the_most_similar_cohort_has_the_nearest_centre(world: World, model: Model) -> None:
    tastes = taste(rows_of(world, model), model.factors)
    points = tastes / np.linalg.norm(tastes, axis=1, keepdims=True)
    distances = np.linalg.norm(points[:, None, :] - model.centers, axis=2)
    assert (model.similarity(tastes).argmax(axis=1) == distances.argmin(axis=1)).all()


def test_tastes_of_any_scale_are_assigned_alike(world: World, model: Model) -> None:
    tastes = taste(rows_of(world, model), model.factors)
    assert (model.assign(tastes * 2.0**480) == model.assign(tastes)).all()


def test_the_numbering_of_cohorts_makes_no_difference(world: World, model: Model) -> None:
    order = np.random.default_rng(0).permutation(len(model.cohort_ids))
    other = replace(
        model,
        centers=model.centers[order],
        cohort_ids=tuple(model.cohort_ids[i] for i in order),
        sizes=model.sizes[order],
        holders=model.holders[order],
        labels=tuple(model.labels[i] for i in order),
        born=model.born[order],
    )
    tastes = taste(rows_of(world, model), model.factors)
    names = [[m.cohort_ids[i] for i in m.assign(tastes)] for m in (model, other)]
    assert names[0] == names[1]
    assert [model.standing_out(5)[i] for i in order] == other.standing_out(5)


def test_a_release_points_to_where_its_artists_listeners_are(world: World, model: Model) -> None:
    tastes = taste(rows_of(world, model), model.factors)
    for scene in range(8):
        scores = tastes @ aim(model, [f"s{scene}a0", f"s{scene}a1"]).vector
        assert (world.scene[np.argsort(-scores)[:40]] == scene).mean() > 0.95


def test_a_listener_with_one_click_is_where_most_of_the_artists_listeners_are(
    world: World, model: Model
) -> None:
    cohorts = model.assign(taste(rows_of(world, model), model.factors))
    plays = rows_of(world, model).tocsc()
    heard = [row for row in range(len(model.artists)) if plays[:, row].nnz >= 10]
    most = [np.bincount(cohorts[plays[:, row].indices], minlength=8).argmax() for row in heard]
    assert (model.assign(model.factors[heard].astype(float)) == most).mean() > 0.95


def test_listeners_in_the_sample_are_counted_by_artist(world: World, model: Model) -> None:
    plays = np.asarray((rows_of(world, model) > 0).sum(axis=0)).ravel()
    missing = plays - model.heard_by(np.arange(len(model.artists)))
    assert ((missing >= 0) & (missing <= world.plays.shape[0] - model.listeners)).all()


def test_what_stands_out_is_the_scenes_own(model: Model) -> None:
    for top in model.standing_out(3):
        assert len({artist.split("a")[0] for artist in top}) == 1
        assert all(ratio > 1.5 for ratio in top.values())


def test_no_listener_is_in_a_model(world: World, model: Model) -> None:
    header, arrays = model.to_arrays()
    assert not any(len(array) == world.plays.shape[0] for array in arrays.values() if array.ndim)
    assert set(header["artists"]) <= set(world.artists)


def test_a_model_of_before_there_were_histories_is_read(model: Model) -> None:
    header, arrays = model.to_arrays()
    old = {
        name: part
        for name, part in header.items()
        if name not in ("parents", "heirs", "named_after", "genres", "activity")
    }
    read = Model.from_arrays(old, arrays)
    assert (read.parents, read.genres) == (("",) * 8, ("",) * 8)
    assert (read.named_after, read.heirs) == (((),) * 8, {})
    assert read.labels == model.labels
    assert read.activity == ACTIVITY


def test_another_format_is_refused(model: Model) -> None:
    header, arrays = model.to_arrays()
    with pytest.raises(ValueError, match="format 99"):
        Model.from_arrays(header | {"format": 99}, arrays)


@pytest.mark.parametrize("name", ["vectors", "spread", "counts", "centers", "born", "holders.indptr"])
def test_a_part_that_does_not_fit_is_refused(model: Model, name: str) -> None:
    header, arrays = model.to_arrays()
    with pytest.raises(ValueError):  # scipy words its own
        Model.from_arrays(header, arrays | {name: arrays[name][:-1]})
    with pytest.raises(ValueError, match="missing"):
        Model.from_arrays(header, {key: array for key, array in arrays.items() if key != name})

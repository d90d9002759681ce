from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import block_diag, csr_matrix, diags

from models import cohort_learner
from models.audience import aim
from models.cohort_learner import CohortLearner
from models.directions import ACTIVITY
from models.long_tail import share_seen
from models.quality.evaluation import holdout, lift
from models.taste import idf, root_rows, taste, unit, unit_rows
from tests.models.worlds import World, make_world, rows_of, teach


def learner(**params: int) -> CohortLearner:
    return CohortLearner(**{"n_cohorts": 8, "n_dims": 16, "seed": 5} | params)  # type: ignore[arg-type]


def test_the_same_rows_and_seed_give_the_same_model(world: World) -> None:
    models = []
    for _ in range(2):
        one = learner()
        teach(one, world, batches=5)
        one.snapshot(1, 0.0)
        teach(one, world, batches=3)
        models.append(one.snapshot(2, 1.0))
    assert models[0].artists == models[1].artists
    assert models[0].vectors.tobytes() == models[1].vectors.tobytes()
    assert models[0].centers.tobytes() == models[1].centers.tobytes()


def test_it_learns_who_would_play_what(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(seed=7)
    split = holdout(world.plays, seed=7)
    found = []
    for batches in (20, 0):
        taught = learner()
        teach(taught, World(split.known, world.scene, world.artists), batches=1)
        teach(taught, World(split.known, world.scene, world.artists), batches=batches)
        if not batches:
            # What a learner would be worth that learned nothing from the rows.
            taught._vectors._m = np.random.default_rng(0).normal(size=taught._vectors._m.shape).astype("f4")
            taught._vectors._sum_gram()
            monkeypatch.setattr("models.cohort_learner.MOST_PASSES", 0)
        model = taught.snapshot(1, 0.0)
        known = rows_of(World(split.known, world.scene, world.artists), model)
        tastes = unit(taste(known, model.factors))
        scores = [tastes @ aim(model, [world.artists[artist]]).vector for artist in split.artists]
        found.append(lift(split, scores, share=0.1).value)
    assert found[0] > 4
    assert found[1] < 0.7 * found[0]


@pytest.fixture(scope="module")
def many_scenes() -> World:
    """A third of the listeners are of four scenes, two thirds of 150 small ones."""
    few, many = make_world(900, n_scenes=4, per_scene=25), make_world(1800, n_scenes=150, per_scene=12)
    return World(
        block_diag([few.plays, many.plays], "csr"),
        np.concatenate([few.scene, 4 + many.scene]),
        [f"few {artist}" for artist in few.artists] + [f"many {artist}" for artist in many.artists],
    )


def test_where_leading_directions_leave_listeners_out_others_serve(
    many_scenes: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}
    for least in (cohort_learner.LITTLE, 0.0):
        monkeypatch.setattr(cohort_learner, "LITTLE", least)
        taught = learner(n_dims=8)
        teach(taught, many_scenes, size=800)
        model = taught.snapshot(1, 0.0)
        rows = rows_of(many_scenes, model)[many_scenes.scene >= 4]
        weighted = root_rows(rows) @ diags(np.sqrt(idf(model.counts, model.n_rows)))
        seen[model.settings["vectors"]] = share_seen(unit_rows(weighted.tocsr()), model.vectors)
    assert seen["long tail"] > 1.5 * seen["leading"], "of the row of a listener of a small scene"


def test_vectors_of_a_long_tail_go_on_after_a_restart(many_scenes: World) -> None:
    taught = learner(n_dims=8)
    teach(taught, many_scenes, size=800)
    one = taught.snapshot(1, 0.0)
    resumed = CohortLearner.from_model(one, n_cohorts=8, seed=5)
    teach(resumed, many_scenes, size=800, seed=99)
    two = resumed.snapshot(2, 1.0)
    assert one.settings["vectors"] == two.settings["vectors"] == "long tail"
    tastes = [unit(taste(rows_of(many_scenes, model), model.factors)) for model in (one, two)]
    assert np.median((tastes[0] * tastes[1]).sum(axis=1)) > 0.9
    assert (one.assign(tastes[0]) != two.assign(tastes[1])).mean() < 0.1


def test_in_a_long_tail_an_artist_nobody_in_the_sample_plays_has_a_vector(many_scenes: World) -> None:
    taught = learner(n_dims=4, reservoir=300)
    teach(taught, many_scenes, size=800)
    model = taught.snapshot(1, 0.0)
    assert model.settings["vectors"] == "long tail"
    outside = np.flatnonzero((np.asarray(model.holders.sum(axis=0)).ravel() == 0) & (model.counts > 0))
    assert len(outside)
    assert np.linalg.norm(model.vectors[outside], axis=1).min() > 0


def test_leading_directions_serve_again_where_they_hold_more(many_scenes: World) -> None:
    taught = learner(n_dims=8, reservoir=2000)
    teach(taught, many_scenes, size=800)
    assert taught.snapshot(1, 0.0).settings["vectors"] == "long tail"
    teach(taught, make_world(2400, 4, 25), size=800, batches=60)
    two = taught.snapshot(2, 1.0)
    assert two.settings["vectors"] == "leading"
    assert np.isfinite(two.centers).all()


def test_snapshots_of_a_steady_stream_keep_their_members(world: World) -> None:
    taught = learner()
    teach(taught, world)
    one = taught.snapshot(1, 0.0)
    teach(taught, world, seed=99)
    two = taught.snapshot(2, 1.0)
    tastes = [taste(rows_of(world, model), model.factors) for model in (one, two)]
    before = one.assign(tastes[0])
    after = two.assign(tastes[1], before, margin=0.02)
    assert one.cohort_ids == two.cohort_ids
    assert (before != after).mean() < 0.02
    cosines = (unit(tastes[0]) * unit(tastes[1])).sum(axis=1)
    assert np.median(cosines) > 0.98


def test_a_later_model_needs_half_of_the_last_ones_listeners_however_many_the_first_needed() -> None:
    users = [f"u{number}" for number in range(100)]
    rows = [(["ana"], [1.0 + number % 3]) for number in range(100)]
    taught = learner()
    taught.learn_many(rows, users)
    resumed = CohortLearner.from_model(taught.snapshot(1, 0.0), n_cohorts=8, seed=5)
    resumed.learn_many(rows[:49], users[:49])
    assert not resumed.ready(500)
    resumed.learn_many(rows[:50], users[:50])
    assert resumed.ready(500)


def test_it_goes_on_from_a_model_as_if_it_had_not_stopped(world: World) -> None:
    taught = learner()
    teach(taught, world)
    one = taught.snapshot(4, 0.0)
    resumed = CohortLearner.from_model(one, n_cohorts=8, seed=5)
    assert not resumed.ready(10)
    teach(resumed, world, seed=99)
    assert resumed.ready(10)
    two = resumed.snapshot(5, 1.0)
    assert two.cohort_ids == one.cohort_ids
    assert two.clicks > one.clicks
    assert (two.born == one.born).all()
    tastes = [taste(rows_of(world, model), model.factors) for model in (one, two)]
    assert (one.assign(tastes[0]) != two.assign(tastes[1])).mean() < 0.03


def test_a_scene_that_appears_gets_cohorts_with_new_ids() -> None:
    world = make_world(n_scenes=8)
    taught = learner()
    early = np.flatnonzero(world.scene < 4)
    taught.learn_many(world.rows(early), listeners=early.tolist())
    one = taught.snapshot(1, 0.0)
    everyone = np.arange(400)
    for _ in range(10):
        taught.learn_many(world.rows(everyone), listeners=everyone.tolist())
    models = [one] + [taught.snapshot(version, float(version)) for version in range(2, 8)]
    for before, after in pairwise(models):
        fresh = set(after.cohort_ids) - set(before.cohort_ids)
        assert all(int(cohort[1:]) >= before.next_cohort for cohort in fresh)
        assert after.next_cohort >= before.next_cohort
    cohorts = models[-1].assign(taste(rows_of(world, models[-1]), models[-1].factors))
    assert (np.bincount(cohorts, minlength=8) > 0).all()


def test_what_is_born_names_its_parent_and_what_is_gone_its_heir() -> None:
    world = make_world(n_scenes=8)
    taught = learner()
    early = np.flatnonzero(world.scene < 4)[:30]
    taught.learn_many(world.rows(early), listeners=early.tolist())
    models = [taught.snapshot(1, 1.0)]
    for _ in range(10):
        taught.learn_many(world.rows(np.arange(400)), listeners=list(range(400)))
    for version, wanted in enumerate((8, 8, 6, 9), 2):
        taught.n_cohorts = wanted
        models.append(taught.snapshot(version, float(version)))
    assert [len(model.cohort_ids) for model in models] == [4, 8, 8, 6, 9]
    living: set[str] = set()
    for model in models:
        living |= set(model.cohort_ids)
        for cohort, parent, born in zip(model.cohort_ids, model.parents, model.born, strict=True):
            assert (parent == "") == (born == 1.0)
            assert not parent or (parent in living and int(parent[1:]) < int(cohort[1:]))
        assert set(model.heirs) == living - set(model.cohort_ids)
        assert set(model.heirs.values()) <= living | {""}


def test_a_model_of_few_batches_has_centres_where_its_listeners_are(world: World) -> None:
    taught = learner()
    taught.learn_many(world.rows(np.arange(100)), listeners=list(range(100)))
    taught.snapshot(1, 0.0)
    taught.learn_many(world.rows(np.arange(400)), listeners=list(range(400)))
    model = taught.snapshot(2, 1.0)
    tastes = unit(taste(rows_of(world, model), model.factors))
    cohorts = model.assign(tastes)
    means = np.array([tastes[cohorts == row].mean(axis=0) for row in range(len(model.cohort_ids))])
    off = ((means - model.centers) ** 2).sum(axis=1)
    assert off @ model.sizes < 0.01 * ((tastes - means[cohorts]) ** 2).sum()


def test_more_cohorts_are_split_off_and_name_their_parents(world: World) -> None:
    taught = learner(n_cohorts=6)
    teach(taught, world)
    six = taught.snapshot(1, 0.0)
    taught.n_cohorts = 8
    eight = taught.snapshot(2, 1.0)
    assert eight.cohort_ids[:6] == six.cohort_ids
    assert set(eight.cohort_ids[6:]) == {"c7", "c8"}
    assert set(eight.parents[6:]) <= set(six.cohort_ids)
    cohorts = eight.assign(taste(rows_of(world, eight), eight.factors))
    assert all(np.bincount(cohorts[world.scene == scene]).max() > 40 for scene in range(8))


def test_fewer_cohorts_are_joined_and_name_their_heirs(world: World) -> None:
    taught = learner()
    teach(taught, world)
    eight = taught.snapshot(1, 0.0)
    taught.n_cohorts = 6
    six = taught.snapshot(2, 1.0)
    assert set(six.cohort_ids) < set(eight.cohort_ids)
    assert set(six.heirs) == set(eight.cohort_ids) - set(six.cohort_ids)
    assert set(six.heirs.values()) <= set(six.cohort_ids)
    tastes = [taste(rows_of(world, model), model.factors) for model in (eight, six)]
    row_of = {cohort: row for row, cohort in enumerate(six.cohort_ids)}
    went = [eight.cohort_ids[row] for row in eight.assign(tastes[0])]
    expected = np.array([row_of[six.heirs.get(cohort, cohort)] for cohort in went])
    assert (six.assign(tastes[1]) != expected).mean() < 0.03


def test_activity_may_weigh_otherwise_after_a_restart(world: World) -> None:
    one = learner()
    teach(one, world)
    model = one.snapshot(1, 0.0)
    other = CohortLearner.from_model(model, n_cohorts=8, activity=0.0)
    teach(other, world)
    later = other.snapshot(2, 1.0)
    assert (model.activity, later.activity) == (ACTIVITY, 0.0)
    assert np.linalg.norm(later.means, axis=1).max() <= 1.0, "no taste counts more than another"


def test_a_play_of_now_never_becomes_older_not_even_by_a_restart(world: World) -> None:
    one = learner()
    teach(one, world)
    for play_now in (8.0, 2.0):
        one.learn_many([(["a"], [1.0])], ["u"], play_now=play_now)
    other = CohortLearner.from_model(one.snapshot(1, 0.0), n_cohorts=8)
    teach(other, world)
    assert (other.snapshot(2, 1.0).play_now, other.snapshot(3, 1.0).faded) == (8.0, 1.0)


def test_the_number_of_cohorts_may_change_after_a_restart(world: World) -> None:
    taught = learner()
    teach(taught, world)
    resumed = CohortLearner.from_model(taught.snapshot(1, 0.0), n_cohorts=5, seed=5)
    teach(resumed, world, seed=99)
    assert len(resumed.snapshot(2, 1.0).cohort_ids) == 5


def test_labels_of_a_steady_stream_stay(world: World) -> None:
    taught = learner()
    teach(taught, world)
    labels = []
    for version in range(1, 6):
        teach(taught, world, batches=3, seed=version)
        labels.append(taught.snapshot(version, 0.0).labels)
    changed = [sum(a != b for a, b in zip(*pair, strict=True)) for pair in pairwise(labels)]
    assert sum(changed) <= 1


def test_there_are_fewer_cohorts_while_there_are_few_listeners(world: World) -> None:
    taught = learner()
    taught.learn_many(world.rows(np.arange(20)), listeners=list(range(20)))
    few = taught.snapshot(1, 0.0)
    assert 1 <= len(few.cohort_ids) <= 4
    assert (few.sizes > 0).all()
    teach(taught, world)
    assert len(taught.snapshot(2, 1.0).cohort_ids) == 8


def test_the_least_heard_artists_are_forgotten_when_there_are_too_many() -> None:
    world = make_world()
    bounded = learner(max_artists=100)
    teach(bounded, world)
    model = bounded.snapshot(1, 0.0)
    assert len(model.artists) <= 125
    heard = np.asarray((world.plays > 0).sum(axis=0)).ravel()
    kept = [heard[world.artists.index(artist)] for artist in model.artists]
    assert np.mean(kept) > 1.1 * heard.mean()
    tastes = taste(rows_of(world, model), model.factors)
    assert np.isfinite(tastes).all()


def test_a_listener_counts_once_however_often_seen(world: World) -> None:
    taught = learner()
    for _ in range(3):
        taught.learn_many(world.rows(np.arange(50)), listeners=list(range(50)))
    model = taught.snapshot(1, 0.0)
    assert model.listeners == model.sizes.sum() == 50
    assert model.holders.max() <= 50
    assert model.holders.sum() == world.plays[:50].nnz


def test_listeners_without_names_are_all_different(world: World) -> None:
    taught = learner()
    taught.learn_many(world.rows(np.arange(30)))
    taught.learn_many(world.rows(np.arange(30)))
    assert taught.listeners == 60


def test_labels_are_the_names_that_people_know(world: World) -> None:
    taught = learner()
    teach(taught, world, batches=5)
    model = taught.snapshot(1, 0.0, name=lambda artist: f"The {artist.upper()}s")
    assert all(label.startswith("The S") for label in model.labels)
    assert len(set(model.labels)) == 8


def test_an_empty_row_is_no_harm(world: World) -> None:
    taught = learner()
    teach(taught, world, batches=3)
    taught.learn_many([([], np.zeros(0)), (["s0a0"], [-2.0])], listeners=["silent", "skipper"])
    model = taught.snapshot(1, 0.0)
    assert np.isfinite(model.centers).all()


def test_stored_weights_of_later_years_give_the_same_model(world: World) -> None:
    models = []
    for scale in (1.0, 2.0**960):
        taught = learner()
        scaled = World(csr_matrix(world.plays * scale), world.scene, world.artists)
        teach(taught, scaled, batches=5)
        models.append(taught.snapshot(1, 0.0))
    np.testing.assert_allclose(models[0].vectors, models[1].vectors, atol=1e-5)
    assert models[0].sizes.tolist() == models[1].sizes.tolist()


def test_without_listeners_there_is_no_model() -> None:
    with pytest.raises(ValueError, match="ready"):
        learner().snapshot(1, 0.0)


def test_listeners_of_one_artist_are_one_cohort() -> None:
    taught = learner()
    for batch in range(0, 600, 100):
        rows = [(["ana"], [1.0 + number % 3]) for number in range(batch, batch + 100)]
        taught.learn_many(rows, [f"u{number}" for number in range(batch, batch + 100)])
    assert taught.ready(500)
    for version in range(1, 4):
        model = taught.snapshot(version, 0.0)
        assert model.sizes.tolist() == [600]
        assert model.cohort_ids == ("c1",)


def test_there_are_as_many_cohorts_as_distinct_tastes() -> None:
    taught = learner()
    rows = [([f"a{number % 5}", f"a{number % 5 + 1}"], [2.0, 1.0]) for number in range(500)]
    for version in range(1, 4):
        taught.learn_many(rows, [f"u{number}" for number in range(500)])
        assert taught.snapshot(version, 0.0).sizes.tolist() == [100] * 5


def test_who_likes_nothing_makes_no_model() -> None:
    taught = learner()
    taught.learn_many([(["ana", "bo"], [-1.0, 0.0])] * 20, [f"u{number}" for number in range(20)])
    assert not taught.ready(1)
    taught.learn_many([(["ana"], [1.0]), (["bo"], [-1.0])], ["v", "w"])
    assert taught.ready(1)
    assert taught.snapshot(1, 0.0).listeners == 1


def test_who_only_skipped_an_artist_does_not_play_them() -> None:
    taught = learner()
    rows = [(["ana", "x"], [1.0, -0.5])] * 49 + [(["ana", "x"], [1.0, 1.0])]
    taught.learn_many(rows, [f"u{number}" for number in range(50)])
    model = taught.snapshot(1, 0.0)
    assert model.heard_by(model.known(["ana", "x"])).tolist() == [50, 1]
    assert model.listeners == 50

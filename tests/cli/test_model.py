from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from consumers.actions.use_model import follow_sweep
from models.ctr import FEATURES, CtrModel
from models.quality.prequential import Prequential
from models.traits.churn import ChurnModel
from models.traits.churn_span import Span
from stream.connect import AnyRedis
from stream.errors import NotMigrated
from stream.settings import Settings
from stream.stores import keys
from stream.stores.churn import ChurnStore, LearnedChurn
from stream.stores.cohorts import APART, Cohorts
from stream.stores.ctr_models import CtrModels
from stream.stores.listeners import Listeners
from stream.stores.snapshots import Snapshots
from stream.stores.sweeps import Sweeps
from tests.apart import WithRedis
from tests.cli.service import NOW, model_of
from tests.refrain_command import Refrain


def publish(version: int) -> Callable[[AnyRedis], Awaitable[None]]:
    return lambda redis: Snapshots(redis).publish(model_of(version, NOW + version))


def serves(with_redis: WithRedis) -> object:
    return with_redis(lambda redis: Snapshots(redis).current())


def test_snapshots_are_listed_newest_first(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(publish(5))
    found = refrain.asked("model", "list")["models"]
    assert [(m["version"], m["serves"]) for m in found] == [(5, True), (4, False)]
    assert all(m["bytes"] > 1000 for m in found)
    assert "serves" in refrain.run("model", "list").stdout


def test_each_snapshot_is_listed_in_one_line_of_80_columns(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    foresight = dict.fromkeys(("auc_cohort", "lift_cohort", "auc_listener", "lift_listener"), 11.1)
    model = replace(model_of(1005, NOW), validation={**foresight, "discoveries": 3000.0})
    with_redis(lambda redis: Snapshots(redis).publish(model))
    refrain.asked("model", "use", "1005", "--pin")
    header, newest, *_ = refrain.run("model", "list").stdout.splitlines()
    assert header.split() == ["version", "made", "size", "by", "cohort", "one", "by", "one"]
    assert newest.split()[0] == "1005"
    assert newest.split()[-6:] == ["11.1", "x", "11.1", "x", "serves,", "pinned"]


def test_there_is_no_snapshot_0(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("model", "show", "0")
    assert failed.returncode == 1
    assert "there is no snapshot 0" in failed.stderr


def test_a_snapshot_says_what_it_holds(service: Settings, refrain: Refrain) -> None:
    found = refrain.asked("model", "show")
    assert (found["version"], found["clicks"], found["artists"], found["dims"]) == (4, 70, 3, 2)
    assert [c["label"] for c in found["cohorts"]] == ["Radiohead", "Sigur Rós, [bold]Björk"]
    assert "Sigur Rós, [bold]Björk" in refrain.run("model", "show", "4").stdout


def test_a_version_that_was_asked_for_serves_until_the_next_is_published(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(publish(5))
    assert refrain.asked("model", "use", "4") == {"serves": 4, "pinned": None}
    assert serves(with_redis) == 4
    with_redis(publish(6))
    assert serves(with_redis) == 6


def test_a_version_that_was_pinned_serves_until_another_is_asked_for(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(publish(5))
    assert refrain.asked("model", "use", "4", "--pin") == {"serves": 4, "pinned": 4}
    for version in range(6, 20):  # more than are kept
        with_redis(publish(version))
    assert serves(with_redis) == 4
    assert refrain.asked("model", "list")["pinned"] == 4
    assert "pinned" in refrain.run("model", "list").stdout
    assert refrain.asked("model", "show", "4")["serves"]
    assert refrain.asked("model", "use", "newest") == {"serves": 19, "pinned": None}
    with_redis(publish(20))
    assert serves(with_redis) == 20
    assert len(refrain.asked("model", "list")["models"]) == 10


def test_the_newest_may_be_pinned_too(service: Settings, refrain: Refrain, with_redis: WithRedis) -> None:
    with_redis(publish(5))
    assert refrain.asked("model", "use", "newest", "--pin") == {"serves": 5, "pinned": 5}
    with_redis(publish(6))
    assert serves(with_redis) == 5


def test_cohorts_are_called_what_the_version_that_serves_calls_them(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    async def newer(redis: AnyRedis) -> None:
        model = replace(model_of(5, NOW + 5), labels=("Other", "Names"))
        await Cohorts(redis, Listeners(redis)).describe(model, model.standing_out(APART), 3600)
        await Snapshots(redis).publish(model)

    with_redis(newer)
    for version, label in (("4", "Radiohead"), ("newest", "Other")):
        refrain.asked("model", "use", version)
        found = json.loads(refrain.run("cohort", "c1", "--json").stdout)
        assert (found["label"], found["size"]) == (label, 3)


def sweeping(met: int, done: int = 0) -> Callable[[AnyRedis], Awaitable[None]]:
    async def note(redis: AnyRedis) -> None:
        sweeps = Sweeps(redis)
        await sweeps.begin(4, 7, NOW)
        await sweeps.add(met)
        if done:
            await sweeps.end(done)

    return note


def test_how_many_listeners_are_migrated_is_shown(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    assert refrain.asked("model", "list")["sweep"] is None
    with_redis(sweeping(met=5))
    sweep = refrain.asked("model", "list")["sweep"]
    assert sweep == {"version": 4, "met": 5, "listeners": 7, "began_at": NOW, "done": 0}
    assert "5 of 7 listeners are migrated to model 4" in refrain.run("model", "list").stdout
    with_redis(sweeping(met=5, done=4))
    assert "all 7 listeners are migrated to model 4" in refrain.run("model", "list").stdout


def test_nobody_is_waited_for_where_no_ingester_runs(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("model", "use", "4", "--wait")
    assert failed.returncode == 1
    assert "no ingester runs" in failed.stderr
    assert "model 4 serves" in failed.stdout


def test_a_version_that_another_has_replaced_is_waited_for_no_longer(
    service: Settings, with_redis: WithRedis
) -> None:
    with_redis(publish(5))
    with pytest.raises(NotMigrated, match="model 5 serves by now, not 4"):
        with_redis(lambda redis: anext(follow_sweep(redis, 4)))


def test_a_damaged_snapshot_cannot_be_chosen(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(publish(5))
    with_redis(lambda redis: redis.setrange(keys.model(4), 200, b"?!"))
    failed = refrain.run("model", "use", "4")
    assert failed.returncode == 1
    assert "snapshot 4 is damaged" in failed.stderr
    assert serves(with_redis) == 5


def test_a_snapshot_that_is_not_there_is_told(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("model", "show", "77")
    assert failed.returncode == 1
    assert "there is no snapshot 77" in failed.stderr


def ctr_model(version: int, **more: Any) -> CtrModel:
    return CtrModel(version=version, created_at=NOW + version, examples=1000 * version, clicks=100, **more)


def test_models_of_who_clicks_are_listed_the_newest_first(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    assert "nothing is learned of clicks yet" in refrain.run("model", "clicks").stdout
    figures = {"auc": 0.71, "calibration_error": 0.012, "log_loss": 0.31, "log_loss_of_ctr": 0.33}
    coefficients = np.zeros(1 + len(FEATURES))
    coefficients[1 + FEATURES.index("listener_ctr")] = 0.5

    async def publish_all(redis: AnyRedis) -> None:
        for version in (1, 2):
            await CtrModels(redis).publish(ctr_model(version, validation=figures, coefficients=coefficients))

    with_redis(publish_all)
    found = json.loads(refrain.run("model", "clicks", "--json").stdout)
    assert [(each["version"], each["serves"], each["examples"]) for each in found] == [
        (2, True, 2000),
        (1, False, 1000),
    ]
    assert found[0]["foresight"] == figures
    shown = refrain.run("model", "clicks").stdout
    assert "0.71" in shown
    assert "listener ctr +0.50" in shown


def test_an_earlier_model_of_who_clicks_serves_when_asked_for(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    async def publish_all(redis: AnyRedis) -> None:
        for version in (1, 2):
            await CtrModels(redis).publish(ctr_model(version))

    with_redis(publish_all)
    for version in (1, 0):
        found = json.loads(refrain.run("model", "clicks", "--use", str(version), "--json").stdout)
        assert [each["version"] for each in found if each["serves"]] == ([version] if version else [])
    failed = refrain.run("model", "clicks", "--use", "7")
    assert (failed.returncode, "there is no CTR model 7" in failed.stderr) == (1, True)


def test_a_model_of_who_clicks_that_cannot_be_read_is_listed_as_such_beside_the_others(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    async def publish_all(redis: AnyRedis) -> None:
        for version in (1, 2):
            await CtrModels(redis).publish(ctr_model(version))
        await redis.hset(keys.CTR_MODELS, "2", b"?!")

    with_redis(publish_all)
    found = refrain.asked("model", "clicks", "--use", "0")
    assert [(each["version"], each["examples"], each["created_at"]) for each in found] == [
        (2, 0, None),
        (1, 1000, NOW + 1),
    ]
    assert "CTR model 2 cannot be read" in found[0]["unusable"]
    assert found[1]["unusable"] is None
    shown = refrain.run("model", "clicks").stdout
    assert "unusable" in shown
    assert "CTR model 2 cannot be read" in shown
    failed = refrain.run("model", "clicks", "--use", "2")
    assert (failed.returncode, "CTR model 2 cannot be read" in failed.stderr) == (1, True)


def learn_churn(judged: int) -> Callable[[AnyRedis], Awaitable[object]]:
    random = np.random.default_rng(0)
    plays, gone = random.poisson(3.0, (800, 1)).astype(float), random.random(800) < 0.25
    model, quality = ChurnModel(["freq_P_last_7"]), Prequential()
    model.learn(plays, gone)
    quality.add(np.where(gone[:judged], 0.6, 0.2), gone[:judged])
    learned = LearnedChurn(model, quality, Span(30, 14), 1, NOW, 20_000)
    return lambda redis: ChurnStore(redis).keep(learned, instead_of=0)


def test_how_well_churn_is_predicted_is_shown(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    assert "nothing is learned of churn yet" in refrain.run("model", "churn").stdout
    assert refrain.asked("model", "churn") is None
    assert refrain.asked("model", "list")["churn"] is None
    with_redis(learn_churn(judged=800))
    found = refrain.asked("model", "churn")
    assert (found["version"], found["outcome"], found["examples"]) == (1, 14, 800)
    assert found["foresight"]["auc"] == pytest.approx(1.0)
    assert "AUC 1.000" in refrain.run("model", "churn").stdout
    assert refrain.asked("model", "list")["churn"] == found
    assert "churn, version 1: learned from 800 examples; AUC 1.000" in refrain.run("model", "list").stdout


def test_before_predictions_of_churn_are_judged_that_is_said(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(learn_churn(judged=100))
    assert "no prediction has been judged yet" in refrain.run("model", "churn").stdout

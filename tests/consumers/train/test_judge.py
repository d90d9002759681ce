"""The judge of a trainer: by what listeners discover, before anybody learns from it."""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import redis

from consumers.ingest.ingester import ingest
from consumers.train import judge as judging
from consumers.train.judge import Judge
from consumers.train.trainer import train
from models.cohort_learner import CohortLearner
from models.model import Model
from models.quality.validation import Comparison
from stream.settings import Settings
from stream.stores.snapshots import Snapshots
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.kept import asked, heartbeat
from tests.consumers.running import Running
from tests.consumers.scenes import clicking, learning
from tests.waiting import wait_for

SCENES = [[f"s{scene} a{artist}" for artist in range(15)] for scene in range(6)]
EVERYTHING = [artist for scene in SCENES for artist in scene]

Row = tuple[list[str], list[float]]


def played(seed: int, number: int = 500) -> list[Row]:
    """Listeners of six scenes, eight artists each."""
    rng = random.Random(seed)  # noqa: S311 - made up, no secret
    return [(rng.sample(SCENES[at % 6], 8), [1.0] * 8) for at in range(number)]


def learned(n_cohorts: int = 6) -> Model:
    learner = CohortLearner(n_cohorts=n_cohorts, n_dims=6)
    learner.learn_many(played(1))
    return learner.snapshot(1, 0.0)


def drifts(judge: Judge, near: float, far: float, vectors: str) -> bool:
    """Whether a rise of distances, as vectors of that kind begin to serve, is taken for drift."""
    model = learned()
    judge.learned(dataclasses.replace(model, settings={**model.settings, "vectors": "leading"}))
    assert not any(judge.distorted(near) for _ in range(400))
    judge.learned(dataclasses.replace(model, settings={**model.settings, "vectors": vectors}))
    return any(judge.distorted(far) for _ in range(400))


def test_distances_along_vectors_of_another_kind_are_no_drift() -> None:
    assert drifts(Judge(), 0.2, 0.7, vectors="leading")
    assert not drifts(Judge(), 0.2, 0.7, vectors="long tail")


def spoiled(model: Model) -> Model:
    """The same with artists mixed up: it predicts nothing."""
    order = np.random.default_rng(1).permutation(len(model.artists))
    return dataclasses.replace(model, vectors=model.vectors[order])


def heavier(rows: Sequence[Row], weight: float) -> list[Row]:
    """The same listeners at a time when one play is stored as so much."""
    return [(artists, [weight] * len(stored)) for artists, stored in rows]


def discover(
    judge: Judge,
    rows: Sequence[Row],
    seed: int,
    *,
    elsewhere: bool = False,
    weight: float = 1.0,
    listeners: int = judging.HOLDOUT_FROM,
) -> bool:
    """Each listener discovers the last of their artists, or one of any scene; whether that is drift."""
    rng = random.Random(seed)  # noqa: S311 - made up, no secret
    drifts = False
    for at in range(0, len(rows), 25):
        part = [([*a[:-1], rng.choice(EVERYTHING) if elsewhere else a[-1]], w) for a, w in rows[at : at + 25]]
        users = [f"u{seed} {at + i}" for i in range(len(part))]
        added: Mapping[str, Mapping[str, float]] = {
            user: {artists[-1]: weight} for user, (artists, _) in zip(users, part, strict=True)
        }
        drifts = judge.see(users, part, added, listeners) or drifts
    return drifts


@pytest.fixture(scope="module")
def _who_has_seen() -> Judge:
    judge = Judge()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "HOLDOUT", 2)
        judge.serves(learned())
        for seed in range(2, 6):
            discover(judge, played(seed), seed)
    return judge


@pytest.fixture
def judge(_who_has_seen: Judge, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """A judge who has seen half of all listeners discover within their scenes."""
    monkeypatch.setattr(judging, "HOLDOUT", 2)
    return copy.deepcopy(_who_has_seen)


def test_what_the_live_model_predicted_is_measured(judge: Judge) -> None:
    assert judge.figures()["auc_cohort"] > 0.8
    assert judge.figures()["lift_listener"] > 3


def test_what_was_learned_of_play_rates_stays_while_a_model_serves_for_months(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judging, "HOLDOUT", 2)
    model = dataclasses.replace(learned(), play_now=1.0)
    later, steady = Judge(), Judge()
    for judge, weight in ((steady, 1.0), (later, 2.0**8)):
        judge.serves(model)
        judge.renew(weight)
        for seed in range(2, 6):
            discover(judge, heavier(played(seed), weight), seed, weight=weight)
    np.testing.assert_allclose(later.play_rate, steady.play_rate, rtol=1e-6)
    assert later.figures() == steady.figures()


def test_a_candidate_that_predicts_nothing_is_worse(judge: Judge) -> None:
    assert judge.compare(spoiled(learned())).worse


def test_a_candidate_as_good_is_not_worse(judge: Judge) -> None:
    assert not judge.compare(learned()).worse


def test_one_that_weighs_activity_otherwise_is_asked_for(judge: Judge) -> None:
    assert not judge.candidate(learned(), trial=False).asked_for
    assert judge.candidate(dataclasses.replace(learned(), activity=0.0), trial=False).asked_for


def test_before_anything_serves_no_candidate_is_worse() -> None:
    assert not Judge().compare(learned()).worse


def test_only_more_cohorts_than_before_are_a_trial(judge: Judge) -> None:
    assert judge.trial(learned(n_cohorts=6)) is None
    trial = judge.trial(learned(n_cohorts=12))
    assert trial is not None
    assert trial.discoveries > 0


def test_listening_that_changes_is_noticed(judge: Judge) -> None:
    assert not discover(judge, played(7, 1000), 7)
    assert discover(judge, played(8, 4000), 8, elsewhere=True)


def test_nobody_is_held_out_where_there_are_few() -> None:
    users = [f"u{number}" for number in range(1000)]
    assert not any(Judge().holds_out(user, judging.HOLDOUT_FROM - 1) for user in users)
    held_out = sum(Judge().holds_out(user, judging.HOLDOUT_FROM) for user in users)
    assert 0.5 / judging.HOLDOUT < held_out / len(users) < 2 / judging.HOLDOUT


def test_nobody_judges_who_is_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "HOLDOUT", 2)
    judge = Judge()
    judge.serves(learned())
    discover(judge, played(2, 1600), 2, listeners=judging.HOLDOUT_FROM - 1)
    assert judge.figures(), "what serves is judged by all"
    assert not judge.judges
    assert not judge.compare(spoiled(learned())).worse


FEW = 40  # listeners to learn from: of the scenes' 120 half judge


@pytest.fixture
def soon_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of all listeners judge, however few they are."""
    monkeypatch.setattr(judging, "HOLDOUT", 2)
    monkeypatch.setattr(judging, "HOLDOUT_FROM", 0)
    monkeypatch.setattr("models.quality.live.ENOUGH_CROWD", 50)
    monkeypatch.setattr("models.quality.validation.ENOUGH", 60)


def figures_of_what_serves(db: redis.Redis) -> str:
    return db.hget("models:foresight", str(db.get("model:current"))) or ""


@pytest.mark.usefixtures("soon_judged")
def test_the_trainer_does_not_publish_what_is_worse(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = CohortLearner.snapshot

    def snapshot(learner: CohortLearner, version: int, now: float) -> Model:
        model = honest(learner, version, now)
        # Not before one serves that was published with figures.
        return spoiled(model) if "auc_listener" in figures_of_what_serves(db) else model

    monkeypatch.setattr(CohortLearner, "snapshot", snapshot)
    with (
        clicking(log),
        Running(ingest, settings),
        Running(train, learning(settings, first_model_listeners=FEW)),
    ):
        wait_for(lambda: int(heartbeat(db).get("refused", 0)) >= 2, "candidates that are refused")
        serving = int(db.get("model:current") or 0)
    model = asked(settings, lambda store: store.load(serving))
    assert model.validation["auc_listener"] > 0.6
    assert {"auc_cohort", "lift_cohort", "lift_listener", "discoveries"} <= model.validation.keys()


@pytest.mark.usefixtures("soon_judged")
def test_what_the_settings_ask_for_is_published_though_it_is_worse(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = CohortLearner.snapshot

    def snapshot(learner: CohortLearner, version: int, now: float) -> Model:
        model = honest(learner, version, now)
        if int(heartbeat(db).get("refused", 0)):
            return dataclasses.replace(spoiled(model), activity=0.0)
        return spoiled(model) if "auc_listener" in figures_of_what_serves(db) else model

    def activity() -> float:
        serving = int(db.get("model:current") or 0)
        return asked(settings, lambda store: store.load(serving)).activity if serving else -1.0

    monkeypatch.setattr(CohortLearner, "snapshot", snapshot)
    with (
        clicking(log),
        Running(ingest, settings),
        Running(train, learning(settings, first_model_listeners=FEW)),
    ):
        wait_for(lambda: activity() == 0.0, "the model that is asked for")
        assert int(heartbeat(db)["refused"]) >= 1


def test_a_candidate_is_compared_with_the_version_that_serves_also_an_earlier_one(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int | None, int]] = []
    honest = Judge.compare

    def compare(judge: Judge, candidate: Model) -> Comparison:
        compared.append((judge.judged, candidate.version))
        return honest(judge, candidate)

    monkeypatch.setattr(Judge, "compare", compare)
    with clicking(log), Running(ingest, settings), Running(train, learning(settings)):
        wait_for(lambda: int(db.get("model:current") or 0) >= 3, "some models")
        assert all(judged == candidate - 1 for judged, candidate in compared[1:])
        asked(settings, lambda store: store.use(2, pin=True))
        wait_for(
            lambda: [judged for judged, _ in compared[-2:]] == [2, 2], "two compared with the pinned one"
        )
        newest = asked(settings, Snapshots.newest)
        asked(settings, lambda store: store.use(newest))
        wait_for(lambda: (compared[-1][0] or 0) > newest, "one compared with a newer one again")

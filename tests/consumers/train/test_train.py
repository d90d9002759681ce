"""From clicks to cohorts that serve, and from one model to the next."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import Counter
from contextlib import nullcontext

import numpy as np
import pytest
import redis

from consumers.ingest.ingester import ingest
from consumers.ingest.sweep import Sweeper
from consumers.runtime.wiring import decay_of
from consumers.train import active, schedule
from consumers.train.judge import Judge
from consumers.train.trainer import train
from models.model import Model
from stream.settings import Settings
from stream.stores import snapshots
from stream.stores.snapshots import Snapshots
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.kept import asked, heartbeat
from tests.consumers.redis_state import State, assert_agrees, read_state
from tests.consumers.running import Running
from tests.consumers.scenes import LISTENERS, SCENES, clicking, clicks, learning, put_names, scene_of
from tests.waiting import wait_for


def current(db: redis.Redis) -> int:
    return int(db.get("model:current") or 0)


def settled(db: redis.Redis, number: int) -> bool:
    """Whether a trainer has learned all that these clicks were applied to, and all are where it says."""
    trainer = heartbeat(db)
    learned = (trainer.get("clicks"), trainer.get("applied"), trainer.get("up_to_date")) == (
        str(number),
        str(number),
        "1",
    )
    return learned and "version" in trainer and db.hget("model:sweep", "done") == trainer["version"]


def learned(settings: Settings, log: KafkaLog, db: redis.Redis) -> State:
    """What is in Redis when everything has been learned from the clicks of all."""
    put_names(settings)
    log.send("clicks", clicks())
    with Running(ingest, settings), Running(train, learning(settings)):
        log.wait_until_caught_up("ingest", "clicks")
        wait_for(lambda: settled(db, len(clicks())), "a model of all of it")
    return read_state(settings.redis)


def main_scene(state: State, cohort: str) -> int:
    return Counter(scene_of(user) for user in state.members[cohort]).most_common(1)[0][0]


def test_listeners_of_one_scene_come_into_one_cohort(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    state = learned(settings, log, db)
    assert_agrees(state)
    cohorts = {cohort for cohort in state.members if cohort and state.members[cohort]}
    assert {main_scene(state, cohort) for cohort in cohorts} == set(range(len(SCENES)))
    at_home = [user for user, cohort in state.cohorts.items() if main_scene(state, cohort) == scene_of(user)]
    assert len(at_home) > 0.9 * len(LISTENERS)


def test_a_cohort_is_called_by_the_artists_that_set_it_apart(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    state = learned(settings, log, db)
    model = asked(settings, lambda store: store.load(current(db)))
    assert model.play_now == pytest.approx(decay_of(settings).stored(1.0, time.time()), rel=0.01)
    assert set(model.cohort_ids) == set(db.zrange("cohorts", 0, -1))
    assert len(set(model.labels)) == len(model.labels)
    for cohort, label in zip(model.cohort_ids, model.labels, strict=True):
        about = db.hgetall(f"cohort:{{{cohort}}}")
        assert about["label"] == label
        assert about["model_version"] == str(model.version)
        assert 0 < float(about["born"]) <= model.created_at
        scene = main_scene(state, cohort)
        # The catalogue does not know the last scene; its artists go by their ids.
        named = f"{SCENES[scene]} " if scene < len(SCENES) - 1 else f"artist-{scene}-"
        assert all(name.startswith(named) for name in label.split(", ")), label
        apart = db.zrange(f"cohort:{{{cohort}}}:artists", 0, -1, desc=True, withscores=True)
        assert apart[0][0].startswith(f"artist-{scene}-")
        assert all(ratio > 1 for _, ratio in apart)


def test_no_listeners_name_is_in_any_byte_of_a_snapshot(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    learned(settings, log, db)
    with redis.Redis.from_url(settings.redis) as client:
        kept = b"".join(client.get(key) for key in client.scan_iter("model:*") if key[6:].isdigit())
    assert b"artist-0-1" in kept
    for encoding in ("utf-8", "utf-16-le", "utf-32-le"):
        for part in ("Ünï", "\\u00dcn\\u00ef", "listener "):
            assert part.encode(encoding) not in kept


def test_the_first_model_waits_for_its_listeners_and_says_how_many_it_met(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    log.send("clicks", clicks(LISTENERS[:99]))
    with Running(ingest, settings), Running(train, learning(settings)):
        wait_for(lambda: heartbeat(db).get("sample") == "99", "99 listeners in the sample")
        rows = int(heartbeat(db).get("rows", 0))
        log.send("clicks", clicks(LISTENERS[:99], seed=2))
        wait_for(
            lambda: int(heartbeat(db).get("rows", 0)) > rows, "something learned from the same listeners"
        )
        assert current(db) == 0
        assert db.zrange("cohorts", 0, -1) == []
        log.send("clicks", clicks(LISTENERS[99:100]))
        wait_for(lambda: current(db) == 1, "the first model")
    assert asked(settings, lambda store: store.load(1)).listeners == 100


def test_listeners_of_clicks_that_were_passed_over_are_learned_from_once_ingesters_have_written_them(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(active, "SAMPLE", 5)
    log.send("clicks", clicks())
    with Running(train, learning(settings, first_model_listeners=len(LISTENERS))):
        wait_for(lambda: heartbeat(db).get("clicks") == str(len(clicks())), "all clicks looked through")
        wait_for(lambda: heartbeat(db).get("up_to_date") == "1", "nothing left to learn from")
        with Running(ingest, settings):
            wait_for(lambda: current(db) > 0, "a model of all listeners")


def test_old_snapshots_go_as_new_ones_come(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "KEPT", 3)
    with Running(ingest, settings), Running(train, learning(settings)), clicking(log):
        wait_for(lambda: current(db) >= 5, "some more models than are kept")
    last = current(db)
    assert [version for version, _ in asked(settings, Snapshots.versions)] == [last, last - 1, last - 2]
    assert {int(key[6:]) for key in db.scan_iter("model:*") if key[6:].isdigit()} == set(
        range(last - 2, last + 1)
    )


def test_a_version_that_was_chosen_serves_and_is_kept_until_the_newest_is_asked_for(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "KEPT", 3)
    with Running(ingest, settings), Running(train, learning(settings)), clicking(log):
        wait_for(lambda: current(db) >= 2, "two models")
        asked(settings, lambda store: store.use(2, pin=True))
        wait_for(lambda: not db.exists("model:3") and int(db.get("model:counter")) > 5, "training to go on")
        wait_for(lambda: db.hget("model:sweep", "done") == "2", "everybody to be placed by the chosen one")
        assert current(db) == 2
        assert db.exists("model:2")
        newest = asked(settings, Snapshots.newest)
        assert newest > 2
        asked(settings, lambda store: store.use(newest))
        wait_for(lambda: current(db) > newest, "a newer one to serve")
        wait_for(
            lambda: int(db.hget("model:sweep", "done") or 0) >= newest,
            "everybody to be placed by a newer one",
        )


def test_a_trainer_goes_on_where_the_last_one_stopped(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    before = learned(settings, log, db)
    last = asked(settings, lambda store: store.load(current(db)))
    assert last.clicks == len(clicks())
    more = clicks(each=2, seed=3)
    with Running(ingest, settings), Running(train, learning(settings)):
        log.send("clicks", more)
        log.wait_until_caught_up("ingest", "clicks")
        wait_for(lambda: settled(db, len(more)), "a model of all of it")
    after = read_state(settings.redis)
    following = asked(settings, lambda store: store.load(last.version + 1))
    final = asked(settings, lambda store: store.load(current(db)))
    assert following.cohort_ids == final.cohort_ids == last.cohort_ids
    assert (final.born == last.born).all()
    assert final.clicks == last.clicks + len(more)
    for cohort in last.cohort_ids:
        assert main_scene(after, cohort) == main_scene(before, cohort)


def test_what_was_learned_of_play_rates_stays_while_nobody_clicks_after_a_restart(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned(settings, log, db)
    last = asked(settings, lambda store: store.load(current(db)))
    shown = dataclasses.replace(last, version=last.version + 1, play_rate=last.play_rate**2)

    async def put(store: Snapshots) -> None:
        assert await store.next_version() == shown.version
        await store.publish(shown)

    asked(settings, put)
    monkeypatch.setattr(active, "SAMPLE", 5)  # those who are learned from once more make several models
    with Running(train, learning(settings)):
        wait_for(lambda: current(db) >= shown.version + 2, "two more models")
    after = asked(settings, lambda store: store.load(current(db)))
    np.testing.assert_allclose(after.play_rate, shown.play_rate)


def test_what_a_trainer_goes_on_from_is_judged_as_of_the_newest_click_though_nobody_clicks(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned(settings, log, db)
    last = asked(settings, lambda store: store.load(current(db)))
    old = dataclasses.replace(last, version=last.version + 1, play_now=last.play_now / 8)
    asked(settings, lambda store: store.publish(old))
    judged: list[Model] = []
    honest = Judge.serves

    def serves(judge: Judge, model: Model) -> None:
        judged.append(model)
        honest(judge, model)

    monkeypatch.setattr(Judge, "serves", serves)
    with Running(train, learning(settings)):
        wait_for(lambda: judged, "a model to be judged")
    assert judged[0].version == old.version
    assert judged[0].play_now == pytest.approx(last.play_now)


def test_the_next_model_comes_of_fewer_listeners_than_the_first_would_need(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    learned(settings, log, db)
    last = current(db)
    with Running(train, learning(settings, first_model_listeners=10 * len(LISTENERS))):
        wait_for(lambda: current(db) > last, "the next model")


@pytest.mark.parametrize("click_on", [False, True])
def test_a_trainer_says_where_listeners_are_too_few_for_the_next_model(
    settings: Settings, log: KafkaLog, db: redis.Redis, caplog: pytest.LogCaptureFixture, *, click_on: bool
) -> None:
    learned(settings, log, db)
    last = asked(settings, lambda store: store.load(current(db)))
    larger = dataclasses.replace(last, version=last.version + 1, listeners=10_000)
    asked(settings, lambda store: store.publish(larger))
    with (
        Running(train, learning(settings, cohorts=10, publish_at_latest=5.0)),
        clicking(log) if click_on else nullcontext(),
    ):
        wait_for(lambda: "no model is made" in caplog.text, "a word about it")
        assert current(db) == larger.version
    assert f"there are {len(LISTENERS)} by now, and 200 are needed" in caplog.text


def test_listeners_who_all_play_one_artist_are_one_cohort(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    log.send("clicks", [click | {"artist_ids": ["artist-0-1"]} for click in clicks()])
    with Running(ingest, settings), Running(train, learning(settings)):
        wait_for(lambda: current(db) > 0, "a model")
        wait_for(
            lambda: db.zrange("cohorts", 0, -1, withscores=True) == [("c1", len(LISTENERS))], "one cohort"
        )


def test_the_next_model_waits_until_all_are_placed_by_the_last(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rest(sweeper: Sweeper) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Sweeper, "run", rest)
    under_way = {"version": 1, "met": 0, "listeners": len(LISTENERS), "began_at": 0, "done": 0}
    db.hset("model:sweep", mapping=under_way)
    with Running(ingest, settings), Running(train, learning(settings)), clicking(log):
        wait_for(lambda: current(db) == 1, "the first model")
        rows = int(heartbeat(db).get("rows", 0))
        wait_for(lambda: int(heartbeat(db).get("rows", 0)) > rows + 5 * len(LISTENERS), "more to be learned")
        assert current(db) == 1
        db.hset("model:sweep", "done", 1)
        wait_for(lambda: current(db) == 2, "the next model")


def test_without_an_ingester_nobody_is_waited_for(settings: Settings, log: KafkaLog, db: redis.Redis) -> None:
    log.send("clicks", clicks())
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    with Running(train, learning(settings)):
        wait_for(lambda: current(db) >= 2, "two models, though nobody sweeps")


def test_models_that_rank_the_same_are_held_back(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "MOVED", 2.0)
    log.send("clicks", clicks(each=40))  # every artist is known to the first model
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
        with Running(train, learning(settings, publish_at_latest=10_000)), clicking(log):
            wait_for(lambda: int(heartbeat(db).get("held", 0)) >= 3, "candidates that are held back")
            held_beside = current(db)
            held = int(heartbeat(db)["held"])
            wait_for(lambda: int(heartbeat(db)["held"]) > held, "another")
            assert current(db) == held_beside

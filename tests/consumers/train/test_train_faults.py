"""Snapshots that cannot be used, and a Redis that is full or away while a trainer learns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from consumers.ingest.ingester import ingest
from consumers.runtime.live_model import LiveModel
from consumers.train.trainer import train
from consumers.work.worker import work
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores.snapshots import Snapshots
from tests.consumers import crowd
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.kept import DAMAGES, asked, heartbeat, put_damaged
from tests.consumers.own_redis import OwnRedis
from tests.consumers.running import Running
from tests.consumers.scenes import clicking, clicks, learning
from tests.consumers.test_faults import full
from tests.consumers.train.test_train import current, learned
from tests.waiting import wait_for


@contextmanager
def own_redis(settings: Settings, folder: Path) -> Iterator[tuple[OwnRedis, Settings]]:
    server = OwnRedis(folder)
    server.start()
    try:
        yield server, settings.model_copy(update={"redis": server.url})
    finally:
        server.kill()


@pytest.mark.parametrize("said", DAMAGES)
async def test_a_snapshot_that_cannot_be_used_leaves_the_last_good_one_serving(
    settings: Settings, caplog: pytest.LogCaptureFixture, said: str
) -> None:
    client = await open_redis(settings)
    snapshots = Snapshots(client)
    await snapshots.publish(crowd.crowd_model())
    serving = LiveModel(snapshots)
    await serving.refresh()
    version = await asyncio.to_thread(put_damaged, settings, DAMAGES[said])
    starting = LiveModel(snapshots)
    for live in (serving, starting):
        caplog.clear()
        for _ in range(3):
            await live.refresh()
        assert live.model is not None
        assert live.model.version == 1
        (word,) = [record.message for record in caplog.records if record.levelname == "ERROR"]
        assert word.startswith(f"snapshot {version} ")
        assert said in word
        assert "Model 1 serves" in word
    await snapshots.publish(crowd.crowd_model(version + 1))
    for live in (serving, starting):
        await live.refresh()
        assert live.model.version == version + 1
    await client.aclose()


async def test_where_no_snapshot_can_be_used_none_serves(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    client = await open_redis(settings)
    await client.set("model:current", 7)
    live = LiveModel(Snapshots(client))
    await live.refresh()
    assert live.model is None
    assert "there is no snapshot 7" in caplog.text
    assert "None serves until the next is published" in caplog.text
    await client.aclose()


def test_ingesters_and_workers_serve_on_with_the_last_good_model(
    settings: Settings, log: KafkaLog, db: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    crowd.publish(settings, crowd.crowd_model())
    crowd.put_songs(settings)
    with Running(ingest, settings), Running(work, settings):
        log.send("clicks", crowd.clicks(500))
        log.wait_until_caught_up("ingest", "clicks")
        put_damaged(settings, DAMAGES["is damaged"])
        wait_for(lambda: caplog.text.count("Model 1 serves until") == 2, "a word from both")
        log.send("clicks", [crowd.click("new", "artist 1", "artist 2")])
        wait_for(lambda: db.hget("user:{new}", "cohort"), "a new listener to be placed")
        log.send("releases", [{"release_id": "r", "artist_ids": ["artist 1"]}])
        wait_for(lambda: any(page.get("done") for page in log.events("audiences")), "an audience")
    assert {change["model_version"] for change in log.events("cohort-changes")} == {1}
    assert {page["model_version"] for page in log.events("audiences") if "page" in page} == {1}


def test_a_trainer_goes_on_from_the_last_good_snapshot_and_gives_no_number_twice(
    settings: Settings, log: KafkaLog, db: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    learned(settings, log, db)
    good = asked(settings, lambda store: store.load(current(db)))
    bad = {said: put_damaged(settings, damage) for said, damage in DAMAGES.items()}
    # The snapshots that are lost had more cohorts; the settings ask for more now.
    db.set("model:next-cohort", 50)
    caplog.set_level(logging.INFO, "consumers")
    with Running(train, learning(settings, cohorts=6)):
        wait_for(lambda: current(db) > max(bad.values()), "a new model")
        wait_for(lambda: heartbeat(db).get("up_to_date") == "1", "all to be learned")
    for said, version in bad.items():
        assert f"snapshot {version} " in caplog.text
        assert said in caplog.text
    assert f"going on from model {good.version}" in caplog.text
    model = asked(settings, lambda store: store.load(current(db)))
    assert model.clicks >= good.clicks
    assert set(good.cohort_ids) | {"c50", "c51"} == set(model.cohort_ids)


def test_a_trainer_of_other_dimensions_gives_no_number_twice(
    settings: Settings, log: KafkaLog, db: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    learned(settings, log, db)
    before = asked(settings, lambda store: store.load(current(db)))
    with Running(train, learning(settings, dims=6)):
        wait_for(lambda: current(db) > before.version, "a new model")
    after = asked(settings, lambda store: store.load(current(db)))
    assert (before.n_dims, after.n_dims) == (8, 6)
    assert not set(before.cohort_ids) & set(after.cohort_ids)
    assert "learning from the beginning" in caplog.text


def test_a_trainer_goes_on_when_a_redis_that_was_killed_is_back(
    settings: Settings, log: KafkaLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        own_redis(settings, tmp_path / "own redis") as (server, own),
        server.client() as db,
        Running(ingest, own),
        Running(train, learning(own)),
        clicking(log),
    ):
        wait_for(lambda: current(db) >= 2, "some models")
        server.kill()
        wait_for(lambda: "Redis does not answer" in caplog.text, "a word about it")
        server.start()
        last = current(db)
        wait_for(lambda: current(db) > last, "the next model")


def test_a_trainer_publishes_when_a_full_redis_has_room_again(
    settings: Settings, log: KafkaLog, db: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    log.send("clicks", clicks())
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    with Running(train, learning(settings)):
        wait_for(lambda: current(db) >= 1, "a model")
        with full(db):
            log.send("clicks", clicks(each=1, seed=2))
            wait_for(lambda: "Redis takes no more writes" in caplog.text, "a word about it")
            last = current(db)
        wait_for(lambda: current(db) > last, "the next model")


def test_a_trainer_ends_well_while_redis_is_away(
    topics: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with own_redis(topics, tmp_path / "own redis") as (server, own), Running(train, own) as running:
        with server.client() as db:
            wait_for(lambda: db.get("model:lease"), "it to lead")
        server.kill()
        wait_for(lambda: "Redis does not answer" in caplog.text, "a word about it")
        running.stop()

"""Back to an earlier model while clicks flow and releases are answered."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import redis

from consumers.ingest.ingester import ingest
from consumers.train.publish import Publisher
from consumers.train.schedule import Reason
from consumers.work.worker import work
from models.model import Model
from stream.connect import open_redis
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import taste_codec as tastes
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.heartbeats import Heartbeat
from stream.stores.lease import Lease
from stream.stores.listeners import Listeners
from stream.stores.snapshots import Snapshots
from stream.stores.song_models import SongModels
from tests.consumers.crowd import COHORTS, LISTENERS, click, clicks, crowd_model, publish, put_songs
from tests.consumers.desk import Desk
from tests.consumers.durable import durable
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.kept import asked
from tests.consumers.redis_state import State, assert_agrees, read_state
from tests.consumers.running import Running
from tests.refrain_command import Refrain
from tests.waiting import wait_for

BUSY = LISTENERS[::2]
"""They go on clicking."""
QUIET = LISTENERS[1::2]


class Load(threading.Thread):
    """Clicks that go on until the test has seen enough."""

    def __init__(self, log: KafkaLog) -> None:
        super().__init__()
        self._log = log
        self._ended = threading.Event()
        self.sent = 0

    def run(self) -> None:
        users = itertools.cycle(BUSY)
        while not self._ended.wait(0.02):
            some = [click(next(users), f"artist {(self.sent + at) % 40}") for at in range(20)]
            self.sent += len(self._log.send("clicks", some))

    def end(self) -> None:
        self._ended.set()
        self.join()


@contextmanager
def load(log: KafkaLog) -> Iterator[Load]:
    running = Load(log)
    running.start()
    try:
        yield running
    finally:
        running.end()


def migrated(db: redis.Redis, version: int) -> bool:
    return bool(db.hget("model:sweep", "done") == str(version))


def where(state: State, users: tuple[str, ...]) -> dict[str, tuple[str, bytes]]:
    return {user: (state.cohorts[user], state.tastes[user]) for user in users}


def assigned(model: Model, state: State) -> np.ndarray:
    return model.assign(tastes.unpack([state.tastes[user] for user in QUIET], model.n_dims))


def test_rolled_back_under_load_all_is_as_it_was_and_every_click_counts(
    desk: Desk, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    settings = desk.settings
    put_songs(settings)
    publish(settings, crowd_model(1))
    history = list(clicks(3000))
    log.send("clicks", history)
    with Running(ingest, settings), Running(work, settings):
        log.wait_until_caught_up("ingest", "clicks")
        publish(settings, crowd_model(2))
        wait_for(lambda: migrated(db, 2), "everybody to be migrated to model 2")
        before, model = read_state(settings.redis), asked(settings, lambda store: store.load(2))
        publish(settings, crowd_model(3))
        wait_for(lambda: migrated(db, 3), "everybody to be migrated to model 3")
        assert read_state(settings.redis).cohorts != before.cohorts

        release = itertools.count()

        def answered() -> tuple[set[int], int]:
            answer = desk.ask(f"r{next(release)}", "artist 1", max_audience=100)
            assert answer.summary["users"] == len(answer.told)
            return {page["model_version"] for page in answer.pages}, len(answer.told)

        # After a change of model: who has changed cohort is told once the worker has read that cohort again.
        with load(log) as clicking:
            wait_for(lambda: answered() == ({3}, 100), "releases to be answered by model 3")
            done = refrain.run("model", "use", "2", "--pin", "--wait")
            assert done.returncode == 0, done.stderr
            wait_for(lambda: answered() == ({2}, 100), "releases to be answered by model 2")
            publish(settings, crowd_model(4))  # pinned is pinned
            assert answered()[0] == {2}
            # Who changes cohort under this load is told once the worker has read that cohort again, too.
            wait_for(lambda: answered() == ({2}, 100), "100 listeners to be told by model 2")
            seen = clicking.sent
            wait_for(lambda: clicking.sent > seen + 500, "more clicks")
        log.wait_until_caught_up("ingest", "clicks")
        assert answered()[0] == {2}
        wait_for(lambda: answered() == ({2}, 100), "100 listeners to be told once nobody moves")
        wait_for(lambda: migrated(db, 2), "everybody to be met")
        after, again = read_state(settings.redis), asked(settings, lambda store: store.load(2))

    assert_agrees(after)
    assert after.clicks == len(history) + clicking.sent
    assert where(after, QUIET) == where(before, QUIET)
    for name in ("centers", "vectors", "spread"):
        assert np.array_equal(getattr(again, name), getattr(model, name))
    assert np.array_equal(assigned(again, after), assigned(model, before))
    assert {tastes.version(taste) for taste in after.tastes.values()} == {2}
    for user in BUSY:
        _assert_adds_up(after, user, model)
    assert asked(settings, Snapshots.current) == 2


def _assert_adds_up(state: State, user: str, model: Model) -> None:
    rows: dict[str, Any] = {a: model.factors[model.index[a]].astype(float) for a in state.artists[user]}
    parts = [np.sqrt(max(w, 0.0)) * rows[a] for a, w in state.artists[user].items()]
    taste = tastes.unpack([state.tastes[user]], model.n_dims)[0]
    assert taste == pytest.approx(np.sum(parts, axis=0), rel=2e-3, abs=2e-3 * np.abs(taste).max())


async def test_beside_a_pinned_model_cohorts_keep_the_names_that_it_gave_them(
    settings: Settings,
) -> None:
    client = await open_redis(settings)
    snapshots, listeners = Snapshots(client), Listeners(client)
    cohorts, heartbeat = Cohorts(client, listeners), Heartbeat(client, "train")
    lease, catalogue = Lease(client, heartbeat.name), Catalogue(client)
    songs, retry = SongModels(client), Retry(asyncio.Event())
    durability = await durable(client)
    publisher = Publisher(cohorts, catalogue, snapshots, songs, durability, lease, heartbeat, retry, 3600)
    for version, names in ((1, "1"), (2, "2"), (3, "2"), (4, "4")):
        await publisher.publish(crowd_model(version), Reason.TIME)
        assert {(await cohorts.about(cohort))["model_version"] for cohort in COHORTS} == {names}
        if version == 2:
            await snapshots.use(2, pin=True)
        if version == 3:
            await snapshots.use(3)
    await client.aclose()

"""A model that serves for months, pinned or with candidates refused, while listeners go on as before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest
from redis import Redis
from scipy.sparse import csr_matrix

from consumers.queries.audience import preview_audience
from consumers.runtime import newest_click
from consumers.runtime.live_model import LiveModel
from consumers.runtime.newest_click import NewestClick
from consumers.runtime.wiring import decay_of
from consumers.work.worker import work
from models.listener import Move
from models.model import Model
from models.taste import log_length
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.snapshots import Snapshots
from stream.wire.events import Release
from tests.consumers.desk import Desk
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.placed import names, taste
from tests.consumers.running import Running
from tests.consumers.small_model import small_model
from tests.stream.written import listener_of, put

COHORT_OF = {user: cohort for cohort in ("c1", "c2", "c5") for user in names(cohort, 40)}
START = 1_700_000_000.0
HALF_LIVES = 8


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[AnyRedis]:
    client = await open_redis(settings)
    yield client
    await client.aclose()


def learned(settings: Settings) -> Model:
    """A model as of START, that knows what is usual of these listeners."""
    model = small_model()
    tastes = np.stack([taste(user, model) for user in COHORT_OF])
    play = decay_of(settings).stored(1.0, START)
    beside = csr_matrix(np.full((len(model.artists), len(model.artists)), 0.3, dtype=np.float32))
    strength = float(np.median(log_length(tastes))) + np.log2(play) / 2
    return replace(model, strength=strength, play_now=play, neighbours=beside)


async def listen(redis: AnyRedis, settings: Settings, half_lives: float = 0.0) -> None:
    """Let everybody have listened until so long after START, as much as before."""
    listeners, model = Listeners(redis), small_model()
    at = START + half_lives * settings.half_life
    play = decay_of(settings).stored(1.0, at)
    everybody = [
        listener_of(user, {"a0": play}, cohort=cohort, last_seen=at) for user, cohort in COHORT_OF.items()
    ]
    tastes = np.stack([taste(user, model) for user in COHORT_OF]) * np.sqrt(play)
    await put(listeners, *everybody, tastes=tastes, version=model.version)
    await Cohorts(redis, listeners).follow([Move(user, "", cohort, at) for user, cohort in COHORT_OF.items()])


async def serve(redis: AnyRedis, settings: Settings) -> None:
    model = learned(settings)
    await Cohorts(redis, Listeners(redis)).describe(model, model.standing_out(3), 3600)
    await Snapshots(redis).publish(model)


async def test_a_preview_is_of_the_same_listeners_with_the_same_scores(
    redis: AnyRedis, settings: Settings
) -> None:
    await serve(redis, settings)
    release = Release(release_id="r", artist_ids=["a1"])
    user, previews = next(iter(COHORT_OF)), []
    for half_lives in (0, HALF_LIVES):
        await listen(redis, settings, half_lives)
        previews.append(await preview_audience(redis, settings, release, len(COHORT_OF), why=user))
    before, after = previews
    assert 0 < before.listeners < len(COHORT_OF)
    assert [each.user_id for each in after.first] == [each.user_id for each in before.first]
    for figure in ("score", "play_rate"):
        now, then = ([getattr(each, figure) for each in of.first] for of in (before, after))
        assert then == pytest.approx(now, rel=1e-3)
    for figure in ("score", "activity", "added", "listener_play_rate"):
        assert getattr(after.why, figure) == pytest.approx(getattr(before.why, figure), rel=1e-3)


def test_a_worker_tells_the_same_listeners(settings: Settings, log: KafkaLog, db: Redis) -> None:
    async def prepare(half_lives: float) -> None:
        client = await open_redis(settings)
        if not half_lives:
            await serve(client, settings)
        await listen(client, settings, half_lives)
        await client.aclose()

    desk, answers = Desk(settings, log, db), []
    for half_lives in (0, HALF_LIVES):
        asyncio.run(prepare(half_lives))
        with Running(work, settings):
            answers.append(desk.ask(f"after {half_lives}", "a1", max_audience=None).scores)
    before, after = answers
    assert 0 < len(before) < len(COHORT_OF)
    assert after == pytest.approx(before, rel=1e-2)


async def test_a_live_model_moves_on_as_listeners_do(redis: AnyRedis, settings: Settings) -> None:
    await serve(redis, settings)
    await listen(redis, settings)
    clock = [0.0]
    listeners = Listeners(redis)
    newest = NewestClick(Cohorts(redis, listeners), listeners, decay_of(settings), lambda: clock[0])
    live = LiveModel(Snapshots(redis), newest=newest)
    await live.refresh()
    first = live.model
    assert first is not None
    assert first.strength == learned(settings).strength
    await listen(redis, settings, HALF_LIVES)
    await live.refresh()
    assert live.model is first, "it looks now and then"
    clock[0] += newest_click.LOOK_SECONDS
    await live.refresh()
    assert live.model is not None
    assert live.model.strength == pytest.approx(first.strength + HALF_LIVES / 2)
    assert live.model.faded == pytest.approx(first.faded * 2**HALF_LIVES)


async def test_a_model_is_not_made_anew_for_hours(redis: AnyRedis, settings: Settings) -> None:
    await serve(redis, settings)
    await listen(redis, settings, HALF_LIVES)
    clock = [0.0]
    listeners = Listeners(redis)
    newest = NewestClick(Cohorts(redis, listeners), listeners, decay_of(settings), lambda: clock[0])
    live = LiveModel(Snapshots(redis), newest=newest)
    await live.refresh()
    before = live.model
    await listen(redis, settings, HALF_LIVES + 0.005)
    clock[0] += newest_click.LOOK_SECONDS
    await live.refresh()
    assert live.model is before


async def test_while_nobody_listens_a_model_stays_as_it_is(redis: AnyRedis, settings: Settings) -> None:
    await serve(redis, settings)
    newest = NewestClick.on(redis, settings)
    assert await newest.play_now() == 0.0
    await listen(redis, settings)
    live = LiveModel(Snapshots(redis), newest=NewestClick.on(redis, settings))
    await live.refresh()
    assert live.model is not None
    assert (live.model.strength, live.model.play_now) == (
        learned(settings).strength,
        learned(settings).play_now,
    )

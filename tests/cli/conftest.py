"""A small service that has run for a while: what it holds is written by the stores."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from models.affinity import ForwardDecay
from models.listener import Listener, Move
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.guards import guard_decay
from stream.stores.listeners import Listeners
from stream.stores.snapshots import Snapshots
from stream.wire.events import Song
from tests.apart import WithRedis, apart
from tests.cli.service import ARTISTS, MEMBERS, NOW, model_of, taste_of
from tests.stream.written import write


@pytest.fixture
def with_redis(settings: Settings) -> WithRedis:
    """Runs something on the Redis of the test."""

    def run(work: Callable[[AnyRedis], Awaitable[object]]) -> object:
        async def whole() -> object:
            redis = await open_redis(settings)
            try:
                return await work(redis)
            finally:
                await redis.aclose()

        return apart(whole)

    return run


@pytest.fixture
def service(settings: Settings, with_redis: WithRedis) -> Settings:
    async def fill(redis: AnyRedis) -> None:
        decay = ForwardDecay(half_life=settings.half_life)
        await guard_decay(redis, decay)
        songs = [Song(song_id=f"s-{a}", artist_ids=[a], artist_names=[name]) for a, name in ARTISTS.items()]
        await Catalogue(redis).put(songs)
        listeners = Listeners(redis)
        cohorts, model = Cohorts(redis, listeners), model_of(version=4, created_at=NOW)
        await cohorts.describe(model, model.standing_out(5), 3600)
        await Snapshots(redis).publish(model)
        everybody = [_listener(user, cohort, decay) for cohort, users in MEMBERS.items() for user in users]
        tastes = [taste_of(model, listener.affinities) for listener in everybody]
        assert await write(listeners, everybody, tastes, version=model.version) == []
        await cohorts.follow([Move(each.user_id, "", each.cohort, NOW) for each in everybody])

    with_redis(fill)
    return settings


def _listener(user: str, cohort: str, decay: ForwardDecay) -> Listener:
    own = "a1" if cohort == "c1" else "a2"
    affinities = {own: decay.stored(8.0, NOW), "a3": decay.stored(2.0, NOW)}
    return Listener(
        user,
        cohort=cohort,
        cohort_since=NOW - 3600,
        clicks=10,
        first_seen=NOW - 86_400,
        last_seen=NOW,
        bot=user == "robot",
        offsets={"0": 7},
        affinities=affinities,
    )

from __future__ import annotations

import pytest

from consumers.runtime.live_songs import LiveSongs
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.song_models import SongModels
from tests.stream.stores.test_song_models import model


async def test_a_newer_song_model_is_taken_up(redis: AnyRedis) -> None:
    live = LiveSongs(SongModels(redis))
    await live.refresh()
    assert live.model is None
    for version in (1, 2):
        await SongModels(redis).publish(model(version))
        await live.refresh()
        assert live.model is not None
        assert live.model.version == version


async def test_one_that_is_damaged_leaves_the_last_good_one(
    redis: AnyRedis, caplog: pytest.LogCaptureFixture
) -> None:
    live = LiveSongs(SongModels(redis))
    await SongModels(redis).publish(model(1))
    await live.refresh()
    await SongModels(redis).publish(model(2))
    await redis.hset(keys.song_model(2), "0", b"nothing")
    await live.refresh()
    await live.refresh()
    assert live.model is not None
    assert live.model.version == 1
    assert len([record for record in caplog.records if "song model 2" in record.message]) == 1


async def test_one_that_was_there_in_part_only_is_taken_up_once_it_is_whole(
    redis: AnyRedis, caplog: pytest.LogCaptureFixture
) -> None:
    live = LiveSongs(SongModels(redis))
    await SongModels(redis).publish(model(1))
    await redis.hdel(keys.song_model(1), "0")
    await live.refresh()
    await live.refresh()
    assert live.model is None
    await SongModels(redis).publish(model(1))
    await live.refresh()
    assert live.model is not None
    assert len([record for record in caplog.records if "in part only" in record.message]) == 1

"""Artists as people type them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from consumers.queries.artist_names import ArtistNames
from consumers.queries.artists import find_artists
from consumers.runtime.live_model import LiveModel
from stream.connect import AnyRedis, open_redis
from stream.errors import AmbiguousArtist
from stream.settings import Settings
from stream.stores.snapshots import Snapshots
from tests.cli.service import NOW, model_of


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[AnyRedis]:
    client = await open_redis(settings)
    yield client
    await client.aclose()


@pytest.mark.parametrize("at_hand", [False, True], ids=["names are read", "names are at hand"])
async def test_ids_of_the_model_that_differ_in_case_or_accents_alone_are_several_artists(
    redis: AnyRedis, at_hand: bool
) -> None:
    live = LiveModel(Snapshots(redis))
    live.model = replace(model_of(1, NOW), artists=("Nirvana", "NIRVANA", "Mø"))
    names = ArtistNames(redis, live) if at_hand else None
    with pytest.raises(AmbiguousArtist, match="2 artists are called 'nirvana'") as caught:
        await find_artists(redis, ["nirvana"], live=live, names=names)
    assert set(caught.value.called) == {"Nirvana", "NIRVANA"}
    found = await find_artists(redis, ["NIRVANA", "Nirvana", "mo"], live=live, names=names)
    assert found.ids == ("NIRVANA", "Nirvana", "Mø")

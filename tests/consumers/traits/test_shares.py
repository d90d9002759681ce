"""How what listeners did spreads: hours, weekdays, cities, and genres of their artists."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from consumers.ingest.apply import Applier
from consumers.traits.shares import ActivityShares
from models.affinity import ForwardDecay
from models.listener import Click, Rules
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.listeners import Listeners
from stream.wire.events import Song

MONDAY = datetime(2026, 11, 23, 20, 30, tzinfo=UTC).timestamp()


async def test_shares_say_where_in_the_day_the_week_the_cities_and_the_genres_they_are(
    settings: Settings,
) -> None:
    redis = await open_redis(settings)
    catalogue, listeners = Catalogue(redis), Listeners(redis)
    await catalogue.put([Song(song_id="s", artist_ids=["ana"], genres=["Rap"])])
    clicks = [
        Click("u", "0", at, MONDAY + 60 * at, "s", ("ana",), "play", city=city)
        for at, city in enumerate(("Pune", "Pune", "Delhi"))
    ]
    await Applier(listeners, Rules(ForwardDecay())).apply({"u": clicks}, None, MONDAY)
    shares = await ActivityShares(listeners, catalogue, lambda: MONDAY + 600)(["u", "nobody"])
    assert shares["hour"][0, 20] == 1
    assert shares["weekday"][0].tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert sorted(shares["city"][0][shares["city"][0] > 0]) == [1 / 3, 2 / 3]
    assert np.count_nonzero(shares["genre"][0]) == 1
    assert all(not each[1].any() for each in shares.values())
    await redis.aclose()

"""Which releases are listed."""

from __future__ import annotations

import time

from consumers.queries.releases import list_releases
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.releases import Asked, Releases
from stream.wire.events import Release


async def test_a_release_listed_before_its_first_page_is_fixed_is_passed_over(settings: Settings) -> None:
    now = time.time()
    redis = await open_redis(settings)
    releases = Releases(redis, settings.release_seconds)
    for name in ("planned", "just asked for"):
        asked = Asked(Release(release_id=name, artist_ids=["a1"]), "0", 0, now)
        await releases.claim(asked, "w1", now, 60.0)
        await redis.zadd(keys.RELEASES, {name: now})
    await redis.hset(keys.release("planned"), "planned_at", now)
    assert [each.release_id for each in await list_releases(redis, settings, 10)] == ["planned"]
    await redis.aclose()

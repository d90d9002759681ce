"""What somebody who waits is told where Redis fails."""

from __future__ import annotations

import pytest
from redis.exceptions import RedisClusterException

from consumers.runtime.session import redis_session
from stream.errors import Unreachable
from stream.settings import Settings


async def test_a_cluster_all_of_whose_nodes_go_away_is_said_to_have_failed(settings: Settings) -> None:
    with pytest.raises(Unreachable, match=r"Redis at .* failed: no node"):
        async with redis_session(settings):
            raise RedisClusterException("no node")

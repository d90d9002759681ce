"""An ingester is killed in the middle of a replay, again and again; Redis says what it would have said."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import redis

from stream.settings import Settings
from tests.consumers.crowd import clicks, crowd_model, publish, put_songs
from tests.consumers.ingest.test_ingest_rebalance import applied, undisturbed
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.redis_state import assert_agrees, assert_same, read_state
from tests.refrain_command import Refrain
from tests.waiting import wait_for

CLICKS = 6000


def some_again() -> Iterator[dict[str, Any]]:
    """Clicks of which every tenth comes once more, forty events later, with the same `event_id`."""
    late: deque[dict[str, Any]] = deque()
    for at, event in enumerate(clicks(CLICKS)):
        named = event | {"event_id": f"e{at}"}
        yield named
        if at % 10 == 0:
            late.append(named)
        if len(late) > 4:
            yield late.popleft()
    yield from late


def test_an_ingester_that_is_killed_loses_and_doubles_nothing(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    publish(settings, crowd_model())
    put_songs(settings)
    log.send("clicks", some_again())
    left = []
    for share in (0.02, 0.3, 0.5, 0.7):
        victim = refrain.start("ingest", batch_clicks=40)
        wait_for(lambda share=share: applied(db) >= share * CLICKS, f"{share:.0%} of the clicks")
        victim.kill()
        left.append(CLICKS - applied(db))
        log.bury("ingest")
    assert sum(map(bool, left)) > 1  # killed in the middle, not after the end
    last = refrain.start("ingest")
    log.wait_until_caught_up("ingest", "clicks")
    assert last.stop() == 0
    state = read_state(settings.redis)
    assert state.clicks == CLICKS
    assert_agrees(state)
    assert_same(state, undisturbed(settings))

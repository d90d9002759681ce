from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from consumers.doctor.merges import check_merges
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.merged_lately import MergedLately

MANY = 20_000


@pytest.fixture
async def many(redis: AnyRedis) -> AnyRedis:
    """As many merges, begun at the seconds 1 and on, each into a listener of its own, and not finished."""
    pipeline = redis.pipeline(transaction=False)
    for n in range(MANY):
        pipeline.xadd(keys.MERGED_LATELY, {"id": f"v{n}", "into": f"u{n}"}, id=f"{1000 + n}-0")
        forward = {"into": f"u{n}", "token": "t", "merge_id": "", "at": "1.0"}
        pipeline.hset(keys.user_into(f"v{n}"), mapping=forward)
    await pipeline.execute()
    return redis


@pytest.fixture
def commands(many: AnyRedis, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The commands that are sent one by one, each a round trip, from now on."""
    counts = Counter[str]()
    step = many.execute_command

    async def counted(command: str, *rest: Any, **options: Any) -> Any:
        counts[command] += 1
        return await step(command, *rest, **options)

    monkeypatch.setattr(many, "execute_command", counted)
    return counts


async def test_what_has_come_names_an_id_and_whose_part_it_is_or_was(redis: AnyRedis) -> None:
    says, reads = MergedLately(redis), MergedLately(redis)
    await says.announce("visitor", "ana")
    await says.announce("other", "bea")
    assert await reads.refresh() == {"visitor", "ana", "other", "bea"}
    assert await reads.refresh() == set()
    await says.announce("visitor", "")
    assert await reads.refresh() == {"visitor", "ana"}


async def test_a_merge_that_is_said_once_more_has_come_once_more(redis: AnyRedis) -> None:
    lately = MergedLately(redis)
    for _ in range(2):
        await lately.announce("visitor", "ana")
        assert await lately.refresh() == {"visitor", "ana"}


async def test_many_merges_are_looked_at_in_a_few_round_trips(many: AnyRedis, commands: Counter[str]) -> None:
    (check,) = await check_merges(many, 1_000_000.0)
    assert f"{MANY:,} merges begun" in check.found
    assert check.found.endswith("not finished: v0, v1, v2")
    assert commands.total() < 10


async def test_ids_are_erased_in_a_few_round_trips(many: AnyRedis, commands: Counter[str]) -> None:
    lately = MergedLately(many)
    await lately.forget([*(f"v{n}" for n in range(0, MANY, 4)), "u1"])
    assert commands.total() < 10
    left = await lately.announced(1_000_000.0)
    assert left == [f"v{n}" for n in range(2, MANY) if n % 4]

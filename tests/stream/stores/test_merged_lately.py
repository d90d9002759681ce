from __future__ import annotations

from stream.connect import AnyRedis
from stream.stores.merged_lately import MergedLately


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

"""An answer that takes long, shared by everybody who asks."""

from __future__ import annotations

import asyncio

import pytest

from consumers.web.shared import Shared


class Work:
    """Is done when it is let."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.let = asyncio.Event()
        self.fails = False

    async def work_out(self) -> int:
        self.begun += 1
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fails:
            raise OSError("it cannot be worked out")
        return self.begun


@pytest.fixture
async def work() -> Work:
    return Work()


async def test_it_is_worked_out_once_for_all_who_ask_meanwhile(work: Work) -> None:
    shared = Shared(work.work_out, 600.0)
    asking = [asyncio.create_task(shared.get()) for _ in range(5)]
    await asyncio.sleep(0)
    work.let.set()
    assert await asyncio.gather(*asking, shared.get()) == [1] * 6


async def test_one_that_is_under_way_is_never_old(work: Work) -> None:
    shared = Shared(work.work_out, -1.0)
    assert [shared.at_hand() for _ in range(3)] == [None] * 3
    asking = asyncio.create_task(shared.get())
    await asyncio.sleep(0)
    work.let.set()
    assert (await asking, work.begun) == (1, 1)


async def test_one_that_is_old_is_worked_out_anew(work: Work) -> None:
    shared = Shared(work.work_out, -1.0)
    work.let.set()
    assert [await shared.get() for _ in range(2)] == [1, 2]


async def test_who_goes_away_does_not_end_it_for_others(work: Work) -> None:
    shared = Shared(work.work_out, 600.0)
    gone, stays = (asyncio.create_task(shared.get()) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    work.let.set()
    assert (await stays, work.begun) == (1, 1)


async def test_after_a_failure_the_next_to_ask_begins_anew(work: Work) -> None:
    shared = Shared(work.work_out, 600.0)
    work.fails = True
    work.let.set()
    with pytest.raises(OSError, match="cannot be worked out"):
        await shared.get()
    work.fails = False
    assert await shared.get() == 2


async def test_what_is_under_way_ends_when_it_is_closed(work: Work) -> None:
    shared = Shared(work.work_out, -1.0)
    assert shared.at_hand() is None
    await asyncio.sleep(0)
    assert shared.at_hand() is None
    await shared.close()
    assert (work.begun, work.cancelled) == (1, 1)

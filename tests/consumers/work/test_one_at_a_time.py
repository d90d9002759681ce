"""Steps in the background come out where their end is waited for."""

from __future__ import annotations

import asyncio

import pytest

from consumers.work.one_at_a_time import OneAtATime


async def failing() -> None:
    raise ValueError("it broke")


async def test_what_a_step_raises_comes_out_where_its_end_is_waited_for_and_once() -> None:
    async with OneAtATime() as steps:
        steps.begin(failing())
        with pytest.raises(ValueError, match="it broke"):
            await steps.ended()
        await steps.ended()


async def test_what_a_step_raises_comes_out_of_a_block_that_does_not_wait_for_its_end() -> None:
    with pytest.raises(ValueError, match="it broke"):
        async with OneAtATime() as steps:
            steps.begin(failing())


async def test_a_step_does_not_begin_beside_another() -> None:
    with pytest.raises(RuntimeError, match="wait for its end"):
        async with OneAtATime() as steps:
            steps.begin(asyncio.sleep(0))
            steps.begin(failing())


@pytest.mark.parametrize("fails", [False, True])
async def test_an_error_that_leaves_the_block_waits_for_the_step_that_is_under_way(fails: bool) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def step() -> None:
        began.set()
        for _ in range(10):
            await asyncio.sleep(0)
        ended.set()
        if fails:
            await failing()

    with pytest.raises(LookupError):
        async with OneAtATime() as steps:
            steps.begin(step())
            await began.wait()
            raise LookupError
    assert ended.is_set()


@pytest.mark.parametrize("error", [None, LookupError])
async def test_a_step_that_is_under_way_is_cancelled_with_the_block(error: type[Exception] | None) -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def step() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def block() -> None:
        async with OneAtATime() as steps:
            steps.begin(step())
            await began.wait()
            if error:
                raise error
            await asyncio.Event().wait()

    whole = asyncio.create_task(block())
    await began.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    whole.cancel()
    with pytest.raises(asyncio.CancelledError):
        await whole
    assert cancelled.is_set()

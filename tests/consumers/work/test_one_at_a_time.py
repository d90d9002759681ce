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


async def test_a_step_does_not_begin_beside_another() -> None:
    async with OneAtATime() as steps:
        steps.begin(asyncio.sleep(3600))
        with pytest.raises(RuntimeError, match="wait for its end"):
            steps.begin(failing())


async def test_a_step_that_is_under_way_at_the_end_is_cancelled() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def step() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with OneAtATime() as steps:
        steps.begin(step())
        await began.wait()
    assert ended.is_set()

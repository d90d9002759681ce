"""How the parts of a process end."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from consumers.deliver.process import _all
from consumers.runtime import process
from consumers.runtime.process import together

STEPS = 1000  # of the loop: far more than a second cancellation takes that comes at once


class Away(Exception):
    pass


async def fails() -> None:
    raise Away


class Part:
    """Goes on until it is cancelled, and cleans up then."""

    def __init__(self) -> None:
        self.began, self.cleaned = asyncio.Event(), False

    async def run(self) -> None:
        try:
            self.began.set()
            await asyncio.Event().wait()
        finally:
            for _ in range(STEPS):
                await asyncio.sleep(0)
            self.cleaned = True


async def passes_over_one() -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()


async def fails_after(part: Part) -> None:
    await part.began.wait()
    raise Away


async def test_clean_up_that_takes_longer_than_a_second_is_not_broken_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "AGAIN", 0.0)
    part = Part()
    with pytest.raises(Away):
        await together(fails_after(part), part.run())
    assert part.cleaned


async def test_a_part_that_passes_over_a_cancellation_is_cancelled_again() -> None:
    task = asyncio.create_task(passes_over_one())
    await asyncio.sleep(0)
    await process.end([task], grace=0.0)
    assert task.cancelled()


async def test_who_is_cancelled_while_parts_end_waits_until_they_have() -> None:
    parts = [Part(), Part()]

    async def whole() -> None:
        await together(*(part.run() for part in parts))

    task = asyncio.create_task(whole())
    for part in parts:
        await part.began.wait()
    task.cancel()
    await asyncio.sleep(0)  # it cancels them
    await asyncio.sleep(0)  # they clean up
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left


async def test_where_one_reader_of_a_delivery_fails_the_others_have_ended_before_anything_is_closed() -> None:
    part = Part()
    with pytest.raises(Away):
        await _all([fails_after(part), part.run()])
    assert part.cleaned

"""Steps that go on in the background, one after the other, while the next is prepared."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Self

__all__ = ["OneAtATime"]


class OneAtATime:
    """One step at a time in the background; what it raises comes out where its end is waited for.

    One that is under way when the ``async with`` block is left is cancelled.

    Examples
    --------
    >>> async def add(numbers, number):
    ...     numbers.append(number)
    >>> async def main():
    ...     numbers = []
    ...     async with OneAtATime() as adding:
    ...         adding.begin(add(numbers, 1))
    ...         await adding.ended()
    ...     return numbers
    >>> asyncio.run(main())
    [1]
    """

    def __init__(self) -> None:
        self._step: asyncio.Task[None] | None = None

    def begin(self, step: Coroutine[None, None, None]) -> None:
        """Begin a step; the one before must have `ended`."""
        if self._step:
            step.close()
            raise RuntimeError("the step before is under way: wait for its end first")
        self._step = asyncio.create_task(step)

    async def ended(self) -> None:
        """Wait until no step is under way; raise what it raised."""
        if self._step:
            step, self._step = self._step, None
            await step

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._step:
            self._step.cancel()
            await asyncio.wait({self._step})

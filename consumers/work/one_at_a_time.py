"""Steps that go on in the background, one after the other, while the next is prepared."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Self

__all__ = ["OneAtATime"]


class OneAtATime:
    """One step at a time in the background; what it raises comes out where its end is waited for.

    The ``async with`` block is left when none is under way any more: where an error leaves it, too, as what
    was begun is not to be left in the middle. Where the block is cancelled, so is it.

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

    @property
    def under_way(self) -> bool:
        """Whether a step was begun of which nobody has waited for the end."""
        return self._step is not None

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

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.ended()
        elif self._step:
            if isinstance(error, asyncio.CancelledError):
                self._step.cancel()
            # What it raises adds nothing: the block's own error comes out, and was there first.
            await asyncio.gather(self._step, return_exceptions=True)

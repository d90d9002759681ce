"""Retrying while Redis or Kafka is away: until it is back, the time is up, or the process is to end.

Which errors are retried, `stream.error_policy` says. Whatever is retried must bear being done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeAlias, TypeVar

from tenacity import AsyncRetrying, RetryCallState, RetryError, retry_if_exception, wait_exponential

from stream.error_policy import Action, case_of
from stream.errors import Refused
from stream.metrics import STEPS_RETRIED

__all__ = ["Clock", "Retry", "Stopped", "Warnings", "report", "retried"]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

Clock: TypeAlias = "Callable[[], float]"
"""Seconds, as `time.monotonic` gives them."""

PAUSES = wait_exponential(multiplier=0.05, max=2.0)  # seconds between attempts: 0.05, 0.1, 0.2 ... 2
WARN_SECONDS = 10.0  # between two warnings about the same step


class Stopped(Exception):
    """The process is to end, and the step has not succeeded yet."""


def retried(error: BaseException) -> bool:
    """Say whether a step that failed with this error is tried again."""
    return case_of(error).action is Action.RETRY


def report(error: Exception, doing: str) -> None:
    """Raise an error that a person can mend as a `Refused`; let any other be raised by the caller."""
    case = case_of(error)
    if case.action is Action.REPORT:
        raise Refused(
            f"{case.fact} while {doing} ({error or type(error).__name__})", hint=case.hint
        ) from error


class Retry:
    """Does a step of a running process, again and again while Redis or Kafka is away.

    Parameters
    ----------
    stop
        Set when the process is to end; it ends the pauses, too.
    clock
        Tells when it is time for the next warning.

    Examples
    --------
    >>> async def add(a, b):
    ...     return a + b
    >>> async def main():
    ...     retry = Retry(asyncio.Event())
    ...     return await retry("adding", add, 1, 2)
    >>> asyncio.run(main())
    3
    """

    def __init__(self, stop: asyncio.Event, clock: Clock = time.monotonic) -> None:
        self._stop = stop
        self._clock = clock

    async def __call__(
        self, doing: str, step: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Await ``step(*args, **kwargs)`` until it succeeds.

        Parameters
        ----------
        doing
            What the step does, for the log: "reading listeners".

        Raises
        ------
        Stopped
            Where the process is to end before that.
        Refused
            Where the server refuses what only a person can change.
        """
        # A step that succeeds, as nearly all do, is not to pay for tenacity's 0.1 ms.
        try:
            return await step(*args, **kwargs)
        except Exception as error:
            if not retried(error):
                report(error, doing)
                raise
            warnings = Warnings(doing, self._clock)
            warnings.warn(error)
        try:
            async for attempt in self._policy(warnings):
                with attempt:
                    result = await step(*args, **kwargs)
        except RetryError as ended:
            raise Stopped(doing) from ended.last_attempt.exception()
        except Exception as error:
            report(error, doing)
            raise
        logger.info("%s succeeds again", doing)
        return result

    async def every(self, seconds: float, doing: str, step: Callable[[], Awaitable[object]]) -> None:
        """Await ``step()`` again and again, with a rest after each, until the process is to end.

        Parameters
        ----------
        seconds
            How long the rest is.
        doing
            What the step does, for the log: "reading listeners".

        Raises
        ------
        Refused
            Where the server refuses what only a person can change.
        """
        try:
            while not self._stop.is_set():
                await self(doing, step)
                await self._pause(seconds)
        except Stopped:
            logger.info("%s is left to the next process", doing)

    def _policy(self, warnings: Warnings) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(retried),
            wait=PAUSES,
            stop=lambda _: self._stop.is_set(),
            sleep=self._pause,
            before_sleep=warnings.before_sleep,
        )

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()


class Warnings:
    """Counts and warns about a step that fails; warns not more often than every `WARN_SECONDS`.

    Parameters
    ----------
    doing, clock
        As in `Retry`.
    """

    def __init__(self, doing: str, clock: Clock = time.monotonic) -> None:
        self._doing = doing
        self._clock = clock
        self._next = float("-inf")

    def before_sleep(self, state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        if error:
            self.warn(error)

    def warn(self, error: BaseException) -> None:
        STEPS_RETRIED.labels(self._doing).inc()
        if self._clock() < self._next:
            return
        self._next = self._clock() + WARN_SECONDS
        case = case_of(error)
        hint = f" {case.hint}" if case.hint else ""
        logger.warning(
            "%s (%s) while %s; trying again.%s", case.fact, str(error) or repr(error), self._doing, hint
        )

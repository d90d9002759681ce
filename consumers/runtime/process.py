"""How a process of Refrain runs: its log, its signals, its tasks."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import wraps
from typing import Any, TypeAlias

from threadpoolctl import threadpool_limits

from consumers.runtime.cycles import look_seldom_for_cycles
from consumers.runtime.log import log_lines
from consumers.runtime.memory import keep_giving_back, set_up_malloc
from stream.settings import Settings
from stream.wire.topic_watch import TopicChanged

__all__ = [
    "AGAIN",
    "GRACE",
    "NO_COORDINATOR",
    "Main",
    "Seldom",
    "end",
    "run_process",
    "starts_over",
    "together",
    "within",
]

Main: TypeAlias = "Callable[[Settings, asyncio.Event], Coroutine[Any, Any, None]]"
"""Runs a process from settings until it is asked to stop."""

logger = logging.getLogger(__name__)

GRACE = 8.0  # seconds from being asked to end; who asks often kills after ten
AGAIN = 1.0  # the same, where there is no more time for what is to be cleaned up
NOISY = ("aiokafka", "kafka", "faust", "mode")
SAY_EVERY = 10.0
NO_COORDINATOR = "Group Coordinator Request failed: %s"


class Seldom(logging.Filter):
    """Lets the same line of a client's log through only now and then: a broker away makes dozens a second."""

    def __init__(self) -> None:
        super().__init__()
        # A broker that is new has no coordinator for some seconds: a word only where that lasts.
        self._said: dict[object, float] = {NO_COORDINATOR: time.time()}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in NOISY:
            return True
        last = self._said.get(record.msg, -SAY_EVERY)
        if record.created - last < SAY_EVERY:
            return False
        self._said[record.msg] = record.created
        return True


def run_process(main: Callable[[Settings, asyncio.Event], Awaitable[None]], settings: Settings) -> None:
    """Run one process until SIGTERM or SIGINT, which let it finish what it has in hand."""
    set_up_malloc()
    look_seldom_for_cycles()
    log_lines()
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.ERROR)
    for handler in logging.getLogger().handlers:
        handler.addFilter(Seldom())

    async def whole() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        giving_back = asyncio.create_task(keep_giving_back())
        try:
            await within(main(settings, stop), stop)
        finally:
            giving_back.cancel()

    # One thread for the small matrices here: waiting for a second one takes longer than they do.
    with threadpool_limits(1):
        asyncio.run(whole())


def starts_over(main: Main) -> Main:
    """Let a process begin again from the start where a topic that it reads is another one by now."""

    @wraps(main)
    async def again(settings: Settings, stop: asyncio.Event) -> None:
        while not stop.is_set():
            ending = asyncio.Event()  # its parts set it when they end
            passing_on = asyncio.create_task(_pass_on(stop, ending))
            try:
                await main(settings, ending)
            except TopicChanged as changed:
                logger.warning("%s: starting over with it", changed)
            else:
                return
            finally:
                passing_on.cancel()

    return again


async def _pass_on(stop: asyncio.Event, ending: asyncio.Event) -> None:
    await stop.wait()
    ending.set()


async def within(main: Awaitable[None], stop: asyncio.Event) -> None:
    """Run to the end, for which there are `GRACE` seconds after `stop`: what is away is not waited for."""
    running, stopping = asyncio.ensure_future(main), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({running}, timeout=GRACE)
        if not running.done():
            logger.warning("ending in the middle after %g s: whoever comes next does the rest", GRACE)
        else:
            running.result()
    finally:
        await end({running, stopping}, AGAIN)


async def together(leader: Awaitable[None], *others: Awaitable[None]) -> None:
    """Run tasks side by side until the leader is done or any fails; then all end, and a failure is raised."""
    tasks = [asyncio.ensure_future(task) for task in (leader, *others)]
    try:
        running = set(tasks)
        while tasks[0] in running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            if any(task.exception() for task in done):
                break
    finally:
        await end(tasks)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()):
            raise error


async def end(tasks: Collection[asyncio.Future[Any]], grace: float = GRACE) -> None:
    """Cancel tasks, and wait until they have ended.

    Whoever is cancelled while it waits here cancels them once more, and goes on waiting: none of them works
    on when what it works with is closed.

    Parameters
    ----------
    grace
        For so long a task may clean up, before it is cancelled again: a consumer leaves its group, and then
        closes its connections. Once is not enough: in Python 3.11 `asyncio.wait_for` may pass over it.
    """
    cancelled = None
    while left := {task for task in tasks if not task.done()}:
        for task in left:
            task.cancel()
        try:
            await asyncio.wait(left, timeout=grace)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled

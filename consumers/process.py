"""How a process of Refrain runs: its log, its signals, its tasks."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from rich.logging import RichHandler
from threadpoolctl import threadpool_limits

from stream.settings import Settings

__all__ = ["run_process", "together"]


def run_process(main: Callable[[Settings, asyncio.Event], Awaitable[None]], settings: Settings) -> None:
    """Run one process until SIGTERM or SIGINT, which let it finish what it has in hand."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(message)s",
        handlers=[RichHandler(show_path=False, omit_repeated_times=False)],
    )
    for noisy in ("aiokafka", "kafka", "faust", "mode"):
        logging.getLogger(noisy).setLevel(logging.ERROR)

    # Batches make objects by the ten thousand, hardly any in a cycle: looking for those took a third of all.
    gc.set_threshold(100_000, 20, 100)

    async def whole() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(settings, stop)

    # One thread for the small matrices here: waiting for a second one takes longer than they do.
    with threadpool_limits(1):
        asyncio.run(whole())


async def together(leader: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]) -> None:
    """Run tasks side by side until the leader is done or any fails; then all end, and a failure is raised."""
    tasks = [asyncio.create_task(task) for task in (leader, *others)]
    try:
        running = set(tasks)
        while tasks[0] in running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            if any(task.exception() for task in done):
                break
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result

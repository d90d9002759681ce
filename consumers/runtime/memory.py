"""Memory that was needed for a moment, given back to the system."""

from __future__ import annotations

import asyncio
import ctypes
import gc

__all__ = ["give_back", "keep_giving_back"]

EVERY = 60.0  # seconds


async def keep_giving_back() -> None:
    """Give back what is free again and again, until cancelled."""
    # What there is by now stays: to look at it again each time would take 90 ms in place of 2.
    gc.freeze()
    while True:
        await asyncio.sleep(EVERY)
        await give_back()


async def give_back() -> None:
    """Give the system what is free of this process's memory.

    Objects that are in a cycle, such as a client of Kafka's that is closed, are found first: a process makes
    so many others, and frees them at once, that Python itself hardly ever looks (`consumers.cli.main`).

    Of what large batches and models take for a moment, glibc keeps most, in pieces between what lives on: a
    trainer of 50,000 listeners and 20,000 artists holds 270 MB after a model, 160 of which it needs. To give
    it back takes some 20 ms. That does nothing where the C library has no ``malloc_trim``.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        await asyncio.to_thread(trim, 0)

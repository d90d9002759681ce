"""Memory that was needed for a moment: it comes from where it can be given back, and is given back."""

from __future__ import annotations

import asyncio
import ctypes
import gc

__all__ = ["give_back", "keep_giving_back", "set_up_malloc"]

EVERY = 20.0  # seconds: in a minute an ingester under load frees some 4 MB that glibc keeps

# Options of glibc's mallopt, by its numbers for them (malloc.h).
MALLOPT = {
    -8: 1,  # M_ARENA_MAX: threads that work for a moment leave no heap of their own behind
    -3: 256 * 1024,  # M_MMAP_THRESHOLD, bytes: what is larger is the system's again once it is freed
    -1: 1024 * 1024,  # M_TRIM_THRESHOLD, bytes free at the end of the heap
}


def set_up_malloc() -> None:
    """Let the C library take little more from the system than what is in use.

    Left alone, glibc gives each thread a heap of its own, and takes blocks up to the largest that was ever
    freed (32 MB at most) from heaps, where what lives on lies between them. A worker of the soak held 15 MB
    of free pieces after eight minutes, and more with every minute; with these options it held 5, at the same
    processor time. Another C library stays as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in MALLOPT.items():
            mallopt(option, value)


async def keep_giving_back() -> None:
    """Give back what is free again and again, until cancelled."""
    while True:
        await asyncio.sleep(EVERY)
        await give_back()


async def give_back() -> None:
    """Give the system what is free of this process's memory.

    Objects that are in a cycle, such as a client of Kafka's that is closed, are found first: a process makes
    so many others, and frees them at once, that Python itself hardly ever looks (`run_process`).

    Of what large batches and models take for a moment, glibc keeps most, in pieces between what lives on: a
    trainer of 50,000 listeners and 20,000 artists holds 270 MB after a model, 160 of which it needs. To give
    it back takes some 20 ms. That does nothing where the C library has no ``malloc_trim``.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        await asyncio.to_thread(trim, 0)

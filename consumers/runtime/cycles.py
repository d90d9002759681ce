"""How often Python looks for objects that hold each other in a circle."""

from __future__ import annotations

import gc

__all__ = ["look_seldom_for_cycles"]

SELDOM = 100_000, 20, 100


def look_seldom_for_cycles() -> None:
    """Let this process look for cycles seldom, and never among what there is by now.

    Batches make objects by the ten thousand, hardly any in a cycle: looking for cycles took a third of an
    ingester's time. What is imported stays: to look at it takes a start half a second, each time that memory
    is given back 90 ms in place of 2, and after each task of Spark, which looks then, as much.
    """
    gc.freeze()
    gc.set_threshold(*SELDOM)

"""What a replay would send, out of the first rows; nothing is sent or written."""

from __future__ import annotations

import time
from contextlib import ExitStack

from consumers.replay.options import PREVIEWED
from consumers.replay.plan import Plan, Progress, in_order
from consumers.replay.summary import DryRun, Pair
from consumers.replay.times import doubt_in

__all__ = ["LOOKED_AT", "dry_run"]

LOOKED_AT = 100_000
"""Rows that are read at most: some seconds."""


def dry_run(plan: Plan) -> DryRun:
    """Return what a plan would send.

    Raises
    ------
    BadFile
        Where a file cannot be read.
    """
    now = time.time()
    reading = plan.reading(now, None, show=PREVIEWED, most=LOOKED_AT)
    first: list[Pair] = []
    with ExitStack() as stack:
        for event in in_order(plan, reading, now, Progress(reading), lambda: None, stack):
            if event and len(first) < PREVIEWED:
                first.append(event)
    tally = reading.tally
    doubt = "" if plan.order.spread else doubt_in(tally)
    return DryRun(plan.kind, first, reading.shown, reading.refused, tally, tally.rows < LOOKED_AT, doubt)

"""History from files into Redis: the work of Spark."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from consumers.history.bucket import write_bucket
from consumers.history.guard import after_load, announced, before_load
from consumers.history.options import Loading
from consumers.history.packets import packets
from consumers.history.plan import HistoryFile
from consumers.history.read import Rows
from consumers.history.session import session, told
from consumers.history.summary import LoadSummary
from consumers.history.write import Written
from stream.settings import Settings
from stream.stores.history import UNTIL_REPEATED

__all__ = ["load"]

logger = logging.getLogger(__name__)


def load(files: Sequence[HistoryFile], settings: Settings, loading: Loading) -> LoadSummary:
    """Load the listeners of files, all but those who are there.

    May be repeated, after whatever ended it: who is written is written wholly, and not again. Ingesters and
    trainers wait until it has ended as it should (`consumers.history.guard.abandon` gives it up).

    Raises
    ------
    WrongUse
        Where ingesters, a trainer or another load run.
    RefrainError
        Where a file, Kafka or Redis cannot be used.
    """
    with session(loading.master, computes=False) as spark, announced(settings) as ours:
        number = asyncio.run(before_load(settings, ours))
        begun = time.monotonic()
        try:
            said = (
                packets(spark, files, settings, loading)
                .mapPartitions(told(partial(write_bucket, settings, number)))
                .collect()
            )
            summary = LoadSummary(seconds=time.monotonic() - begun)
            asyncio.run(after_load(settings, number))
        except BaseException:
            logger.warning(
                "the load did not end: `refrain ingest` and `refrain train` wait %s", UNTIL_REPEATED
            )
            raise
    for each in said:
        _add(summary, each)
    return summary


def _add(summary: LoadSummary, said: dict[str, Any]) -> None:
    if rows := said.get("rows"):
        summary.rows.add(Rows.of(rows))
    if written := said.get("written"):
        summary.written.add(Written(**written))
    summary.shortened.update(said.get("shortened", {}))

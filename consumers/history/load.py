"""History from files into Redis: the work of Spark."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import pyarrow as pa
from threadpoolctl import threadpool_limits

from consumers.history.columns import Packets
from consumers.history.guard import after_load, announced, before_load
from consumers.history.options import Loading
from consumers.history.packets import SELDOM, is_count, packets
from consumers.history.plan import HistoryFile
from consumers.history.read import Rows
from consumers.history.session import session, told
from consumers.history.summary import LoadSummary
from consumers.history.write import Writer, Written
from stream.settings import Settings
from stream.stores.history import UNTIL_REPEATED

__all__ = ["load"]

logger = logging.getLogger(__name__)

SAID = "said string"
COUNTED = pa.schema([("said", pa.string())])


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
                .mapInArrow(told(partial(_write, settings, number)), SAID)
                .collect()
            )
            summary = LoadSummary(seconds=time.monotonic() - begun)
            asyncio.run(after_load(settings, number))
        except BaseException:
            logger.warning(
                "the load did not end: `refrain ingest` and `refrain train` wait %s", UNTIL_REPEATED
            )
            raise
    for row in said:
        _add(summary, json.loads(row.said))
    return summary


def _write(settings: Settings, load: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Write the listeners of a bucket: on a worker."""
    gc.set_threshold(*SELDOM)
    packed = Packets()
    for batch in batches:
        for rows in batch.column(1).to_pylist():
            if is_count(rows):
                yield _counted({"rows": json.loads(rows)})
            else:
                packed.add(rows)
    if packed:
        if shortened := packed.shortened:
            yield _counted({"shortened": shortened})
        with threadpool_limits(1):
            yield _counted({"written": vars(asyncio.run(_write_all(settings, load, packed.clicks())))})


async def _write_all(settings: Settings, load: int, clicks: pa.Table) -> Written:
    async with aclosing(await Writer.open(settings, load)) as writer:
        return await writer.write(clicks)


def _counted(said: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([json.dumps(said)])], schema=COUNTED)


def _add(summary: LoadSummary, said: dict[str, Any]) -> None:
    if rows := said.get("rows"):
        summary.rows.add(Rows.of(rows))
    if written := said.get("written"):
        summary.written.add(Written(**written))
    summary.shortened.update(said.get("shortened", {}))

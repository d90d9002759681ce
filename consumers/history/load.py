"""History from files into Redis: the work of Spark."""

from __future__ import annotations

import asyncio
import gc
import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import pyarrow as pa
from threadpoolctl import threadpool_limits

from consumers.history.columns import unpack
from consumers.history.guard import after_load, before_load
from consumers.history.options import Loading
from consumers.history.plan import HistoryFile
from consumers.history.read import FileReader, Rows
from consumers.history.session import session, told
from consumers.history.summary import LoadSummary
from consumers.history.write import Writer, Written
from stream.settings import Settings

__all__ = ["FOLDER", "load"]

FOLDER = "history"
"""Within the data folder: rows that cannot be used, where they cannot stand beside their file."""

BUCKET_BYTES = 64 << 20
"""Of files, unpacked: listeners of so many are held at once by each worker, in some five times the memory."""

MOST_BUCKETS = 4_000
"""Beyond that, at 256 GB, buckets grow with the files: small packets would be mostly heads."""

SELDOM = 100_000, 20, 100
"""When a worker looks for cycles: it makes objects by the million, hardly any in one, as an ingester does."""

PACKED = "bucket int, rows binary"
SAID = "said string"
BUCKET = pa.schema([("bucket", pa.int32()), ("rows", pa.binary())])
COUNTED = pa.schema([("said", pa.string())])


def load(files: Sequence[HistoryFile], settings: Settings, loading: Loading) -> LoadSummary:
    """Load the listeners of files, all but those who are there.

    May be repeated, after whatever ended it: who is written is written wholly, and not again.

    Raises
    ------
    WrongUse
        Where ingesters or a trainer run.
    RefrainError
        Where a file, Kafka or Redis cannot be used.
    """
    with session(loading.master) as spark:
        asyncio.run(before_load(settings))
        cores = spark.sparkContext.defaultParallelism
        size = sum(file.size for file in files)
        buckets = min(cores * max(1, math.ceil(size / BUCKET_BYTES / cores)), MOST_BUCKETS)
        reader = FileReader(
            time.time(), settings.data / FOLDER, buckets, loading.sample_users, loading.drop_zero_plays
        )
        begun = time.monotonic()
        largest_first = sorted(files, key=lambda file: -file.size)
        said = (
            spark.range(0, len(files), 1, len(files))
            .mapInArrow(told(partial(_read, largest_first, reader)), PACKED)
            .repartitionById(buckets, "bucket")
            .mapInArrow(told(partial(_write, settings)), SAID)
            .collect()
        )
        summary = LoadSummary(seconds=time.monotonic() - begun)
    for row in said:
        _add(summary, json.loads(row.said))
    asyncio.run(after_load(settings))
    return summary


def _read(
    files: Sequence[HistoryFile], reader: FileReader, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Read files, by their numbers: on a worker."""
    gc.set_threshold(*SELDOM)
    for batch in batches:
        for number in batch.column(0).to_pylist():
            counted = Rows()
            for bucket, packed in reader.packed(files[number], counted):
                yield _row(bucket, packed)
            yield _row(0, json.dumps(vars(counted)).encode())


def _row(bucket: int, packed: bytes) -> pa.RecordBatch:
    arrays = [pa.array([bucket], pa.int32()), pa.array([packed], pa.binary())]
    return pa.RecordBatch.from_arrays(arrays, schema=BUCKET)


def _write(settings: Settings, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Write the listeners of a bucket: on a worker."""
    gc.set_threshold(*SELDOM)
    packed = []
    for batch in batches:
        for rows in batch.column(1).to_pylist():
            if rows.startswith(b"{"):  # what became of the rows of a file
                yield _counted({"rows": json.loads(rows)})
            else:
                packed.append(rows)
    if packed:
        with threadpool_limits(1):
            yield _counted({"written": vars(asyncio.run(_write_all(settings, unpack(packed))))})


async def _write_all(settings: Settings, clicks: pa.Table) -> Written:
    async with aclosing(await Writer.open(settings)) as writer:
        return await writer.write(clicks)


def _counted(said: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([json.dumps(said)])], schema=COUNTED)


def _add(summary: LoadSummary, said: dict[str, Any]) -> None:
    if rows := said.get("rows"):
        summary.rows.add(Rows(**{**rows, "bad": Counter(rows["bad"])}))
    if written := said.get("written"):
        summary.written.add(Written(**written))

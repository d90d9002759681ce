"""History from files into Redis: who may load, the work of Spark, and what is known at its end."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import pyarrow as pa
from threadpoolctl import threadpool_limits

from consumers.history.columns import unpack
from consumers.history.options import Loading
from consumers.history.plan import HistoryFile
from consumers.history.read import FileReader, Rows
from consumers.history.session import session, told
from consumers.history.summary import LoadSummary
from consumers.history.write import Writer, Written
from consumers.runtime.wiring import decay_of
from models.listener import OffsetSource
from stream.connect import open_redis
from stream.errors import WrongUse
from stream.settings import Settings
from stream.stores.guards import guard_cluster, guard_decay, topic_epoch
from stream.stores.heartbeats import heartbeats
from stream.stores.history import History
from stream.stores.sweeps import Sweeps
from stream.wire.lag import ends
from stream.wire.topics import cluster_id, create_missing, describe_topics, open_admin

__all__ = ["FOLDER", "load"]

FOLDER = "history"
"""Within the data folder: rows that cannot be used, where they cannot stand beside their file."""

IN_THE_WAY = "ingest", "train"
"""Processes that hold in memory who there is."""

BUCKET_BYTES = 64 << 20
"""Of files, unpacked: listeners of so many are held at once by each worker, in some five times the memory."""

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
        asyncio.run(_begin(settings))
        cores = spark.sparkContext.defaultParallelism
        size = sum(file.size for file in files)
        buckets = cores * max(1, math.ceil(size / BUCKET_BYTES / cores))
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
    asyncio.run(_end(settings))
    return summary


async def _begin(settings: Settings) -> None:
    """See that nobody is in the way, and note how far `clicks` is."""
    redis = await open_redis(settings)
    async with aclosing(redis):
        await guard_decay(redis, decay_of(settings))
        running = Counter(state["kind"] for state in (await heartbeats(redis)).values())
        if there := [f"{running[kind]} {kind}" for kind in IN_THE_WAY if running[kind]]:
            raise WrongUse(
                f"{' and '.join(there)} running, with listeners in memory: history is loaded while none does",
                hint="Stop `refrain ingest` and `refrain train`, load, and start them again: they go on from "
                "there.",
            )
        cluster, topic_id, at = await asyncio.to_thread(_clicks_topic, settings)
        await guard_cluster(redis, cluster, settings.kafka_cluster)
        epoch = await topic_epoch(redis, "clicks", topic_id)
        await History(redis).begin({OffsetSource(place, epoch): end for place, end in at.items()})


def _clicks_topic(settings: Settings) -> tuple[str, str, Mapping[int, int]]:
    """Return the cluster of Kafka, the id of its topic of clicks, and the offset behind each partition."""
    with open_admin(settings) as admin:
        create_missing(admin, settings)
        state = describe_topics(admin, settings)["clicks"]
        return cluster_id(admin), state.topic_id if state else "", ends(admin, "clicks")


async def _end(settings: Settings) -> None:
    """Let a model that serves, if there is one, be given to those who are new."""
    redis = await open_redis(settings)
    async with aclosing(redis):
        await Sweeps(redis).due()


def _read(
    files: Sequence[HistoryFile], reader: FileReader, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Read files, by their numbers: on a worker."""
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

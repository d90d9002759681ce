"""Files as packets of clicks on Spark's workers, all clicks of a listener at one of them."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from consumers.history.options import Loading
from consumers.history.plan import HistoryFile, for_workers
from consumers.history.read import FileReader, Rows
from consumers.history.session import told
from consumers.runtime.cycles import look_seldom_for_cycles
from stream.settings import Settings

if TYPE_CHECKING:
    from pyspark import RDD
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["FOLDER", "as_frame", "is_count", "packets"]

FOLDER = "history"
"""Within the data folder: rows that cannot be used, where they cannot stand beside their file."""

BUCKET_BYTES = 64 << 20
"""Of files, unpacked: listeners of so many are held at once by each worker, in some five times the memory."""

MOST_BUCKETS = 4_000
"""Beyond that, at 256 GB, buckets grow with the files: small packets would be mostly heads."""

PACKED = "bucket int, rows binary"
COUNTS = b"{"
"""How counts begin; packets of clicks, as Arrow has them, do not."""


def packets(
    spark: SparkSession, files: Sequence[HistoryFile], settings: Settings, loading: Loading
) -> RDD[tuple[int, bytes]]:
    """Return the packets of the clicks of files, a partition for each bucket of listeners.

    A packet is the number of its bucket, and clicks (`columns.unpack`), or what became of the rows of a file
    (`is_count`), as JSON of `read.Rows`. Of Spark's ways to hold them this is the one that begins soonest: to
    get its SQL ready takes as long as to read a million rows.
    """
    context = spark.sparkContext
    cores = context.defaultParallelism
    sizes = {file.number: file.size for file in files}  # of an object store each is a request
    buckets = min(cores * max(1, math.ceil(sum(sizes.values()) / BUCKET_BYTES / cores)), MOST_BUCKETS)
    reader = FileReader(
        time.time(), settings.data / FOLDER, buckets, loading.sample_users, loading.drop_zero_plays
    )
    largest_first = sorted(for_workers(files), key=lambda file: -sizes[file.number])
    return (
        context.parallelize(range(len(files)), len(files))
        .mapPartitions(told(partial(_read, largest_first, reader)))
        .partitionBy(buckets, int)
    )


def as_frame(spark: SparkSession, packets: RDD[tuple[int, bytes]]) -> DataFrame:
    """Return packets with the columns `bucket` and `rows`."""
    return spark.createDataFrame(packets, PACKED, verifySchema=False)


def is_count(rows: bytes) -> bool:
    """Say whether a packet says what became of the rows of a file, and has no clicks."""
    return rows.startswith(COUNTS)


def _read(
    files: Sequence[HistoryFile], reader: FileReader, numbers: Iterator[int]
) -> Iterator[tuple[int, bytes]]:
    """Read files, by their numbers: on a worker."""
    look_seldom_for_cycles()
    for number in numbers:
        counted = Rows()
        yield from reader.packed(files[number], counted)
        yield 0, json.dumps(vars(counted)).encode()

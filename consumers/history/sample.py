"""A sample of the listeners, out of all that Spark holds: as many as fit into this process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from consumers.evaluate.click_log import ClickLog
from consumers.evaluate.lowest_hashes import HASHES
from consumers.history.columns import CLICKS, Packets, coded
from consumers.history.listeners import Loaded
from consumers.history.packets import is_count
from consumers.history.read import Rows
from consumers.history.session import told
from models.active_days import KINDS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = [
    "Census",
    "census",
    "clicks_of_bucket",
    "in_sample",
    "named",
    "put_all",
    "put_sample",
    "rows_read",
]

COUNTED = "bucket int, hash long, clicks long, nameless long"
COUNTS = pa.schema([("bucket", pa.int32()), *((name, pa.int64()) for name in ("hash", "clicks", "nameless"))])
CLICK = "user_id string, ts double, artist_ids array<string>, kind byte, ms_played long, place long"
COLUMNS = ["user_id", "ts", "artist_ids", "kind", "ms_played", "place"]
IN_FULL = pa.schema(
    [
        ("user_id", pa.string()),
        ("ts", pa.float64()),
        ("artist_ids", pa.list_(pa.string())),
        *((name, CLICKS.field(name).type) for name in COLUMNS[3:]),
    ]
)
TOGETHER = 20_000  # clicks


@dataclass(frozen=True)
class Census:
    """How many listeners there are, and which of them are in the sample.

    Attributes
    ----------
    clicks, nameless
        Clicks that name an artist, and those that do not.
    by_bucket
        Bucket -> its listeners, of those who have a click with an artist.
    below
        Those whose id has a lower hash (CRC-32) are in the sample.
    """

    clicks: int
    nameless: int
    by_bucket: Mapping[int, int]
    below: int

    @property
    def listeners(self) -> int:
        """All there are."""
        return sum(self.by_bucket.values())

    @property
    def first_number(self) -> dict[int, int]:
        """Bucket -> the number of its first listener, where all are numbered from 0 on."""
        ends = np.cumsum([0, *self.by_bucket.values()]).tolist()
        return dict(zip(self.by_bucket, ends, strict=False))


def census(packets: DataFrame, most: int) -> Census:
    """Count listeners, and draw at most so many: those with the lowest hashes, as `LowestHashes` does.

    What comes here are `most` + 1 numbers, and one for each bucket.
    """
    from pyspark.sql import functions as sql

    each = packets.mapInArrow(told(_count), COUNTED).persist()
    totals = each.groupBy("bucket").agg(
        sql.count("hash").alias("listeners"),
        sql.sum("clicks").alias("clicks"),
        sql.sum("nameless").alias("nameless"),
    )
    found = totals.orderBy("bucket").collect()
    lowest = each.where("hash is not null").select("hash").orderBy("hash").limit(most + 1).collect()
    each.unpersist()
    return Census(
        sum(row.clicks for row in found),
        sum(row.nameless for row in found),
        {row.bucket: row.listeners for row in found},
        lowest[most].hash if len(lowest) > most else HASHES,
    )


def put_sample(packets: DataFrame, below: int, log: ClickLog) -> None:
    """Put the clicks of the listeners of the sample into a log, in the order in which files have them.

    They come here a partition at a time, and the log keeps them on disk.
    """
    clicks = packets.mapInArrow(partial(_sampled, below), CLICK)
    ordered = clicks.repartitionByRange(packets.rdd.getNumPartitions(), "place").sortWithinPartitions("place")
    for row in ordered.toLocalIterator():
        click = {"ts": row.ts, "artist_ids": tuple(row.artist_ids), "ms_played": row.ms_played}
        log.put(row.user_id, {**click, "action": KINDS[row.kind]})


def put_all(clicks: pa.Table, log: ClickLog) -> None:
    """Put clicks (`columns.CLICKS`, each with an artist) into a log."""
    for batch in clicks.select(COLUMNS[:-1]).to_batches(TOGETHER):
        for click in batch.to_pylist():
            log.put(click["user_id"], {**click, "action": KINDS[click["kind"]]})


def rows_read(packets: DataFrame) -> Rows:
    """Add up what became of the rows of all files."""
    from pyspark.sql import functions as sql

    total = Rows()
    for packet in packets.where(sql.expr("substring(rows, 1, 1) = X'7B'")).collect():
        total.add(Rows.of(json.loads(bytes(packet.rows))))
    return total


def clicks_of_bucket(batches: Iterator[pa.RecordBatch]) -> tuple[int, pa.Table]:
    """Return the number of a bucket, and its clicks; those that are to count once are there once."""
    bucket, packed = 0, Packets()
    for batch in batches:
        for number, rows in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            bucket = number
            if not is_count(rows):
                packed.add(rows)
    return bucket, Loaded.of(packed.clicks()).table


def named(clicks: pa.Table) -> pa.Table:
    """Return the clicks that name an artist."""
    return clicks.filter(pc.greater(pc.fill_null(pc.list_value_length(clicks["artist_ids"]), 0), 0))


def in_sample(clicks: pa.Table, below: int) -> npt.NDArray[np.bool_]:
    """Say which clicks are of listeners of the sample."""
    users, code = coded(clicks["user_id"])
    chosen = np.array([crc32(user.encode()) < below for user in users.to_pylist()], dtype=bool)
    found: npt.NDArray[np.bool_] = chosen[code]
    return found


def _count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    bucket, clicks = clicks_of_bucket(batches)
    with_artist = named(clicks)
    users, code = coded(with_artist["user_id"])
    hashes = [crc32(user.encode()) for user in users.to_pylist()]
    yield _counts([bucket] * len(hashes), hashes, np.bincount(code).tolist(), [0] * len(hashes))
    yield _counts([bucket], [None], [0], [len(clicks) - len(with_artist)])


def _counts(*columns: list[Any]) -> pa.RecordBatch:
    arrays = [pa.array(column, entry.type) for column, entry in zip(columns, COUNTS, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=COUNTS)


def _sampled(below: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    clicks = named(clicks_of_bucket(batches)[1])
    chosen = clicks.filter(pa.array(in_sample(clicks, below)))
    # Spark knows no columns that are coded.
    yield from chosen.select(COLUMNS).cast(IN_FULL).to_batches(TOGETHER)

"""The packets of a bucket into Redis: on one of Spark's workers.

Apart from `load`, which imports more than a worker needs: each of them begins with its imports.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pyarrow as pa
from threadpoolctl import threadpool_limits

from consumers.history.columns import Packets
from consumers.history.packets import is_count, look_seldom_for_cycles
from consumers.history.write import Writer, Written
from stream.settings import Settings

__all__ = ["write_bucket"]

COUNTED = pa.schema([("said", pa.string())])


def write_bucket(
    settings: Settings, load: int, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Write the listeners of a bucket; go through what `load` is told of them, as JSON."""
    look_seldom_for_cycles()
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

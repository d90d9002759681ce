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
from consumers.history.packets import is_count
from consumers.history.write import Writer, Written
from consumers.runtime.cycles import look_seldom_for_cycles
from stream.settings import Settings

__all__ = ["write_bucket"]


def write_bucket(
    settings: Settings, load: int, packets: Iterator[tuple[int, bytes]]
) -> Iterator[dict[str, Any]]:
    """Write the listeners of a bucket; go through what `load` is told of it, by what it is of."""
    look_seldom_for_cycles()
    packed = Packets()
    for _, rows in packets:
        if is_count(rows):
            yield {"rows": json.loads(rows)}
        else:
            packed.add(rows)
    if packed:
        if shortened := packed.shortened:
            yield {"shortened": shortened}
        with threadpool_limits(1):
            yield {"written": vars(asyncio.run(_write_all(settings, load, packed.clicks())))}


async def _write_all(settings: Settings, load: int, clicks: pa.Table) -> Written:
    async with aclosing(await Writer.open(settings, load)) as writer:
        return await writer.write(clicks)

"""History loaded without Spark: what its workers do, in the test's own process."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from consumers.history.columns import unpack
from consumers.history.guard import after_load, before_load
from consumers.history.plan import for_workers, history_files
from consumers.history.read import FileReader, Rows
from consumers.history.write import Writer, Written
from stream.files.options import FileOptions
from stream.files.recognise import settle
from stream.settings import Settings

__all__ = ["BUCKETS", "load_here"]

BUCKETS = 3


def load_here(
    settings: Settings,
    paths: Sequence[Path],
    *,
    buckets: Collection[int] = range(BUCKETS),
    share: float = 1.0,
    drop_zero_plays: bool = False,
    preset: str = "",
    distinct: bool = False,
) -> tuple[Rows, Written]:
    """Load files; of less than all `buckets`, as a load that was killed."""
    files = history_files(
        paths,
        FileOptions(preset=preset, distinct=distinct),
        lambda options, path: settle("clicks", options, [path], without_times=False).options,
    )
    files = pickle.loads(pickle.dumps(for_workers(files)))  # noqa: S301 - as Spark sends them to its workers
    reader = FileReader(time.time(), settings.data, BUCKETS, share, drop_zero_plays)
    rows, parts = Rows(), list[tuple[int, bytes]]()
    for file in files:
        counted = Rows()
        parts += reader.packed(file, counted)
        rows.add(counted)
    load = asyncio.run(before_load(settings))
    written = Written()
    for bucket in buckets:
        packed = [part for number, part in parts if number == bucket]
        if packed:
            written.add(asyncio.run(_write(settings, load, packed)))
    asyncio.run(after_load(settings, load))
    return rows, written


async def _write(settings: Settings, load: int, packed: Sequence[bytes]) -> Written:
    writer = await Writer.open(settings, load)
    try:
        return await writer.write(unpack(packed))
    finally:
        await writer.aclose()

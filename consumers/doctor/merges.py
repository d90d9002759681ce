"""What the doctor looks at in merges: whether any is begun and not finished."""

from __future__ import annotations

from consumers.doctor.check import Check
from consumers.terminal.format import counted
from stream.connect import AnyRedis
from stream.stores.merged_lately import MergedLately
from stream.stores.merges import Merges

__all__ = ["check_merges"]

SLOW_SECONDS = 60.0
NAMED = 3  # ids


async def check_merges(redis: AnyRedis, now: float) -> list[Check]:
    """Look for merges, and undoings, begun more than a minute ago (`now`: Unix seconds) and not finished.

    Those of the last two hours are known; nothing is said where there are none.
    """
    ids, merges = await MergedLately(redis).announced(now - SLOW_SECONDS), Merges(redis)
    if not ids:
        return []
    forwards = await merges.forwards(ids)
    open_ones = [forward.user_id for forward in forwards if forward.undoing or not forward.done]
    if not open_ones:
        return [Check.fine("merges", "all that were begun in the last two hours are finished")]
    names = ", ".join(open_ones[:NAMED])
    return [
        Check.wrong(
            "merges",
            f"{counted(len(open_ones), 'merge')} begun more than a minute ago, and not finished: {names}",
            "look at the log of `refrain ingest`; another ingester goes on with them. Nobody is told twice",
        )
    ]

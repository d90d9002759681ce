"""Whether the times of a history can be right, looked at before any of it is sent."""

from __future__ import annotations

import time

from consumers.replay.plan import Plan
from stream.files.fields import Remark
from stream.files.tally import Tally
from stream.wire.dead_letter import Reason

__all__ = ["doubt_in", "doubtful_times"]

LOOKED_AT = 1000
"""Rows of each file."""


def doubtful_times(plan: Plan, *, first: bool = False) -> str:
    """Return what is odd about most times of the first rows of each file; "" where nothing is.

    Parameters
    ----------
    first
        Whether the files at the beginning of a packed archive are enough.

    Raises
    ------
    BadFile
        Where a file cannot be read.
    """
    if plan.order.spread:
        return ""
    return doubt_in(plan.reading(time.time(), None, first=first).first_rows(LOOKED_AT))


def doubt_in(tally: Tally) -> str:
    """Return what is odd about most times of rows that were read; "" where nothing is."""
    early, late = tally.remarked(Remark.EARLY), tally.remarked(Remark.LATE) + tally.bad[Reason.FUTURE]
    timed = tally.rows - tally.left_out - tally.bad.total() + tally.bad[Reason.FUTURE]
    if 2 * (early + late) <= timed:
        return ""
    odd = [
        finding
        for finding in (*tally.remarks.values(), *tally.unusable.values())
        if finding.what in (Remark.EARLY, Remark.LATE, Reason.FUTURE)
    ]
    example = max(odd, key=lambda finding: finding.count)
    what = " or ".join(said for number, said in ((early, "before 2000"), (late, "in the future")) if number)
    return (
        f"{early + late:,} of the first {timed:,} times are {what}; the one of line {example.line} of "
        f"{example.file} ({example.value}), for one: {example.detail}"
    )

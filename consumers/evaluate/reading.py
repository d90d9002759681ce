"""Reads files of clicks into a log, and says whether their times are of use."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic_core import from_json

from consumers.evaluate.click_log import ClickLog
from consumers.replay.plan import Plan, preview
from stream.errors import BadFile
from stream.files.reading import Tally
from stream.files.tables import Table

__all__ = ["Read", "asked_for_times", "has_times", "read", "without_times"]

WATCH_EVERY = 2000  # events
TIMES = {"ts"}


@dataclass(frozen=True)
class Read:
    """What the files held.

    Attributes
    ----------
    clicks
        Those that name an artist.
    nameless
        Those that do not.
    tally
        What became of the rows.
    """

    clicks: int
    nameless: int
    tally: Tally


def asked_for_times(plan: Plan) -> bool:
    """Say whether the plan names what clicks have their times from."""
    options = plan.options
    return bool(TIMES & {*options.mapping, *options.constants} or options.time_in_name)


def has_times(plan: Plan) -> bool:
    """Say whether clicks have times, by the first that can be used.

    Raises
    ------
    BadFile
        Where no click can be used, with a time or without one.
    """
    if asked_for_times(plan):
        return True
    try:
        if preview(plan, 1)[0]:
            return True
        failed = None
    except BadFile as error:
        failed = error
    found, tally = preview(without_times(plan), 1)
    if found:
        return False
    raise failed or BadFile(_nothing(plan, tally))


def without_times(plan: Plan) -> Plan:
    """Return the plan with clicks that have no times, whatever columns there are."""
    return replace(plan, without_times=True, options=replace(plan.options, since=""))


def read(plan: Plan, log: ClickLog, watch: Callable[[int, int], object]) -> Read:
    """Write the clicks of a plan into a log.

    Parameters
    ----------
    watch
        Is told bytes read, bytes there are.

    Raises
    ------
    BadFile
        Where there is no click with an artist.
    """
    reading = plan.reading(time.time(), None)
    clicks = nameless = 0
    for number, event in enumerate(reading.events()):
        copies = (
            event.copies
            if plan.options.limit is None
            else min(event.copies, plan.options.limit - clicks - nameless)
        )
        if copies <= 0:
            break
        click = from_json(event.value)
        if click.get("artist_ids"):
            log.put(click["user_id"], click, copies)
            clicks += copies
        else:
            nameless += copies
        if number % WATCH_EVERY == 0:
            watch(reading.read, reading.size)
    if not clicks and nameless:
        raise BadFile(
            f"none of the {nameless:,} clicks names an artist: say which column does, "
            "--map artist_ids=COLUMN, or give a file that says who made a song, --songs FILE"
        )
    if not clicks:
        raise BadFile(_nothing(plan, reading.tally))
    return Read(clicks, nameless, reading.tally)


def _nothing(plan: Plan, tally: Tally) -> str:
    if tally.rows == tally.left_out:
        return f"{_files(plan)}: none of {tally.rows:,} rows is asked for (--where, --since, --repeat)"
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in tally.bad.most_common())
    columns = Table.all_of(plan.files[0], plan.options.layout)[0].columns
    named = f" {plan.files[0]} has the columns {', '.join(columns)}." if columns else ""
    return (
        f"{_files(plan)}: none of {tally.rows:,} rows can be used ({reasons}).{named} --map says which "
        "column is what, as --map user_id=user,artist_ids=artist,ts=time"
    )


def _files(plan: Plan) -> str:
    return ", ".join(str(path) for path in plan.files)

"""What came of a load of history, for people."""

from __future__ import annotations

from collections.abc import Iterator

from consumers.history.columns import MOST_OF_ONE
from consumers.history.summary import LoadSummary
from consumers.terminal.format import counted
from consumers.terminal.visible import say
from stream.files.times import utc_text

__all__ = ["show_load"]

NAMED = 10  # listeners, by their ids


def show_load(summary: LoadSummary) -> None:
    """Print what came of it."""
    for line in _lines(summary):
        say(line)


def _lines(summary: LoadSummary) -> Iterator[str]:
    rows, written = summary.rows, summary.written
    speed = f"{rows.rows / summary.seconds:,.0f} rows a second" if summary.seconds else ""
    yield f"{rows.rows:,} rows read in {summary.seconds:,.1f} s, {speed}"
    yield f"{written.listeners:,} listeners loaded, with {written.clicks:,} clicks"
    if written.first is not None and written.last is not None:
        yield f"from {utc_text(written.first)} to {utc_text(written.last)}"
    if written.bots:
        yield f"{written.bots:,} of them are bots, and in no cohort"
    if written.loaded_before:
        yield f"{written.loaded_before:,} listeners had been loaded before, and are as they were"
    if written.known:
        yield (
            f"{written.known:,} listeners were known already, or are part of another: they are as they were, "
            "and what the files have of them does not count"
        )
    if summary.shortened:
        most_first = sorted(summary.shortened.items(), key=lambda each: -each[1])
        ids = ", ".join(f"{user!r} ({clicks:,} clicks)" for user, clicks in most_first[:NAMED])
        more = f" and {len(most_first) - NAMED:,} more" if len(most_first) > NAMED else ""
        yield (
            f"only the latest {MOST_OF_ONE:,} clicks count of {counted(len(most_first), 'listener')}: "
            f"{ids}{more}. Is that an id of everybody who is not logged in?"
        )
    for number, what in (
        (rows.left_out, "rows left out, as asked"),
        (rows.unsampled, "clicks of listeners who are not in the sample"),
        (rows.zero_plays, "plays of 0 ms left out"),
        (written.repeated, "clicks that stood there before, left out as asked"),
        (written.waiting, "clicks wait for their song: load or replay the songs, and they count"),
        (written.refused, "clicks cannot wait for their song: 1,000 of a listener do already"),
    ):
        if number:
            yield f"{number:,} {what}"
    if bad := rows.bad.total():
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in rows.bad.most_common())
        places = f"; see {', '.join(rows.bad_files)}" if rows.bad_files else ""
        yield f"{bad:,} rows cannot be used ({reasons}){places}"
    for each in rows.unwritten:
        yield f"not all of these rows are written down: {each}"
    if written.listeners:
        yield "start `refrain train` and `refrain ingest`: they learn from these, and go on from here"

"""Releases and clicks on them, out of files."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic_core import from_json

from stream.errors import BadFile
from stream.files.options import Kind, RowOptions
from stream.files.reading import Reading, Tally
from stream.files.recipe import Event, Recipe
from stream.files.tables import Table
from stream.files.times import seconds_of, zone
from stream.wire.events import Release

__all__ = ["Rows", "click_rows", "clicks_in", "releases_in"]


@dataclass
class Rows:
    """Files of rows; once they are read, `tally` says what became of the rows."""

    kind: Kind
    files: Sequence[Path]
    options: RowOptions
    tally: Tally = field(default_factory=Tally)

    def events(self) -> Iterator[Event]:
        """Go through the events.

        Raises
        ------
        BadFile
            Where a file cannot be read, or no row of it can be used.
        """
        options, now = self.options, time.time()
        since = seconds_of(options.since, now, zone(options.timezone)) if options.since else None
        named = {*options.mapping, *options.constants, *(["ts"] if options.time_in_name else [])}
        timed = since is not None or "ts" in named
        recipe = Recipe(self.kind, options, not timed and self.kind == "feedback", since, now)
        tables = [table for path in self.files for table in Table.all_of(path, options.layout)]
        reading = Reading(tables, recipe, None)
        found = 0
        for event in itertools.islice(reading.events(), options.limit):
            found += 1
            yield event
        self.tally = reading.tally
        if not found and self.tally.bad:
            raise BadFile(self._unusable())

    def _unusable(self) -> str:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in self.tally.bad.most_common())
        return (
            f"{', '.join(map(str, self.files))}: none of {self.tally.rows:,} rows can be used ({reasons}). "
            f"`refrain replay {self.kind} FILE --dry-run` with the same options shows what they make of them"
        )


def releases_in(rows: Rows) -> Iterator[Release]:
    """Go through the releases in files; one of several rows has the artists of all of them.

    Raises
    ------
    BadFile
        Where a file cannot be read, or no row of it can be used.
    """
    return (Release.model_validate_json(event.value) for event in rows.events())


def click_rows(files: Sequence[Path], options: RowOptions) -> Rows:
    """Return files of clicks on releases, as rows of feedback; where nothing says a kind, it is a click."""
    named = "kind" in {*options.mapping, *options.constants}
    if not named and not Table.all_of(files[0], options.layout)[0].has("kind"):
        options = replace(options, constants={**options.constants, "kind": "clicked"})
    return Rows("feedback", files, options)


def clicks_in(rows: Rows) -> Iterator[tuple[str, str]]:
    """Go through the clicks in rows of feedback: release and listener. Other kinds are passed over.

    Raises
    ------
    BadFile
        Where a file cannot be read, or no row of it can be used.
    """
    for event in rows.events():
        feedback = from_json(event.value)
        if feedback["kind"] == "clicked":
            yield feedback["release_id"], feedback["user_id"]

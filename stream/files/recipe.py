"""How rows become events: what the options of `refrain replay` say, made ready for a table."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from stream.errors import WrongUse
from stream.files.columns import SCALES, column, wanted
from stream.files.credits import Credits
from stream.files.fields import Source, constant, sources
from stream.files.gathered import Part, together
from stream.files.kinds import CHOICES, ID_LISTS, KINDS, TIMES
from stream.files.options import FileOptions, Kind, RowOptions
from stream.files.plain_clicks import plain_clicks
from stream.files.presets import NONE
from stream.files.row_events import EARLY, Event, LeftOut, RowEvents, Unreadable, finisher
from stream.files.songs import SongFile
from stream.files.tables import Bad, Table
from stream.wire.parsing import FUTURE_SECONDS

__all__ = ["Event", "LeftOut", "Recipe"]

GATHERED = frozenset({"songs", "releases"})
HAVE_ARTISTS = frozenset({"clicks", "songs", "releases"})


@dataclass(frozen=True)
class Recipe:
    """How the rows of any table become events of a kind.

    Attributes
    ----------
    kind
        Which events the rows become.
    options
        How they become such.
    spread
        Whether events get their ``ts`` later.
    since
        Events before it (Unix seconds) are left out.
    now
        Unix seconds: which times are in the future. The same rows become the same events at the same `now`.

    Raises
    ------
    WrongUse
        Where the options do not go with the kind, or with each other.
    """

    kind: Kind
    options: RowOptions = field(default_factory=RowOptions)
    spread: bool = False
    since: float | None = None
    now: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        if self.options.preset not in ("", NONE):
            raise WrongUse(f"--preset {self.options.preset} does not go with this: type its options")
        if self.kind not in get_args(Kind):
            raise WrongUse(f"there are no {self.kind!r} to replay; there are {', '.join(KINDS)}")
        options, fields = self.options, KINDS[self.kind].fields
        read = (*options.values, *options.percent_encoded, *options.extracts, *options.factors)
        for name in (*options.mapping, *options.constants, *read):
            if name not in fields:
                raise WrongUse(f"{self.kind} have no field {name!r}; they have {', '.join(sorted(fields))}")
        self._check_times(fields)
        self._check_clicks()
        if twice := sorted(set(self.options.mapping) & set(self.options.constants)):
            raise WrongUse(f"{twice[0]} has both a column and a constant: leave one of them out")
        if alone := sorted({*options.extracts, *options.factors} & set(self.options.constants)):
            raise WrongUse(f"{alone[0]} is the same for all: --extract and --multiply go with a column")

    def _check_times(self, fields: frozenset[str]) -> None:
        options, said = self.options, "ts" in {*self.options.mapping, *self.options.constants}
        if self.spread and ("ts" not in fields or said or options.time_in_name):
            raise WrongUse(
                "--spread gives events their ts: it needs a kind that has one, and none from a column"
            )
        if self.since is not None and (self.spread or "ts" not in fields):
            raise WrongUse(
                "--since goes by the events' own ts: it needs a kind that has one, and no --spread"
            )
        if options.time_in_name and ("ts" not in fields or said):
            raise WrongUse(
                "--ts-from-name gives events their ts: it needs a kind that has one, and none from --map or "
                "--set"
            )
        if options.timezone_column and not TIMES & fields:
            raise WrongUse(f"--timezone-column goes with times, and {self.kind} have none")

    def _check_clicks(self) -> None:
        options = self.options
        if not isinstance(options, FileOptions):
            return
        if self.kind != "clicks" and (options.actions or options.distinct):
            raise WrongUse(f"--action and --distinct go with clicks, not with {self.kind}")
        if options.distinct and self.spread:
            raise WrongUse("--distinct goes by the events' own ts: it does not go without, nor with --spread")
        if options.split_artists and self.kind not in HAVE_ARTISTS:
            raise WrongUse(
                f"--split-artists goes with {', '.join(sorted(HAVE_ARTISTS))}, not with {self.kind}"
            )
        if options.known_artists and not options.split_artists:
            raise WrongUse(
                "--known-artists says what --split-artists is not to split: it does not go without"
            )
        for action, _ in options.actions:
            if action not in CHOICES["action"]:
                raise WrongUse(f"--action {action}: there are {', '.join(CHOICES['action'])}")

    @property
    def gathers(self) -> bool:
        """Whether several rows may make one event: a song or a release that has a row for each artist."""
        return self.kind in GATHERED

    @property
    def distinct(self) -> bool:
        """Whether the same click is to count once."""
        return isinstance(self.options, FileOptions) and self.options.distinct

    def together(self, parts: Sequence[Part]) -> Event | list[Bad]:
        """Return the one event of several rows, or each row as a bad one where it cannot be."""
        if len(parts) == 1:
            return Event(parts[0].key, parts[0].value)
        raw = together(part.value for part in parts)
        try:
            return Event(parts[0].key, finisher(KINDS[self.kind], self.now, spread=self.spread)(raw, []))
        except Unreadable as bad:
            detail = f"{bad.detail} (with the other rows of {parts[0].key.decode()})"
            return [Bad(part.line, bad.reason, detail, json.loads(part.value)) for part in parts]

    def credited(self, table: Table) -> Iterator[str]:
        """Go through the artists that the rows of a table name, as they name them."""
        found = self._sources(table, EARLY)
        read = [source.read for name, source in found.items() if name in ID_LISTS]
        for row in table.rows():
            if isinstance(row, Bad):
                continue
            for each in read:
                with contextlib.suppress(ValueError, OverflowError):  # the row itself will say what it has
                    yield from (name for name in each(row.values, []) or () if isinstance(name, str))

    def ready(
        self, table: Table, songs: SongFile | None = None, splitter: Credits | None = None
    ) -> RowEvents:
        """Return what makes an event of each row of a table.

        Raises
        ------
        WrongUse
            Where a column that is named is not there, or the file's name is not as ``--ts-from-name`` says.
        """
        options, shape = self.options, KINDS[self.kind]
        rules = options.actions if isinstance(options, FileOptions) else ()
        earliest = max(EARLY, self.since or EARLY)
        found = self._sources(table, earliest)
        constants = self._constants()
        alone = self.kind == "clicks" and not (rules or songs or splitter or options.repeat or self.spread)
        return RowEvents(
            shape=shape,
            sources=found,
            constants=constants,
            wanted=wanted(table, options.where) if options.where else None,
            actions=[(action, wanted(table, [when])) for action, when in rules],
            repeat=options.repeat,
            copies=self._copies(table),
            join=songs.ready(table) if songs else None,
            splitter=splitter,
            since=self.since,
            finish=finisher(shape, self.now, spread=self.spread),
            plain=plain_clicks(found, constants, earliest, self._latest, strip=table.format in ("csv", "tsv"))
            if alone
            else None,
        )

    @property
    def _latest(self) -> float:
        return self.now + FUTURE_SECONDS

    def _sources(self, table: Table, earliest: float) -> dict[str, Source]:
        fields, spread = KINDS[self.kind].fields, self.spread
        return sources(fields, table, self.options, spread=spread, earliest=earliest, latest=self._latest)

    def _constants(self) -> dict[str, Any]:
        options = self.options
        values = {name: constant(name, text, options) for name, text in options.constants.items()}
        return {name: value for name, value in values.items() if value is not None}

    def _copies(self, table: Table) -> Callable[[Any], int] | None:
        if not self.options.repeat:
            return None
        get, times = column(table, self.options.repeat), SCALES[self.options.scale]
        return lambda values: times(get(values))

"""The demo's page of text: a picture of a moment that fits a terminal of any size from 80 x 24."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from consumers.demo.ledger import Entry, Ledger, Tally
from consumers.demo.watch import CohortRow, Vitals

__all__ = ["Picture", "ctr_line", "in_words", "one_line"]

FRAME = 13  # lines that are always there
WIDE = 96  # columns from which the world and cohorts are shown in full,
WIDER = 112  # and from which releases have their scene
KEY = "dim"
IN_WORDS = {"control group": "in the control group", "holdout": "in the holdout"}
"""Why listeners are left out, where the reason that a summary gives is no description of them."""
IN_FEW = {
    "told a moment ago": "just told",
    "told of this artist lately": "same artist",
    "control group": "as control",
    "holdout": "holdout",
}
"""The same where there is not enough room."""


@dataclass(frozen=True)
class Picture:
    """A moment of the demo; rich renders it into the space there is.

    Parameters
    ----------
    seconds, for_seconds
        How long the demo has run, and how long it is to (None: until somebody ends it).
    world
        What is simulated, in a few words.
    vitals
        How Refrain is.
    ledger
        What came of the releases.
    said
        The last word of the processes, or what else is to stand in the last line.
    """

    seconds: float
    for_seconds: float | None
    world: str
    vitals: Vitals
    ledger: Ledger
    said: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide, wider = options.max_width >= WIDE, options.max_width >= WIDER
        rows = max((options.height or console.height) - FRAME, 6)
        above, below = rows - rows // 2, rows // 2
        yield Group(
            self._head(wide),
            Rule(Text("clicks", "bold"), align="left", style=KEY),
            _figures(self._flow(), wide),
            _figures(self._model(), wide),
            Rule(
                Text.assemble(("cohorts", "bold"), ": who listens alike, and what they truly like best"),
                align="left",
                style=KEY,
            ),
            _cohorts(self.vitals.cohorts[:above], above, wide),
            Rule(
                Text.assemble(("releases", "bold"), f": {_told_line(self.ledger)}"), align="left", style=KEY
            ),
            _releases(list(self.ledger.entries.values())[: -below - 1 : -1], below, wide, wider),
            Rule(style=KEY),
            ctr_line(self.ledger),
            Text(
                _left_in_peace(self.ledger.latest(), options.max_width),
                KEY,
                overflow="ellipsis",
                no_wrap=True,
            ),
            Text(self.said, style="yellow", overflow="ellipsis", no_wrap=True),
        )

    def _head(self, wide: bool) -> Text:
        head = Text.assemble(
            ("refrain demo", "bold cyan"), "  ", _clock(self.seconds), no_wrap=True, overflow="crop"
        )
        if self.for_seconds is not None:
            head.append(f" of {_clock(self.for_seconds)}", style=KEY)
        if wide:
            head.append(f"   {self.world}", style=KEY)
        return head

    def _flow(self) -> list[tuple[str, str]]:
        vitals = self.vitals
        return [
            ("in", f"{vitals.clicks_in:,.0f}/s"),
            ("applied", f"{vitals.applied:,.0f}/s"),
            ("lag", f"{vitals.lag:,}"),
            ("dead letters", f"{vitals.dead_letters:,}"),
            ("moved", f"{vitals.moves:,}"),
        ]

    def _model(self) -> list[tuple[str, str]]:
        vitals = self.vitals
        if vitals.model is None:
            return [("model", "none yet"), ("heard so far", f"{vitals.waiting:,} listeners")]
        predicted = [] if vitals.predicted is None else [("predicts", f"{vitals.predicted:.1f}x")]
        return [
            ("model", f"{vitals.model}, {vitals.model_age:.0f} s old"),
            ("cohorts", f"{vitals.n_cohorts}"),
            *predicted,
            ("members", f"{vitals.members:,}"),
            ("in none", f"{vitals.waiting:,}"),
            ("bots", f"{vitals.bots}"),
        ]


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def _figures(figures: Iterable[tuple[str, str]], wide: bool) -> Text:
    parts: list[tuple[str, str]] = []
    for name, value in figures:
        parts += [(f"{name} ", KEY), (value, "bold"), ("   " if wide else "  ", "")]
    return Text.assemble(*parts, no_wrap=True, overflow="crop")


def _table() -> Table:
    return Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style=KEY, show_edge=False)


def _fill(table: Table, lines: int) -> None:
    """Keep the place of rows to come, so that nothing jumps."""
    for _ in range(lines):
        table.add_row("")


def _cohorts(rows: Sequence[CohortRow], lines: int, wide: bool) -> RenderableType:
    table = _table()
    table.add_column("", width=4, no_wrap=True)
    table.add_column("size", width=5, justify="right", no_wrap=True)
    table.add_column("label", ratio=1, no_wrap=True)
    table.add_column("they truly like", width=22 if wide else 20, no_wrap=True)
    for row in rows:
        share = Text.assemble((f"{row.share:4.0%} ".replace("%", " %"), _shade(row.share)), row.scene)
        table.add_row(Text(row.cohort_id, KEY), f"{row.size:,}", Text(row.label), share)
    _fill(table, lines - len(rows))
    return table


def _releases(entries: Sequence[Entry], lines: int, wide: bool, wider: bool) -> RenderableType:
    table = _table()
    table.add_column("title", ratio=1, no_wrap=True)
    table.add_column("artist", width=25 if wide else 21, no_wrap=True)
    if wider:
        table.add_column("scene", width=15, no_wrap=True)
    if wide:
        table.add_column("ms", width=5, justify="right", no_wrap=True)
    for name, width in (("told", 5), ("CTR", 6), ("by taste", 8), ("at random", 9)):
        table.add_column(name, width=width, justify="right", no_wrap=True)
    table.add_column("wave", width=4, no_wrap=True)
    for entry in entries:
        artist = Text(entry.song.artist_names[0])
        if entry.release.similar_to:
            artist.append(" new", style="magenta")
        latency = f"{entry.latency_ms:.0f}" if entry.latency_ms is not None else "-"
        table.add_row(
            Text(entry.release.title or ""),
            artist,
            *(entry.release.genres if wider else ()),
            *([latency] if wide else ()),
            f"{entry.audience.told:,}" if entry.audience.told else "-",
            Text(_percent(_usual(entry)), style="bold green"),
            _percent(entry.by_taste),
            _percent(entry.at_random),
            _wave(entry),
        )
    _fill(table, lines - len(entries))
    return table


def _usual(told: Entry | Ledger) -> Tally:
    """Return what the usual policy is about: taste is all it knows until a CTR model serves."""
    return told.usual if told.usual.told else told.by_taste


def _wave(entry: Entry) -> Text:
    """Say which wave is out, and whether another may follow."""
    if entry.wave is None:
        return Text("")
    return Text(f"{entry.wave}", KEY) if entry.reason else Text(f"{entry.wave} …", "yellow")


def _percent(tally: Tally) -> str:
    return f"{100 * tally.ctr:.1f} %" if tally.told else "-"


def _shade(share: float) -> str:
    good, fair = 0.7, 0.4
    return "green" if share >= good else "yellow" if share >= fair else "red"


def ctr_line(ledger: Ledger) -> Text:
    """Return the line that it is all about.

    "CTR 14.8 % (last 20 releases), 11.5 % by taste alone, 2.0 % at random: 7.4 x".
    """
    latest = ledger.latest()
    if not latest.audience.told:
        return Text("no audience yet", style="bold")
    usual, number = _usual(latest), len(latest.entries)
    line = Text.assemble(
        ("CTR ", "bold"),
        (_percent(usual), "bold green"),
        f" (last {number} releases)" if number > 1 else " (one release)",
        f", {_percent(latest.by_taste)} by taste alone" if latest.usual.told else " by taste alone",
        f", {_percent(latest.at_random)} at random",
        no_wrap=True,
        overflow="crop",
    )
    if latest.at_random.clicked:
        line.append_text(Text.assemble(": ", (f"{usual.ctr / latest.at_random.ctr:.1f} x", "bold green")))
    return line


def _told_line(ledger: Ledger) -> str:
    """Return how many were told of how many releases, how soon, and what came of all."""
    if not ledger.audience.told:
        return "whom to tell, at once"
    return (
        f"{ledger.audience.told:,} told of {len(ledger.entries)}, {ledger.in_waves} in waves, "
        f"median {ledger.median_ms or 0:.0f} ms, CTR of all {_percent(ledger.audience)}"
    )


def _left_in_peace(ledger: Ledger, room: int | None = None) -> str:
    """Say who was not told who would have been, the most first; in few words where the room asks for it."""
    if not ledger.left_out:
        return ""
    found = ledger.left_out.most_common()
    line = "left out: " + ", ".join(f"{number:,} {IN_WORDS.get(why, why)}" for why, number in found)
    if room is None or len(line) <= room:
        return line
    return "left out: " + ", ".join(f"{number:,} {IN_FEW.get(why, why)}" for why, number in found)


def in_words(ledger: Ledger) -> str:
    """Return what came of the releases as a line of plain text."""
    if not ledger.audience.told:
        return ctr_line(ledger).plain
    lines = (ctr_line(ledger).plain, _left_in_peace(ledger.latest()), f"releases: {_told_line(ledger)}")
    return "; ".join(line for line in lines if line)


def one_line(picture: Picture) -> str:
    """Return a moment as a line of plain text, where there is no terminal."""
    vitals = picture.vitals
    model = f"model {vitals.model}, {vitals.n_cohorts} cohorts" if vitals.model else "no model yet"
    return (
        f"{_clock(picture.seconds)}  clicks {vitals.clicks_in:,.0f}/s, applied {vitals.applied:,.0f}/s, "
        f"lag {vitals.lag:,}, dead letters {vitals.dead_letters:,}; {model}; "
        f"{in_words(picture.ledger)}"
    )

"""Cohorts as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.text import Text

from consumers.queries.cohort import Cohort, DistinctiveArtist, HistoryEntry
from consumers.queries.cohorts import CohortList
from consumers.terminal.console import Terminal
from consumers.terminal.format import clock, counted, moment, percent
from consumers.terminal.release_report import between
from consumers.terminal.tables import Column, facts, listing
from models.click_rate import MIN_SENT

__all__ = ["AROUND", "happened", "show_cohort", "show_cohorts"]

BARS = 40
LINES = 4  # of a cohort's history: more would not fit on 80 x 24
AROUND = 4
"""Lines around the list of cohorts: the command itself, the header, two of summary."""
EVENTS = {
    "born": ("born", "split from"),
    "split": ("split", "split, giving"),
    "merged": ("joined", "joined by"),
    "died": ("gone", "gone, most went to"),
}
"""Event -> how it is said where no other cohort took part, and before the names of those that did."""


def show_cohorts(found: CohortList) -> None:
    """Print the list of cohorts."""
    everyone = max(found.listeners + found.in_no_cohort, 1)
    numbers = (Column(name, right=True) for name in ("size", "share", "sent", "CTR", "95 %"))
    table = listing(Column("cohort"), Column("what sets it apart", wide=True), *numbers)
    for cohort in found.cohorts:
        table.add_row(
            cohort.cohort_id,
            Text(cohort.label),
            f"{cohort.size:,}",
            percent(cohort.size / everyone),
            f"{cohort.sent:,}" if cohort.sent else "",
            percent(cohort.ctr),
            between(cohort.ctr_low, cohort.ctr_high),
        )
    console = Terminal()
    console.print(table)
    said = f"{counted(found.total, 'cohort')}, {counted(found.listeners, 'listener')} in them"
    if found.in_no_cohort:
        said += f", {found.in_no_cohort:,} in none: they wait for one, or are bots"
    console.print(said, style="dim")
    if smaller := found.total - len(found.cohorts):
        console.print(f"{counted(smaller, 'smaller cohort')} not shown: --top {found.total}", style="dim")


def show_cohort(cohort: Cohort) -> None:
    """Print one cohort."""
    console = Terminal()
    console.print(Text(f"{cohort.cohort_id}  {cohort.label}", "bold"))
    console.print(
        facts(
            {
                "listeners": f"{cohort.size:,}"
                + ("" if cohort.living else ", who are leaving: the model no longer has this cohort"),
                "born": _birth(cohort),
                "size so far": _spark([entry.size for entry in cohort.history if entry.event != "born"]),
                "releases": _releases(cohort),
            }
        )
    )
    _show_artists(console, cohort.artists)
    _show_history(console, cohort.history)


def _releases(cohort: Cohort) -> str:
    if not cohort.sent:
        return "nobody here has been told of one yet"
    came = f"{cohort.sent:,} told, {cohort.opened:,} opened, {cohort.clicked:,} clicked"
    if cohort.ctr is None:
        return f"{came}; no CTR below {MIN_SENT} told"
    return f"{came}: CTR {percent(cohort.ctr)} (95 %: {between(cohort.ctr_low, cohort.ctr_high)})"


def _birth(cohort: Cohort) -> str:
    if not cohort.born:
        return ""
    return moment(cohort.born) + (f", split from {cohort.parent}" if cohort.parent else "")


def _spark(sizes: Sequence[int]) -> str:
    """Return sizes over time as bars, the latest last; nothing where there are too few to compare."""
    latest = sizes[-BARS:]
    top = max(latest, default=0)
    if len(latest) < 2 or not top:  # noqa: PLR2004 - two can be compared
        return ""
    return "".join("▁▂▃▄▅▆▇█"[round(7 * size / top)] for size in latest) + f"  up to {top:,}"


def _show_history(console: Terminal, history: Sequence[HistoryEntry]) -> None:
    """Print the latest entries; the first one says the same as the birth."""
    steps = list(pairwise(history))[-LINES:]
    if not steps:
        return
    size, label = Column("listeners", right=True), Column("called", wide=True)
    table = listing(Column("history"), Column("what happened"), size, label)
    for before, entry in steps:
        table.add_row(clock(entry.at), happened(before, entry), f"{entry.size:,}", Text(entry.label))
    console.print()
    console.print(table)


def happened(before: HistoryEntry, entry: HistoryEntry) -> str:
    """Return what an entry of a cohort's history says, in words; "" where nothing is to be said."""
    if entry.event:
        alone, joined = EVENTS[entry.event]
        return f"{joined} {', '.join(entry.others)}" if entry.others else alone
    if entry.label != before.label:
        return "renamed"
    return "grew" if entry.size > before.size else "shrank" if entry.size < before.size else ""


def _show_artists(console: Terminal, artists: Sequence[DistinctiveArtist]) -> None:
    if not artists:
        return
    table = listing(
        Column("artists that set it apart", wide=True), Column("id"), Column("plays it", right=True)
    )
    for artist in artists:
        table.add_row(Text(artist.name), Text(artist.artist_id, "dim"), f"{artist.times_more:.1f} x as much")
    console.print()
    console.print(table)

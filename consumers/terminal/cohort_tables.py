"""Cohorts as tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from consumers.queries.cohort import Cohort, DistinctiveArtist, HistoryEntry
from consumers.queries.cohorts import CohortList
from consumers.terminal.format import clock, moment, percent
from consumers.terminal.tables import Column, facts, listing

__all__ = ["show_cohort", "show_cohorts"]

BARS = 40
LINES = 10
EVENTS = {
    "born": "born, split from",
    "split": "split, giving",
    "merged": "joined by",
    "died": "gone, most went to",
    "": "",
}


def show_cohorts(found: CohortList) -> None:
    """Print the list of cohorts."""
    everyone = max(found.listeners + found.in_no_cohort, 1)
    numbers = (Column(name, right=True) for name in ("size", "share", "sent", "CTR"))
    table = listing(Column("cohort"), Column("what sets it apart", wide=True), *numbers)
    for cohort in found.cohorts:
        table.add_row(
            cohort.cohort_id,
            Text(cohort.label),
            f"{cohort.size:,}",
            percent(cohort.size / everyone),
            f"{cohort.sent:,}" if cohort.sent else "",
            percent(cohort.ctr),
        )
    console = Console(highlight=False)
    console.print(table)
    waiting = (
        f", {found.in_no_cohort:,} in none (they wait for one, or are bots)" if found.in_no_cohort else ""
    )
    console.print(f"[dim]{len(found.cohorts)} cohorts, {found.listeners:,} listeners in them{waiting}[/]")


def show_cohort(cohort: Cohort) -> None:
    """Print one cohort."""
    console = Console(highlight=False)
    console.print(Text(f"{cohort.cohort_id}  {cohort.label}", "bold"))
    told = (
        f"{cohort.sent:,} told, {cohort.opened:,} opened, {cohort.clicked:,} clicked" if cohort.sent else ""
    )
    gone = "" if cohort.living else " (the model has given it up)"
    console.print(
        facts(
            {
                "listeners": f"{cohort.size:,}{gone}",
                "releases": told if cohort.sent else "nobody here has been told of one yet",
                "CTR": percent(cohort.ctr),
                "born": _birth(cohort),
                "size so far": _spark([entry.size for entry in cohort.history if entry.event != "born"]),
                "model": str(cohort.model_version or ""),
            }
        )
    )
    _show_history(console, cohort.history)
    _show_artists(console, cohort.artists)


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


def _show_history(console: Console, history: Sequence[HistoryEntry]) -> None:
    if not history:
        return
    table = listing(
        Column("history"),
        Column("what happened"),
        Column("listeners", right=True),
        Column("called", wide=True),
    )
    # The first, which says where it came from, and the latest.
    for entry in (*history[:1], *history[1:][-LINES:]):
        words = EVENTS[entry.event]
        happened = f"{words} {', '.join(entry.others)}" if entry.others else words.split(",")[0]
        size = "" if entry.event == "born" else f"{entry.size:,}"
        table.add_row(clock(entry.at), happened, size, Text(entry.label))
    console.print()
    console.print(table)


def _show_artists(console: Console, artists: Sequence[DistinctiveArtist]) -> None:
    if not artists:
        return
    table = listing(
        Column("artists that set it apart", wide=True), Column("id"), Column("plays it", right=True)
    )
    for artist in artists:
        table.add_row(Text(artist.name), Text(artist.artist_id, "dim"), f"{artist.times_more:.1f} x as much")
    console.print()
    console.print(table)

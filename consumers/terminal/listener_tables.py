"""Listeners as tables for people."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from consumers.queries.listener import ListenerView
from consumers.terminal.format import ago, moment
from consumers.terminal.placement_words import why_in_words
from consumers.terminal.tables import Column, facts, listing

__all__ = ["show_listener"]

BAR = 16


def show_listener(listener: ListenerView) -> None:
    """Print one listener."""
    console = Console(highlight=False)
    console.print(Text(listener.user_id, "bold"))
    if listener.bot:
        cohort = "none: clicks like a bot"
    else:
        cohort = f"{listener.cohort}  {listener.label}" if listener.cohort else "none yet"
    seen = listener.last_seen - listener.first_seen
    console.print(
        facts(
            {
                "cohort": cohort,
                "why": "\n".join(why_in_words(listener)),
                "since": moment(listener.cohort_since) if listener.cohort_since else "",
                "clicks": f"{listener.clicks:,} within {ago(seen)}",
                "first": moment(listener.first_seen),
                "last": moment(listener.last_seen),
                "told": "of nothing: has opted out" if listener.opted_out else "",
            }
        )
    )
    _show_artists(console, listener)


def _show_artists(console: Console, listener: ListenerView) -> None:
    if not listener.artists:
        return
    strongest = max(artist.weight for artist in listener.artists) or 1.0
    shown = f"{len(listener.artists)} of {listener.artists_kept} artists"
    table = listing(Column(shown), Column("id"), Column("weight now", right=True), Column(""))
    for artist in listener.artists:
        bar = "▇" * round(BAR * max(artist.weight, 0.0) / strongest)
        table.add_row(
            Text(artist.name), Text(artist.artist_id, "dim"), f"{artist.weight:.2f}", Text(bar, "cyan")
        )
    console.print()
    console.print(table)

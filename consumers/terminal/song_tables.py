"""Songs for a listener, as a table for people."""

from __future__ import annotations

import time

from rich.text import Text

from consumers.queries.recommend import SongsForListener
from consumers.terminal.console import Terminal
from consumers.terminal.format import ago, counted
from consumers.terminal.tables import Column, listing

__all__ = ["show_songs"]


def show_songs(found: SongsForListener) -> None:
    """Print the songs for a listener."""
    console = Terminal()
    if not found.songs:
        console.print(Text(f"no song to recommend: {found.reason}"))
        return
    table = listing(Column("song"), Column("title"), Column("by"), Column("because you play", wide=True))
    for song in found.songs:
        table.add_row(
            Text(song.song_id),
            Text(song.title),
            Text(", ".join(song.artists)),
            Text(", ".join(each.name for each in song.because), "dim"),
        )
    console.print(table)
    songs = counted(len(found.songs), "song")
    console.print(f"{songs}, chosen {ago(max(time.time() - found.made_at, 0.0))} ago", style="dim")

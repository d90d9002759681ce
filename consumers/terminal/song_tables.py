"""Songs for a listener, as a table for people."""

from __future__ import annotations

import time

from rich.console import Console
from rich.text import Text

from consumers.queries.recommend import RecommendedSong, SongsForListener
from consumers.terminal.format import ago, counted
from consumers.terminal.tables import Column, listing

__all__ = ["because_in_words", "show_songs"]


def show_songs(found: SongsForListener) -> None:
    """Print the songs for a listener."""
    console = Console(highlight=False)
    if not found.songs:
        console.print("no song suits this listener that they have not heard lately")
        return
    table = listing(Column("song"), Column("title"), Column("by"), Column("why", wide=True))
    for song in found.songs:
        table.add_row(
            Text(song.song_id),
            Text(song.title),
            Text(", ".join(song.artists)),
            Text(because_in_words(song), "dim"),
        )
    console.print(table)
    songs = counted(len(found.songs), "song")
    console.print(f"{songs}, chosen {ago(max(time.time() - found.made_at, 0.0))} ago", style="dim")


def because_in_words(song: RecommendedSong) -> str:
    """Say why a song is recommended.

    Examples
    --------
    >>> from consumers.queries.recommend import Because
    >>> because = Because("a", "Ana", 0.5), Because("b", "Bo", 0.2)
    >>> because_in_words(RecommendedSong("s", "", (), (), 1.0, because))
    'because you play Ana, Bo'
    """
    names = ", ".join(each.name for each in song.because)
    return f"because you play {names}" if names else ""

"""A sample of listening history to try Refrain on: made-up listeners, artists and songs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from consumers.demo.music import Music
from consumers.demo.world import World

__all__ = ["Row", "sample_clicks", "sample_songs"]

Row: TypeAlias = dict[str, str | float]
AT_ONCE = 5000  # clicks
DAYS = 30.0


def sample_clicks(seed: int, listeners: int, clicks: int, until: float) -> Iterator[Row]:
    """Yield clicks of thirty days, in the order of their times. Artists go by their names.

    Parameters
    ----------
    seed
        The same seed and numbers, the same clicks, but for their times.
    until
        Unix seconds, the time of the last click.

    Examples
    --------
    >>> rows = list(sample_clicks(seed=1, listeners=50, clicks=100, until=1.7e9))
    >>> len(rows), sorted(rows[-1]), rows[-1]["ts"]
    (100, ['action', 'artist_ids', 'song_id', 'ts', 'user_id'], 1700000000.0)
    """
    world = World(seed, until - DAYS * 86_400, listeners, bots=0, clicks_a_day=clicks / DAYS)
    for done in range(0, clicks, AT_ONCE):
        for play in world.plays(min(AT_ONCE, clicks - done)):
            yield {
                "user_id": play.user_id,
                "song_id": play.song.song_id,
                "artist_ids": play.song.artist_names[0],
                "ts": round(play.ts, 3),
                "action": play.action,
            }


def sample_songs(seed: int) -> Iterator[Row]:
    """Yield the songs that the clicks of that seed are of.

    Examples
    --------
    >>> songs = {song["song_id"]: song["artist_ids"] for song in sample_songs(seed=1)}
    >>> clicks = list(sample_clicks(seed=1, listeners=50, clicks=100, until=1.7e9))
    >>> all(songs[click["song_id"]] == click["artist_ids"] for click in clicks)
    True
    """
    for song in Music(seed).songs:
        yield {
            "song_id": song.song_id,
            "title": song.title or "",
            "artist_ids": song.artist_names[0],
            "artist_names": song.artist_names[0],
            "genres": song.genres[0],
        }

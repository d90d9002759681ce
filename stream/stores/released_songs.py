"""Songs that were released lately: who plays one within the window was won over, or came by themselves."""

from __future__ import annotations

from collections.abc import Iterable

from models.listener import HEARD, Click, is_short
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.scripts import Call
from stream.wire.events import Feedback

__all__ = ["ReleasedSongs", "watch"]

KEPT = 7 * 86_400.0  # seconds after the window: clicks may be read so late


def watch(release_id: str, song_id: str, until: float) -> Call:
    """Return the call that has plays of a song counted for a release until a time, in Unix seconds."""
    return Call("ZADD", [keys.RELEASED_SONGS], [until, f"{song_id}}}{release_id}"])


class ReleasedSongs:
    """A copy of which songs are watched, in memory, as of the last `refresh`.

    Parameters
    ----------
    window
        Seconds from the moment a release was planned within which a play counts.
    least_ms_played
        A play of fewer milliseconds counts for no release.
    """

    def __init__(self, redis: AnyRedis, window: float, least_ms_played: int = 0) -> None:
        self._redis = redis
        self._window = window
        self._least = least_ms_played
        self._releases: dict[str, list[tuple[str, float]]] = {}

    async def refresh(self, now: float) -> None:
        """Read the songs again; drop those that nobody can play in time any more (`now`: Unix seconds)."""
        await self._redis.zremrangebyscore(keys.RELEASED_SONGS, "-inf", now - KEPT)
        found: dict[str, list[tuple[str, float]]] = {}
        for member, until in await self._redis.zrange(keys.RELEASED_SONGS, 0, -1, withscores=True):
            song_id, _, release_id = member.decode().partition("}")
            found.setdefault(song_id, []).append((release_id, until))
        self._releases = found

    def plays(self, clicks: Iterable[Click]) -> list[Feedback]:
        """Return what clicks say of releases: who has played the song within the window, once each."""
        if not self._releases:
            return []
        played: dict[tuple[str, str], float] = {}
        for click in clicks:
            for release_id, until in self._releases.get(click.song_id, ()):
                in_time = until - self._window <= click.ts <= until
                if click.action in HEARD and in_time and not is_short(click, self._least):
                    played.setdefault((release_id, click.user_id), click.ts)
        return [
            Feedback(release_id=release_id, user_id=user_id, kind="played", ts=ts)
            for (release_id, user_id), ts in played.items()
        ]
